//! `tim-node drain`: asks the node on this machine over its admin port, again and again, since a drain that nobody asks
//! for any more ends.

use anyhow::{Context, bail};
use std::net::{Ipv4Addr, SocketAddr};
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::Instant;

/// How often it is asked.
const INTERVAL: Duration = Duration::from_millis(500);
/// How long one answer may take.
const ANSWER_LIMIT: Duration = Duration::from_secs(5);

/// Asks until the node is drained, or once; whether it is.
pub(crate) async fn ask(port: u16, wait: bool, limit: Duration) -> anyhow::Result<bool> {
    let deadline = Instant::now() + limit;
    let id = format!("local-{}", crate::random::number());
    loop {
        let left = deadline.saturating_duration_since(Instant::now());
        let done = tokio::time::timeout(ANSWER_LIMIT, once(port, &id, left))
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

async fn once(port: u16, id: &str, left: Duration) -> anyhow::Result<bool> {
    let address = SocketAddr::from((Ipv4Addr::LOCALHOST, port));
    let mut stream = TcpStream::connect(address)
        .await
        .with_context(|| format!("connect to the admin port, {address}"))?;
    let request = format!(
        "POST /drain?id={id}&limit_seconds={} HTTP/1.1\r\nHost: {address}\r\nContent-Length: 0\r\nConnection: close\r\n\r\n",
        left.as_secs()
    );
    stream.write_all(request.as_bytes()).await?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await?;
    let (head, body) = answer.split_once("\r\n\r\n").context("read the node's answer")?;
    if !head.starts_with("HTTP/1.1 200") {
        bail!("the node refused: {}", body.trim());
    }
    Ok(body.contains("\"done\":true"))
}
