//! Pairs that chat without a pause through whatever happens to the nodes, and the check that nothing was lost, doubled
//! or reordered.

use super::Cluster;
use super::raw::DOMAIN;
use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;
use tim_client::{Address, Client, Credentials, Event, Events, Limits, Options, Server};
use tim_wire::TimMessage;
use tim_wire::structs::operation;
use tokio::task::JoinHandle;

/// One pair: somebody who sends, somebody who receives.
pub struct Pair {
    sent: JoinHandle<Vec<(String, i64)>>,
    received: JoinHandle<Vec<(String, i64)>>,
    progress: Arc<AtomicUsize>,
    stop: Arc<AtomicBool>,
}

/// All nodes, beginning with that one.
fn all_from(cluster: &Cluster, first: usize) -> Server {
    let count = cluster.nodes.len();
    at(cluster, (0..count).map(|place| (first + place) % count))
}

fn at(cluster: &Cluster, nodes: impl IntoIterator<Item = usize>) -> Server {
    let urls = nodes.into_iter().map(|node| cluster.client_url(node));
    Server::at(urls.map(|url| url.parse::<Address>().unwrap()))
}

/// A client that begins with that node and knows all.
pub async fn client(cluster: &Cluster, name: &str, first: usize) -> (Client, Events) {
    connect(all_from(cluster, first), name).await
}

async fn connect(server: Server, name: &str) -> (Client, Events) {
    let mut options = Options::new(server, Credentials::password(name, "secret", DOMAIN));
    options.ping_interval = Duration::from_secs(1);
    options.limits = Limits {
        in_flight_max: 16,
        send_timeout: super::PATIENCE,
        ..Limits::default()
    };
    Client::connect(options).await.unwrap()
}

impl Pair {
    /// Begins to chat; sender and receiver are on different nodes where there are several.
    pub async fn begin(cluster: &Cluster, number: usize, pause: Duration) -> Self {
        let servers = [all_from(cluster, number), all_from(cluster, number + 1)];
        Self::between(cluster, servers, number, pause).await
    }

    /// As [`Pair::begin`], with clients that know no other node than theirs: they wait for it, whatever becomes of it.
    pub async fn bound(cluster: &Cluster, nodes: [usize; 2], number: usize, pause: Duration) -> Self {
        let servers = nodes.map(|node| at(cluster, [node]));
        Self::between(cluster, servers, number, pause).await
    }

    async fn between(cluster: &Cluster, servers: [Server; 2], number: usize, pause: Duration) -> Self {
        let (one, other) = (format!("sender{number}"), format!("receiver{number}"));
        let (_, to) = cluster.friends(&one, &other).await;
        let [of_sender, of_receiver] = servers;
        let (sender, mut sender_events) = connect(of_sender, &one).await;
        let (receiver, mut events) = connect(of_receiver, &other).await;
        receiver.request_offline().await.unwrap();
        let (progress, stop) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicBool::new(false)));
        tokio::spawn(async move { while sender_events.next().await.is_some() {} });
        let (shown, stopped) = (Arc::clone(&progress), Arc::clone(&stop));
        let sent = tokio::spawn(async move { send_until_stopped(sender, to, &stopped, &shown, pause).await });
        let received = tokio::spawn(async move {
            let mut all = Vec::new();
            let keep = receiver;
            while let Some(event) = events.next().await {
                let messages = match event {
                    Event::Message { message, .. } => vec![message],
                    Event::OfflineBatch { messages, .. } => messages,
                    Event::Connected { .. } => {
                        let _ = keep.request_offline().await;
                        continue;
                    }
                    _ => continue,
                };
                for message in messages {
                    if message.bn_type.is_some() {
                        continue;
                    }
                    let text = message.data_string.clone().unwrap_or_default();
                    let last = text == LAST;
                    all.push((text, message.mid.unwrap()));
                    if last {
                        return all;
                    }
                }
            }
            all
        });
        Self {
            sent,
            received,
            progress,
            stop,
        }
    }

    /// Waits until so many more messages have an outcome.
    pub async fn more(&self, count: usize) {
        let goal = self.progress.load(Ordering::Relaxed) + count;
        let reached = async {
            while self.progress.load(Ordering::Relaxed) < goal {
                tokio::time::sleep(Duration::from_millis(10)).await;
            }
        };
        tokio::time::timeout(super::PATIENCE, reached)
            .await
            .expect("messages go on");
    }

    /// Ends the chat and checks it; how many messages it had.
    pub async fn check(self) -> usize {
        self.stop.store(true, Ordering::Relaxed);
        let sent = tokio::time::timeout(super::PATIENCE, self.sent)
            .await
            .expect("every message has an outcome")
            .unwrap();
        let received = tokio::time::timeout(super::PATIENCE, self.received)
            .await
            .expect("every message arrives")
            .unwrap();
        // A device may be given a message again, with the same number, while its confirmation is not durable.
        let mut first_seen: BTreeMap<i64, String> = BTreeMap::new();
        let mut order = Vec::new();
        for (text, mid) in received {
            match first_seen.get(&mid) {
                Some(known) => assert_eq!(*known, text, "one number, one message"),
                None => {
                    first_seen.insert(mid, text.clone());
                    order.push((text, mid));
                }
            }
        }
        assert!(
            order.windows(2).all(|pair| pair[0].1 < pair[1].1),
            "handed on in the order of their numbers"
        );
        let expected: Vec<(String, i64)> = sent;
        let texts = |list: &[(String, i64)]| list.iter().map(|(text, _)| text.clone()).collect::<Vec<_>>();
        assert_eq!(
            texts(&order),
            texts(&expected),
            "nothing lost, doubled or reordered"
        );
        assert_eq!(order, expected, "echo and delivery have the same number");
        expected.len()
    }
}

const LAST: &str = "last";

/// Sends, a few in flight, until it is stopped; then sends the last one and waits for all outcomes.
async fn send_until_stopped(
    sender: Client,
    to: String,
    stop: &AtomicBool,
    progress: &AtomicUsize,
    pause: Duration,
) -> Vec<(String, i64)> {
    const IN_FLIGHT: usize = 8;
    let mut waiting = VecDeque::new();
    let mut done = Vec::new();
    for number in 0_usize.. {
        let stopped = stop.load(Ordering::Relaxed);
        let mut message = TimMessage::direct(to.as_str(), operation::NORMAL);
        let name = if stopped {
            LAST.to_owned()
        } else {
            number.to_string()
        };
        message.data_string = Some(name.clone());
        waiting.push_back((name, sender.submit(message).await.unwrap()));
        while waiting.len() > IN_FLIGHT || (stopped && !waiting.is_empty()) {
            let (name, receipt) = waiting.pop_front().unwrap();
            let outcome = receipt
                .await
                .unwrap_or_else(|error| panic!("message {name}: {error}"));
            done.push((name, outcome.mid.unwrap()));
            progress.store(done.len(), Ordering::Relaxed);
        }
        if stopped {
            break;
        }
        tokio::time::sleep(pause).await;
    }
    done
}
