//! A WebSocket connection below the frames: what it sends is exactly the bytes that the test says.

use super::PATIENCE;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

pub struct Socket {
    stream: TcpStream,
}

impl Socket {
    /// Connects and upgrades.
    pub async fn upgraded(port: u16) -> Self {
        let mut stream = TcpStream::connect(("127.0.0.1", port)).await.unwrap();
        let request = "GET /tim HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\
                       Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n";
        stream.write_all(request.as_bytes()).await.unwrap();
        let mut head = Vec::new();
        while !head.ends_with(b"\r\n\r\n") {
            head.push(stream.read_u8().await.unwrap());
        }
        assert!(
            head.starts_with(b"HTTP/1.1 101"),
            "{}",
            String::from_utf8_lossy(&head)
        );
        Self { stream }
    }

    /// As it comes from the system.
    pub async fn plain(port: u16) -> Self {
        let stream = TcpStream::connect(("127.0.0.1", port)).await.unwrap();
        Self { stream }
    }

    pub async fn send(&mut self, bytes: &[u8]) {
        // A server that has closed is what some tests wait for.
        let _ = self.stream.write_all(bytes).await;
    }

    /// A binary message, masked with zeros.
    pub async fn send_message(&mut self, payload: &[u8]) {
        self.send(&message(payload)).await;
    }

    /// Everything up to the end of the connection.
    pub async fn rest(&mut self) -> Vec<u8> {
        let mut all = Vec::new();
        tokio::time::timeout(PATIENCE, async {
            let mut part = [0; 4_096];
            // A reset ends it as well.
            while let Ok(length @ 1..) = self.stream.read(&mut part).await {
                all.extend_from_slice(&part[..length]);
            }
        })
        .await
        .expect("the end in time");
        all
    }
}

/// A binary message of a client, masked with zeros.
pub fn message(payload: &[u8]) -> Vec<u8> {
    let mut bytes = vec![0x82];
    match u16::try_from(payload.len()) {
        Ok(length @ 0..126) => bytes.push(0x80 | u8::try_from(length).unwrap()),
        Ok(length) => {
            bytes.push(0x80 | 126);
            bytes.extend_from_slice(&length.to_be_bytes());
        }
        Err(_) => {
            bytes.push(0x80 | 127);
            bytes.extend_from_slice(&(payload.len() as u64).to_be_bytes());
        }
    }
    bytes.extend_from_slice(&[0; 4]);
    bytes.extend_from_slice(payload);
    bytes
}
