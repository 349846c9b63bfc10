//! A password that one node has verified costs no hash at the others, even when that node is dead.

#![allow(clippy::unwrap_used, clippy::panic, reason = "tests")]

mod support;

use serde_json::json;
use std::time::Duration;
use support::administered::Administered;
use support::raw::{Raw, auth};
use support::{Cluster, http};
use tim_wire::{Command, TimAck};

/// Enough that each pair of nodes owns some.
const ACCOUNTS: usize = 12;
/// So many of them may find a machine so busy that a question takes longer than a login waits for it.
const HASHES_MAX: u64 = 2;

/// A figure of a node about passwords, by where they are known.
async fn figure(cluster: &Cluster, node: usize, name: &str, source: &str) -> u64 {
    let (_, metrics) = http::get(cluster.nodes[node].admin_port, "/metrics")
        .await
        .unwrap();
    read(&metrics, name, source)
}

fn read(metrics: &str, name: &str, source: &str) -> u64 {
    let source = format!("tim_password_source=\"{source}\"");
    let line = metrics
        .lines()
        .find(|line| line.starts_with(name) && line.contains(&source));
    line.map_or(0, |line| {
        let value: f64 = line.split_whitespace().next_back().unwrap().parse().unwrap();
        value as u64
    })
}

async fn checked(cluster: &Cluster, node: usize, source: &str) -> u64 {
    figure(cluster, node, "tim_password_checked", source).await
}

/// Waits until the nodes that run keep so many tags for others, all of them together.
async fn kept_by_owners(cluster: &Cluster, nodes: &[usize], count: u64) {
    let wait = async {
        loop {
            let mut kept = 0;
            for node in nodes {
                kept += figure(cluster, *node, "tim_password_remembered_count", "owners").await;
            }
            if kept == count {
                return;
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    };
    let in_time = tokio::time::timeout(support::PATIENCE, wait).await;
    assert!(in_time.is_ok(), "the owners do not keep {count}");
}

async fn try_login(cluster: &Cluster, node: usize, name: &str, password: &str) -> (Raw, TimAck) {
    let mut client = Raw::connect(cluster.nodes[node].client_port).await;
    client.send_struct(Command::Auth, &auth(name, password)).await;
    let ack = client.ack(Command::Auth).await;
    (client, ack)
}

/// The code of the refusal; nothing for a login.
async fn refusal(cluster: &Cluster, node: usize, name: &str, password: &str) -> Option<i32> {
    let (_, ack) = try_login(cluster, node, name, password).await;
    assert_eq!(ack.ok, ack.error.is_none(), "{ack:?}");
    ack.error.and_then(|error| error.code)
}

fn names() -> Vec<String> {
    (0..ACCOUNTS).map(|number| format!("anna{number}")).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_comes_back_from_a_killed_node_costs_no_hash() {
    let mut cluster = Cluster::start_for_many_devices(3, &["d0"]).await;
    let mut sessions = Vec::new();
    for name in names() {
        cluster.register(0, &name).await;
        sessions.push(cluster.login(0, &name).await);
    }
    assert_eq!(
        checked(&cluster, 0, "node").await,
        ACCOUNTS as u64,
        "who registers is remembered"
    );
    kept_by_owners(&cluster, &[0, 1, 2], 2 * ACCOUNTS as u64).await;
    cluster.kill(0);
    // At once: the others still take it for alive.
    for (number, name) in names().iter().enumerate() {
        let node = 1 + number % 2;
        assert_eq!(refusal(&cluster, node, name, "secret").await, None);
    }
    let hashed = checked(&cluster, 1, "hash").await + checked(&cluster, 2, "hash").await;
    let known = checked(&cluster, 1, "owners").await + checked(&cluster, 2, "owners").await;
    assert_eq!(hashed + known, ACCOUNTS as u64);
    assert!(hashed <= HASHES_MAX, "{hashed} hashes");
    // Who was here once is remembered here.
    assert_eq!(refusal(&cluster, 1, "anna0", "secret").await, None);
    assert_eq!(checked(&cluster, 1, "node").await, 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn new_owners_are_told_of_live_sessions() {
    let mut cluster = Cluster::start(3, &["d0"]).await;
    let mut sessions = Vec::new();
    for name in names() {
        cluster.register(1, &name).await;
        sessions.push(cluster.login(1, &name).await);
    }
    kept_by_owners(&cluster, &[0, 1, 2], 2 * ACCOUNTS as u64).await;
    cluster.kill(0);
    // Of two nodes each owns everything.
    kept_by_owners(&cluster, &[1], ACCOUNTS as u64).await;
    kept_by_owners(&cluster, &[2], ACCOUNTS as u64).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_live_sessions_logged_in_with_is_not_forgotten() {
    let mut cluster = Cluster::prepare(3, &["d0"]);
    cluster.passwords = "remembered_seconds = 3\n".to_owned();
    cluster.run_all().await;
    cluster.register(0, "gone").await;
    cluster.register(0, "anna").await;
    let _session = cluster.login(0, "anna").await;
    // Far longer than it is kept for: that something stays is no event that could be waited for.
    tokio::time::sleep(Duration::from_secs(7)).await;
    kept_by_owners(&cluster, &[0, 1, 2], 2).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_old_or_wrong_password_gets_in_nowhere() {
    let it = Administered::start(3, "").await;
    let cluster = &it.cluster;
    let anna = cluster.register(0, "anna").await;
    kept_by_owners(cluster, &[0, 1, 2], 2).await;
    for node in 0..3 {
        assert_eq!(refusal(cluster, node, "anna", "wrong").await, Some(4105));
        assert_eq!(checked(cluster, node, "hash").await, 1, "a wrong one is hashed");
        assert_eq!(refusal(cluster, node, "nobody", "secret").await, Some(4105));
        assert_eq!(checked(cluster, node, "hash").await, 2, "so is nobody's");
    }
    let path = format!("/accounts/{anna}/password");
    let (code, _) = it
        .call(1, &it.admin, ("PUT", &path), json!({"password": "another"}))
        .await;
    assert_eq!(code, 204);
    for node in 0..3 {
        assert_eq!(refusal(cluster, node, "anna", "secret").await, Some(4105));
        assert_eq!(
            checked(cluster, node, "hash").await,
            3,
            "what was remembered is dead"
        );
    }
    assert_eq!(refusal(cluster, 2, "anna", "another").await, None);
    assert_eq!(
        checked(cluster, 2, "hash").await,
        4,
        "nobody has verified it before"
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn owners_are_not_asked_for_whoever_has_guessed_too_often() {
    let mut cluster = Cluster::prepare(3, &["d0"]);
    cluster.extra = "[limits]\nfailed_logins_per_address_per_minute = 1\n".to_owned();
    cluster.run_all().await;
    cluster.register(0, "anna").await;
    kept_by_owners(&cluster, &[0, 1, 2], 2).await;
    for node in [1, 2] {
        assert_eq!(refusal(&cluster, node, "anna", "wrong").await, Some(4105));
        assert_eq!(refusal(&cluster, node, "anna", "secret").await, Some(5104));
        assert_eq!(checked(&cluster, node, "owners").await, 0);
    }
    // Where it was verified it is known all the same.
    assert_eq!(refusal(&cluster, 0, "anna", "secret").await, None);
}
