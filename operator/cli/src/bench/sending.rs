//! Sends messages at a pace and takes their outcomes: the same for pairs and for rooms.

use super::Bench;
use super::measured::{Live, Times};
use super::pace::Pace;
use super::payload;
use futures::stream::{FuturesUnordered, StreamExt};
use std::sync::Arc;
use std::time::{Duration, Instant};
use tim_client::wire::TimMessage;
use tim_client::{Client, SendError, Sent};

/// What the client itself may need to give a message up, beyond the time it has for the answer.
const GIVING_UP: Duration = Duration::from_secs(1);

/// When a load begins, changes and ends.
#[derive(Debug, Clone, Copy)]
pub(super) struct Period {
    pub(super) start: Instant,
    /// From when on echoes are told apart from those before.
    pub(super) change: Option<Instant>,
    pub(super) end: Instant,
}

impl Period {
    /// From now on, as long as asked for.
    pub(super) fn of(bench: &Bench<'_>) -> Self {
        let start = Instant::now();
        Self {
            start,
            change: None,
            end: start + bench.arguments.duration,
        }
    }
}

/// From sending to the echo.
#[derive(Debug)]
pub(super) struct Echoes {
    /// Of messages that were due before the change; all, without one.
    pub(super) before: Times,
    /// Of the others.
    pub(super) after: Times,
}

impl Echoes {
    pub(super) fn new() -> Self {
        Self {
            before: Times::new(),
            after: Times::new(),
        }
    }

    pub(super) fn add(&mut self, other: &Self) {
        self.before.add(&other.before);
        self.after.add(&other.after);
    }
}

/// One who writes. `Stored` is told what was acknowledged: its number, the server's number, and since when it was under way.
pub(super) struct Sender<Stored> {
    pub(super) client: Client,
    /// What every message is but for its text.
    pub(super) message: TimMessage,
    pub(super) pace: Pace,
    pub(super) period: Period,
    pub(super) live: Arc<Live>,
    pub(super) payload_bytes: usize,
    /// How long a message may be without an answer.
    pub(super) answer_max: Duration,
    pub(super) stored: Stored,
}

impl<Stored: Fn(u64, Option<i64>, Instant)> Sender<Stored> {
    pub(super) async fn run(self) -> Echoes {
        let mut echoes = Echoes::new();
        let mut under_way = FuturesUnordered::new();
        let mut number = 0_u64;
        loop {
            let due = self.pace.due(number, under_way.len());
            let due = due.filter(|due| *due < self.period.end);
            if Instant::now() >= self.period.end || (due.is_none() && under_way.is_empty()) {
                break;
            }
            tokio::select! {
                biased;
                Some((sequence, begun, outcome)) = under_way.next() => {
                    self.answered(sequence, begun, outcome, &mut echoes);
                }
                // A server that answers nothing any more does not prolong the run.
                () = sleep_until(due.or(Some(self.period.end))) => {
                    let Some(begun) = due else {
                        continue;
                    };
                    match self.client.submit(self.numbered(number, begun)).await {
                        Ok(receipt) => {
                            Live::raise(&self.live.sent);
                            under_way.push(async move { (number, begun, receipt.await) });
                        }
                        Err(error) => self.live.refuse(error.to_string()),
                    }
                    number += 1;
                }
            }
        }
        let rest = async {
            while let Some((sequence, begun, outcome)) = under_way.next().await {
                self.answered(sequence, begun, outcome, &mut echoes);
            }
        };
        // The client gives up by itself; this is for one that is stuck.
        if tokio::time::timeout(self.answer_max + GIVING_UP, rest)
            .await
            .is_err()
        {
            for _ in 0..under_way.len() {
                Live::raise(&self.live.unanswered);
            }
        }
        echoes
    }

    fn numbered(&self, sequence: u64, begun: Instant) -> TimMessage {
        let since_start = begun.duration_since(self.period.start);
        TimMessage {
            data_string: Some(payload::write(sequence, since_start, self.payload_bytes)),
            ..self.message.clone()
        }
    }

    fn answered(&self, sequence: u64, begun: Instant, outcome: Result<Sent, SendError>, echoes: &mut Echoes) {
        match outcome {
            Ok(sent) => {
                let changed = self.period.change.is_some_and(|change| begun >= change);
                let times = if changed {
                    &mut echoes.after
                } else {
                    &mut echoes.before
                };
                times.record(begun.elapsed());
                Live::raise(&self.live.answered);
                (self.stored)(sequence, sent.mid, begun);
            }
            Err(SendError::Timeout) => Live::raise(&self.live.unanswered),
            Err(error) => self.live.refuse(error.to_string()),
        }
    }
}

pub(super) async fn sleep_until(due: Option<Instant>) {
    match due {
        // Less than a timer can tell: go on at once.
        Some(due) if due <= Instant::now() => {}
        Some(due) => tokio::time::sleep_until(due.into()).await,
        None => std::future::pending().await,
    }
}
