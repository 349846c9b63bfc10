//! Old messages go while people chat: history shows what is left, and whoever was away gets what is left and then what
//! is new.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    reason = "tests stop at the first surprise"
)]

mod support;

use std::time::{Duration, Instant};
use support::{Cluster, PATIENCE, http};
use tim_wire::{Command, TimMessageList, TimReq, WireStruct};

/// What a client is shown of its chat with an account.
async fn history(client: &mut support::raw::Raw, peer: &str) -> Vec<String> {
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
