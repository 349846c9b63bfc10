//! Logins that somebody outside looks at first.

#![allow(clippy::unwrap_used, clippy::panic, reason = "tests")]

mod support;

use serde_json::Value;
use support::Cluster;
use support::raw::{Raw, auth};
use support::receiver::Receiver;
use tim_wire::{Command, TimAck};

async fn login(cluster: &Cluster, password: &str) -> (Raw, TimAck) {
    let mut client = Raw::connect(cluster.nodes[0].client_port).await;
    client.send_struct(Command::Auth, &auth("alice", password)).await;
    let ack = client.ack(Command::Auth).await;
    (client, ack)
}

fn code(ack: &TimAck) -> Option<i32> {
    ack.error.as_ref().and_then(|error| error.code)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_is_asked_decides_and_the_password_as_well() {
    let receiver = Receiver::start().await;
    let mut cluster = Cluster::prepare(1, &["d0"]);
    let port = receiver.port;
    cluster.extra = format!("[accounts.callback]\nurl = \"http://127.0.0.1:{port}/auth?key=hidden\"\n");
    cluster.run_all().await;
    cluster.register(0, "alice").await;
    let right = "secret";
    for answer in [&b""[..], b"\x00", b"1"] {
        receiver.says(answer);
        assert_eq!(code(&login(&cluster, right).await.1), Some(4105), "{answer:?}");
    }
    receiver.says(b"\x01 and more");
    assert_eq!(code(&login(&cluster, "wrong").await.1), Some(4105));
    let (client, ack) = login(&cluster, right).await;
    assert!(ack.ok, "{ack:?}");
    let shown: Value = serde_json::from_slice(&receiver.requests("/auth").pop().unwrap().body).unwrap();
    assert_eq!((&shown["name"], &shown["pwd"]), (&"alice".into(), &right.into()));
    drop(client);
    receiver.answers(500);
    let (_, refused) = login(&cluster, right).await;
    assert_eq!(code(&refused), Some(5104), "{refused:?}");
    assert!(refused.error.unwrap().info.unwrap().starts_with("TIM-N124"));
    let told = cluster.status(0).await.to_string();
    let address = format!("http://127.0.0.1:{port}/auth (accounts.callback.url)");
    assert!(told.contains("TIM-N124") && told.contains(&address), "{told}");
    assert!(!told.contains("hidden") && !cluster.log(0).contains("hidden"));
    receiver.answers(200);
    let (_client, _) = login(&cluster, "wrong").await;
    assert!(!cluster.status(0).await.to_string().contains("TIM-N124"));
}
