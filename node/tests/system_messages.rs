//! System messages: from the administrators' interfaces to every device of an account, now or when it comes, in order and
//! once; and messages in the name of a connection.

#![allow(clippy::unwrap_used, clippy::panic, reason = "tests")]

mod support;

use serde_json::{Value, json};
use std::time::Duration;
use support::administered::{Administered, FORM, JSON};
use support::raw::{Raw, auth};
use tim_wire::structs::{message_kind, operation};
use tim_wire::{Command, Encoding, TimMessage, TimMessageList, TimReq, WireStruct};

/// Long enough for what must not come.
const SOON: Duration = Duration::from_millis(500);

async fn tell(it: &Administered, node: usize, body: Value) -> Value {
    let (code, told) = it
        .call(node, &it.operate, ("POST", "/system-messages"), body)
        .await;
    assert_eq!(code, 200, "{told}");
    told
}

async fn login(it: &Administered, node: usize, name: &str) -> (Raw, String) {
    let mut client = Raw::connect(it.cluster.nodes[node].client_port).await;
    client.send_struct(Command::Auth, &auth(name, "secret")).await;
    let ack = client.ack(Command::Auth).await;
    assert!(ack.ok, "{ack:?}");
    (client, ack.n2.unwrap())
}

fn is_from_the_system(message: &TimMessage, to: &str, text: &str) {
    assert_eq!(
        (message.ms_type, message.od_type, message.from_node()),
        (message_kind::SYSTEM, operation::NORMAL, None)
    );
    assert_eq!(
        (message.to_node(), message.data_string.as_deref()),
        (Some(to), Some(text))
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_system_tells_who_is_here_and_who_comes_later() {
    let it = Administered::start(3, "").await;
    let (alice, bob) = (it.register("alice").await, it.register("bob").await);
    let (mut here, _) = login(&it, 1, "alice").await;
    let body = json!({"accounts": [alice, bob, "nobody", alice], "text": "maintenance at ten", "id": 7, "extend": {"k": "v"}});
    let told = tell(&it, 0, body.clone()).await;
    assert_eq!(
        (&told["told"], told["untold"].as_array().unwrap().len()),
        (&json!(2), 1),
        "{told}"
    );
    assert_eq!(
        (&told["untold"][0]["account"], &told["untold"][0]["code"]),
        (&json!("nobody"), &json!("TIM-A105"))
    );
    let (message, sync_id) = here.unconfirmed_message().await;
    is_from_the_system(&message, &alice, "maintenance at ten");
    assert_eq!(
        (message.id, message.extend.unwrap()["k"].as_str()),
        (Some(7), "v")
    );
    here.confirm(sync_id.expect("it is confirmed as any other")).await;

    // A repetition changes nothing, and the order stays.
    tell(&it, 2, body).await;
    for text in ["second", "third"] {
        tell(&it, 1, json!({"accounts": [alice, bob], "text": text})).await;
    }
    for text in ["second", "third"] {
        is_from_the_system(&here.message().await, &alice, text);
    }

    let (mut late, _) = login(&it, 2, "bob").await;
    let waited = late.offline().await;
    let texts: Vec<_> = waited
        .iter()
        .map(|message| message.data_string.as_deref().unwrap())
        .collect();
    assert_eq!(texts, ["maintenance at ten", "second", "third"]);
    is_from_the_system(&waited[0], &bob, "maintenance at ten");
    assert_eq!(waited[0].is_offline, Some(true));
    is_in_no_history(&mut late, &alice).await;
    // What is confirmed is durable a moment later, and then nothing waits.
    loop {
        late.close().await;
        (late, _) = login(&it, 0, "bob").await;
        if late.offline().await.is_empty() {
            break;
        }
    }
}

async fn is_in_no_history(client: &mut Raw, peer: &str) {
    let request = TimReq {
        rtype: Some(1),
        node: Some(peer.to_owned()),
        req_int: Some(0),
        req_int2: Some(10),
        ..TimReq::default()
    };
    client.send_struct(Command::PullMessages, &request).await;
    let page = client.frame(Command::PullMessages).await;
    let page = TimMessageList::decode_payload(&page.payload, client.encoding).unwrap();
    assert_eq!(page.message_list.unwrap_or_default().len(), 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_was_told_survives_the_node_that_took_it() {
    let mut it = Administered::start(3, "").await;
    let bob = it.register("bob").await;
    for number in 0..5 {
        tell(&it, 0, json!({"accounts": [bob], "text": number.to_string()})).await;
    }
    it.cluster.kill(0);
    let (mut late, _) = login(&it, 1, "bob").await;
    let waited = late.offline().await;
    let texts: Vec<_> = waited
        .iter()
        .filter_map(|message| message.data_string.clone())
        .collect();
    assert_eq!(texts, ["0", "1", "2", "3", "4"]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn wrong_messages_and_connections_are_told() {
    let it = Administered::start(1, "").await;
    let alice = it.register("alice").await;
    for (body, wanted) in [
        (
            json!({"accounts": [], "text": "x"}),
            "accounts: 0 accounts; valid: 1 to 1000",
        ),
        (json!({"accounts": [alice]}), "text: text or data is needed"),
        (json!({"accounts": [alice], "data": "?"}), "data: not base64"),
        (
            json!({"accounts": [alice], "text": "x", "operation": 2}),
            "message.odType: 2",
        ),
    ] {
        let (code, problem) = it.call(0, &it.operate, ("POST", "/system-messages"), body).await;
        assert_eq!(code, 400, "{problem}");
        let said = format!(
            "{}: {}",
            problem["field"].as_str().unwrap_or_default(),
            problem["detail"].as_str().unwrap()
        );
        assert!(said.contains(wanted.split_once(": ").unwrap().1), "{said}");
    }
    let (code, _) = it
        .call(
            0,
            &it.read,
            ("POST", "/system-messages"),
            json!({"accounts": [alice], "text": "x"}),
        )
        .await;
    assert_eq!(code, 403);
    let frame = json!({"frame": "WhMCEwEA"});
    for (connection, body, wanted) in [
        ("nobody", frame.clone(), 400),
        ("12", json!({"frame": "DQ=="}), 400),
        ("12", frame, 404),
    ] {
        let path = format!("/connections/{connection}/messages");
        let (code, problem) = it.call(0, &it.admin, ("POST", &path), body).await;
        assert_eq!(code, wanted, "{problem}");
    }
}

/// A message to an account as a client of JSON writes it.
fn json_frame(to: &str, text: &str) -> Vec<u8> {
    let mut message = TimMessage::direct(to, operation::NORMAL);
    message.data_string = Some(text.to_owned());
    let mut frame = vec![Command::Message.number() | 0x80];
    frame.extend_from_slice(&message.encode_payload(Encoding::Json));
    frame
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_backend_of_2_0_speaks_for_the_system_and_for_a_connection() {
    let it = Administered::start(3, "tim_2_0_api = true").await;
    let (alice, bob) = (it.register("alice").await, it.register("bob").await);
    let (mut hers, connection) = login(&it, 2, "alice").await;
    let (mut his, _) = login(&it, 1, "bob").await;
    hers.add_friend(&bob).await;
    his.notice(4).await;
    his.add_friend(&alice).await;
    hers.notice(5).await;
    let list = json!({"nodes": {"nodelist": [alice, bob]}, "message": {"msType": 1, "odType": 1, "dataString": "one"}});
    assert_eq!(
        it.post("/timOsMessage", JSON, &list.to_string()).await,
        (200, json!({"ok": true, "timType": 0}))
    );
    let bare = json!({"nodes": [bob], "message": {"msType": 1, "odType": 1, "dataString": "two"}});
    assert_eq!(
        it.post("/timOsMessage", JSON, &bare.to_string()).await.1["ok"],
        json!(true)
    );
    let form = format!("nodes={alice}%2C{bob}&message=%7B%22dataString%22%3A%22three%22%7D");
    assert_eq!(it.post("/timOsMessage", FORM, &form).await.1["ok"], json!(true));
    for text in ["one", "two", "three"] {
        is_from_the_system(&his.message().await, &bob, text);
    }
    for text in ["one", "three"] {
        is_from_the_system(&hers.message().await, &alice, text);
    }
    let unknown = json!({"nodes": [bob, "nobody"], "message": {"dataString": "four"}});
    let (_, refused) = it.post("/timOsMessage", JSON, &unknown.to_string()).await;
    assert_eq!(refused["error"]["code"], json!(4106), "{refused}");
    assert!(
        refused["error"]["info"].as_str().unwrap().contains("1 of 2"),
        "{refused}"
    );
    is_from_the_system(&his.message().await, &bob, "four");

    let sent = it
        .post_with(
            "/timMessage",
            &[("id", &connection)],
            &json_frame(&bob, "for her"),
        )
        .await;
    assert_eq!(sent, (200, json!({"ok": true, "timType": 0})));
    let message = his.message().await;
    assert_eq!(
        (message.from_node(), message.data_string.as_deref()),
        (Some(alice.as_str()), Some("for her"))
    );
    assert_eq!(
        hers.message().await.data_string.as_deref(),
        Some("for her"),
        "her echo"
    );
    let (_, gone) = it
        .post_with("/timMessage", &[("id", "12")], &json_frame(&bob, "x"))
        .await;
    assert_eq!(gone["error"]["code"], json!(4106), "{gone}");
    assert!(his.silent(Command::Message, SOON).await);
}
