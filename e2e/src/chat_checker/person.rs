//! One person who writes, reads and remembers.

use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::Context as _;
use futures::StreamExt as _;
use futures::future::{BoxFuture, select_all};
use futures::stream::FuturesUnordered;
use parking_lot::Mutex;
use tim_client::wire::TimMessage;
use tim_client::wire::structs::{business, operation};
use tim_client::{Client, Event, Events, SendError, Sent};
use tokio::sync::watch;
use tokio::time::MissedTickBehavior;

use super::{Log, Outcome, Phase, Received, SentMessage, TEXT_CANARY};

/// Messages without an outcome with which a person stops to write.
const IN_FLIGHT_MAX: usize = 32;
/// How long two people may take to become friends.
const FRIENDS_LIMIT: Duration = Duration::from_secs(60);

/// What a person does all day.
pub(super) struct Habits {
    pub(super) partner: String,
    pub(super) interval: Duration,
    pub(super) phases: watch::Receiver<Phase>,
    pub(super) change: Arc<watch::Sender<u64>>,
    pub(super) log: Arc<Mutex<Log>>,
}

/// A message on its way: its place in the log, when it was sent, what became of it.
type Flight = BoxFuture<'static, (usize, Instant, Result<Sent, SendError>)>;

/// Asks from both sides and waits for the word that they are friends. Only one of them gets it: whose asking came first.
pub(super) async fn make_friends(pair: &mut [(Client, Events)]) -> anyhow::Result<()> {
    let names: Vec<String> = pair.iter().map(|(client, _)| client.node().to_owned()).collect();
    for (index, (client, _)) in pair.iter().enumerate() {
        client.add_friend(&names[1 - index], TEXT_CANARY).await?;
    }
    let words = pair.iter_mut().map(|(_, events)| Box::pin(until_friends(events)));
    let (word, ..) = tokio::time::timeout(FRIENDS_LIMIT, select_all(words))
        .await
        .context("no word of it")?;
    word
}

async fn until_friends(events: &mut Events) -> anyhow::Result<()> {
    while let Some(event) = events.next().await {
        match event {
            Event::Message { message, .. } if message.bn_type == Some(business::FRIEND) => return Ok(()),
            Event::OfflineBatch { messages, .. }
                if messages
                    .iter()
                    .any(|message| message.bn_type == Some(business::FRIEND)) =>
            {
                return Ok(());
            }
            Event::Ack(ack) if !ack.ok => anyhow::bail!("refused: {:?}", ack.error),
            _ => {}
        }
    }
    anyhow::bail!("the client ended")
}

/// Chats until told to listen, then to leave.
pub(super) async fn live(client: Client, mut events: Events, mut habits: Habits) {
    let mut flights: FuturesUnordered<Flight> = FuturesUnordered::new();
    let mut clock = tokio::time::interval(habits.interval);
    clock.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        let phase = *habits.phases.borrow_and_update();
        if phase == Phase::Leave {
            break;
        }
        let writes = phase == Phase::Chat && flights.len() < IN_FLIGHT_MAX;
        tokio::select! {
            _ = clock.tick(), if writes => match habits.write(&client).await {
                Ok(flight) => flights.push(flight),
                Err(error) => {
                    habits.log.lock().ended.get_or_insert(error.to_string());
                    break;
                }
            },
            Some((index, sent_at, outcome)) = flights.next() => habits.note_outcome(index, sent_at, outcome),
            event = events.next() => match event {
                Some(event) => habits.note_event(&client, event).await,
                None => break,
            },
            changed = habits.phases.changed() => if changed.is_err() { break },
        }
        habits.change.send_modify(|changes| *changes += 1);
    }
    client.close().await;
    habits.change.send_modify(|changes| *changes += 1);
}

impl Habits {
    async fn write(&self, client: &Client) -> Result<Flight, SendError> {
        let index = {
            let mut log = self.log.lock();
            let number = log.sent.len() as u64;
            log.sent.push(SentMessage {
                number,
                outcome: Outcome::Waiting,
            });
            log.sent.len() - 1
        };
        let text = format!("{TEXT_CANARY} {index}");
        let message = TimMessage {
            data_string: Some(text),
            ..TimMessage::direct(&self.partner, operation::NORMAL)
        };
        let sent_at = Instant::now();
        let receipt = client.submit(message).await?;
        Ok(Box::pin(async move { (index, sent_at, receipt.await) }))
    }

    fn note_outcome(&self, index: usize, sent_at: Instant, outcome: Result<Sent, SendError>) {
        let mut log = self.log.lock();
        log.slowest = log.slowest.max(sent_at.elapsed());
        log.sent[index].outcome = match outcome {
            Ok(Sent { mid: Some(mid), .. }) => Outcome::Stored { mid },
            Ok(Sent { mid: None, .. }) => Outcome::Unknown("acknowledged without a number".to_owned()),
            Err(SendError::Rejected(rejection)) => Outcome::Refused(rejection.to_string()),
            Err(error) => Outcome::Unknown(error.to_string()),
        };
    }

    async fn note_event(&self, client: &Client, event: Event) {
        match event {
            Event::Message { message, .. } => self.note_message(&message),
            Event::OfflineBatch { messages, .. } => {
                messages.iter().for_each(|message| self.note_message(message))
            }
            Event::Reconnecting { attempt: 1, .. } => self.log.lock().breaks += 1,
            Event::Connected { .. } => {
                // As an application does after a break; without it the server pushes what waited after a while.
                let _ = client.request_offline().await;
            }
            Event::Closed(reason) => self.log.lock().ended = Some(reason.to_string()),
            _ => {}
        }
    }

    /// What the partner wrote. One's own message comes as well if its echo was lost with a connection.
    fn note_message(&self, message: &TimMessage) {
        let from = message.from_node();
        if from != Some(self.partner.as_str()) {
            return;
        }
        let number = message
            .data_string
            .as_deref()
            .and_then(|text| text.strip_prefix(TEXT_CANARY)?.trim().parse().ok());
        // Notices are messages as well.
        let Some(number) = number else { return };
        let (mid, id) = (message.mid.unwrap_or_default(), message.id.unwrap_or_default());
        self.log.lock().received.push(Received { number, mid, id });
    }
}
