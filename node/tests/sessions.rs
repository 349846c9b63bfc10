//! How many sessions an account may have, and accounts that are blocked: on one node and on three, where the sessions are
//! on different ones.

#![allow(clippy::unwrap_used, clippy::panic, reason = "tests")]

mod support;

use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};
use support::raw::{self, Raw};
use support::{Cluster, operator};
use tim_proto::control::v1::{
    BlockAccountRequest, ListBlockedAccountsReply, ListBlockedAccountsRequest, UnblockAccountRequest,
};
use tim_wire::{Command, Encoding, TimAck, TimAuth, Token};

macro_rules! on_one_node_and_on_three {
    ($($test:ident),+ $(,)?) => {
        mod one_node { $(#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $test() { super::$test(1).await; })+ }
        mod three_nodes { $(#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $test() { super::$test(3).await; })+ }
    };
}

on_one_node_and_on_three!(
    the_oldest_session_yields_and_is_told,
    a_login_a_moment_after_another_is_refused,
    classes_of_devices_have_a_limit_of_their_own,
    who_comes_back_at_once_is_let_in,
    logins_at_once_end_within_the_limit,
    a_blocked_account_is_out_everywhere_until_its_time,
    a_token_works_once_in_the_whole_cluster,
);

async fn cluster(nodes: usize, sessions: &str) -> Cluster {
    let mut cluster = Cluster::prepare(nodes, &["d0", "d1"]);
    cluster.extra = format!("[sessions]\n{sessions}\n");
    cluster.run_all().await;
    cluster
}

/// A login of a device of a class; the answer.
async fn log_in(cluster: &Cluster, node: usize, auth: &TimAuth) -> (Raw, TimAck) {
    let mut client = Raw::connect(cluster.nodes[node % cluster.nodes.len()].client_port).await;
    client.encoding = Encoding::Json;
    client.send_struct(Command::Auth, auth).await;
    let ack = client.ack(Command::Auth).await;
    (client, ack)
}

fn device(name: &str, class: i8) -> TimAuth {
    TimAuth {
        termtyp: Some(class),
        ..raw::auth(name, "secret")
    }
}

/// Waits until a client has been told to stay away and is closed.
async fn is_out(client: &mut Raw) {
    let told = client.ack(Command::Logout).await;
    assert_eq!((told.ok, told.error), (true, None));
    assert_eq!(client.closed().await, Some(1008));
}

fn refusal(ack: &TimAck) -> (i32, String) {
    let error = ack.error.clone().unwrap();
    (error.code.unwrap(), error.info.unwrap())
}

async fn the_oldest_session_yields_and_is_told(nodes: usize) {
    // The interval of the reference would make this test wait.
    let cluster = cluster(nodes, "login_interval_seconds = 0").await;
    let (_, bob) = cluster.friends("alice", "bob").await;
    let (mut first, ack) = log_in(&cluster, 0, &device("bob", 1)).await;
    assert!(ack.ok);
    let (mut second, ack) = log_in(&cluster, 1, &device("bob", 1)).await;
    assert!(ack.ok);
    is_out(&mut first).await;
    let (mut third, ack) = log_in(&cluster, 2, &device("bob", 1)).await;
    assert!(ack.ok);
    is_out(&mut second).await;
    third.offline().await;
    let mut alice = cluster.login(0, "alice").await;
    alice.say(&bob, "still there?").await;
    assert_eq!(third.message().await.data_string.as_deref(), Some("still there?"));
    third.ping().await;
}

async fn a_login_a_moment_after_another_is_refused(nodes: usize) {
    let cluster = cluster(nodes, "login_interval_seconds = 5").await;
    cluster.register(0, "bob").await;
    let begun = Instant::now();
    let (mut first, ack) = log_in(&cluster, 0, &device("bob", 1)).await;
    assert!(ack.ok);
    let (mut second, ack) = log_in(&cluster, 1, &device("bob", 1)).await;
    let (code, info) = refusal(&ack);
    assert_eq!(code, 4111);
    assert!(
        info.starts_with("TIM-P105 sessions.per_device_class_max is 1"),
        "{info}"
    );
    // Nobody was thrown out, and the socket stays for another attempt.
    first.ping().await;
    let wait: u64 = info
        .rsplit_once("again in ")
        .and_then(|(_, rest)| rest.strip_suffix(" ms"))
        .and_then(|wait| wait.parse().ok())
        .unwrap_or_else(|| panic!("no time to wait in: {info}"));
    assert!(wait <= 5_000);
    second.encoding = Encoding::Thrift;
    loop {
        second.send_struct(Command::Auth, &device("bob", 1)).await;
        let ack = second.ack(Command::Auth).await;
        if ack.ok {
            break;
        }
        assert_eq!(refusal(&ack).0, 4111);
    }
    assert!(begun.elapsed() >= Duration::from_millis(4_500));
    is_out(&mut first).await;
}

async fn classes_of_devices_have_a_limit_of_their_own(nodes: usize) {
    let cluster = cluster(
        nodes,
        "per_account_max = 3\nper_device_class_max = 1\nlogin_interval_seconds = 0",
    )
    .await;
    cluster.register(0, "bob").await;
    let (mut phone, _) = log_in(&cluster, 0, &device("bob", 1)).await;
    let (mut browser, _) = log_in(&cluster, 1, &device("bob", 2)).await;
    let (mut tablet, _) = log_in(&cluster, 2, &device("bob", 3)).await;
    for client in [&mut phone, &mut browser, &mut tablet] {
        client.ping().await;
    }
    // The other browser goes, though the telephone is older.
    let (mut other_browser, ack) = log_in(&cluster, 0, &device("bob", 2)).await;
    assert!(ack.ok);
    is_out(&mut browser).await;
    // A fourth class is one session too many: the oldest of all goes.
    let (mut watch, ack) = log_in(&cluster, 1, &device("bob", 4)).await;
    assert!(ack.ok);
    is_out(&mut phone).await;
    for client in [&mut other_browser, &mut tablet, &mut watch] {
        client.ping().await;
    }
}

async fn who_comes_back_at_once_is_let_in(nodes: usize) {
    let cluster = cluster(nodes, "login_interval_seconds = 600").await;
    cluster.register(0, "bob").await;
    for number in 0..6 {
        let (client, ack) = log_in(&cluster, number, &device("bob", 1)).await;
        assert!(ack.ok, "{number}: {ack:?}");
        client.close().await;
    }
}

async fn logins_at_once_end_within_the_limit(nodes: usize) {
    let cluster = cluster(
        nodes,
        "per_account_max = 2\nper_device_class_max = 2\nlogin_interval_seconds = 0",
    )
    .await;
    cluster.register(0, "bob").await;
    let devices: Vec<TimAuth> = (0..8).map(|_| device("bob", 1)).collect();
    let logins = devices
        .iter()
        .enumerate()
        .map(|(number, auth)| log_in(&cluster, number, auth));
    let clients = futures::future::join_all(logins).await;
    let ends = clients.into_iter().map(|(mut client, ack)| async move {
        assert!(ack.ok);
        // Whoever is out is told; the others go on.
        (client.silent(Command::Ack, Duration::from_secs(4)).await, client)
    });
    let ends = futures::future::join_all(ends).await;
    let mut stayed = 0;
    for (silent, mut client) in ends {
        if silent {
            client.ping().await;
            stayed += 1;
        }
    }
    assert_eq!(stayed, 2);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_session_on_a_dead_node_keeps_nobody_from_logging_in() {
    let mut cluster = cluster(3, "login_interval_seconds = 600").await;
    cluster.register(0, "bob").await;
    for victim in [2, 1] {
        let (_lost, ack) = log_in(&cluster, victim, &device("bob", 1)).await;
        assert!(ack.ok);
        cluster.kill(victim);
        let (client, ack) = log_in(&cluster, 0, &device("bob", 1)).await;
        assert!(ack.ok, "{ack:?}");
        client.close().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nobody_yields_to_a_session_that_is_no_more() {
    let limits = "per_account_max = 2\nper_device_class_max = 2\nlogin_interval_seconds = 600";
    let mut cluster = cluster(3, limits).await;
    cluster.register(0, "bob").await;
    let (mut first, _) = log_in(&cluster, 0, &device("bob", 1)).await;
    let (_lost, ack) = log_in(&cluster, 2, &device("bob", 1)).await;
    assert!(ack.ok);
    cluster.kill(2);
    let (mut second, ack) = log_in(&cluster, 1, &device("bob", 1)).await;
    assert!(ack.ok, "{ack:?}");
    cluster.see_each_other(2).await;
    assert!(first.silent(Command::Ack, Duration::from_secs(2)).await);
    first.ping().await;
    second.ping().await;
    let (_, ack) = log_in(&cluster, 0, &device("bob", 1)).await;
    assert_eq!(refusal(&ack).0, 4111, "there are two again");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn ids_come_from_the_seed_or_are_the_names() {
    let with = async |accounts: &str| {
        let mut cluster = Cluster::prepare(1, &["d0"]);
        cluster.extra = format!("[accounts]\n{accounts}\n");
        cluster.run_all().await;
        cluster
    };
    for seed in ["seed = 9589443", "mask_seed = \"j\""] {
        let cluster = with(seed).await;
        assert_eq!(cluster.register(0, "tim1").await, "UHuS8PoK2Mi", "{seed}");
        assert_eq!(cluster.register(0, "tim2").await, "QdH6CCms5FV", "{seed}");
    }
    let cluster = with("ids = \"names\"").await;
    let (alice, bob) = cluster.friends("alice@example.org", "哈-4711").await;
    assert_eq!((alice.as_str(), bob.as_str()), ("alice@example.org", "哈-4711"));
    let mut one = cluster.login(0, "alice@example.org").await;
    let mut other = cluster.login(0, "哈-4711").await;
    other.offline().await;
    one.say(&bob, "hello").await;
    let message = other.message().await;
    assert_eq!(message.from_node(), Some(alice.as_str()));
    let auth = raw::auth("a|b", "secret");
    let ack = raw::post(
        cluster.nodes[0].client_port,
        Command::Register,
        Encoding::Json,
        &auth,
    )
    .await;
    assert_eq!(refusal(&ack).0, 4104);
}

fn unix_ms() -> i64 {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
    i64::try_from(now.as_millis()).unwrap()
}

async fn a_blocked_account_is_out_everywhere_until_its_time(nodes: usize) {
    let cluster = cluster(nodes, "per_account_max = 3\nper_device_class_max = 3").await;
    let bob = cluster.register(0, "bob").await;
    let carol = cluster.register(0, "carol").await;
    let mut devices = Vec::new();
    for node in 0..3 {
        devices.push(log_in(&cluster, node, &device("bob", 1)).await.0);
    }
    let mut other = cluster.login(0, "carol").await;
    let mut control = operator::connect(&cluster, nodes - 1).await;
    let until_ms = unix_ms() + 3_600_000;
    let block = |account: &str, until_ms| BlockAccountRequest {
        account: account.to_owned(),
        until_ms,
    };
    let reply = control
        .block_account(block(&bob, until_ms))
        .await
        .unwrap()
        .into_inner();
    assert!(reply.done && reply.untold_nodes.is_empty(), "{reply:?}");
    for client in &mut devices {
        is_out(client).await;
    }
    other.ping().await;
    for node in 0..nodes {
        let (_, ack) = log_in(&cluster, node, &device("bob", 1)).await;
        let (code, info) = refusal(&ack);
        assert_eq!(code, 4105);
        let seconds = (until_ms / 1_000).to_string();
        assert!(info.starts_with("TIM-P106") && info.contains(&seconds), "{info}");
        let mut control = operator::connect(&cluster, node).await;
        let listed = list(control.list_blocked_accounts(ListBlockedAccountsRequest {}).await);
        assert_eq!(listed, [(bob.clone(), until_ms)]);
    }
    control
        .block_account(block(&carol, unix_ms() + 1_500))
        .await
        .unwrap();
    is_out(&mut other).await;
    control
        .unblock_account(UnblockAccountRequest { account: bob.clone() })
        .await
        .unwrap();
    let (_, ack) = log_in(&cluster, 0, &device("bob", 1)).await;
    assert!(ack.ok, "{ack:?}");
    let deadline = Instant::now() + support::PATIENCE;
    while !log_in(&cluster, 1, &device("carol", 1)).await.1.ok {
        assert!(Instant::now() < deadline, "a block ends by itself");
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    let listed = list(control.list_blocked_accounts(ListBlockedAccountsRequest {}).await);
    assert_eq!(listed, []);
    let unknown = control.block_account(block("QdH6CCms5EU", until_ms)).await;
    assert_eq!(unknown.unwrap_err().code(), tonic::Code::NotFound);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_node_that_could_not_be_told_of_a_block_finds_out() {
    let cluster = cluster(3, "").await;
    let bob = cluster.register(0, "bob").await;
    let (mut client, ack) = log_in(&cluster, 2, &device("bob", 1)).await;
    assert!(ack.ok);
    let mut control = operator::connect(&cluster, 0).await;
    cluster.signal(2, "STOP");
    let block = BlockAccountRequest {
        account: bob,
        until_ms: unix_ms() + 3_600_000,
    };
    let reply = control.block_account(block).await.unwrap().into_inner();
    assert_eq!(
        (reply.done, reply.untold_nodes),
        (true, vec!["chat-2".to_owned()])
    );
    cluster.signal(2, "CONT");
    is_out(&mut client).await;
}

fn list(reply: Result<tonic::Response<ListBlockedAccountsReply>, tonic::Status>) -> Vec<(String, i64)> {
    let reply = reply.unwrap().into_inner();
    assert_eq!(reply.cause, None);
    let accounts = reply.accounts.into_iter();
    accounts
        .map(|blocked| (blocked.account, blocked.until_ms))
        .collect()
}

async fn a_token_works_once_in_the_whole_cluster(nodes: usize) {
    let cluster = cluster(nodes, "login_interval_seconds = 0\ntoken_lifetime_seconds = 2").await;
    let bob = cluster.register(0, "bob").await;
    let port = cluster.nodes[0].client_port;
    let ask = async || {
        let ack = raw::post(port, Command::Token, Encoding::Json, &raw::auth("bob", "secret")).await;
        (ack.t.unwrap(), ack.n.unwrap())
    };
    let (number, text) = ask().await;
    assert!((1..1_i64 << 53).contains(&number), "browsers can hold it");
    let by = |token: Token| TimAuth {
        token: Some(token),
        ..TimAuth::default()
    };
    // One token in all its forms, on all nodes at once: one login.
    let forms = [
        by(Token::Number(number)),
        by(Token::Text(text.clone())),
        by(Token::Text(number.to_string())),
    ];
    let logins = forms
        .iter()
        .enumerate()
        .map(|(node, auth)| log_in(&cluster, node, auth));
    let answers: Vec<TimAck> = futures::future::join_all(logins)
        .await
        .into_iter()
        .map(|(_, ack)| ack)
        .collect();
    let accepted: Vec<&TimAck> = answers.iter().filter(|ack| ack.ok).collect();
    assert_eq!(accepted.len(), 1, "{answers:?}");
    assert_eq!(accepted[0].n.as_deref(), Some(bob.as_str()));
    let refused = answers.iter().filter(|ack| !ack.ok);
    refused.for_each(|ack| assert_eq!(refusal(ack).0, 4115));
    // Somebody else's name does not go with it.
    let (_, text) = ask().await;
    let with_a_name = TimAuth {
        name: Some("carol".to_owned()),
        ..by(Token::Text(text))
    };
    assert_eq!(refusal(&log_in(&cluster, 0, &with_a_name).await.1).0, 4115);
    let (late, _) = ask().await;
    tokio::time::sleep(Duration::from_millis(2_100)).await;
    let (_, ack) = log_in(&cluster, 1, &by(Token::Number(late))).await;
    assert_eq!(refusal(&ack).0, 4115, "it lives for two seconds here");
}
