//! Old messages go while people chat: history shows what is left, and whoever was away gets what is left and then what
//! is new.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    reason = "tests stop at the first surprise"
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
use serde_json::{Value, json};
use std::time::{Duration, Instant};
use support::administered::Administered;
use support::raw::Raw;
use support::{Cluster, PATIENCE, http};
use tim_wire::structs::{message_kind, operation};
use tim_wire::{Command, Tid, TimMessage, TimMessageList, TimReq, WireStruct};

/// What a client is shown of its chat with an account.
async fn history(client: &mut Raw, peer: &str) -> Vec<String> {
    let request = TimReq {
        rtype: Some(1),
        node: Some(peer.to_owned()),
        req_int: Some(0),
        req_int2: Some(50),
        ..TimReq::default()
    };
    client.send_struct(Command::PullMessages, &request).await;
    let frame = client.frame(Command::PullMessages).await;
    let list = TimMessageList::decode_payload(&frame.payload, client.encoding).unwrap();
    let messages = list.message_list.unwrap_or_default();
    messages
        .into_iter()
        .filter_map(|message| message.data_string)
        .collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_too_much_goes_and_chat_goes_on() {
    let mut cluster = Cluster::prepare(3, &["d0", "d1"]);
    cluster.extra =
        "[storage.retention]\nentries_per_conversation_max = 5\ninterval_seconds = 1\n".to_owned();
    cluster.run_all().await;
    let (alice, bob) = cluster.friends("alice", "bob").await;
    let mut sender = cluster.login(0, "alice").await;
    sender.offline().await;
    for number in 0..20 {
        sender.say(&bob, &number.to_string()).await;
        sender.message().await;
    }
    let deadline = Instant::now() + PATIENCE;
    while history(&mut sender, &bob).await != ["19", "18", "17", "16", "15"] {
        assert!(Instant::now() < deadline);
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    // Bob has seen none of them: he gets those that are there, in order, and does not wait for the others.
    let mut late = cluster.login(1, "bob").await;
    let missed: Vec<_> = late
        .offline()
        .await
        .into_iter()
        .filter_map(|message| message.data_string)
        .collect();
    assert_eq!(missed, ["15", "16", "17", "18", "19"]);
    sender.say(&bob, "now").await;
    assert_eq!(late.message().await.data_string.as_deref(), Some("now"));
    late.say(&alice, "thank you").await;
    loop {
        if sender.message().await.data_string.as_deref() == Some("thank you") {
            break;
        }
    }
    let (_, metrics) = http::get(cluster.nodes[0].admin_port, "/metrics").await.unwrap();
    let others = http::get(cluster.nodes[1].admin_port, "/metrics")
        .await
        .unwrap()
        .1
        + &http::get(cluster.nodes[2].admin_port, "/metrics")
            .await
            .unwrap()
            .1;
    let all = metrics + &others;
    assert!(
        all.contains("tim_retention_removed") && all.contains("tim_retention_ended"),
        "{all}"
    );
}

/// Kinds of conversations, and the key that says how long each keeps its entries.
const KINDS: [(&str, &str); 3] = [
    ("direct", "direct_seconds"),
    ("room", "room_seconds"),
    ("system", "system_seconds"),
];

/// Whether a page of history still has what was said.
async fn page(it: &Administered, path: &str) -> bool {
    let (code, page) = it.call(0, &it.admin, ("GET", path), Value::Null).await;
    assert_eq!(code, 200, "{page}");
    let messages = page["messages"].as_array().unwrap();
    messages.iter().any(|message| message["text"] == "said")
}

/// Whether what the system has said still waits for a device; it does not afterwards.
async fn system_message_waits(it: &Administered) -> bool {
    let mut device = Raw::connect(it.cluster.nodes[0].client_port).await;
    device.login("alice", "secret").await;
    let waited = device.offline().await;
    waited.iter().any(|message| {
        message.ms_type == message_kind::SYSTEM && message.data_string.as_deref() == Some("said")
    })
}

async fn only_one_kind_goes(server: Option<&Server>, kind: &str, key: &str) {
    let cluster = Cluster::prepare(1, &["d0", "d1"]);
    for name in server.iter().flat_map(|_| &cluster.databases) {
        let server = server.unwrap();
        let dsn = server.dsn(&server.create_database().unwrap());
        std::fs::write(cluster.directory.path().join("dsn").join(name), dsn).unwrap();
    }
    let more = format!(
        "[storage.retention]\n{key} = 2\ninterval_seconds = 1\npause_millis = 0\n[sessions]\nper_account_max = 100\n"
    );
    let it = Administered::start_on(cluster, &more).await;
    let (alice, bob) = it.cluster.friends("alice", "bob").await;
    let founding = json!({"founder": alice, "topic": "the topic"});
    let (_, made) = it.call(0, &it.operate, ("POST", "/rooms"), founding).await;
    let room = made["room"].as_str().unwrap().to_owned();
    let mut sender = it.cluster.login(0, "alice").await;
    sender.offline().await;
    sender.say(&bob, "said").await;
    sender.message().await;
    let message = TimMessage {
        ms_type: message_kind::ROOM,
        od_type: operation::NORMAL,
        room_tid: Some(Tid::of(&room)),
        data_string: Some("said".to_owned()),
        ..TimMessage::default()
    };
    sender.send_struct(Command::Message, &message).await;
    sender.message().await;
    // Nobody is there to take what the system says.
    sender.close().await;
    let telling = json!({"accounts": [alice], "text": "said"});
    let (code, told) = it
        .call(0, &it.operate, ("POST", "/system-messages"), telling)
        .await;
    assert_eq!(code, 200, "{told}");
    let said = std::time::SystemTime::UNIX_EPOCH.elapsed().unwrap().as_secs_f64();
    // A walk that began when it was old enough has ended, and one more.
    let deadline = Instant::now() + PATIENCE;
    while walks(&it).await < said + 6.0 {
        assert!(Instant::now() < deadline, "{key}: no walk");
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
    let found = [
        page(&it, &format!("/accounts/{alice}/history/{bob}")).await,
        page(&it, &format!("/rooms/{room}/history")).await,
        system_message_waits(&it).await,
    ];
    let left = KINDS.iter().zip(found).filter(|(_, is_left)| *is_left);
    let left: Vec<&str> = left.map(|((kind, _), _)| *kind).collect();
    let others = KINDS.iter().map(|(other, _)| *other);
    let wanted: Vec<&str> = others.filter(|other| *other != kind).collect();
    assert_eq!(left, wanted, "{key}");
}

/// When the last walk over all conversations of every database has ended, in Unix seconds.
async fn walks(it: &Administered) -> f64 {
    let (_, metrics) = http::get(it.cluster.nodes[0].admin_port, "/metrics")
        .await
        .unwrap();
    let ended = metrics
        .lines()
        .filter(|line| line.starts_with("tim_retention_ended"));
    let seconds = ended.filter_map(|line| line.split_whitespace().next_back()?.parse::<f64>().ok());
    let seconds: Vec<f64> = seconds.collect();
    match seconds.len() {
        2 => seconds.into_iter().fold(f64::INFINITY, f64::min),
        _ => 0.0,
    }
}

async fn each_kind_has_its_time(engine: Option<Kind>) {
    let server = engine.map(|kind| Server::start(kind).unwrap());
    let kinds = KINDS.map(|(kind, key)| Box::pin(only_one_kind_goes(server.as_ref(), kind, key)));
    futures::future::join_all(kinds).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn each_kind_has_its_time_over_sqlite() {
    each_kind_has_its_time(None).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn each_kind_has_its_time_over_postgresql() {
    each_kind_has_its_time(Some(Kind::Postgres)).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn each_kind_has_its_time_over_mariadb() {
    each_kind_has_its_time(Some(Kind::MariaDb)).await;
}
