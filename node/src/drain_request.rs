//! `tim-node drain`: asks the node on this machine over its admin port, again and again, since a drain that nobody asks
//! for any more ends. Where that port speaks TLS, the node has to prove that it is the one that the configuration names.

use anyhow::{Context, bail};
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;
use tim_cluster::tls::{Material, PeerIdentity, Trust};
use tim_config::NodeConfig;
use tim_core::id::NodeName;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::Instant;
use tokio_rustls::TlsConnector;

/// How often it is asked.
const INTERVAL: Duration = Duration::from_millis(500);
/// How long one answer may take.
const ANSWER_LIMIT: Duration = Duration::from_secs(5);

/// Asks until the node is drained, or once; whether it is.
pub(crate) async fn ask(config: &NodeConfig, wait: bool, limit: Duration) -> anyhow::Result<bool> {
    let port = config.listeners.admin.address.port();
    let tls = match config.listeners.admin.tls {
        true => Some(connector(config)?),
        false => None,
    };
    let deadline = Instant::now() + limit;
    let id = format!("local-{}", crate::random::number());
    loop {
        let left = deadline.saturating_duration_since(Instant::now());
        let done = tokio::time::timeout(ANSWER_LIMIT, once(port, tls.as_ref(), &id, left))
            .await
            .context("the node has not answered in time")??;
        if done || !wait {
            return Ok(true);
        }
        if Instant::now() >= deadline {
            return Ok(false);
        }
        tokio::time::sleep(INTERVAL).await;
    }
}

/// For connections to this very node.
fn connector(config: &NodeConfig) -> anyhow::Result<TlsConnector> {
    // Fails only if it was chosen already, which is as good.
    let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
    let name = NodeName::new(&config.node.name).context("node.name")?;
    let identity = PeerIdentity::Node {
        cluster_id: config.node.cluster_id.clone(),
        name: name.clone(),
    };
    let material = Material::load(&config.trust.tls_directory, name.as_str(), &identity)?;
    let mut tls = Trust::new(material)?.client_config(identity)?;
    // This is HTTP/1.1; nodes among themselves speak another.
    tls.alpn_protocols.clear();
    Ok(TlsConnector::from(Arc::new(tls)))
}

async fn once(port: u16, tls: Option<&TlsConnector>, id: &str, left: Duration) -> anyhow::Result<bool> {
    let address = SocketAddr::from((Ipv4Addr::LOCALHOST, port));
    let stream = TcpStream::connect(address)
        .await
        .with_context(|| format!("connect to the admin port, {address}"))?;
    match tls {
        None => exchange(stream, address, id, left).await,
        Some(tls) => {
            let stream = tls.connect(address.ip().into(), stream).await;
            let stream = stream.with_context(|| format!("agree on TLS with the admin port, {address}"))?;
            Box::pin(exchange(stream, address, id, left)).await
        }
    }
}

async fn exchange(
    mut stream: impl AsyncRead + AsyncWrite + Unpin,
    address: SocketAddr,
    id: &str,
    left: Duration,
) -> anyhow::Result<bool> {
    let request = format!(
        "POST /drain?id={id}&limit_seconds={} HTTP/1.1\r\nHost: {address}\r\nContent-Length: 0\r\nConnection: close\r\n\r\n",
        left.as_secs()
    );
    stream.write_all(request.as_bytes()).await?;
    let mut answer = Vec::new();
    // A peer that ends without saying so in TLS has answered all the same.
    if let Err(error) = stream.read_to_end(&mut answer).await
        && answer.is_empty()
    {
        return Err(error.into());
    }
    let answer = String::from_utf8_lossy(&answer);
    let (head, body) = answer.split_once("\r\n\r\n").context("read the node's answer")?;
    if !head.starts_with("HTTP/1.1 200") {
        bail!("the node refused: {}", body.trim());
    }
    Ok(body.contains("\"done\":true"))
}
