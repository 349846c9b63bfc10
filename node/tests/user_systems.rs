//! Users that are not the cluster's own: anybody, those of a database of the operator's on every engine, and accounts that come with
//! the hashes of the reference engine.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::too_many_lines,
    reason = "tests stop at the first surprise, and a scenario is told in one piece"
)]

#[path = "../../e2e/src/database.rs"]
#[allow(
    dead_code,
    unreachable_pub,
    reason = "shared with the end-to-end tests, which use all of it"
)]
mod database;
mod support;

use database::{Kind, Server};
use serde_json::json;
use std::time::{Duration, Instant};
use support::administered::Administered;
use support::raw::{self, DOMAIN, Raw};
use support::{CLUSTER, Cluster, PATIENCE};
use tim_core::id::{AccountId, DatabaseName};
use tim_store::{FenceState, Foreign, StorageKeys, Store, StoreConfig};
use tim_wire::structs::business;
use tim_wire::{Command, Encoding, IdScheme, TimAuth, TimMessage, TimNodes, TimReq, WireStruct};

fn named(name: &str, password: Option<&str>) -> TimAuth {
    TimAuth {
        name: Some(name.to_owned()),
        pwd: password.map(str::to_owned),
        ..TimAuth::default()
    }
}

/// A session; the code of the refusal where there is none.
async fn log_in(port: u16, auth: &TimAuth) -> Result<Raw, i32> {
    let mut client = Raw::connect(port).await;
    client.send_struct(Command::Auth, auth).await;
    let ack = client.ack(Command::Auth).await;
    match ack.error {
        None => {
            assert_eq!(ack.n, auth.name, "the account is the name");
            client.offline().await;
            Ok(client)
        }
        Some(error) => Err(error.code.unwrap()),
    }
}

async fn refused(client: &mut Raw, command: Command) -> i32 {
    client.ack(command).await.error.unwrap().code.unwrap()
}

async fn text(client: &mut Raw) -> String {
    client.message().await.data_string.unwrap()
}

async fn ask(client: &mut Raw, rtype: i32, node: &str) {
    let request = TimReq {
        rtype: Some(rtype),
        node: Some(node.to_owned()),
        req_str: Some(String::new()),
        ..TimReq::default()
    };
    client.send_struct(Command::Business, &request).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn anyone_logs_in_and_writes_to_anyone() {
    let mut cluster = Cluster::prepare(3, &["d0", "d1"]);
    cluster.extra = "[accounts]\nids = \"names\"\nusers = \"anyone\"\n".to_owned();
    // The section of passwords stands before that in the file; tables may come in any order.
    cluster.run_all().await;
    let [first, second, third] = [0, 1, 2].map(|node| cluster.nodes[node].client_port);
    let mut anna = log_in(first, &named("anna", None)).await.unwrap();
    let mut otto = log_in(second, &named("otto", Some("whatever"))).await.unwrap();
    anna.say("otto", "hello").await;
    assert_eq!(text(&mut anna).await, "hello");
    assert_eq!(text(&mut otto).await, "hello");
    // Nobody needs to have been here.
    anna.say("ida", "welcome").await;
    assert_eq!(text(&mut anna).await, "welcome");
    let mut ida = Raw::connect(third).await;
    ida.send_struct(Command::Auth, &named("ida", None)).await;
    assert!(ida.ack(Command::Auth).await.ok);
    let missed = ida.offline().await;
    assert_eq!(missed[0].data_string.as_deref(), Some("welcome"));
    for wrong in ["", "a|b"] {
        assert_eq!(
            log_in(first, &named(wrong, None)).await.unwrap_err(),
            4105,
            "{wrong:?}"
        );
    }
    let registered = raw::post(first, Command::Register, Encoding::Json, &named("new", Some("x"))).await;
    assert_eq!(registered.error.unwrap().code, Some(5103));
    let token = raw::post(first, Command::Token, Encoding::Json, &named("zoe", Some("x"))).await;
    let auth = TimAuth {
        token: Some(tim_wire::Token::Text(token.n.unwrap())),
        ..TimAuth::default()
    };
    let mut zoe = Raw::connect(second).await;
    zoe.send_struct(Command::Auth, &auth).await;
    assert_eq!(zoe.ack(Command::Auth).await.n.as_deref(), Some("zoe"));
    // Who is blocked is not heard.
    ask(&mut zoe, business::BLOCK_ROSTER, "otto").await;
    assert!(zoe.ack(Command::Business).await.ok);
    otto.say("zoe", "are you there?").await;
    assert_eq!(refused(&mut otto, Command::Message).await, 4110);
    assert!(
        cluster.log(0).contains("accounts.users is \"anyone\""),
        "it is told"
    );
}

/// An empty database for the operator's own tables; the server ends with it.
struct Operators {
    dsn: String,
    pool: Foreign,
    _directory: tempfile::TempDir,
    _server: Option<Server>,
}

impl Operators {
    fn new(kind: Option<Kind>) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let server = kind.map(|kind| Server::start(kind).unwrap());
        let dsn = match &server {
            Some(server) => server.dsn(&server.create_database().unwrap()),
            None => {
                let file = directory.path().join("people.db");
                std::fs::write(&file, []).unwrap();
                format!("sqlite:{}", file.display())
            }
        };
        Self {
            pool: Foreign::open(&dsn, 2, Duration::from_secs(10), 100).unwrap(),
            dsn,
            _directory: directory,
            _server: server,
        }
    }

    async fn run(&self, text: &str) {
        self.pool.rows(text, &[], 0).await.unwrap();
    }

    async fn fill(&self) {
        self.run("CREATE TABLE people (id VARCHAR(64), name VARCHAR(64), secret VARCHAR(64))")
            .await;
        self.run("CREATE TABLE friends (one VARCHAR(64), other VARCHAR(64))")
            .await;
        for name in ["anna", "otto", "ida"] {
            let values = format!("'{name}', '{name}', 'secret of {name}'");
            self.run(&format!(
                "INSERT INTO people (id, name, secret) VALUES ({values})"
            ))
            .await;
        }
        for (one, other) in [("anna", "otto"), ("otto", "anna"), ("anna", "ida")] {
            self.run(&format!(
                "INSERT INTO friends (one, other) VALUES ('{one}', '{other}')"
            ))
            .await;
        }
    }
}

/// Each is named with what it lacks and what to do.
async fn wrong_statements_end_the_start(cluster: &mut Cluster) {
    let right = cluster.extra.clone();
    let login = "SELECT id FROM people WHERE name = ? AND secret = ?";
    let roster = "SELECT other FROM friends WHERE one = ?";
    for (statement, wrong, told) in [
        (
            login,
            "SELECT id FROM people WHERE name = ?",
            [
                "accounts.database.login",
                "column 2 is missing: the password's hash",
                "the account's id, the password's hash",
            ],
        ),
        (
            roster,
            "SELECT other FROM no_friends WHERE one = ?",
            ["accounts.database.roster", "does not take", "no_friends"],
        ),
        (
            "SELECT COUNT(*) FROM people WHERE id = ?",
            "SELECT name FROM people WHERE id = ?",
            [
                "accounts.database.exists",
                "begin with a column of the type",
                "a whole number",
            ],
        ),
    ] {
        cluster.extra = right.replace(statement, wrong);
        cluster.spawn(0);
        assert_ne!(cluster.ended(0).await, Some(0));
        let log = cluster.log(0);
        assert!(log.contains("TIM-C102"), "{log}");
        for part in told {
            assert!(log.contains(part), "{part}: {log}");
        }
    }
    cluster.extra = right;
}

async fn users_of_a_database(kind: Option<Kind>) {
    let operators = Operators::new(kind);
    operators.fill().await;
    let mut cluster = Cluster::prepare(2, &["d0", "d1"]);
    let file = cluster.directory.path().join("users.dsn");
    std::fs::write(&file, &operators.dsn).unwrap();
    cluster.extra = format!(
        "[accounts]\nids = \"names\"\nusers = \"database\"\n[accounts.database]\ndsn_file = \"{}\"\n\
         login = \"SELECT id FROM people WHERE name = ? AND secret = ?\"\n\
         exists = \"SELECT COUNT(*) FROM people WHERE id = ?\"\n\
         may_message = \"SELECT COUNT(*) FROM friends WHERE one = ? AND other = ?\"\n\
         roster = \"SELECT other FROM friends WHERE one = ?\"\nrest_millis = 100\n",
        file.display()
    );
    wrong_statements_end_the_start(&mut cluster).await;
    cluster.run_all().await;
    let [first, second] = [0, 1].map(|node| cluster.nodes[node].client_port);
    let secret = |name: &str| named(name, Some(&format!("secret of {name}")));
    let mut anna = log_in(first, &secret("anna")).await.unwrap();
    let mut otto = log_in(second, &secret("otto")).await.unwrap();
    for wrong in [
        named("anna", Some("other")),
        named("nobody", Some("x")),
        named("anna", None),
    ] {
        assert_eq!(log_in(first, &wrong).await.unwrap_err(), 4105);
    }
    // Nothing that is given is part of the statement.
    let spliced = named("anna", Some("' OR '1' = '1"));
    assert_eq!(log_in(first, &spliced).await.unwrap_err(), 4105);
    for _ in 0..2 {
        anna.say("otto", "hello").await;
        assert_eq!(
            (text(&mut anna).await, text(&mut otto).await),
            ("hello".to_owned(), "hello".to_owned())
        );
    }
    let mut ida = log_in(second, &secret("ida")).await.unwrap();
    ida.say("anna", "may I?").await;
    assert_eq!(refused(&mut ida, Command::Message).await, 4105);
    let mut stream = TimMessage::direct("otto", tim_wire::structs::operation::STREAM);
    stream.data_string = Some("live".to_owned());
    anna.send_struct(Command::Message, &stream).await;
    assert_eq!(
        otto.unconfirmed_message().await.0.data_string.as_deref(),
        Some("live")
    );
    ask(&mut anna, business::ROSTER, "").await;
    let frame = anna.frame(Command::Nodes).await;
    let roster = TimNodes::decode_payload(&frame.payload, anna.encoding).unwrap();
    assert_eq!(roster.nodelist.unwrap(), ["ida", "otto"]);
    for operation in [
        business::ADD_ROSTER,
        business::REMOVE_ROSTER,
        business::BLOCK_ROSTER,
    ] {
        ask(&mut anna, operation, "ida").await;
        assert_eq!(refused(&mut anna, Command::Business).await, 4107);
    }
    let registered = raw::post(first, Command::Register, Encoding::Json, &named("new", Some("x"))).await;
    assert_eq!(registered.error.unwrap().code, Some(4107));
    // The database fails, and is back.
    operators.run("ALTER TABLE people RENAME TO gone").await;
    assert_eq!(log_in(first, &secret("otto")).await.unwrap_err(), 5104);
    let told = cluster.status(0).await.to_string();
    assert!(told.contains("TIM-N125") && !told.contains("secret of"), "{told}");
    anna.say("otto", "still here").await;
    assert_eq!(text(&mut otto).await, "still here");
    operators.run("ALTER TABLE gone RENAME TO people").await;
    let deadline = Instant::now() + PATIENCE;
    while log_in(first, &named("ida", Some("other"))).await.unwrap_err() != 4105 {
        assert!(Instant::now() < deadline);
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn users_of_a_database_over_sqlite() {
    users_of_a_database(None).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn users_of_a_database_over_postgresql() {
    users_of_a_database(Some(Kind::Postgres)).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn users_of_a_database_over_mariadb() {
    users_of_a_database(Some(Kind::MariaDb)).await;
}

/// Deletes an account of another system, which comes back as somebody new.
async fn deleted_and_back(it: &Administered, anna: &TimAuth, otto: &TimAuth) {
    let port = it.cluster.nodes[0].client_port;
    let mut otto_online = log_in(port, otto).await.unwrap();
    let mut session = log_in(port, anna).await.unwrap();
    session.say("otto", "hello").await;
    assert_eq!(text(&mut session).await, "hello");
    assert_eq!(text(&mut otto_online).await, "hello");
    otto_online.say("anna", "and hello").await;
    assert_eq!(text(&mut session).await, "and hello");
    let delete = ("DELETE", "/accounts/anna");
    assert_eq!(it.call(0, &it.admin, delete, json!(null)).await.0, 202);
    assert_eq!(session.closed().await, Some(1008));
    let refused = log_in(port, anna).await.unwrap_err();
    assert_eq!(refused, 4105, "not before it is done");
    let deadline = Instant::now() + PATIENCE;
    loop {
        let (_, left) = it.call(0, &it.read, ("GET", "/deletions"), json!(null)).await;
        if left["deletions"] == json!([]) {
            break;
        }
        assert!(Instant::now() < deadline, "{left}");
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    let mut anna = log_in(port, anna).await.unwrap();
    otto_online.say("anna", "welcome").await;
    // What others have said to it is theirs, and waits for it; what it has said itself is gone.
    while text(&mut anna).await != "welcome" {}
    let (code, _) = it
        .call(0, &it.read, ("GET", "/accounts/anna/profile"), json!(null))
        .await;
    assert_eq!(code, 200);
    // What was sent before is nobody's any more.
    let history = ("GET", "/accounts/otto/history/anna");
    let (_, page) = it.call(0, &it.admin, history, json!(null)).await;
    let page = page["messages"].as_array().unwrap();
    let texts: Vec<_> = page.iter().filter_map(|one| one["text"].as_str()).collect();
    assert!(
        texts.contains(&"and hello") && !texts.contains(&"hello"),
        "{texts:?}"
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn anyone_who_is_deleted_may_come_back() {
    let more = "[accounts]\nids = \"names\"\nusers = \"anyone\"\n[accounts.deletion]\nsettle_seconds = 2";
    let it = Administered::start(1, more).await;
    deleted_and_back(&it, &named("anna", None), &named("otto", None)).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_deleted_user_of_a_database_may_come_back() {
    let operators = Operators::new(None);
    operators.fill().await;
    let cluster = Cluster::prepare(1, &["d0", "d1"]);
    let file = cluster.directory.path().join("users.dsn");
    std::fs::write(&file, &operators.dsn).unwrap();
    let more = format!(
        "[accounts]\nids = \"names\"\nusers = \"database\"\n[accounts.deletion]\nsettle_seconds = 2\n\
         [accounts.database]\ndsn_file = \"{}\"\nremembered_millis = 0\n\
         login = \"SELECT id FROM people WHERE name = ? AND secret = ?\"\n\
         may_message = \"SELECT COUNT(*) FROM friends WHERE one = ? AND other = ?\"\n",
        file.display()
    );
    let it = Administered::start_on(cluster, &more).await;
    let secret = |name: &str| named(name, Some(&format!("secret of {name}")));
    deleted_and_back(&it, &secret("anna"), &secret("otto")).await;
    // Not who is none of theirs any more.
    operators.run("DELETE FROM people WHERE id = 'anna'").await;
    let port = it.cluster.nodes[0].client_port;
    assert_eq!(log_in(port, &secret("anna")).await.unwrap_err(), 4105);
}

/// What the nodes have stored of an account's password.
async fn stored_hash(cluster: &Cluster, account: &AccountId) -> String {
    let keys = StorageKeys::single([7; 32].into()).unwrap();
    let cluster_id = CLUSTER.to_owned();
    let store = Store::new(StoreConfig {
        cluster: cluster_id,
        keys,
    });
    for name in &cluster.databases {
        let dsn = std::fs::read_to_string(cluster.directory.path().join("dsn").join(name)).unwrap();
        let name = DatabaseName::new(name).unwrap();
        store.configure([(name.clone(), dsn)]).unwrap();
        let database = store.database(&name).unwrap();
        for fence in database.fences().await.unwrap() {
            let slot = tim_core::placement::slot(account.as_bytes());
            if fence.covers(slot) && fence.state == FenceState::Open {
                let found = database.find_account(fence.epoch, account).await.unwrap();
                return found.unwrap().password_hash;
            }
        }
    }
    panic!("nobody has the account");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn hashes_of_the_reference_engine_are_taken_and_replaced() {
    let it = Administered::start(1, "[sessions]\nper_account_max = 10\nper_device_class_max = 10").await;
    let ids = IdScheme::default();
    let id = ids.account_id("bob", DOMAIN);
    // bcrypt over the id's bytes, the salt, the domain, the password.
    let salt = "#@*=+-<>?:|$&()%$#{]aQkLIPM79643028U'TRKF_}";
    let number = ids.number_of(&id).unwrap().to_be_bytes();
    let hashed = [&number[..], salt.as_bytes(), DOMAIN.as_bytes(), b"old one"].concat();
    let hash = bcrypt::hash(hashed, 4).unwrap();
    let lines = [
        json!({"name": "bob", "domain": DOMAIN, "passwordHash": hash, "profile": {"nickname": "Bobby"}}),
        json!({"account": "nonsense", "passwordHash": hash}),
        json!({"name": "carol", "domain": DOMAIN, "passwordHash": "secret"}),
        json!({"name": "dora", "passwrdHash": hash}),
    ];
    let body: Vec<String> = lines.iter().map(ToString::to_string).collect();
    let body = body.join("\n");
    for (created, existing) in [(1, 0), (0, 1)] {
        let (code, told) = it
            .send(0, &it.admin, ("POST", "/accounts/import"), body.as_bytes())
            .await;
        assert_eq!(
            (code, &told["created"], &told["existing"]),
            (200, &json!(created), &json!(existing)),
            "{told}"
        );
        let refused: Vec<_> = told["refused"]
            .as_array()
            .unwrap()
            .iter()
            .map(|one| &one["line"])
            .collect();
        assert_eq!(refused, [2, 3, 4], "{told}");
    }
    let account = AccountId::new(&id).unwrap();
    assert_eq!(stored_hash(&it.cluster, &account).await, hash);
    let port = it.cluster.nodes[0].client_port;
    let mut wrong = Raw::connect(port).await;
    wrong
        .send_struct(Command::Auth, &raw::auth("bob", "other one"))
        .await;
    assert_eq!(refused(&mut wrong, Command::Auth).await, 4105);
    for _ in 0..2 {
        let mut bob = Raw::connect(port).await;
        assert_eq!(bob.login("bob", "old one").await.n.as_deref(), Some(id.as_str()));
        assert!(stored_hash(&it.cluster, &account).await.starts_with("$argon2id$"));
    }
    let (_, profile) = it
        .call(
            0,
            &it.read,
            ("GET", &format!("/accounts/{id}/profile")),
            json!(null),
        )
        .await;
    assert_eq!(profile["nickname"], "Bobby");
}
