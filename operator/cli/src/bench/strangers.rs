//! Connections that never log in, held open beside a load: what a server's users notice of them.
//!
//! One in three sends nothing, one half of a request, and one opens a WebSocket and is silent then. Whoever is cut off comes
//! again.

use super::measured::Live;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;
use tim_client::Address;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::task::JoinSet;

/// A stranger that was refused comes again so much later.
const AGAIN_AFTER: Duration = Duration::from_secs(1);
/// Strangers that come in one second until all are there.
const PER_SECOND: u64 = 2_000;

/// All strangers of a run; they go when it is dropped.
#[derive(Debug)]
pub(super) struct Strangers {
    _tasks: JoinSet<()>,
    open: Arc<AtomicU64>,
}

impl Strangers {
    /// So many strangers, spread over the addresses; back when most are there or have been refused.
    pub(super) async fn come(count: u32, addresses: &[Address], live: &Arc<Live>) -> Self {
        let open = Arc::new(AtomicU64::new(0));
        let mut tasks = JoinSet::new();
        for number in 0..u64::from(count) {
            let turn = usize::try_from(number).unwrap_or(0) % addresses.len().max(1);
            let Some(address) = addresses.get(turn).cloned() else {
                break;
            };
            let wait = Duration::from_nanos(1_000_000_000 / PER_SECOND * number);
            tasks.spawn(stranger(
                address,
                number,
                wait,
                (Arc::clone(&open), Arc::clone(live)),
            ));
        }
        let all_have_come = Duration::from_nanos(1_000_000_000 / PER_SECOND * u64::from(count));
        tokio::time::sleep(all_have_come).await;
        Self { _tasks: tasks, open }
    }

    /// How many are connected now.
    pub(super) fn n_open(&self) -> u64 {
        self.open.load(Ordering::Relaxed)
    }
}

async fn stranger(address: Address, number: u64, wait: Duration, counted: (Arc<AtomicU64>, Arc<Live>)) {
    let (open, live) = counted;
    tokio::time::sleep(wait).await;
    loop {
        if let Ok(mut connection) = TcpStream::connect((address.host(), address.port())).await {
            open.fetch_add(1, Ordering::Relaxed);
            Live::raise(&live.strangers);
            let says = opening(number, &address);
            let mut answer = [0; 256];
            if connection.write_all(says.as_bytes()).await.is_ok() {
                while matches!(connection.read(&mut answer).await, Ok(bytes) if bytes > 0) {}
            }
            open.fetch_sub(1, Ordering::Relaxed);
        }
        tokio::time::sleep(AGAIN_AFTER).await;
    }
}

/// What a stranger says before it falls silent.
fn opening(number: u64, address: &Address) -> String {
    let request = format!(
        "GET /tim HTTP/1.1\r\nHost: {0}:{1}\r\nOrigin: http://{0}:{1}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
         Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n",
        address.host(),
        address.port()
    );
    match number % 3 {
        0 => String::new(),
        1 => request,
        _ => request + "\r\n",
    }
}
