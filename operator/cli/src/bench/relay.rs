//! One-to-one messages that are not stored (odType 5): only those who are online get them.

use super::Bench;
use super::accounts::LoggedIn;
use super::arriving::ignore_events;
use super::checker::Found;
use super::direct::Shared;
use super::measured::{Live, Times};
use super::pace::Pace;
use super::report::{Checks, Figures};
use super::sending::Period;
use super::server_load::ServerLoad;
use super::{pairs, payload};
use crate::failure::{Failure, Outcome};
use std::sync::Arc;
use std::time::{Duration, Instant};
use tim_client::wire::structs::operation;
use tim_client::{Client, Event};
use tokio::sync::Notify;

/// A window that nothing makes room in for this long is taken for lost and opened again.
const ROOM_MAX: Duration = Duration::from_secs(2);

/// What a window makes one session send at most: a relayed message that a node refuses as one too many
/// (`limits.session_requests_per_second`, 5,000 by default) is lost.
const WINDOW_MESSAGES_PER_SECOND_MAX: u32 = 4_900;

struct RelayPair {
    shared: Shared,
    room: Notify,
}

pub(super) async fn run(bench: &Bench<'_>, server: &ServerLoad) -> Outcome<Figures> {
    let pairs = pairs::ready(bench).await?;
    let period = Period::of(bench);
    let before = server.look();
    let senders = pairs.len();
    let (mut sending, mut shared) = (Vec::new(), Vec::new());
    for (number, pair) in pairs.into_iter().enumerate() {
        let both = Arc::new(RelayPair {
            shared: Shared::new(&bench.live, period.start),
            room: Notify::new(),
        });
        tokio::spawn(receive(pair.receiver, Arc::clone(&both)));
        tokio::spawn(ignore_events(pair.sender.events, Arc::clone(&bench.live)));
        let sender = Sender {
            client: pair.sender.client,
            to: pair.receiver_node,
            pace: bench.pace(number, senders, period.start),
            pair: Arc::clone(&both),
            payload_bytes: bench.payload_bytes(),
            end: period.end,
        };
        sending.push(tokio::spawn(sender.run()));
        shared.push(both);
    }
    for task in sending {
        task.await.map_err(|error| Failure::unexpected(&error))?;
    }
    let elapsed = period.start.elapsed();
    let taken = server.since(&before);
    await_relayed(&shared).await;
    let (mut found, mut delivery) = (Found::default(), Times::new());
    for both in &shared {
        found.add(both.shared.lane.lock().found());
        delivery.add(&both.shared.delivery.lock());
    }
    Ok(Figures {
        seconds: elapsed.as_secs_f64(),
        operations: found.delivered,
        delivery: delivery.percentiles(),
        checks: Checks::of(found, &bench.live),
        server: taken,
        ..Figures::default()
    })
}

async fn await_relayed(pairs: &[Arc<RelayPair>]) {
    for pair in pairs {
        let deadline = Instant::now() + ROOM_MAX;
        while !pair.shared.lane.lock().is_complete() && Instant::now() < deadline {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }
}

struct Sender {
    client: Client,
    to: String,
    pace: Pace,
    pair: Arc<RelayPair>,
    payload_bytes: usize,
    end: Instant,
}

impl Sender {
    async fn run(self) {
        let mut number = 0_u64;
        while Instant::now() < self.end {
            let delivered = u64::try_from(self.pair.shared.lane.lock().n_delivered()).unwrap_or(u64::MAX);
            let under_way = usize::try_from(number.saturating_sub(delivered)).unwrap_or(usize::MAX);
            let due = match self.pace.due(number, under_way) {
                Some(due) => due.max(self.allowed(number)),
                None => {
                    let room = tokio::time::timeout(ROOM_MAX, self.pair.room.notified()).await;
                    if room.is_ok() {
                        continue;
                    }
                    Instant::now()
                }
            };
            if due > Instant::now() {
                tokio::time::sleep_until(due.into()).await;
            }
            let text = payload::write(number, self.pair.shared.start.elapsed(), self.payload_bytes);
            match self.client.send_stream(&self.to, text.into_bytes().into()).await {
                Ok(()) => {
                    Live::raise(&self.pair.shared.live.sent);
                    // Handed to the server's socket is all that a relayed message is ever acknowledged.
                    self.pair.shared.lane.lock().stored(number, None);
                }
                Err(error) => self.pair.shared.live.refuse(error.to_string()),
            }
            number += 1;
        }
    }

    /// When a node that has its own limits takes the message of that number; a rate that was asked for is kept all the same.
    fn allowed(&self, number: u64) -> Instant {
        match self.pace {
            Pace::Rate { .. } => self.pair.shared.start,
            Pace::Window(_) => {
                let offset = Duration::from_secs(number) / WINDOW_MESSAGES_PER_SECOND_MAX;
                self.pair.shared.start + offset
            }
        }
    }
}

async fn receive(mut receiver: LoggedIn, pair: Arc<RelayPair>) {
    while let Some(event) = receiver.events.next().await {
        let Event::Message { message, .. } = event else {
            continue;
        };
        if message.od_type != operation::STREAM {
            continue;
        }
        let text = message
            .data_binary
            .as_deref()
            .and_then(|data| std::str::from_utf8(data).ok());
        if let Some((sequence, sent)) = text.and_then(payload::read) {
            pair.shared.lane.lock().delivered(sequence, None);
            Live::raise(&pair.shared.live.delivered);
            let elapsed = pair.shared.start.elapsed().saturating_sub(sent);
            pair.shared.delivery.lock().record(elapsed);
            pair.room.notify_one();
        }
    }
}
