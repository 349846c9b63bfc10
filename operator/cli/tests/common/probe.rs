//! Somebody who sends a message after the other, and what became of each: the other side of what a status says.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};
use tim_client::wire::Encoding;
use tim_client::{Address, Client, Credentials, Events, Options, ReconnectPolicy, Server, register};

/// Between two messages.
const PACE: Duration = Duration::from_millis(100);
/// The longest wait of a client before it connects again: its own patience is not the cluster's fault.
const RECONNECT_MAX: Duration = Duration::from_millis(500);
/// A message without an outcome for this long has failed, as its sender sees it.
const SEND_MAX: Duration = Duration::from_secs(2);

/// One message.
#[derive(Debug, Clone)]
pub(crate) struct Attempt {
    /// When it was sent.
    pub(crate) began: Instant,
    /// Why it failed, if it did.
    pub(crate) error: Option<String>,
}

/// Sends until it is dropped.
pub(crate) struct Probe {
    attempts: Arc<Mutex<Vec<Attempt>>>,
    stop: Arc<AtomicBool>,
    quiet: Arc<AtomicBool>,
    sender: Option<JoinHandle<()>>,
}

impl Probe {
    /// Two friends, one of whom writes to the other from now on; both know all nodes.
    pub(crate) fn start(urls: &[String]) -> Self {
        let server = Server::at(urls.iter().map(|url| url.parse::<Address>().unwrap()));
        let (attempts, stop, quiet): (Arc<Mutex<_>>, Arc<AtomicBool>, Arc<AtomicBool>) = Default::default();
        let (kept, stopped, silent) = (Arc::clone(&attempts), Arc::clone(&stop), Arc::clone(&quiet));
        let sender = std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread()
                .enable_all()
                .build()
                .unwrap();
            runtime.block_on(send(&server, &kept, &stopped, &silent));
        });
        let probe = Self {
            attempts,
            stop,
            quiet,
            sender: Some(sender),
        };
        super::await_that("a message of the probe", || {
            probe.attempts().iter().any(|attempt| attempt.error.is_none())
        });
        probe
    }

    pub(crate) fn attempts(&self) -> Vec<Attempt> {
        self.attempts.lock().unwrap().clone()
    }

    /// Sends nothing, until it is told to go on.
    pub(crate) fn be_quiet(&self, quiet: bool) {
        self.quiet.store(quiet, Ordering::Relaxed);
    }

    /// Waits until so many more messages have failed.
    pub(crate) fn await_failures(&self, count: usize) {
        let before = self.failures().len();
        super::await_that("failures of messages", || self.failures().len() >= before + count);
    }

    /// Waits until a message that begins from now on is stored.
    pub(crate) fn await_success(&self) {
        // The one under way may have begun before.
        let before = self.attempts().len() + 1;
        super::await_that("messages are stored again", || {
            let attempts = self.attempts();
            attempts
                .iter()
                .skip(before)
                .any(|attempt| attempt.error.is_none())
        });
    }

    /// The messages that failed.
    pub(crate) fn failures(&self) -> Vec<Attempt> {
        let mut attempts = self.attempts();
        attempts.retain(|attempt| attempt.error.is_some());
        attempts
    }
}

impl Drop for Probe {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        let ended = self.sender.take().map(JoinHandle::join);
        if !std::thread::panicking() {
            ended.unwrap().unwrap();
        }
    }
}

async fn send(server: &Server, attempts: &Mutex<Vec<Attempt>>, stop: &AtomicBool, quiet: &AtomicBool) {
    let (sender, sender_events, _) = person(server, "probe-sender").await;
    let (receiver, receiver_events, to) = person(server, "probe-receiver").await;
    for mut events in [sender_events, receiver_events] {
        tokio::spawn(async move { while events.next().await.is_some() {} });
    }
    let from = sender.node().to_owned();
    sender.add_friend(&to, "probe").await.unwrap();
    receiver.add_friend(&from, "probe").await.unwrap();
    while !stop.load(Ordering::Relaxed) {
        if quiet.load(Ordering::Relaxed) {
            tokio::time::sleep(PACE).await;
            continue;
        }
        let began = Instant::now();
        let outcome = sender.send_text(&to, "still there?").await;
        let attempt = Attempt {
            began,
            error: outcome.err().map(|error| error.to_string()),
        };
        attempts.lock().unwrap().push(attempt);
        tokio::time::sleep(PACE).await;
    }
}

async fn person(server: &Server, name: &str) -> (Client, Events, String) {
    let credentials = Credentials::password(name, "secret", "tlnet.top");
    let node = register(server, &credentials, Encoding::Thrift).await.unwrap();
    let mut options = Options::new(server.clone(), credentials);
    options.ping_interval = Duration::from_secs(1);
    options.reconnect = Some(ReconnectPolicy {
        wait_max: RECONNECT_MAX,
        ..ReconnectPolicy::default()
    });
    options.limits.send_timeout = SEND_MAX;
    let (client, events) = Client::connect(options).await.unwrap();
    (client, events, node)
}
