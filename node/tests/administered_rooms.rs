//! Rosters, rooms and history in the hands of administrators: what they do in the name of accounts is what the accounts'
//! own clients would have done, with the same notices, rights and order.

#![allow(clippy::unwrap_used, clippy::panic, reason = "tests")]
#![allow(clippy::too_many_lines, reason = "each is one story of a room, told in order")]

mod support;

use serde_json::{Value, json};
use support::administered::{Administered, FORM, JSON};
use support::raw::Raw;
use tim_wire::Command;

const BNTYPE_ADD: i32 = 4;
const BNTYPE_FRIEND: i32 = 5;
const BNTYPE_APPLIED: i32 = 9;
const BNTYPE_PASSED: i32 = 10;
const BNTYPE_REFUSED: i32 = 11;
const BNTYPE_PULLED: i32 = 12;
const BNTYPE_KICKED: i32 = 13;

/// Three accounts, each with a client on a node of its own.
struct People {
    it: Administered,
    ids: [String; 3],
    clients: [Raw; 3],
}

impl People {
    async fn online(more: &str) -> Self {
        let it = Administered::start(3, more).await;
        let names = ["alice", "bob", "carol"];
        let mut ids = Vec::new();
        for name in names {
            ids.push(it.register(name).await);
        }
        let mut clients = Vec::new();
        for (node, name) in names.into_iter().enumerate() {
            clients.push(it.cluster.login(node, name).await);
        }
        let (Ok(ids), Ok(clients)) = (ids.try_into(), clients.try_into()) else {
            panic!("three of each");
        };
        Self { it, ids, clients }
    }

    async fn does(&self, method: &str, path: &str, body: Value) -> (u16, Value) {
        self.it.call(1, &self.it.operate, (method, path), body).await
    }

    async fn done(&self, method: &str, path: &str) {
        let (code, told) = self.does(method, path, Value::Null).await;
        assert_eq!(code, 204, "{method} {path}: {told}");
    }

    async fn sees(&self, path: &str, field: &str) -> Value {
        let (code, told) = self.it.call(2, &self.it.read, ("GET", path), Value::Null).await;
        assert_eq!(code, 200, "{path}: {told}");
        told[field].clone()
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn friends_are_made_and_unmade_as_by_their_clients() {
    let mut people = People::online("").await;
    let [alice, bob, _] = people.ids.clone();
    people
        .done("PUT", &format!("/accounts/{alice}/roster/{bob}?text=hello"))
        .await;
    let asked = people.clients[1].notice(BNTYPE_ADD).await;
    assert_eq!(
        (asked.from_node(), asked.data_string.as_deref()),
        (Some(alice.as_str()), Some("hello"))
    );
    people
        .done("PUT", &format!("/accounts/{bob}/roster/{alice}"))
        .await;
    assert_eq!(
        people.clients[0].notice(BNTYPE_FRIEND).await.from_node(),
        Some(bob.as_str())
    );
    for (one, other) in [(&alice, &bob), (&bob, &alice)] {
        let roster = people.sees(&format!("/accounts/{one}/roster"), "accounts").await;
        assert_eq!(roster, json!([other]));
    }
    let again = format!("/accounts/{alice}/roster/{bob}");
    let (code, problem) = people.does("PUT", &again, Value::Null).await;
    assert_eq!((code, &problem["code"]), (409, &json!("TIM-A121")), "{problem}");

    people.clients[0].say(&bob, "between us").await;
    // As by the reference: who is a friend already is told so again.
    let told = people.clients[1].notice(BNTYPE_FRIEND).await;
    assert_eq!(told.from_node(), Some(alice.as_str()));
    let said = people.clients[1].message().await;
    assert_eq!(said.data_string.as_deref(), Some("between us"));
    let path = format!("/accounts/{alice}/history/{bob}");
    let (code, problem) = people.does("GET", &path, Value::Null).await;
    assert_eq!((code, &problem["code"]), (403, &json!("TIM-A103")));
    let (code, history) = people
        .it
        .call(0, &people.it.admin, ("GET", &path), Value::Null)
        .await;
    let newest = &history["messages"][0];
    assert_eq!(
        (code, &newest["text"], &newest["from"]),
        (200, &json!("between us"), &json!(alice))
    );
    assert!(people.it.cluster.log(0).contains("read_history"));

    people
        .done("PUT", &format!("/accounts/{bob}/blocked-accounts/{alice}"))
        .await;
    let blocked = format!("/accounts/{bob}/blocked-accounts");
    assert_eq!(people.sees(&blocked, "accounts").await, json!([alice]));
    let (code, problem) = people.does("PUT", &again, Value::Null).await;
    assert_eq!((code, &problem["code"]), (409, &json!("TIM-A121")));
    people
        .done("DELETE", &format!("/accounts/{bob}/blocked-accounts/{alice}"))
        .await;
    assert_eq!(people.sees(&blocked, "accounts").await, json!([]));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn rooms_are_founded_filled_handed_over_and_ended() {
    let mut people = People::online("").await;
    let [alice, bob, carol] = people.ids.clone();
    let founding = json!({"founder": alice, "topic": "plans", "private": true});
    let (code, made) = people.does("POST", "/rooms", founding).await;
    assert_eq!(code, 201, "{made}");
    let room = made["room"].as_str().unwrap().to_owned();
    let path = format!("/rooms/{room}");

    people
        .done("PUT", &format!("/accounts/{bob}/rooms/{room}?text=me"))
        .await;
    let applied = people.clients[0].notice(BNTYPE_APPLIED).await;
    assert_eq!(applied.data_string.as_deref(), Some("me"));
    people.done("DELETE", &format!("{path}/applications/{bob}")).await;
    people.clients[1].notice(BNTYPE_REFUSED).await;
    people.done("PUT", &format!("/accounts/{bob}/rooms/{room}")).await;
    people.clients[0].notice(BNTYPE_APPLIED).await;
    people.done("PUT", &format!("{path}/members/{bob}")).await;
    people.clients[1].notice(BNTYPE_PASSED).await;
    people.done("PUT", &format!("{path}/members/{carol}")).await;
    let pulled = people.clients[2].notice(BNTYPE_PULLED).await;
    assert_eq!(pulled.from_node(), Some(alice.as_str()), "in the founder's name");
    let mut everybody = [alice.clone(), bob.clone(), carol.clone()];
    everybody.sort();
    assert_eq!(
        people.sees(&format!("{path}/members"), "accounts").await,
        json!(everybody)
    );
    let first = people.sees(&format!("{path}/members?limit=1"), "next").await;
    assert_eq!(first, json!(everybody[0]));
    let rooms_of = format!("/accounts/{bob}/rooms");
    assert_eq!(people.sees(&rooms_of, "rooms").await, json!([room]));

    // Only a founder may name managers.
    let by_bob = json!({"by": bob, "managers": [carol]});
    let (code, problem) = people.does("PATCH", &path, by_bob).await;
    assert_eq!((code, &problem["code"]), (409, &json!("TIM-A121")));
    let over = json!({"founder": bob, "topic": "other plans"});
    let (code, told) = people.does("PATCH", &path, over).await;
    assert_eq!(code, 204, "{told}");
    let (_, shown) = people
        .it
        .call(0, &people.it.read, ("GET", &path), Value::Null)
        .await;
    assert_eq!(
        (
            &shown["founder"],
            &shown["managers"],
            &shown["topic"],
            &shown["members"]
        ),
        (&json!(bob), &json!([alice]), &json!("other plans"), &json!(3))
    );
    assert_eq!(shown["membersMax"], json!(100_000));

    people.done("DELETE", &format!("{path}/members/{carol}")).await;
    let kicked = people.clients[2].notice(BNTYPE_KICKED).await;
    assert_eq!(
        kicked.from_node(),
        Some(bob.as_str()),
        "in the new founder's name"
    );
    people.done("PUT", &format!("{path}/banned/{carol}")).await;
    assert_eq!(
        people.sees(&format!("{path}/banned"), "accounts").await,
        json!([carol])
    );
    people
        .done("PUT", &format!("/accounts/{alice}/blocked-rooms/{room}"))
        .await;
    let blocked = format!("/accounts/{alice}/blocked-rooms");
    assert_eq!(people.sees(&blocked, "rooms").await, json!([room]));
    people.done("DELETE", &path).await;
    let (code, problem) = people.does("GET", &path, Value::Null).await;
    assert_eq!((code, &problem["code"]), (404, &json!("TIM-A120")));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_rights_are_those_of_the_account() {
    let people = People::online("").await;
    let [alice, bob, carol] = people.ids.clone();
    let founding = json!({"founder": alice, "topic": "open"});
    let (_, made) = people.does("POST", "/rooms", founding).await;
    let path = format!("/rooms/{}", made["room"].as_str().unwrap());
    for (method, path, code, cause) in [
        ("DELETE", format!("{path}/members/{bob}"), 409, "TIM-A121"),
        ("PUT", format!("{path}/banned/{carol}?by={bob}"), 409, "TIM-A121"),
        ("PUT", format!("{path}/members/{alice}"), 409, "TIM-A121"),
        ("PUT", format!("{path}/members/nobody"), 404, "TIM-A105"),
        ("PUT", "/rooms/nowhere/members/nobody".to_owned(), 400, "TIM-A104"),
        ("DELETE", format!("{path}/applications/{bob}"), 409, "TIM-A121"),
    ] {
        let (answered, problem) = people.does(method, &path, Value::Null).await;
        assert_eq!(
            (answered, &problem["code"]),
            (code, &json!(cause)),
            "{method} {path}: {problem}"
        );
    }
    let (code, _) = people
        .it
        .call(
            0,
            &people.it.read,
            ("POST", "/rooms"),
            json!({"founder": alice, "topic": "x"}),
        )
        .await;
    assert_eq!(code, 403);
    for (body, field) in [
        (json!({"founder": alice}), "topic"),
        (json!({"founder": "", "topic": "x"}), "founder"),
    ] {
        let (code, problem) = people.does("POST", "/rooms", body).await;
        assert_eq!((code, &problem["field"]), (400, &json!(field)));
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn backends_of_2_0_keep_rooms_and_rosters() {
    let mut people = People::online("tim_2_0_api = true").await;
    let [alice, bob, carol] = people.ids.clone();
    let it = &people.it;
    let call = async |path: &str, body: Value| it.post(path, JSON, &body.to_string()).await.1;
    let made = call(
        "/timNewRoom",
        json!({"node": alice, "topic": "plans", "gtype": 1}),
    )
    .await;
    let room = made["n"].as_str().unwrap().to_owned();
    let form = format!("unode={alice}&gnode={room}&roombean=%7B%22topic%22%3A%22more%22%7D");
    let (_, changed) = it.post("/timModifyRoomInfo", FORM, &form).await;
    assert_eq!(changed, json!({"ok": true, "timType": 0}));
    let joined = call("/timAddRoom", json!({"fromnode": bob, "room": room, "msg": "me"})).await;
    assert_eq!(joined["ok"], json!(true), "{joined}");
    people.clients[0].notice(BNTYPE_APPLIED).await;
    let in_room = |from: &String, to: &String| json!({"fromnode": from, "room": room, "tonode": to});
    assert_eq!(
        call("/timRejectRoom", in_room(&alice, &bob)).await["ok"],
        json!(true)
    );
    people.clients[1].notice(BNTYPE_REFUSED).await;
    assert_eq!(
        call("/timPullInRoom", in_room(&alice, &bob)).await["ok"],
        json!(true)
    );
    people.clients[1].notice(BNTYPE_PULLED).await;
    let refused = call("/timPullInRoom", in_room(&alice, &bob)).await;
    assert_eq!(
        refused["error"]["code"],
        json!(4101),
        "as a client is told: {refused}"
    );
    let refused = call("/timKickRoom", in_room(&bob, &alice)).await;
    assert_eq!(refused["error"]["code"], json!(4105));
    assert_eq!(
        call("/timKickRoom", in_room(&alice, &bob)).await["ok"],
        json!(true)
    );
    people.clients[1].notice(BNTYPE_KICKED).await;
    assert_eq!(
        call("/timBlockRoomMember", in_room(&alice, &bob)).await["ok"],
        json!(true)
    );
    let banned = call(
        "/timBlockRoomMemberlist",
        json!({"fromnode": alice, "room": room}),
    )
    .await;
    assert_eq!(banned, json!({"nodelist": [bob]}));
    assert_eq!(
        call("/timPullInRoom", in_room(&alice, &carol)).await["ok"],
        json!(true)
    );
    let own = |from: &String| json!({"fromnode": from, "room": room});
    assert_eq!(call("/timLeaveRoom", own(&carol)).await["ok"], json!(true));
    assert_eq!(call("/timBlockRoom", own(&carol)).await["ok"], json!(true));
    let blocked = call("/timBlockRoomList", json!({"fromnode": carol})).await;
    assert_eq!(blocked, json!({"nodelist": [room]}));
    assert_eq!(call("/timCancelRoom", own(&alice)).await["ok"], json!(true));

    let pair = |from: &String, to: &String| json!({"fromnode": from, "tonode": to, "msg": "hi"});
    assert_eq!(call("/timAddroster", pair(&alice, &bob)).await["ok"], json!(true));
    people.clients[1].notice(BNTYPE_ADD).await;
    call("/timAddroster", pair(&bob, &alice)).await;
    people.clients[0].notice(BNTYPE_FRIEND).await;
    assert_eq!(call("/timRmroster", pair(&alice, &bob)).await["ok"], json!(true));
    let refused = call("/timRmroster", pair(&alice, &bob)).await;
    assert_eq!(refused["error"]["code"], json!(4104));
    assert_eq!(
        call("/timBlockroster", pair(&alice, &bob)).await["ok"],
        json!(true)
    );
    let blocked = call("/timBlockRosterList", json!({"fromnode": alice})).await;
    assert_eq!(blocked, json!({"nodelist": [bob]}));
    // A client hears nothing of what failed.
    assert!(people.clients[1].waiting_ack(Command::Business).is_none());
}
