//! The few HTTP requests that tests make.

use std::collections::BTreeMap;
use std::io;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

/// Status code and body.
pub async fn get(port: u16, path: &str) -> io::Result<(u16, String)> {
    let (code, body) = request(port, "GET", path, &[]).await?;
    Ok((code, String::from_utf8_lossy(&body).into_owned()))
}

pub async fn request(port: u16, method: &str, path: &str, body: &[u8]) -> io::Result<(u16, Vec<u8>)> {
    let answer = send(port, method, path, &[], body).await?;
    Ok((answer.code, answer.body))
}

/// A request with further headers.
pub async fn request_with(
    port: u16,
    (method, path): (&str, &str),
    headers: &[(&str, &str)],
    body: &[u8],
) -> io::Result<(u16, Vec<u8>)> {
    let answer = send(port, method, path, headers, body).await?;
    Ok((answer.code, answer.body))
}

/// An answer, the names of its headers in small letters.
#[derive(Debug)]
pub struct Answer {
    pub code: u16,
    pub headers: BTreeMap<String, String>,
    pub body: Vec<u8>,
}

/// A request without a body.
pub async fn exchange(port: u16, method: &str, path: &str, headers: &[(&str, &str)]) -> io::Result<Answer> {
    send(port, method, path, headers, &[]).await
}

async fn send(
    port: u16,
    method: &str,
    path: &str,
    headers: &[(&str, &str)],
    body: &[u8],
) -> io::Result<Answer> {
    let mut stream = TcpStream::connect(("127.0.0.1", port)).await?;
    let more: String = headers
        .iter()
        .map(|(name, value)| format!("{name}: {value}\r\n"))
        .collect();
    let head = format!(
        "{method} {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: {}\r\nConnection: close\r\n{more}\r\n",
        body.len()
    );
    stream.write_all(head.as_bytes()).await?;
    // A server may answer, and close, before it has read a body that is too large.
    let _ = stream.write_all(body).await;
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).await?;
    let end = answer
        .windows(4)
        .position(|window| window == b"\r\n\r\n")
        .ok_or(io::ErrorKind::UnexpectedEof)?;
    let head = String::from_utf8_lossy(&answer[..end]).into_owned();
    let code = head
        .split_whitespace()
        .nth(1)
        .and_then(|code| code.parse().ok())
        .ok_or(io::ErrorKind::InvalidData)?;
    let body = &answer[end + 4..];
    let chunked = head.to_ascii_lowercase().contains("transfer-encoding: chunked");
    let headers = head.lines().skip(1).filter_map(|line| line.split_once(": "));
    Ok(Answer {
        code,
        headers: headers
            .map(|(name, value)| (name.to_ascii_lowercase(), value.to_owned()))
            .collect(),
        body: if chunked { unchunk(body) } else { body.to_vec() },
    })
}

fn unchunk(mut body: &[u8]) -> Vec<u8> {
    let mut whole = Vec::new();
    while let Some(end) = body.windows(2).position(|window| window == b"\r\n") {
        let length = usize::from_str_radix(String::from_utf8_lossy(&body[..end]).trim(), 16).unwrap_or(0);
        if length == 0 {
            break;
        }
        whole.extend_from_slice(&body[end + 2..end + 2 + length]);
        body = &body[end + 2 + length + 2..];
    }
    whole
}
