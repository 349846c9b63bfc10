//! Three nodes on two SQLite partitions: chat across nodes while nodes die, leave, and data moves.

#![allow(clippy::unwrap_used, clippy::panic, reason = "tests")]

mod support;

use std::time::Duration;
use support::load::Pair;
use support::{Cluster, http, operator};
use tim_proto::control::v1::node_control_client::NodeControlClient;
use tim_proto::control::v1::{
    DrainRequest, NodeState, RepartitionOperation, RepartitionPhase, RepartitionStatusRequest,
    StartRepartitionRequest, StatusRequest, UndrainRequest,
};
use tim_wire::structs::operation;
use tim_wire::{Command, TimMessage};
use tonic::transport::Channel;

const PAUSE: Duration = Duration::from_millis(3);

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn users_of_different_nodes_chat() {
    let cluster = Cluster::start_for_many_devices(3, &["d0", "d1"]).await;
    let (alice, bob) = cluster.friends("alice", "bob").await;
    let mut phones = Vec::new();
    for node in 0..3 {
        phones.push(cluster.login(node, "bob").await);
    }
    for phone in &mut phones {
        phone.offline().await;
    }
    let mut sender = cluster.login(1, "alice").await;
    for number in 0..20 {
        sender.say(&bob, &number.to_string()).await;
        let echo = sender.message().await;
        for phone in &mut phones {
            let delivered = phone.message().await;
            assert_eq!((delivered.mid, delivered.id), (echo.mid, echo.id));
            assert_eq!(delivered.data_string, Some(number.to_string()));
        }
    }
    let mut stream = TimMessage::direct(bob.as_str(), operation::STREAM);
    stream.data_string = Some("live".to_owned());
    sender.send_struct(Command::Message, &stream).await;
    for phone in &mut phones {
        let (message, sync_id) = phone.unconfirmed_message().await;
        assert_eq!((message.data_string.as_deref(), sync_id), (Some("live"), None));
    }
    // The sender's other device hears what it said.
    let mut tablet = cluster.login(2, "alice").await;
    tablet.offline().await;
    sender.say(&bob, "to both").await;
    let heard = tablet.message().await;
    assert_eq!(heard.from_node(), Some(alice.as_str()));
    assert_eq!(heard.data_string.as_deref(), Some("to both"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_killed_node_loses_doubles_and_reorders_nothing() {
    let mut cluster = Cluster::start(3, &["d0", "d1"]).await;
    let mut pairs = Vec::new();
    for number in 0..4 {
        pairs.push(Pair::begin(&cluster, number, PAUSE).await);
    }
    for victim in [0, 1, 2] {
        pairs[0].more(50).await;
        cluster.kill(victim);
        for pair in &pairs {
            pair.more(50).await;
        }
        cluster.spawn(victim);
        cluster.ready(victim).await;
        cluster.see_each_other(3).await;
    }
    for pair in pairs {
        assert!(pair.check().await > 150);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_drained_node_hands_over_and_may_serve_again() {
    let mut cluster = Cluster::start(3, &["d0", "d1"]).await;
    let mut pairs = Vec::new();
    for number in 0..3 {
        pairs.push(Pair::begin(&cluster, number, PAUSE).await);
    }
    let mut control = operator::connect(&cluster, 1).await;
    let request = DrainRequest {
        drain_id: "pod-1".to_owned(),
        ..DrainRequest::default()
    };
    loop {
        let reply = control.drain(request.clone()).await.unwrap().into_inner();
        let progress = reply.progress.unwrap();
        if progress.done {
            assert_eq!(progress.n_sessions_remaining, 0);
            assert!(progress.control_leadership_handed_over);
            break;
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    cluster.see_each_other(2).await;
    for pair in &pairs {
        pair.more(50).await;
    }
    let status = control.status(StatusRequest {}).await.unwrap().into_inner();
    assert_eq!(status.state(), NodeState::Left);
    assert_eq!(status.causes[0].code, "TIM-N112");
    control
        .undrain(UndrainRequest {
            drain_id: "pod-1".to_owned(),
        })
        .await
        .unwrap();
    cluster.see_each_other(3).await;
    cluster.ready(1).await;
    for pair in &pairs {
        pair.more(50).await;
    }
    // And a node that is told to end does the same by itself.
    cluster.terminate(2).await;
    for pair in &pairs {
        pair.more(50).await;
    }
    cluster.spawn(2);
    cluster.ready(2).await;
    for pair in pairs {
        pair.check().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_drain_asked_for_before_a_stop_is_not_called_off_by_the_operator() {
    let cluster = Cluster::start(3, &["d0", "d1"]).await;
    let pair = Pair::begin(&cluster, 0, PAUSE).await;
    let mut control = operator::connect(&cluster, 1).await;
    loop {
        let asked = "/drain?id=before-the-stop&limit_seconds=60";
        let (code, answer) = http::request(cluster.nodes[1].admin_port, "POST", asked, b"")
            .await
            .unwrap();
        assert_eq!(code, 200);
        // What it does about every node that drains and that it has not chosen.
        control.undrain(UndrainRequest::default()).await.unwrap();
        let answer: serde_json::Value = serde_json::from_slice(&answer).unwrap();
        if answer["done"] == true {
            break;
        }
        let status = control.status(StatusRequest {}).await.unwrap().into_inner();
        assert_ne!(status.state(), NodeState::Serving, "it goes back and forth");
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    pair.more(50).await;
    // The process was not stopped after all, and nobody asks any more.
    cluster.ready(1).await;
    cluster.see_each_other(3).await;
    pair.check().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_session_of_a_drain_that_is_called_off_is_delivered_to_as_before() {
    let cluster = Cluster::start_for_many_devices(3, &["d0"]).await;
    let (alice, bob) = cluster.friends("alice", "bob").await;
    let mut sender = cluster.login(2, "alice").await;
    let mut receiver = cluster.login(1, "bob").await;
    receiver.offline().await;
    sender.say(&bob, "before").await;
    let (message, unconfirmed) = receiver.unconfirmed_message().await;
    assert_eq!(message.data_string.as_deref(), Some("before"));
    let mut control = operator::connect(&cluster, 1).await;
    control.drain(DrainRequest::default()).await.unwrap();
    // The session has something outstanding, so that its node waits for it.
    cluster
        .until(1, "/status", "a node that closes its sessions", |_, body| {
            let status: serde_json::Value = serde_json::from_str(body).unwrap_or_default();
            status["drain"]["phase"] == "closingSessions"
        })
        .await;
    control.undrain(UndrainRequest::default()).await.unwrap();
    sender.say(&bob, "after").await;
    assert_eq!(receiver.message().await.data_string.as_deref(), Some("after"));
    receiver.say(&alice, "mine").await;
    assert_eq!(receiver.message().await.data_string.as_deref(), Some("mine"));
    receiver.confirm(unconfirmed.unwrap()).await;
}

/// The node that leads the control group, once all three vote.
async fn leader(cluster: &Cluster) -> usize {
    let led = cluster
        .until(
            0,
            "/status",
            "a led control group with all nodes in it",
            |_, body| {
                let status: serde_json::Value = serde_json::from_str(body).unwrap_or_default();
                let voters = status["control"]["voters"].as_array().map_or(0, Vec::len);
                status["control"]["leader"].is_string() && voters == 3
            },
        )
        .await;
    let status: serde_json::Value = serde_json::from_str(&led).unwrap();
    let leader = status["control"]["leader"].as_str().unwrap().to_owned();
    cluster.nodes.iter().position(|node| node.name == leader).unwrap()
}

async fn succeeded(control: &mut NodeControlClient<Channel>) {
    let deadline = tokio::time::Instant::now() + support::PATIENCE;
    loop {
        let status = control
            .repartition_status(RepartitionStatusRequest {
                operation_id: "split-1".to_owned(),
            })
            .await
            .unwrap()
            .into_inner();
        let repartition = status.repartition.unwrap();
        match repartition.phase() {
            RepartitionPhase::Succeeded => break,
            RepartitionPhase::Failed | RepartitionPhase::Cancelled => panic!("{repartition:?}"),
            _ => assert!(tokio::time::Instant::now() < deadline, "{repartition:?}"),
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_split_under_load_and_a_killed_coordinator_lose_nothing() {
    let mut cluster = Cluster::prepare(3, &["d0", "d1"]);
    // All data begins in one database; the other one is there and empty.
    cluster.extra = "[partitioning]\nlayout = [{ from = 0, database = \"d0\" }]\n".to_owned();
    cluster.run_all().await;
    let mut pairs = Vec::new();
    for number in 0..4 {
        pairs.push(Pair::begin(&cluster, number, PAUSE).await);
    }
    let leader = leader(&cluster).await;
    let other = (leader + 1) % 3;
    let mut control = operator::connect(&cluster, other).await;
    let request = StartRepartitionRequest {
        operation_id: "split-1".to_owned(),
        operation: RepartitionOperation::Split.into(),
        from: 0,
        at: 524_288,
        target_database: "d1".to_owned(),
        write_pause_max_ms: 1_000,
    };
    let started = control
        .start_repartition(request.clone())
        .await
        .unwrap()
        .into_inner();
    assert_eq!(started.cause, None);
    let again = control.start_repartition(request).await.unwrap().into_inner();
    assert_eq!(again.cause, None, "asking twice is asking once");
    cluster.kill(leader);
    succeeded(&mut control).await;
    cluster.spawn(leader);
    cluster.ready(leader).await;
    for index in 0..3 {
        cluster
            .until(index, "/status", "the new map", |_, body| {
                let status: serde_json::Value = serde_json::from_str(body).unwrap_or_default();
                let ranges = status["partitions"]["ranges"]
                    .as_array()
                    .cloned()
                    .unwrap_or_default();
                ranges.len() == 2 && ranges[1]["database"] == "d1" && ranges[1]["from"] == 524_288
            })
            .await;
    }
    for pair in &pairs {
        pair.more(50).await;
    }
    for pair in pairs {
        pair.check().await;
    }
}
