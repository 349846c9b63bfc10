//! Databases that come while a node runs, and databases that are away when it starts: the others go on.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    reason = "helpers of tests, which fail by it"
)]

mod support;

use std::time::Duration;
use support::{Cluster, operator, replace_file};
use tim_core::id::AccountId;
use tim_core::placement;
use tim_proto::control::v1::{RepartitionOperation, RepartitionPhase, StartRepartitionRequest};
use tim_wire::{Command, Encoding, ServerFrame, TimAck, WireStruct};

/// First slot of the second database, of two that share the slots evenly.
const SECOND_FROM: u32 = placement::SLOT_COUNT / 2;
/// So many accounts are made that some are where a test wants them.
const ACCOUNTS: usize = 24;

/// Whether a part of `/status` about a database is as wanted.
fn database_is(body: &str, name: &str, wanted: impl Fn(&serde_json::Value) -> bool) -> bool {
    let status: serde_json::Value = serde_json::from_str(body).unwrap_or_default();
    let databases = status["databases"].as_array().cloned().unwrap_or_default();
    databases
        .iter()
        .any(|database| database["name"] == name && wanted(database))
}

/// Names the databases anew in a node's configuration, as whoever wrote it would.
fn rename_databases(cluster: &Cluster, from: &str, to: &str) {
    let file = cluster.nodes[0].directory.join("node.toml");
    let text = std::fs::read_to_string(&file).unwrap();
    assert!(text.contains(from), "{text}");
    replace_file(&file, &text.replace(from, to));
}

#[tokio::test]
async fn a_database_that_is_added_is_taken_up_and_a_split_waits_for_it() {
    let cluster = Cluster::start(1, &["d0"]).await;
    let (_, bob) = cluster.friends("alice", "bob").await;
    let pid = cluster.pid(0);
    let mut control = operator::connect(&cluster, 0).await;
    let request = |id: &str| StartRepartitionRequest {
        operation_id: id.to_owned(),
        operation: RepartitionOperation::Split.into(),
        from: 0,
        at: SECOND_FROM,
        target_database: "d1".to_owned(),
        write_pause_max_ms: 1_000,
    };
    let refused = control
        .start_repartition(request("early"))
        .await
        .unwrap()
        .into_inner();
    assert_eq!(refused.cause.unwrap().code, "TIM-R101", "nobody has named it");
    rename_databases(&cluster, "databases = [\"d0\"]", "databases = [\"d0\", \"d1\"]");
    cluster
        .until(0, "/status", "d1 is named and has no DSN", |_, body| {
            database_is(body, "d1", |database| database["cause"]["code"] == "TIM-S102")
        })
        .await;
    assert_eq!(cluster.status(0).await["ready"], true, "d0 is served");
    let refused = control
        .start_repartition(request("closed"))
        .await
        .unwrap()
        .into_inner();
    assert_eq!(refused.cause.unwrap().code, "TIM-R106", "it is not open");
    let file = cluster.directory.path().join("data").join("d1.db");
    let dsn = cluster.directory.path().join("dsn").join("d1");
    replace_file(&dsn, &format!("sqlite:{}", file.display()));
    // At once: it is opened within the time that the request waits.
    let started = control
        .start_repartition(request("split"))
        .await
        .unwrap()
        .into_inner();
    assert_eq!(started.cause, None);
    loop {
        let status = tim_proto::control::v1::RepartitionStatusRequest {
            operation_id: "split".to_owned(),
        };
        let reply = control.repartition_status(status).await.unwrap().into_inner();
        match reply.repartition.unwrap().phase() {
            RepartitionPhase::Succeeded => break,
            RepartitionPhase::Failed | RepartitionPhase::Cancelled => panic!("the split has failed"),
            _ => tokio::time::sleep(Duration::from_millis(50)).await,
        }
    }
    let mut sender = cluster.login(0, "alice").await;
    sender.say(&bob, "still here").await;
    assert_eq!(sender.message().await.data_string.as_deref(), Some("still here"));
    assert_eq!(cluster.pid(0), pid, "the process has gone on");
}

#[tokio::test]
async fn a_configuration_that_becomes_wrong_is_told_and_changes_nothing() {
    let cluster = Cluster::start(1, &["d0"]).await;
    rename_databases(&cluster, "databases = [\"d0\"]", "database = [\"d0\"]");
    cluster
        .until(0, "/status", "told", |_, body| body.contains("TIM-C101"))
        .await;
    assert_eq!(cluster.status(0).await["ready"], true);
    rename_databases(&cluster, "database = [\"d0\"]", "databases = [\"d0\"]");
    cluster
        .until(0, "/status", "healed", |_, body| !body.contains("TIM-C101"))
        .await;
}

/// Accounts whose data and conversations are where the test wants them: names and ids.
struct People {
    sender: (String, String),
    /// The conversation with this one is in d0, as both accounts are.
    near: (String, String),
    /// The conversation with this one is in d1, though both accounts are in d0.
    far: (String, String),
}

async fn people(cluster: &Cluster) -> People {
    let in_second = |bytes: &[u8]| placement::slot(bytes).0 >= SECOND_FROM;
    let mut first = Vec::new();
    for number in 0..ACCOUNTS {
        let name = format!("user{number}");
        let id = cluster.register(0, &name).await;
        if !in_second(id.as_bytes()) {
            first.push((name, id));
        }
    }
    let together = |one: &str, other: &str| {
        let [one, other] = [one, other].map(|id| AccountId::new(id).unwrap());
        in_second(&placement::direct_conversation(&one, &other).0)
    };
    let sender = first.remove(0);
    let mut of = |second: bool| {
        let place = first.iter().position(|(_, id)| together(&sender.1, id) == second);
        first.remove(place.unwrap())
    };
    let (near, far) = (of(false), of(true));
    let people = People { near, far, sender };
    for (name, id) in [&people.near, &people.far] {
        let mut one = cluster.login(0, &people.sender.0).await;
        let mut other = cluster.login(0, name).await;
        one.add_friend(id).await;
        other.notice(4).await;
        other.add_friend(&people.sender.1).await;
        one.notice(5).await;
    }
    people
}

/// What comes of a message: its echo, or the code that refuses it.
async fn outcome(client: &mut support::raw::Raw, to: &str, text: &str) -> Result<(), (i32, String)> {
    client.say(to, text).await;
    let answers = |frame: &ServerFrame| match frame.command() {
        Some(Command::Ack) => true,
        Some(Command::Message) => frame.sync_id.is_none(),
        _ => false,
    };
    let frame = client.frame_where(answers).await;
    if frame.command() == Some(Command::Message) {
        return Ok(());
    }
    let error = TimAck::decode_payload(&frame.payload, Encoding::Thrift)
        .unwrap()
        .error
        .unwrap();
    Err((error.code.unwrap(), error.info.unwrap()))
}

async fn starts_without_a_database(lose_the_control_group: bool) {
    let mut cluster = Cluster::start(1, &["d0", "d1"]).await;
    let people = people(&cluster).await;
    cluster.terminate(0).await;
    if lose_the_control_group {
        std::fs::remove_dir_all(cluster.nodes[0].directory.join("state")).unwrap();
    }
    let dsn = cluster.directory.path().join("dsn").join("d1");
    let right = std::fs::read_to_string(&dsn).unwrap();
    replace_file(&dsn, "postgres://tim:hunter2@127.0.0.1:1/chat");
    cluster.spawn(0);
    cluster.ready(0).await;
    cluster
        .until(0, "/readyz", "d1 is told", |code, body| {
            code == 200 && body.contains("TIM-S103")
        })
        .await;
    let mut sender = cluster.login(0, &people.sender.0).await;
    assert_eq!(outcome(&mut sender, &people.near.1, "near").await, Ok(()));
    let refused = outcome(&mut sender, &people.far.1, "far").await.unwrap_err();
    assert_eq!(refused.0, 5103);
    assert!(refused.1.starts_with("TIM-S103"), "{refused:?}");
    replace_file(&dsn, &right);
    cluster
        .until(0, "/status", "d1 is back", |_, body| {
            database_is(body, "d1", |database| database["reachable"] == true)
        })
        .await;
    assert_eq!(outcome(&mut sender, &people.far.1, "far").await, Ok(()));
}

#[tokio::test]
async fn a_database_that_is_away_at_the_start_keeps_nobody_from_the_others() {
    starts_without_a_database(false).await;
}

#[tokio::test]
async fn nor_when_the_map_has_to_be_read_from_the_fences() {
    starts_without_a_database(true).await;
}
