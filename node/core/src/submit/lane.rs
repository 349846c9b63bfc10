//! One lane: messages without an outcome, in order, and the opening they are sent under.

use std::collections::VecDeque;
use std::sync::Arc;

use bytes::Bytes;

use crate::conversation::{Entry, EntryKind, KnownEntry, Operation, Submission};
use crate::id::{NodeName, Seq, Tenure};
use crate::submit::{Answer, Config, Effect, LaneId, LaneStamp, Outcome};
use crate::time::Moment;

/// How far the lane is with its home.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Stage {
    /// Nothing is open; the next message opens.
    Closed,
    /// Opens again at this moment.
    Waiting(Moment),
    /// Asked to open; the home has until this moment.
    Opening(Moment),
    /// Open.
    Open {
        /// The stay to name.
        tenure: Tenure,
        /// Something must have been answered by this moment, if anything is sent.
        answer_by: Moment,
        /// The home was full: send on at this moment.
        stalled_until: Option<Moment>,
    },
}

#[derive(Debug)]
pub(super) struct Lane {
    pub(super) id: LaneId,
    pub(super) home: Option<NodeName>,
    pub(super) stage: Stage,
    pub(super) pending: VecDeque<Arc<Submission>>,
    /// How many of `pending`, from the front, were sent in this attempt.
    sent: usize,
    /// Index of the first of `pending` within this attempt.
    first_index: u32,
    pub(super) attempt: u64,
    /// Openings since the last answer with an outcome.
    pub(super) fruitless: u32,
    pub(super) last_used: Moment,
    pub(super) session_closed: bool,
}

impl Lane {
    pub(super) fn new(id: LaneId, now: Moment) -> Self {
        Self {
            id,
            home: None,
            stage: Stage::Closed,
            pending: VecDeque::new(),
            sent: 0,
            first_index: 0,
            attempt: 0,
            fruitless: 0,
            last_used: now,
            session_closed: false,
        }
    }

    /// When something has to happen without any event.
    pub(super) fn deadline(&self, config: &Config) -> Moment {
        match self.stage {
            Stage::Waiting(until) | Stage::Opening(until) => until,
            Stage::Open {
                answer_by,
                stalled_until,
                ..
            } if !self.pending.is_empty() => stalled_until.map_or(answer_by, |until| until.min(answer_by)),
            Stage::Closed | Stage::Open { .. } => self.last_used.plus_ms(config.idle_ms),
        }
    }

    /// Asks `home` to open under a new attempt; everything without an outcome will be sent again.
    pub(super) fn open(
        &mut self,
        now: Moment,
        home: NodeName,
        attempt: u64,
        config: &Config,
        effects: &mut Vec<Effect>,
    ) {
        for submission in self.pending.iter_mut().take(self.sent) {
            let again = Arc::make_mut(submission);
            again.attempt = again.attempt.saturating_add(1);
        }
        self.sent = 0;
        self.first_index = 0;
        self.attempt = attempt;
        self.fruitless = self.fruitless.saturating_add(1);
        self.stage = Stage::Opening(now.plus_ms(config.answer_timeout_ms));
        self.home = Some(home.clone());
        effects.push(Effect::SendOpen {
            to: home,
            lane: self.id,
            attempt,
        });
    }

    /// Sends what has not been sent in this attempt, if the home takes it.
    pub(super) fn send(&mut self, now: Moment, config: &Config, effects: &mut Vec<Effect>) {
        let Stage::Open {
            tenure,
            answer_by,
            stalled_until: None,
        } = &mut self.stage
        else {
            return;
        };
        let Some(home) = &self.home else { return };
        if self.sent == 0 {
            *answer_by = now.plus_ms(config.answer_timeout_ms);
        }
        for (place, submission) in self.pending.iter().enumerate().skip(self.sent) {
            let index = self.first_index.wrapping_add(place as u32);
            effects.push(Effect::SendSubmission {
                to: home.clone(),
                stamp: LaneStamp {
                    lane: self.id,
                    tenure: *tenure,
                    attempt: self.attempt,
                    index,
                },
                submission: submission.clone(),
            });
        }
        self.sent = self.pending.len();
    }

    /// The home is full from `index` on: sends from there again a little later.
    pub(super) fn stall(&mut self, now: Moment, index: u32, config: &Config) {
        let place = index.wrapping_sub(self.first_index) as usize;
        if let Stage::Open { stalled_until, .. } = &mut self.stage
            && place < self.sent
        {
            self.sent = place;
            *stalled_until = Some(now.plus_ms(config.retry_min_ms));
        }
    }

    /// Goes on after a stall that is over.
    pub(super) fn end_stall(&mut self, now: Moment) {
        if let Stage::Open { stalled_until, .. } = &mut self.stage
            && stalled_until.is_some_and(|until| until <= now)
        {
            *stalled_until = None;
        }
    }

    /// Takes the answer to the first message. `None` when it was not an outcome, or for another message.
    pub(super) fn settle(
        &mut self,
        now: Moment,
        index: u32,
        answer: &Answer,
        config: &Config,
    ) -> Option<(Arc<Submission>, Outcome)> {
        if self.sent == 0 || index != self.first_index {
            return None;
        }
        let outcome = outcome(self.pending.front()?, answer)?;
        let submission = self.pending.pop_front()?;
        self.sent -= 1;
        self.first_index = self.first_index.wrapping_add(1);
        self.fruitless = 0;
        if let Stage::Open { answer_by, .. } = &mut self.stage {
            *answer_by = now.plus_ms(config.answer_timeout_ms);
        }
        Some((submission, outcome))
    }
}

fn outcome(submission: &Submission, answer: &Answer) -> Option<Outcome> {
    match answer {
        Answer::Stored {
            entry,
            refusal,
            cursor,
        } => Some(Outcome::Stored {
            entry: own_entry(submission, entry),
            refusal: *refusal,
            cursor: *cursor,
            repeated: false,
        }),
        Answer::Known { known, cursor } => Some(Outcome::Stored {
            entry: Arc::new(echo(submission, known)),
            refusal: None,
            cursor: *cursor,
            // What became a tombstone is shown to nobody in its turn, so its sender is told apart from that.
            repeated: known.key != submission.key || known.kind == EntryKind::Tombstone,
        }),
        Answer::Refused(refusal) => Some(Outcome::Refused(*refusal)),
        Answer::Conflict | Answer::Busy => None,
    }
}

/// The entry as stored. Over the network come only its place, kind and time; the rest is the submission's.
fn own_entry(submission: &Submission, entry: &Arc<Entry>) -> Arc<Entry> {
    if entry.key == submission.key {
        return entry.clone();
    }
    Arc::new(Entry {
        seq: entry.seq,
        kind: entry.kind,
        key: submission.key,
        sender: submission.sender.clone(),
        sender_class: submission.sender_class,
        client_id: submission.client_id,
        timestamp_ns: entry.timestamp_ns,
        audience: entry.audience.clone(),
        body: submission.body.clone(),
    })
}

/// The stored entry of a submission whose place is known; key or client id and content were compared. Of one that has
/// been erased since, only the place is left.
#[must_use]
pub fn rebuild(submission: &Submission, known: &KnownEntry) -> Entry {
    let body = match known.kind {
        EntryKind::Tombstone => Bytes::new(),
        _ => submission.body.clone(),
    };
    Entry {
        seq: known.seq.max(Seq(1)),
        kind: known.kind,
        key: known.key,
        sender: known.sender.clone(),
        sender_class: submission.sender_class,
        client_id: known.client_id,
        timestamp_ns: known.timestamp_ns,
        audience: known.audience.clone(),
        body,
    }
}

/// What the sender is told of it: also of an erased message that it was stored, and where. The sender waits for that,
/// and learns of the erasure from the entry behind it.
fn echo(submission: &Submission, known: &KnownEntry) -> Entry {
    let mut entry = rebuild(submission, known);
    if entry.kind == EntryKind::Tombstone {
        entry.kind = match submission.operation {
            Operation::Room(_) => EntryKind::RoomMessage,
            _ => EntryKind::Message,
        };
        entry.body = submission.body.clone();
    }
    entry
}
