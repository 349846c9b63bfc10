//! The admin port and the server API behind TLS: everything that they answer, and everybody who asks them.

#![allow(clippy::unwrap_used, clippy::panic, reason = "tests")]

mod support;

use std::process::Command as Process;
use std::sync::Arc;
use std::time::{Duration, Instant};
use support::administered::Administered;
use support::thrift_client::{ThriftClient, Value, only};
use support::{CLUSTER, Cluster, PATIENCE};
use tim_cluster::tls::{Material, PeerIdentity, Trust};
use tim_core::id::NodeName;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;

/// Whoever has the cluster's authority, and expects the node's name.
fn client_config(cluster: &Cluster) -> Arc<rustls::ClientConfig> {
    let identity = PeerIdentity::Node {
        cluster_id: CLUSTER.to_owned(),
        name: NodeName::new(&cluster.nodes[0].name).unwrap(),
    };
    let folder = cluster.directory.path().join("tls");
    let material = Material::load(&folder, &cluster.nodes[0].name, &identity).unwrap();
    let mut config = Trust::new(material).unwrap().client_config(identity).unwrap();
    config.alpn_protocols.clear();
    Arc::new(config)
}

/// The answer and the certificate it came under; nothing while nobody answers.
async fn get(cluster: &Cluster, path: &str) -> Option<(String, Vec<u8>)> {
    let tls = TlsConnector::from(client_config(cluster));
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

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_server_api_speaks_tls_with_the_thrift_crate() {
    let it = Administered::start_with_server_api(1, "", "enabled = true\ntls = true").await;
    let port = it.cluster.nodes[0].server_api_port;
    let config = client_config(&it.cluster);
    let mut client = ThriftClient::connect_tls(port, Arc::clone(&config)).known();
    let bean = vec![(1, "anna".into()), (2, "secret".into()), (3, "tlnet.top".into())];
    let made = client.done("Register", only(bean));
    let account = made.text(5).unwrap().to_owned();
    // More than one record each way.
    let long = "x".repeat(40_000);
    let bean = vec![
        (1, account.as_str().into()),
        (2, "secret".into()),
        (3, long.as_str().into()),
    ];
    assert!(client.call("Register", only(bean)).is_ok());
    client.done("Ping", Value::Struct(Vec::new()));

    // Neither who speaks no TLS nor who trusts somebody else hears anything.
    let mut plain = ThriftClient::connect(port);
    assert!(plain.try_call("Ping", &Value::Struct(Vec::new())).is_err());
    let nobody = rustls::ClientConfig::builder()
        .with_root_certificates(rustls::RootCertStore::empty())
        .with_no_client_auth();
    let mut distrustful = ThriftClient::connect_tls(port, Arc::new(nobody));
    assert!(distrustful.try_call("Ping", &Value::Struct(Vec::new())).is_err());
    // And nobody else is in their way.
    ThriftClient::connect_tls(port, config).known();
    client.done("Ping", Value::Struct(Vec::new()));
}
