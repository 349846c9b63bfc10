//! Pairs of people who chat all the time while something happens to the cluster, and the verdict: nothing lost, doubled or
//! reordered.
//!
//! ```text
//! Chat::start ─▶ (scale, split, kill, …) ─▶ Chat::until_all_chat ─▶ Chat::end ─▶ Tally, or every violation
//! ```
//!
//! The client library is told to remember nothing, so that every delivery is seen: a message that comes again with the same
//! number in the conversation is a redelivery, which is allowed while its confirmation was not durable; with another number
//! it was stored twice, which is not.

mod history;
mod person;

use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use parking_lot::Mutex;
use tim_client::wire::Encoding;
use tim_client::{AccountError, Client, Credentials, Events, Limits, Options, ReconnectPolicy, Server};
use tokio::sync::watch;
use tokio::task::JoinHandle;

pub use history::{Conversation, Direction, Outcome, Received, SentMessage, judge};

/// Password of everybody; a canary as well.
pub const PASSWORD: &str = "canary-password-7f3a91";
/// How long a registration or a login may take.
const ENTER_LIMIT: Duration = Duration::from_secs(30);
/// Part of every account's name: a canary that no signal may hold.
pub const ACCOUNT_CANARY: &str = "canary-account-7f3a91";
/// Part of every message: a canary that no signal may hold.
pub const TEXT_CANARY: &str = "canary-text-7f3a91";

/// How a chat goes.
#[derive(Debug, Clone)]
pub struct Plan {
    /// Number of pairs.
    pub pairs: usize,
    /// How often each person writes.
    pub interval: Duration,
    /// Makes account names unique in the cluster.
    pub name: String,
    /// How long a message may be without an outcome.
    pub patience: Duration,
}

impl Plan {
    /// A chat of that name: four pairs, everybody writes five times a second.
    pub fn named(name: &str) -> Self {
        Self {
            pairs: 4,
            interval: Duration::from_millis(200),
            name: name.to_owned(),
            patience: Duration::from_secs(120),
        }
    }
}

/// What happened, when nothing was wrong.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Tally {
    /// Messages that were acknowledged.
    pub acknowledged: usize,
    /// Messages that the server refused, with its reasons.
    pub refused: Vec<String>,
    /// Messages without an outcome.
    pub unknown: Vec<String>,
    /// Deliveries of something that had been delivered before.
    pub redelivered: usize,
    /// Breaks of connections.
    pub breaks: usize,
    /// Longest time from a message to its acknowledgement.
    pub slowest: Duration,
}

/// What one person remembers.
#[derive(Debug, Default)]
struct Log {
    sent: Vec<SentMessage>,
    received: Vec<Received>,
    breaks: usize,
    slowest: Duration,
    ended: Option<String>,
}

/// People who chat.
pub struct Chat {
    people: Vec<Person>,
    phase: watch::Sender<Phase>,
    changed: watch::Receiver<u64>,
}

struct Person {
    name: String,
    log: Arc<Mutex<Log>>,
    task: JoinHandle<()>,
}

/// What people shall do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Phase {
    Chat,
    ListenOnly,
    Leave,
}

impl Chat {
    /// Registers everybody, makes friends of each pair, and begins; `server_of` says where a person (0, 1, 2, …; 0 and 1 are
    /// the first pair) connects.
    ///
    /// # Errors
    /// Somebody cannot be registered, log in, or become a friend.
    pub async fn start(plan: &Plan, server_of: impl Fn(usize) -> Server) -> anyhow::Result<Self> {
        let (phase, phases) = watch::channel(Phase::Chat);
        let (change, changed) = watch::channel(0);
        let change = Arc::new(change);
        let mut people = Vec::new();
        for pair in 0..plan.pairs {
            let mut side = Vec::new();
            for person in [2 * pair, 2 * pair + 1] {
                side.push(enter(plan, person, server_of(person)).await?);
            }
            person::make_friends(&mut side)
                .await
                .with_context(|| format!("pair {pair} does not become friends"))?;
            let nodes: Vec<String> = side.iter().map(|(client, _)| client.node().to_owned()).collect();
            for (index, (client, events)) in side.into_iter().enumerate() {
                let log = Arc::new(Mutex::new(Log::default()));
                let habits = person::Habits {
                    partner: nodes[1 - index].clone(),
                    interval: plan.interval,
                    phases: phases.clone(),
                    change: Arc::clone(&change),
                    log: Arc::clone(&log),
                };
                let name = format!("person {} of {}", 2 * pair + index, plan.name);
                people.push(Person {
                    name,
                    log,
                    task: tokio::spawn(person::live(client, events, habits)),
                });
            }
        }
        Ok(Self {
            people,
            phase,
            changed,
        })
    }

    /// Waits until everybody has had another so many messages acknowledged and received as many.
    ///
    /// # Errors
    /// Somebody has not, within the limit.
    pub async fn until_all_chat(&mut self, further: usize, limit: Duration) -> anyhow::Result<()> {
        let counts = |person: &Person| {
            let log = person.log.lock();
            (
                log.sent.iter().filter(|sent| sent.outcome.is_stored()).count(),
                log.received.len(),
            )
        };
        let begin: Vec<_> = self.people.iter().map(counts).collect();
        self.until("everybody chats", limit, |people| {
            let late = people.iter().zip(&begin).filter(|(person, before)| {
                let now = counts(person);
                now.0 < before.0 + further || now.1 < before.1 + further
            });
            late.map(|(person, before)| {
                format!("{}: {:?} at first, {:?} now", person.name, before, counts(person))
            })
            .collect()
        })
        .await
    }

    /// Ends the chat when every message has an outcome and everything acknowledged has arrived, and judges it.
    ///
    /// # Errors
    /// Every violation, by person and message.
    pub async fn end(mut self, limit: Duration) -> anyhow::Result<Tally> {
        self.phase.send_replace(Phase::ListenOnly);
        // What is missing at the limit is judged below, in full.
        let complete = self.until("everything arrives", limit, missing).await;
        self.phase.send_replace(Phase::Leave);
        for person in &mut self.people {
            (&mut person.task).await?;
        }
        let mut violations: Vec<String> = complete
            .err()
            .map(|error| format!("{error:#}"))
            .into_iter()
            .collect();
        let mut tally = Tally::default();
        for pair in self.people.chunks(2) {
            let [left, right] = pair else { continue };
            for person in pair {
                let log = person.log.lock();
                violations.extend(
                    log.ended
                        .as_ref()
                        .map(|reason| format!("{} ended: {reason}", person.name)),
                );
                tally.add(&log);
            }
            violations.extend(judge(&conversation(left, right)));
        }
        anyhow::ensure!(
            violations.is_empty(),
            "{} violations:\n{}\n{tally:?}",
            violations.len(),
            violations.join("\n")
        );
        Ok(tally)
    }

    /// Waits until `open` names nothing any more.
    async fn until(
        &mut self,
        what: &str,
        limit: Duration,
        open: impl Fn(&[Person]) -> Vec<String>,
    ) -> anyhow::Result<()> {
        let people = &self.people;
        let waiting = self.changed.wait_for(|_| open(people).is_empty());
        let outcome = tokio::time::timeout(limit, waiting)
            .await
            .map(|seen| seen.map(drop));
        match outcome {
            Ok(seen) => seen.context("everybody has left"),
            Err(_) => anyhow::bail!("{what}: not within {limit:?}:\n{}", open(people).join("\n")),
        }
    }
}

impl Tally {
    fn add(&mut self, log: &Log) {
        for sent in &log.sent {
            match &sent.outcome {
                Outcome::Stored { .. } => self.acknowledged += 1,
                Outcome::Refused(reason) => self.refused.push(reason.clone()),
                Outcome::Unknown(reason) => self.unknown.push(reason.clone()),
                Outcome::Waiting => self.unknown.push("still waiting".to_owned()),
            }
        }
        let mut first: Vec<u64> = log.received.iter().map(|received| received.number).collect();
        first.sort_unstable();
        first.dedup();
        self.redelivered += log.received.len() - first.len();
        self.breaks += log.breaks;
        self.slowest = self.slowest.max(log.slowest);
    }
}

/// Registers a person and logs in.
async fn enter(plan: &Plan, person: usize, server: Server) -> anyhow::Result<(Client, Events)> {
    let name = format!("{ACCOUNT_CANARY}-{}-{person}", plan.name);
    let credentials = Credentials::password(&name, PASSWORD, "");
    // All come at once, and passwords are slow on purpose.
    let patient = Server {
        answer_timeout: ENTER_LIMIT,
        ..server.clone()
    };
    match tim_client::register(&patient, &credentials, Encoding::Thrift).await {
        // It is there already, if an earlier answer was lost.
        Ok(_) | Err(AccountError::Refused(tim_client::Rejection { number: 4101, .. })) => {}
        Err(error) => {
            return Err(error).with_context(|| format!("register person {person} of {}", plan.name));
        }
    }
    let mut options = Options::new(server, credentials);
    options.ping_interval = Duration::from_secs(3);
    options.silent_pings_max = 2;
    options.reconnect = Some(ReconnectPolicy {
        wait_max: Duration::from_secs(1),
        ..ReconnectPolicy::default()
    });
    options.limits = Limits {
        remembered_max: 0,
        send_timeout: plan.patience,
        login_timeout: ENTER_LIMIT,
        ..Limits::default()
    };
    Client::connect(options)
        .await
        .with_context(|| format!("log in person {person} of {}", plan.name))
}

/// What is not there yet, by person.
fn missing(people: &[Person]) -> Vec<String> {
    let mut missing = Vec::new();
    for pair in people.chunks(2) {
        let [left, right] = pair else { continue };
        for (sender, receiver) in [(left, right), (right, left)] {
            let (sent, received) = (sender.log.lock(), receiver.log.lock());
            let waiting = sent
                .sent
                .iter()
                .filter(|sent| sent.outcome == Outcome::Waiting)
                .count();
            let arrived: std::collections::BTreeSet<u64> =
                received.received.iter().map(|each| each.number).collect();
            let lost = sent
                .sent
                .iter()
                .filter(|sent| sent.outcome.is_stored() && !arrived.contains(&sent.number))
                .count();
            if waiting + lost > 0 {
                missing.push(format!(
                    "{}: {waiting} messages without an outcome, {lost} acknowledged ones have not arrived",
                    sender.name
                ));
            }
        }
    }
    missing
}

fn conversation(left: &Person, right: &Person) -> Conversation {
    let direction = |sender: &Person, receiver: &Person| Direction {
        name: format!("{} to {}", sender.name, receiver.name),
        sent: sender.log.lock().sent.clone(),
        received: receiver.log.lock().received.clone(),
    };
    Conversation {
        directions: [direction(left, right), direction(right, left)],
    }
}
