//! The interfaces of administrators: the API under `/api/v1` and the HTTP admin API of tim 2.0, on one node and on three.

#![allow(clippy::unwrap_used, clippy::panic, reason = "tests")]

mod support;

use serde_json::{Value, json};
use std::time::{Duration, Instant};
use support::administered::{Administered, FORM, JSON, make_token};
use support::raw::{self, DOMAIN, Raw};
use support::{Cluster, PATIENCE, http, replace_file};
use tim_wire::{Command, TimAuth, TimReq, Token};

/// Waits until a client has been told to stay away and is closed.
async fn is_out(client: &mut Raw) {
    let told = client.ack(Command::Logout).await;
    assert!(told.ok && client.next().await.is_none(), "{told:?}");
}

fn told(problem: &Value) -> (&str, &str) {
    let text = |field: &str| problem[field].as_str().unwrap_or_default();
    (text("code"), text("detail"))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn without_tokens_nobody_is_let_in_and_is_told_how() {
    let cluster = Cluster::start(1, &["d0"]).await;
    let port = cluster.nodes[0].admin_port;
    for headers in [&[][..], &[("Authorization", "Bearer admin")][..]] {
        let (code, body) = http::request_with(port, ("GET", "/api/v1/blocks"), headers, b"")
            .await
            .unwrap();
        let problem: Value = serde_json::from_slice(&body).unwrap();
        assert_eq!((code, told(&problem).0), (403, "TIM-A101"));
        let remedy = problem["remedy"].as_str().unwrap();
        assert!(
            remedy.contains("tim-node admin-token") && remedy.contains("admin.tokens_file"),
            "{remedy}"
        );
    }
    let headers = [("username", "admin"), ("password", "123")];
    let (code, body) = http::request_with(port, ("POST", "/timToken"), &headers, b"{}")
        .await
        .unwrap();
    let told = String::from_utf8(body).unwrap();
    assert!(code == 404 && told.contains("admin.tim_2_0_api"), "{told}");
    let (code, body) = http::get(port, "/api/v1/openapi.json").await.unwrap();
    let described: Value = serde_json::from_str(&body).unwrap();
    assert_eq!((code, described["openapi"].as_str()), (200, Some("3.1.0")));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn wrong_tokens_roles_fields_and_sizes_are_told() {
    let it = Administered::start(
        1,
        "failed_authentications_per_address_per_minute = 3\nbody_bytes_max = 4096",
    )
    .await;
    let register = ("POST", "/accounts");
    for (token, code, cause, detail) in [
        (
            &it.read,
            403,
            "TIM-A103",
            "the token read has the role read; admin is needed",
        ),
        (
            &it.operate,
            403,
            "TIM-A103",
            "the token operate has the role operate; admin is needed",
        ),
    ] {
        let (answered, problem) = it.call(0, token, register, json!({})).await;
        assert_eq!((answered, told(&problem)), (code, (cause, detail)));
    }
    for (body, cause, field) in [
        (json!({"name": "a", "pasword": "b"}), "TIM-C101", "pasword"),
        (json!({"name": "a"}), "TIM-C105", "password"),
        (json!({"name": "a", "password": 1}), "TIM-A104", "password"),
        (json!({"name": "a", "password": ""}), "TIM-A104", "password"),
        (
            json!({"name": "a".repeat(300), "password": "b"}),
            "TIM-A104",
            "name",
        ),
    ] {
        let (code, problem) = it.call(0, &it.admin, register, body).await;
        assert_eq!(
            (code, told(&problem).0, problem["field"].as_str()),
            (400, cause, Some(field)),
            "{problem}"
        );
    }
    let (_, problem) = it
        .call(0, &it.admin, register, json!({"name": "a", "pasword": "b"}))
        .await;
    assert!(told(&problem).1.ends_with("did you mean password?"), "{problem}");
    let (code, problem) = it.send(0, &it.admin, register, &[b' '; 5_000]).await;
    assert_eq!((code, told(&problem).0), (413, "TIM-A108"));
    for (what, code, cause) in [
        (("GET", "/nothing"), 404, "TIM-A107"),
        (("DELETE", "/accounts"), 405, "TIM-A107"),
        (("GET", "/blocks?limit=0"), 400, "TIM-A104"),
        (("GET", "/blocks?limt=1"), 400, "TIM-C101"),
        (("GET", "/accounts/QdH6CCms5EU/profile"), 404, "TIM-A105"),
        (("GET", "/accounts?name=nobody"), 404, "TIM-A105"),
    ] {
        let (answered, problem) = it.call(0, &it.read, what, Value::Null).await;
        assert_eq!((answered, told(&problem).0), (code, cause), "{what:?}: {problem}");
    }
    let mut codes = Vec::new();
    for _ in 0..5 {
        codes.push(
            it.call(0, "tim-admin-wrong", ("GET", "/blocks"), Value::Null)
                .await
                .0,
        );
    }
    assert_eq!(codes, [401, 401, 401, 429, 429], "guesses are counted by address");
    let (code, _) = it.call(0, &it.read, ("GET", "/blocks"), Value::Null).await;
    assert_eq!(code, 200, "guesses of others are in nobody's way");
}

/// Nodes log and count what was done, without names.
async fn is_audited(it: &Administered, alice: &str) {
    let log = it.cluster.log(1);
    let line = log
        .lines()
        .find(|line| line.contains("make_login_token"))
        .unwrap();
    assert!(
        line.contains("administrator=\"admin\"") && line.contains("result=\"done\""),
        "{line}"
    );
    assert!(
        !line.contains(alice) && !log.contains(&it.admin),
        "neither names nor tokens are logged"
    );
    let (_, metrics) = http::get(it.cluster.nodes[1].admin_port, "/metrics")
        .await
        .unwrap();
    let counted = metrics
        .lines()
        .any(|line| line.contains("tim_admin_requests") && line.contains("set_password"));
    assert!(counted, "{metrics}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn accounts_are_made_changed_and_logged_in_by_token() {
    let it = Administered::start(3, "").await;
    let alice = it.register("alice").await;
    let again = json!({"name": "alice", "password": "x", "domain": DOMAIN});
    let (code, problem) = it.call(1, &it.admin, ("POST", "/accounts"), again).await;
    assert_eq!((code, told(&problem).0), (409, "TIM-A106"));
    let (code, found) = it
        .call(
            2,
            &it.read,
            ("GET", &format!("/accounts?name=alice&domain={DOMAIN}")),
            Value::Null,
        )
        .await;
    assert_eq!((code, found["account"].as_str()), (200, Some(alice.as_str())));

    let profile = format!("/accounts/{alice}/profile");
    let change = json!({"nickname": "Al", "extend": {"team": "blue"}});
    assert_eq!(it.call(0, &it.operate, ("PATCH", &profile), change).await.0, 200);
    it.call(1, &it.operate, ("PATCH", &profile), json!({"area": "here"}))
        .await;
    let (_, shown) = it.call(2, &it.read, ("GET", &profile), Value::Null).await;
    assert_eq!(
        shown,
        json!({"nickname": "Al", "area": "here", "extend": {"team": "blue"}})
    );

    let password = format!("/accounts/{alice}/password");
    let set = it
        .call(1, &it.admin, ("PUT", &password), json!({"password": "another"}))
        .await;
    assert_eq!(set.0, 204);
    let mut client = Raw::connect(it.cluster.nodes[2].client_port).await;
    client.login("alice", "another").await;
    client.close().await;

    let (code, made) = it
        .call(
            1,
            &it.admin,
            ("POST", &format!("/accounts/{alice}/tokens")),
            Value::Null,
        )
        .await;
    assert_eq!(code, 201, "{made}");
    let mut client = Raw::connect(it.cluster.nodes[0].client_port).await;
    let token = Some(Token::Text(made["token"].as_str().unwrap().to_owned()));
    let auth = TimAuth {
        token,
        termtyp: Some(2),
        ..TimAuth::default()
    };
    client.send_struct(Command::Auth, &auth).await;
    let ack = client.ack(Command::Auth).await;
    assert_eq!((ack.ok, ack.n.as_deref()), (true, Some(alice.as_str())));

    is_audited(&it, &alice).await;
}

/// An end of a block is given once, and lies ahead.
async fn other_ends_are_refused(it: &Administered, block: &str) {
    for body in [
        json!({}),
        json!({"seconds": 1, "untilUnixSeconds": 2}),
        json!({"untilUnixSeconds": 1}),
    ] {
        let (code, problem) = it.call(0, &it.operate, ("PUT", block), body).await;
        assert_eq!(
            (code, problem["field"].as_str()),
            (400, Some("untilUnixSeconds")),
            "{problem}"
        );
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn blocks_and_forced_logouts_reach_every_node() {
    let it = Administered::start(3, "[sessions]\nper_account_max = 3\nper_device_class_max = 3").await;
    let (alice, bob) = (it.register("alice").await, it.register("bob").await);
    let mut devices = Vec::new();
    for node in 0..3 {
        devices.push(it.cluster.login(node, "alice").await);
    }
    let mut other = it.cluster.login(2, "bob").await;
    let sessions = format!("/accounts/{alice}/sessions");
    let (_, online) = it.call(0, &it.read, ("GET", &sessions), Value::Null).await;
    assert_eq!(
        (
            online["online"].as_bool(),
            online["sessions"].as_array().unwrap().len()
        ),
        (Some(true), 3)
    );
    let (code, ended) = it.call(1, &it.operate, ("DELETE", &sessions), Value::Null).await;
    assert_eq!((code, ended), (200, json!({"sessions": 3, "missingNodes": []})));
    for client in &mut devices {
        is_out(client).await;
    }
    other.ping().await;

    // Logged out, not blocked.
    let mut client = Raw::connect(it.cluster.nodes[2].client_port).await;
    client.login("alice", "secret").await;
    let block = format!("/accounts/{alice}/block");
    let (code, said) = it
        .call(0, &it.operate, ("PUT", &block), json!({"seconds": 3600}))
        .await;
    assert_eq!((code, said), (200, json!({"untoldNodes": []})));
    is_out(&mut client).await;
    let (_, listed) = it.call(1, &it.read, ("GET", "/blocks"), Value::Null).await;
    assert_eq!(listed["blocks"][0]["account"], json!(alice));
    let mut refused = Raw::connect(it.cluster.nodes[1].client_port).await;
    refused
        .send_struct(Command::Auth, &raw::auth("alice", "secret"))
        .await;
    assert!(!refused.ack(Command::Auth).await.ok);
    it.call(
        2,
        &it.operate,
        ("PUT", &format!("/accounts/{bob}/block")),
        json!({"seconds": 3600}),
    )
    .await;
    is_out(&mut other).await;
    let (_, first) = it
        .call(0, &it.read, ("GET", "/blocks?limit=1"), Value::Null)
        .await;
    let next = first["next"].as_str().unwrap();
    let (_, second) = it
        .call(
            0,
            &it.read,
            ("GET", &format!("/blocks?limit=1&cursor={next}")),
            Value::Null,
        )
        .await;
    assert_ne!(first["blocks"][0]["account"], second["blocks"][0]["account"]);
    assert_eq!(second["next"], Value::Null);
    assert_eq!(
        it.call(2, &it.operate, ("DELETE", &block), Value::Null).await.0,
        200
    );
    it.cluster.login(1, "alice").await;
    other_ends_are_refused(&it, &block).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_is_online_is_listed_page_by_page_over_all_nodes() {
    let it = Administered::start(3, "").await;
    let mut clients = Vec::new();
    let mut wanted = Vec::new();
    for number in 0..10 {
        let name = format!("user{number}");
        wanted.push(it.register(&name).await);
        clients.push(it.cluster.login(number % 3, &name).await);
    }
    let mut seen = Vec::new();
    let mut path = "/sessions?limit=3".to_owned();
    loop {
        let (code, page) = it.call(seen.len(), &it.read, ("GET", &path), Value::Null).await;
        assert_eq!((code, &page["missingNodes"]), (200, &json!([])), "{page}");
        for online in page["accounts"].as_array().unwrap() {
            assert_eq!(online["deviceClasses"].as_object().unwrap().len(), 1, "{online}");
            seen.push(online["account"].as_str().unwrap().to_owned());
        }
        let Some(next) = page["next"].as_str() else { break };
        path = format!("/sessions?limit=3&cursor={next}");
    }
    seen.sort();
    wanted.sort();
    assert_eq!(seen, wanted);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn virtual_rooms_are_made_and_removed_for_their_owner() {
    let it = Administered::start(3, "").await;
    // Nodes that see others than their neighbours do look for a room elsewhere, for a moment.
    it.cluster.see_each_other(3).await;
    let alice = it.register("alice").await;
    let (code, made) = it
        .call(
            1,
            &it.operate,
            ("POST", "/virtual-rooms"),
            json!({"owner": alice}),
        )
        .await;
    assert_eq!(code, 201, "{made}");
    let room = made["virtualRoom"].as_str().unwrap();
    let mut client = it.cluster.login(0, "alice").await;
    let subscribe = TimReq {
        rtype: Some(5),
        node: Some(room.to_owned()),
        ..TimReq::default()
    };
    client.send_struct(Command::VirtualRoom, &subscribe).await;
    assert!(client.ack(Command::VirtualRoom).await.ok);
    let remove = format!("/virtual-rooms/{room}?owner={alice}");
    assert_eq!(
        it.call(2, &it.operate, ("DELETE", &remove), Value::Null).await.0,
        204
    );
    client.send_struct(Command::VirtualRoom, &subscribe).await;
    assert!(!client.ack(Command::VirtualRoom).await.ok, "it is gone");
    let nobody = json!({"owner": "QdH6CCms5EU"});
    assert_eq!(
        it.call(0, &it.operate, ("POST", "/virtual-rooms"), nobody)
            .await
            .0,
        404
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_token_that_is_taken_out_of_the_file_stops_counting() {
    let it = Administered::start(1, "").await;
    let file = it.cluster.directory.path().join("administrators.toml");
    let (fresh, lines) = make_token("fresh", "read");
    replace_file(&file, &lines);
    let deadline = Instant::now() + PATIENCE;
    while it.call(0, &fresh, ("GET", "/blocks"), Value::Null).await.0 != 200 {
        assert!(Instant::now() < deadline);
        tokio::time::sleep(Duration::from_millis(300)).await;
    }
    assert_eq!(
        it.call(0, &it.admin, ("GET", "/blocks"), Value::Null).await.0,
        401
    );
    replace_file(&file, "surplus = 1\n");
    let status = it
        .cluster
        .until(0, "/status", "the file is told", |_, body| {
            body.contains("administrators.toml:1")
        })
        .await;
    assert!(
        status.contains("TIM-C103") && status.contains("surplus"),
        "{status}"
    );
    let (code, problem) = it.call(0, &fresh, ("GET", "/blocks"), Value::Null).await;
    assert_eq!((code, told(&problem).0), (403, "TIM-A101"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_token_may_stand_in_the_configuration_itself() {
    let mut cluster = Cluster::prepare(1, &["d0"]);
    let (token, lines) = make_token("ops", "read");
    cluster.extra = lines.replace("[[tokens]]", "[[admin.tokens]]");
    cluster.run_all().await;
    let bearer = format!("Bearer {token}");
    let headers = [("Authorization", bearer.as_str())];
    let port = cluster.nodes[0].admin_port;
    let (code, _) = http::request_with(port, ("GET", "/api/v1/blocks"), &headers, b"")
        .await
        .unwrap();
    assert_eq!(code, 200);
}

async fn backends_make_and_change_accounts(it: &Administered) {
    let (_, made) = it
        .post(
            "/timRegister",
            JSON,
            r#"{"username":"tim1","password":"123","domain":"tlnet.top"}"#,
        )
        .await;
    assert_eq!(made, json!({"ok": true, "timType": 0, "n": "UHuS8PoK2LX"}));
    let (_, again) = it
        .post(
            "/timRegister",
            FORM,
            "username=tim1&password=123&domain=tlnet.top",
        )
        .await;
    assert_eq!(
        (again["ok"].as_bool(), again["error"]["code"].as_i64()),
        (Some(false), Some(4101))
    );
    let (_, changed) = it
        .post(
            "/timModifyUserInfo",
            FORM,
            "node=UHuS8PoK2LX&userbean=%7B%22nickName%22%3A%22T%22%7D",
        )
        .await;
    assert_eq!(changed["ok"], json!(true));
    let (_, reset) = it
        .post(
            "/timResetAuth",
            JSON,
            r#"{"loginname":"tim1","pwd":"456","domain":"tlnet.top"}"#,
        )
        .await;
    assert_eq!((&reset["ok"], &reset["n"]), (&json!(true), &json!("tim1")));
    let (_, wrong) = it
        .post(
            "/timToken",
            JSON,
            r#"{"name":"tim1","password":"123","domain":"tlnet.top"}"#,
        )
        .await;
    assert_eq!(wrong["error"]["code"], json!(4102));
}

async fn what_is_not_there_is_said(it: &Administered) {
    let detected = it.post("/timDetect", JSON, r#"{"nodes":["a"]}"#).await;
    assert_eq!(detected, (200, Value::Null));
    for path in [
        "/timNewRoom",
        "/timKickRoom",
        "/timAddroster",
        "/timBlockRosterList",
    ] {
        let (code, answer) = it.post(path, JSON, "{}").await;
        assert_eq!(
            (code, &answer["ok"], &answer["error"]["code"]),
            (200, &json!(false), &json!(4104)),
            "{path}"
        );
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn backends_of_2_0_find_their_interface() {
    let it = Administered::start(1, "tim_2_0_api = true").await;
    let port = it.cluster.nodes[0].admin_port;
    for headers in [&[][..], &[("username", "console"), ("password", "wrong")][..]] {
        let refused = http::request_with(port, ("POST", "/timRegister"), headers, b"{}")
            .await
            .unwrap();
        assert_eq!(refused, (401, Vec::new()));
    }
    backends_make_and_change_accounts(&it).await;
    let (_, token) = it.post("/timToken", JSON, r#"{"name":"UHuS8PoK2LX"}"#).await;
    assert_eq!(
        (&token["timType"], &token["n"]),
        (&json!(15), &json!("UHuS8PoK2LX"))
    );
    let mut client = Raw::connect(port_of_clients(&it)).await;
    let auth = TimAuth {
        token: Some(Token::Number(token["t"].as_i64().unwrap())),
        ..TimAuth::default()
    };
    client.send_struct(Command::Auth, &auth).await;
    assert!(client.ack(Command::Auth).await.ok);
    assert_eq!(
        it.post("/timOnline", JSON, "").await.1,
        json!([{"node": "UHuS8PoK2LX", "termtyp": 0}])
    );
    let (_, room) = it
        .post("/timVroom", JSON, r#"{"node":"UHuS8PoK2LX","rtype":1}"#)
        .await;
    assert!(room["n"].as_str().is_some_and(|room| !room.is_empty()), "{room}");
    let (_, blocked) = it
        .post("/timBlockUser", JSON, r#"{"account":"UHuS8PoK2LX","time":600}"#)
        .await;
    assert_eq!(blocked, json!({"ok": true, "timType": 0, "n": "UHuS8PoK2LX"}));
    is_out(&mut client).await;
    let (_, listed) = it.post("/timBlockList", JSON, "").await;
    assert!(
        listed["UHuS8PoK2LX"]
            .as_i64()
            .is_some_and(|until| until > 1_700_000_000),
        "{listed}"
    );
    it.post("/timBlockUser", JSON, r#"{"account":"UHuS8PoK2LX","time":-1}"#)
        .await;
    assert_eq!(it.post("/timBlockList", JSON, "").await.1, json!({}));
    what_is_not_there_is_said(&it).await;
}

fn port_of_clients(it: &Administered) -> u16 {
    it.cluster.nodes[0].client_port
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_body_that_does_not_arrive_takes_a_place_for_a_limited_time() {
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
    let it = Administered::start(1, "request_timeout_millis = 1000\nrequests_max = 1").await;
    let port = it.cluster.nodes[0].admin_port;
    let mut slow = tokio::net::TcpStream::connect(("127.0.0.1", port)).await.unwrap();
    let head = format!(
        "POST /api/v1/accounts HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {}\r\nContent-Length: 10\r\nExpect: 100-continue\r\nConnection: close\r\n\r\n",
        it.admin
    );
    slow.write_all(head.as_bytes()).await.unwrap();
    // The server asks for the body once it wants to read it.
    let mut asked = [0; 25];
    slow.read_exact(&mut asked).await.unwrap();
    assert!(asked.starts_with(b"HTTP/1.1 100"));
    let (code, problem) = it.call(0, &it.read, ("GET", "/blocks"), Value::Null).await;
    assert_eq!(code, 503);
    assert!(told(&problem).1.contains("admin.requests_max"), "{problem}");
    let mut answer = String::new();
    slow.read_to_string(&mut answer).await.unwrap();
    assert!(
        answer.starts_with("HTTP/1.1 504") && answer.contains("TIM-A109"),
        "{answer}"
    );
    let (code, _) = it.call(0, &it.read, ("GET", "/blocks"), Value::Null).await;
    assert_eq!(code, 200);
}
