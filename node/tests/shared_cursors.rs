//! What one device has confirmed, none of those that share its cursor is given again; all others still are. On three nodes.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    reason = "tests stop at the first surprise"
)]

mod support;

use support::Cluster;
use support::raw::{self, Raw};
use tim_wire::{Command, TimAuth};

async fn cluster(cursors: &str) -> Cluster {
    let mut cluster = Cluster::prepare(3, &["d0", "d1"]);
    cluster.extra = format!("[sessions]\nper_account_max = 10\nper_device_class_max = 10\n{cursors}\n");
    cluster.run_all().await;
    cluster
}

/// A device of a class; what has waited for it.
async fn device(cluster: &Cluster, node: usize, class: i8) -> (Raw, Vec<String>) {
    let mut client = Raw::connect(cluster.nodes[node].client_port).await;
    let auth = TimAuth {
        termtyp: Some(class),
        ..raw::auth("bob", "secret")
    };
    client.send_struct(Command::Auth, &auth).await;
    assert!(client.ack(Command::Auth).await.ok);
    let waited = client.offline().await;
    let texts = waited.into_iter().filter_map(|message| message.data_string);
    (client, texts.collect())
}

/// Waits until what a device has confirmed is durable: then another one of its class is given nothing.
async fn is_durable(cluster: &Cluster, class: i8) {
    loop {
        let (client, waited) = device(cluster, 0, class).await;
        client.close().await;
        if waited.is_empty() {
            return;
        }
        tokio::time::sleep(std::time::Duration::from_millis(50)).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn classes_of_a_set_get_everything_once_together() {
    let cluster = cluster("shared_cursors = [[1, 2]]").await;
    let (_, bob) = cluster.friends("alice", "bob").await;
    let mut alice = cluster.login(0, "alice").await;
    // A class that has confirmed something keeps where it is.
    alice.say(&bob, "hello").await;
    alice.message().await;
    let (third, waited) = device(&cluster, 0, 3).await;
    assert_eq!(waited, ["hello"]);
    third.close().await;
    is_durable(&cluster, 3).await;
    let texts: Vec<String> = (0..15).map(|number| number.to_string()).collect();
    for text in &texts {
        alice.say(&bob, text).await;
        alice.message().await;
    }
    let (first, waited) = device(&cluster, 1, 2).await;
    assert_eq!(
        (&waited[0], &waited[1..]),
        (&"hello".to_owned(), &texts[..]),
        "all of it, in order"
    );
    first.close().await;
    is_durable(&cluster, 2).await;
    let (mut phone, waited) = device(&cluster, 2, 1).await;
    assert_eq!(waited, [""; 0], "the other device of the set has it");
    let (mut other, waited) = device(&cluster, 1, 3).await;
    assert_eq!(waited, texts, "another class has a cursor of its own");
    // What comes while both are there reaches both, as with the reference.
    let (mut tablet, _) = device(&cluster, 0, 2).await;
    alice.say(&bob, "live").await;
    for device in [&mut phone, &mut tablet, &mut other] {
        assert_eq!(device.message().await.data_string.as_deref(), Some("live"));
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn all_devices_of_an_account_may_share_one() {
    let cluster = cluster("cursors = \"per_account\"").await;
    let (_, bob) = cluster.friends("alice", "bob").await;
    let mut alice = cluster.login(0, "alice").await;
    alice.say(&bob, "once").await;
    // Before it is stored the device would be given it live.
    alice.message().await;
    let (first, waited) = device(&cluster, 1, 7).await;
    assert_eq!(waited, ["once"]);
    first.close().await;
    is_durable(&cluster, 7).await;
    for class in [0, 1, -4] {
        assert_eq!(device(&cluster, 2, class).await.1, [""; 0], "{class}");
    }
}
