//! A password that one node has verified costs no hash at the others, even when that node is dead.

#![allow(clippy::unwrap_used, clippy::panic, reason = "tests")]

mod support;

use serde_json::json;
use std::time::{Duration, Instant};
use support::administered::Administered;
use support::older_node::OlderNode;
use support::raw::{Raw, auth};
use support::{Cluster, http};
use tim_core::id::{AccountId, Generation, NodeName};
use tim_core::placement::shard_owners_of;
use tim_core::view::{NodeInfo, View};
use tim_wire::{Command, TimAck};

/// Enough that each pair of nodes owns some.
const ACCOUNTS: usize = 24;
/// A login waits so long for the owners, by design: on a busy machine an answer may come later, and costs a hash. Whoever was
/// decided on sooner had all answers.
const ASK_LIMIT: Duration = Duration::from_millis(150);
/// The calls that a node of an older version does not know.
const IS_REMEMBERED: &str = "/tim.peer.v1.Passwords/IsRemembered";
const REMEMBER: &str = "/tim.peer.v1.Passwords/Remember";

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

/// How many tags these nodes keep for others, all of them together.
async fn kept(cluster: &Cluster, nodes: &[usize]) -> u64 {
    let mut kept = 0;
    for node in nodes {
        kept += figure(cluster, *node, "tim_password_remembered_count", "owners").await;
    }
    kept
}

/// Waits until these nodes keep so many.
async fn kept_by_owners(cluster: &Cluster, nodes: &[usize], count: u64) {
    let wait = async {
        while kept(cluster, nodes).await != count {
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

/// The view of so many nodes that serve.
fn view(nodes: usize) -> View {
    let node = |index| NodeInfo {
        name: NodeName::new(format!("chat-{index}")).unwrap(),
        zone: String::new(),
        boot_generation: Generation(1),
    };
    View::new((0..nodes).map(node).collect())
}

/// The places of the nodes that are written for an account, and then of the other.
fn owners(account: &str, nodes: usize) -> Vec<usize> {
    let (account, view) = (AccountId::new(account).unwrap(), view(nodes));
    let owners = shard_owners_of(&account, &view);
    let both = [owners.primary, owners.follower].into_iter().flatten();
    both.map(|owner| view.nodes().iter().position(|node| node.name == *owner).unwrap())
        .collect()
}

/// Logs in where the password is not known; whether an owner knew it, and how long that took.
async fn known_by_owners(cluster: &Cluster, node: usize, name: &str) -> (bool, Duration) {
    let figures = async || {
        let mut figures = [0; 3];
        for (figure, source) in figures.iter_mut().zip(["node", "owners", "hash"]) {
            *figure = checked(cluster, node, source).await;
        }
        figures
    };
    let [own, owners, hash] = figures().await;
    let began = Instant::now();
    assert_eq!(refusal(cluster, node, name, "secret").await, None);
    let took = began.elapsed();
    let now = figures().await;
    let known = now == [own, owners + 1, hash];
    assert!(known || now == [own, owners, hash + 1], "{now:?}");
    (known, took)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_comes_back_from_a_killed_node_costs_no_hash() {
    let mut cluster = Cluster::start_for_many_devices(3, &["d0"]).await;
    let (mut accounts, mut sessions) = (Vec::new(), Vec::new());
    for name in names() {
        let account = cluster.register(0, &name).await;
        sessions.push(cluster.login(0, &name).await);
        accounts.push((name, owners(&account, 3)));
    }
    assert_eq!(
        checked(&cluster, 0, "node").await,
        ACCOUNTS as u64,
        "who registers is remembered"
    );
    kept_by_owners(&cluster, &[0, 1, 2], 2 * ACCOUNTS as u64).await;
    cluster.kill(0);
    // At once: the others still take it for alive.
    let (mut asked, mut late) = (0, 0);
    for (name, owners) in &accounts {
        let is_owner = |node: &usize| owners.contains(node);
        let Some(asking) = [1, 2].into_iter().find(|node| !is_owner(node)) else {
            let (known, _) = known_by_owners(&cluster, 1, name).await;
            assert!(known, "an owner has nobody to wait for");
            continue;
        };
        let (known, took) = known_by_owners(&cluster, asking, name).await;
        assert!(known || took >= ASK_LIMIT, "a hash after {took:?}");
        (asked, late) = (asked + 1, late + usize::from(!known));
        // Who was here once is remembered here.
        let known_here = checked(&cluster, asking, "node").await;
        assert_eq!(refusal(&cluster, asking, name, "secret").await, None);
        assert_eq!(checked(&cluster, asking, "node").await, known_here + 1);
    }
    assert!(late < asked / 2, "{late} of {asked} answers came too late");
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
    cluster.extra = "[sessions]\nper_account_max = 10\nper_device_class_max = 10\n".to_owned();
    cluster.passwords = "remembered_seconds = 3\n".to_owned();
    cluster.run_all().await;
    let (mut registered, mut kept_elsewhere) = (0, None);
    while kept_elsewhere.is_none() {
        let name = format!("anna{registered}");
        let account = cluster.register(0, &name).await;
        registered += 1;
        kept_elsewhere = (!owners(&account, 3).contains(&0)).then_some(name);
    }
    let anna = kept_elsewhere.unwrap();
    let _session = cluster.login(0, &anna).await;
    // Whoever has no session is forgotten; so is, once more, who came later than she.
    kept_by_owners(&cluster, &[0, 1, 2], 2).await;
    cluster.register(0, "gone").await;
    kept_by_owners(&cluster, &[0, 1, 2], 4).await;
    kept_by_owners(&cluster, &[0, 1, 2], 2).await;
    for owner in [1, 2] {
        let (known, _) = known_by_owners(&cluster, owner, &anna).await;
        assert!(known, "what is kept is hers");
    }
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

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_older_node_costs_a_hash_and_nothing_else() {
    let mut cluster = Cluster::prepare(2, &["d0"]);
    cluster.spawn(0);
    cluster.ready(0).await;
    let mut accounts = Vec::new();
    for name in names() {
        let account = cluster.register(0, &name).await;
        // Sessions are registered at the first owner; of that the older one knows nothing here either.
        if owners(&account, 2)[0] == 0 {
            accounts.push(name);
        }
    }
    // What it has verified itself it forgets.
    cluster.terminate(0).await;
    cluster.spawn(0);
    let older = OlderNode::join(&cluster, 1).await;
    cluster.see_each_other_at(0, 2).await;
    let mut quickest = Duration::MAX;
    for (number, name) in accounts.iter().enumerate() {
        let (known, took) = known_by_owners(&cluster, 0, name).await;
        assert!(!known);
        assert_eq!(older.heard(IS_REMEMBERED), number + 1, "it was asked");
        older.until_heard(REMEMBER, number + 1).await;
        quickest = quickest.min(took);
    }
    assert!(quickest < ASK_LIMIT, "its no is waited for: {quickest:?}");
    for name in &accounts {
        cluster.login(0, name).await;
    }
    assert_eq!(checked(&cluster, 0, "node").await, accounts.len() as u64);
    assert_eq!(older.heard(IS_REMEMBERED), accounts.len(), "it is asked no more");
}
