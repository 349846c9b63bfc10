//! The admin port behind TLS: everything that it answers, and everybody who asks it.

#![allow(clippy::unwrap_used, clippy::panic, reason = "tests")]

mod support;

use std::process::Command as Process;
use std::sync::Arc;
use std::time::{Duration, Instant};
use support::{CLUSTER, Cluster, PATIENCE};
use tim_cluster::tls::{Material, PeerIdentity, Trust};
use tim_core::id::NodeName;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;

/// Whoever has the cluster's authority, and expects the node's name.
fn connector(cluster: &Cluster) -> TlsConnector {
    let identity = PeerIdentity::Node {
        cluster_id: CLUSTER.to_owned(),
        name: NodeName::new(&cluster.nodes[0].name).unwrap(),
    };
    let folder = cluster.directory.path().join("tls");
    let material = Material::load(&folder, &cluster.nodes[0].name, &identity).unwrap();
    let mut config = Trust::new(material).unwrap().client_config(identity).unwrap();
    config.alpn_protocols.clear();
    TlsConnector::from(Arc::new(config))
}

/// The answer and the certificate it came under; nothing while nobody answers.
async fn get(cluster: &Cluster, path: &str) -> Option<(String, Vec<u8>)> {
    let tls = connector(cluster);
    let port = cluster.nodes[0].admin_port;
    let stream = TcpStream::connect(("127.0.0.1", port)).await.ok()?;
    let address = std::net::IpAddr::from([127, 0, 0, 1]).into();
    let mut stream = tls.connect(address, stream).await.ok()?;
    let certificate = stream.get_ref().1.peer_certificates()?.first()?.to_vec();
    let request = format!("GET {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).await.ok()?;
    let mut answer = Vec::new();
    let _ = stream.read_to_end(&mut answer).await;
    Some((String::from_utf8_lossy(&answer).into_owned(), certificate))
}

async fn until<T>(mut wanted: impl AsyncFnMut() -> Option<T>) -> T {
    let deadline = Instant::now() + PATIENCE;
    loop {
        if let Some(found) = wanted().await {
            return found;
        }
        assert!(Instant::now() < deadline, "it did not become so");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_admin_port_speaks_tls_and_a_drain_still_finds_it() {
    let mut cluster = Cluster::prepare(1, &["d0"]);
    cluster.admin_tls = true;
    cluster.spawn(0);
    let ready = async |path: &str| {
        let answered = get(&cluster, path).await;
        answered.filter(|(answer, _)| answer.starts_with("HTTP/1.1 200"))
    };
    let (_, certificate) = until(async || ready("/readyz").await).await;
    let (metrics, _) = ready("/metrics").await.unwrap();
    assert!(metrics.contains("tim_"), "{metrics}");

    // Who speaks plain HTTP is told so, and nothing else.
    let mut plain = TcpStream::connect(("127.0.0.1", cluster.nodes[0].admin_port))
        .await
        .unwrap();
    plain
        .write_all(b"GET /status HTTP/1.1\r\nHost: x\r\n\r\n")
        .await
        .unwrap();
    let mut told = String::new();
    plain.read_to_string(&mut told).await.unwrap();
    assert!(
        told.starts_with("HTTP/1.1 400") && !told.contains("clusterId"),
        "{told}"
    );

    // Another certificate is used without a restart.
    let folder = cluster.directory.path().join("tls");
    cluster
        .authority
        .write_node(&folder, CLUSTER, &cluster.nodes[0].name);
    until(async || {
        ready("/readyz")
            .await
            .filter(|(_, present)| *present != certificate)
    })
    .await;

    let config = cluster.nodes[0].directory.join("node.toml");
    let drain = Process::new(env!("CARGO_BIN_EXE_tim-node"))
        .args(["drain", "--wait", "--timeout", "20", "--config"])
        .arg(&config)
        .output()
        .unwrap();
    let told = String::from_utf8_lossy(&drain.stderr);
    assert!(drain.status.success(), "{told}");
    let (status, _) = get(&cluster, "/readyz").await.unwrap();
    assert!(status.starts_with("HTTP/1.1 503"), "it has left: {status}");
}
