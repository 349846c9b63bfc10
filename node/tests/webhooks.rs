//! Webhooks: what happens is told outside, signed, at least once, whatever dies in between.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "tests")]

mod support;

use aws_lc_rs::hmac;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use support::raw::Raw;
use support::receiver::{Receiver, Told};
use support::{Cluster, PATIENCE};
use tim_wire::structs::{business, message_kind, operation};
use tim_wire::{Command, Tid, TimMessage, TimReq};

const SECRET: &str = "only the two of us know";

/// A cluster that tells the receiver; nothing runs yet.
fn prepare(nodes: usize, receiver: &Receiver, more: &str) -> Cluster {
    let mut cluster = Cluster::prepare(nodes, &["d0", "d1"]);
    let secret = cluster.directory.path().join("webhook.secret");
    std::fs::write(&secret, format!("{SECRET}\n")).unwrap();
    let port = receiver.port;
    let file = secret.display();
    cluster.extra =
        format!("[webhooks]\nurl = \"http://127.0.0.1:{port}/hook\"\nsecret_file = \"{file}\"\n{more}\n");
    cluster
}

/// As a receiver checks it.
fn is_signed(told: &Told) -> bool {
    let header = |name: &str| told.headers[name].to_str().unwrap();
    let mut signed = format!("{}.", header("tim-timestamp")).into_bytes();
    signed.extend_from_slice(&told.body);
    let tag = hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, SECRET.as_bytes()), &signed);
    let digits: String = tag.as_ref().iter().map(|byte| format!("{byte:02x}")).collect();
    header("tim-signature") == format!("v1={digits}")
}

fn of_type(receiver: &Receiver, kind: &str) -> Vec<Value> {
    receiver
        .events()
        .into_iter()
        .filter(|event| event["type"] == kind)
        .collect()
}

fn of_account(receiver: &Receiver, kind: &str, account: &str) -> bool {
    of_type(receiver, kind)
        .iter()
        .any(|event| event["account"] == account)
}

async fn friends(cluster: &Cluster, nodes: [usize; 2]) -> (Raw, Raw, [String; 2]) {
    let ids = [
        cluster.register(nodes[0], "alice").await,
        cluster.register(nodes[1], "bob").await,
    ];
    let mut alice = cluster.login(nodes[0], "alice").await;
    let mut bob = cluster.login(nodes[1], "bob").await;
    alice.add_friend(&ids[1]).await;
    bob.notice(4).await;
    bob.add_friend(&ids[0]).await;
    alice.notice(5).await;
    (alice, bob, ids)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn messages_and_who_comes_and_goes_are_told() {
    let receiver = Receiver::start().await;
    let port = receiver.port;
    let more = format!("include_content = true\nlogin_states_url = \"http://127.0.0.1:{port}/loginstat\"");
    let mut cluster = prepare(2, &receiver, &more);
    cluster.run_all().await;
    let (mut alice, bob, ids) = friends(&cluster, [0, 1]).await;
    alice.say_with_id(&ids[1], "hello", Some(77)).await;
    alice.message().await;
    receiver
        .until("the message", |it| !of_type(it, "message.sent").is_empty())
        .await;
    let told = of_type(&receiver, "message.sent").remove(0);
    let message = &told["message"];
    assert_eq!(
        (&message["from"], &message["to"]),
        (&json!(ids[0]), &json!(ids[1]))
    );
    assert_eq!((&message["id"], &message["mid"]), (&json!("77"), &json!(3)));
    assert_eq!(message["content"]["dataString"], "hello");
    for id in &ids {
        receiver
            .until("online", |it| of_account(it, "account.online", id))
            .await;
    }
    alice.close().await;
    receiver
        .until("offline", |it| of_account(it, "account.offline", &ids[0]))
        .await;
    assert!(!of_account(&receiver, "account.offline", &ids[1]));
    let states = |it: &Receiver| -> Vec<Value> {
        let requests = it.requests("/loginstat");
        requests
            .iter()
            .map(|told| serde_json::from_slice(&told.body).unwrap())
            .collect()
    };
    let gone = json!({"node": ids[0], "active": false});
    receiver
        .until("the form of 2.0", |it| states(it).contains(&gone))
        .await;
    assert!(states(&receiver).contains(&json!({"node": ids[1], "active": true})));
    let requests = [receiver.requests("/hook"), receiver.requests("/loginstat")].concat();
    assert!(requests.iter().all(is_signed));
    drop(bob);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn rooms_tell_who_comes_and_what_is_said() {
    let receiver = Receiver::start().await;
    let mut cluster = prepare(1, &receiver, "include_content = true");
    cluster.run_all().await;
    let (mut alice, _bob, ids) = friends(&cluster, [0, 0]).await;
    let ask = |rtype, node: &str, other: Option<&str>| TimReq {
        rtype: Some(rtype),
        node: Some(node.to_owned()),
        node2: other.map(str::to_owned),
        req_int: Some(2),
        ..TimReq::default()
    };
    alice
        .send_struct(Command::Business, &ask(business::NEW_ROOM, "topic", None))
        .await;
    let room = alice.ack(Command::Business).await.n.unwrap();
    let pull = ask(business::PULL_ROOM, &room, Some(&ids[1]));
    alice.send_struct(Command::Business, &pull).await;
    assert!(alice.ack(Command::Business).await.ok);
    let said = TimMessage {
        ms_type: message_kind::ROOM,
        od_type: operation::NORMAL,
        room_tid: Some(Tid::of(room.as_str())),
        data_string: Some("hello, room".to_owned()),
        ..TimMessage::default()
    };
    alice.send_struct(Command::Message, &said).await;
    receiver
        .until("the message", |it| !of_type(it, "message.sent").is_empty())
        .await;
    let message = of_type(&receiver, "message.sent").remove(0)["message"].clone();
    assert_eq!((&message["room"], &message["to"]), (&json!(room), &Value::Null));
    assert_eq!(message["content"]["dataString"], "hello, room");
    let joined = |event: &Value| event["change"] == "joined" && event["account"] == ids[1];
    receiver
        .until("who came", |it| of_type(it, "room.changed").iter().any(joined))
        .await;
    let created = |event: &Value| event["change"] == "created" && event["by"] == ids[0];
    assert!(of_type(&receiver, "room.changed").iter().any(created));
}

/// Waits until one of the nodes says in its status that events are not accepted.
async fn is_told_by_a_node(cluster: &Cluster) {
    let told = async {
        loop {
            for index in 0..cluster.nodes.len() {
                if cluster.status(index).await.to_string().contains("TIM-N122") {
                    return;
                }
            }
        }
    };
    let told = tokio::time::timeout(PATIENCE, told).await;
    told.expect("no node says that events are not accepted");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_was_stored_is_told_though_its_nodes_are_killed() {
    let receiver = Receiver::start().await;
    receiver.answers(503);
    let mut cluster = prepare(3, &receiver, "events = [\"message.sent\"]");
    cluster.run_all().await;
    let (mut alice, bob, ids) = friends(&cluster, [0, 1]).await;
    for number in 0..20 {
        alice.say_with_id(&ids[1], "x", Some(1_000 + number)).await;
        alice.message().await;
    }
    receiver
        .until("a first attempt", |it| !it.requests("/hook").is_empty())
        .await;
    is_told_by_a_node(&cluster).await;
    // Two of three die with everything they know.
    cluster.kill(0);
    cluster.kill(1);
    receiver.answers(204);
    let ids_of = |it: &Receiver| -> BTreeMap<String, Value> {
        let sent = of_type(it, "message.sent").into_iter();
        sent.map(|event| (event["message"]["id"].as_str().unwrap().to_owned(), event))
            .collect()
    };
    receiver
        .until("the node that is left", |it| ids_of(it).len() == 20)
        .await;
    for (id, event) in ids_of(&receiver) {
        assert_eq!(event["message"]["content"], Value::Null, "{id}");
        let again = receiver
            .events()
            .into_iter()
            .filter(|other| other["message"]["id"] == id);
        assert!(
            again.into_iter().all(|other| other["id"] == event["id"]),
            "the same event under one id"
        );
    }
    drop((alice, bob));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_more_events_wait_than_are_allowed_and_the_newest_are_kept() {
    const WAITING_MAX: i64 = 1_000;
    const SENT: i64 = WAITING_MAX + 60;
    let receiver = Receiver::start().await;
    receiver.answers(503);
    let more = format!("events = [\"message.sent\"]\nwaiting_max = {WAITING_MAX}");
    let mut cluster = prepare(1, &receiver, &more);
    cluster.run_all().await;
    let (mut alice, _bob, ids) = friends(&cluster, [0, 0]).await;
    for first in (1..=SENT).step_by(20) {
        for number in first..first + 20 {
            alice.say_with_id(&ids[1], "x", Some(number)).await;
        }
        for _ in 0..20 {
            alice.message().await;
        }
    }
    let is_dropped = |line: &str| line.starts_with("tim_webhook_events") && line.contains("dropped");
    cluster
        .until(0, "/metrics", "events given up", |_, body| {
            body.lines().any(is_dropped)
        })
        .await;
    receiver.answers(204);
    let accepted = |it: &Receiver| -> Vec<i64> {
        let events = it.events();
        let ids = events.iter().filter_map(|event| event["message"]["id"].as_str());
        ids.map(|id| id.parse().unwrap()).collect()
    };
    receiver
        .until("the newest", |it| accepted(it).contains(&SENT))
        .await;
    let told = accepted(&receiver);
    assert!(
        told.len() <= usize::try_from(WAITING_MAX).unwrap(),
        "{}",
        told.len()
    );
    assert!(
        told.contains(&(SENT - 100)) && !told.contains(&1),
        "the oldest go first"
    );
}
