//! Bad input and failures of what the node stands on: each has a code, is told where people look, and heals when its
//! reason is gone.

mod support;

use std::net::TcpListener;
use std::process::Command as Process;
use std::time::Duration;
use support::load::Pair;
use support::{Cluster, authority, http, replace_file};
use tim_wire::{Command, Encoding, TimAck, WireStruct};

/// Waits until `/readyz` names a code, and that status does, too.
async fn told(cluster: &Cluster, index: usize, code: &str) -> String {
    let body = cluster
        .until(index, "/readyz", code, |_, body| body.contains(code))
        .await;
    let status = cluster
        .until(index, "/status", code, |_, body| body.contains(code))
        .await;
    assert!(status.contains(code));
    body
}

#[tokio::test]
async fn a_missing_or_wrong_dsn_keeps_the_node_up_and_heals() {
    let mut cluster = Cluster::prepare(1, &["d0", "d1"]);
    let file = cluster.directory.path().join("dsn").join("d1");
    let right = std::fs::read_to_string(&file).unwrap();
    std::fs::remove_file(&file).unwrap();
    cluster.spawn(0);
    told(&cluster, 0, "TIM-S102").await;
    replace_file(&file, "postgre://tim:hunter2@db/chat");
    let body = told(&cluster, 0, "TIM-S101").await;
    assert!(!body.contains("hunter2") && body.contains("postgre://"), "{body}");
    replace_file(&file, "postgres://tim:hunter2@127.0.0.1:1/chat");
    let body = told(&cluster, 0, "TIM-S103").await;
    assert!(
        !body.contains("hunter2") && body.contains("127.0.0.1:1"),
        "{body}"
    );
    replace_file(&file, &right);
    cluster.ready(0).await;
    let log = cluster.log(0);
    let told_once = log
        .lines()
        .filter(|line| line.contains("TIM-S101") && line.contains("WARN"))
        .count();
    let errors = log
        .lines()
        .filter(|line| line.contains("TIM-S101") && line.contains("ERROR"))
        .count();
    assert_eq!(told_once + errors, 1, "logged once, however often it was tried");
}

#[tokio::test]
async fn a_port_in_use_ends_the_start_and_names_who_has_it() {
    let mut cluster = Cluster::prepare(1, &["d0"]);
    let port = cluster.nodes[0].client_port;
    let _holder = TcpListener::bind(("127.0.0.1", port)).unwrap();
    cluster.spawn(0);
    assert_eq!(cluster.ended(0).await, Some(1));
    let log = cluster.log(0);
    let expected = format!(
        "TIM-N101 port {port} (clients) is used by process {}",
        std::process::id()
    );
    assert!(log.contains(&expected), "{log}");
}

#[tokio::test]
async fn another_cluster_secret_keeps_a_node_apart() {
    let mut cluster = Cluster::prepare(2, &["d0"]);
    cluster.spawn(0);
    cluster.ready(0).await;
    let ring = cluster.nodes[1].directory.join("keyring.toml");
    let right = std::fs::read_to_string(&ring).unwrap();
    authority::write_keyring(&ring, 9);
    cluster.spawn(1);
    cluster
        .until(1, "/readyz", "not ready for its secret", |code, body| {
            code == 503 && body.contains("TIM-N102")
        })
        .await;
    told(&cluster, 0, "TIM-N102").await;
    assert_eq!(cluster.status(0).await["ready"], true, "the others go on");
    cluster
        .until(0, "/metrics", "refused gossip", |_, body| {
            body.contains("tim_gossip_rejected_total") && body.contains("error_type=\"unknown_key\"")
        })
        .await;
    let status = cluster.status(0).await;
    assert_eq!(status["view"]["members"].as_array().unwrap().len(), 1);
    replace_file(&ring, &right);
    cluster.ready(1).await;
    cluster.see_each_other(2).await;
}

#[tokio::test]
async fn an_expired_certificate_is_told_and_heals_without_a_restart() {
    let mut cluster = Cluster::prepare(1, &["d0"]);
    let tls = cluster.directory.path().join("tls");
    cluster
        .authority
        .write_expired_node(&tls, support::CLUSTER, "chat-0");
    cluster.spawn(0);
    told(&cluster, 0, "TIM-N108").await;
    cluster.authority.write_node(&tls, support::CLUSTER, "chat-0");
    cluster
        .until(0, "/status", "no cause", |code, body| {
            code == 200 && !body.contains("TIM-N108")
        })
        .await;
}

#[tokio::test]
async fn files_that_are_missing_are_waited_for() {
    let mut cluster = Cluster::prepare(1, &["d0"]);
    let key = cluster.directory.path().join("storage.key");
    let ring = cluster.nodes[0].directory.join("keyring.toml");
    let (key_text, ring_text) = (
        std::fs::read_to_string(&key).unwrap(),
        std::fs::read_to_string(&ring).unwrap(),
    );
    std::fs::remove_file(&key).unwrap();
    std::fs::remove_file(&ring).unwrap();
    cluster.spawn(0);
    cluster
        .until(0, "/readyz", "TIM-N114", |_, body| body.contains("TIM-N114"))
        .await;
    replace_file(&ring, &ring_text);
    cluster
        .until(0, "/readyz", "TIM-C103", |_, body| body.contains("TIM-C103"))
        .await;
    replace_file(&key, &key_text);
    cluster.ready(0).await;
}

#[tokio::test]
async fn another_storage_key_is_refused() {
    let mut cluster = Cluster::start(1, &["d0"]).await;
    cluster.terminate(0).await;
    std::fs::write(
        cluster.directory.path().join("storage.key"),
        authority::base64_key(8),
    )
    .unwrap();
    cluster.spawn(0);
    told(&cluster, 0, "TIM-S108").await;
}

#[tokio::test]
async fn a_full_disk_refuses_writes_while_reads_go_on() {
    let mut cluster = Cluster::prepare(1, &["d0"]);
    cluster.spawn_on_small_disk(0, 3);
    cluster.ready(0).await;
    let (_, bob) = cluster.friends("alice", "bob").await;
    let mut sender = cluster.login(0, "alice").await;
    let large = "x".repeat(100_000);
    // The message that meets the full disk waits for its outcome, since none is known; later ones are refused at once.
    while !cluster.status(0).await["causes"].to_string().contains("TIM-S107") {
        sender.say(&bob, &large).await;
        let _ = tokio::time::timeout(Duration::from_millis(200), sender.message()).await;
    }
    let refused = loop {
        sender.say(&bob, &large).await;
        let frame = sender
            .frame_where(|frame| matches!(frame.command(), Some(Command::Message | Command::Ack)))
            .await;
        if frame.command() == Some(Command::Ack) {
            break TimAck::decode_payload(&frame.payload, Encoding::Thrift).unwrap();
        }
    };
    let error = refused.error.unwrap();
    assert_eq!(error.code, Some(5103));
    assert!(error.info.unwrap().starts_with("TIM-S107"));
    assert_eq!(cluster.status(0).await["ready"], true, "reads go on");
    let mut receiver = cluster.login(0, "bob").await;
    assert!(!receiver.offline().await.is_empty());
}

#[tokio::test]
async fn a_stopped_node_comes_back_and_goes_on() {
    let cluster = Cluster::start(2, &["d0"]).await;
    let (_, bob) = cluster.friends("alice", "bob").await;
    cluster.signal(1, "STOP");
    cluster.see_each_other_at(0, 1).await;
    cluster.signal(1, "CONT");
    cluster.see_each_other(2).await;
    let mut sender = cluster.login(1, "alice").await;
    let mut receiver = cluster.login(0, "bob").await;
    receiver.offline().await;
    sender.say(&bob, "back").await;
    assert_eq!(receiver.message().await.data_string.as_deref(), Some("back"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nodes_that_lose_sight_of_each_other_for_a_moment_leave_no_message_waiting() {
    let cluster = Cluster::start(2, &["d0", "d1"]).await;
    let mut pairs = Vec::new();
    for number in 0..4 {
        let nodes = [number % 2, (number + 1) % 2];
        pairs.push(Pair::bound(&cluster, nodes, number, Duration::from_millis(3)).await);
    }
    for stopped in [0, 1] {
        for pair in &pairs {
            pair.more(20).await;
        }
        cluster.signal(stopped, "STOP");
        cluster.see_each_other_at(1 - stopped, 1).await;
        cluster.signal(stopped, "CONT");
        cluster.see_each_other(2).await;
    }
    for pair in pairs {
        pair.more(20).await;
        assert!(pair.check().await >= 60);
    }
}

#[tokio::test]
async fn a_node_told_to_end_closes_with_restart_and_ends_well() {
    let mut cluster = Cluster::start(1, &["d0"]).await;
    cluster.register(0, "alice").await;
    let mut client = cluster.login(0, "alice").await;
    client.ping().await;
    let pid = cluster.pid(0);
    assert!(pid > 0);
    cluster.signal(0, "TERM");
    assert_eq!(client.closed().await, Some(1012));
    assert_eq!(cluster.ended(0).await, Some(0));
}

#[test]
fn the_command_line_says_what_is_wrong_with_a_configuration() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("node.toml");
    std::fs::write(&file, "[storage]\ndatabase = [\"d0\"]\n").unwrap();
    let output = Process::new(env!("CARGO_BIN_EXE_tim-node"))
        .args(["run", "--config"])
        .arg(&file)
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(2));
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(
        said.contains("TIM-C101") && said.contains("did you mean storage.databases"),
        "{said}"
    );
    let version = Process::new(env!("CARGO_BIN_EXE_tim-node"))
        .arg("--version")
        .output()
        .unwrap();
    assert!(String::from_utf8_lossy(&version.stdout).starts_with("tim-node "));
}

#[tokio::test]
async fn the_configuration_is_shown_without_secrets() {
    let mut cluster = Cluster::prepare(1, &["d0"]);
    cluster.extra = "[accounts]\nsalt = \"a secret salt\"\n".to_owned();
    cluster.spawn(0);
    cluster.ready(0).await;
    let output = Process::new(env!("CARGO_BIN_EXE_tim-node"))
        .arg("--dump-config")
        .arg("--config")
        .arg(cluster.nodes[0].directory.join("node.toml"))
        .output()
        .unwrap();
    let shown = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(
        shown.contains("cluster_id = \"chat\"") && !shown.contains("a secret salt"),
        "{shown}"
    );
    // The same over HTTP and in the log: no salt, no password, no name of an account.
    cluster.register(0, "canary-account").await;
    let mut client = cluster.login(0, "canary-account").await;
    client.say("UHuS8PoK2LX", "canary text").await;
    client.ack(Command::Message).await;
    let (_, metrics) = http::get(cluster.nodes[0].admin_port, "/metrics").await.unwrap();
    let (_, status) = http::get(cluster.nodes[0].admin_port, "/status").await.unwrap();
    for text in [metrics, status, cluster.log(0)] {
        assert!(!text.contains("canary") && !text.contains("a secret salt") && !text.contains("UHuS8PoK2LX"));
    }
}
