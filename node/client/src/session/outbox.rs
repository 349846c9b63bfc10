//! Messages that were sent and have no outcome yet, in the order sent.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use bytes::Bytes;
use tim_wire::{TimAck, TimMessage};
use tokio::sync::oneshot;
use tracing::Span;

use crate::{Rejection, SendError, Sent};

/// A message on its way.
#[derive(Debug)]
pub(crate) struct Outgoing {
    /// Its id, by which echo and message find each other.
    pub(crate) id: i64,
    /// The command it goes by, which a rejection names.
    pub(crate) tim_type: i8,
    /// The frame; sent again it is the same to the byte, so that the server knows it.
    pub(crate) frame: Bytes,
    /// Who waits for the outcome.
    pub(crate) receipt: oneshot::Sender<Result<Sent, SendError>>,
    /// From sending to the outcome.
    pub(crate) span: Span,
}

impl Outgoing {
    fn end(self, outcome: Result<Sent, SendError>) {
        if let Err(error) = &outcome {
            self.span.record("error.type", error_type(error));
        }
        // Nobody has to wait for it.
        let _ = self.receipt.send(outcome);
    }
}

fn error_type(error: &SendError) -> &'static str {
    match error {
        SendError::Rejected(_) => "rejected",
        SendError::Disconnected => "disconnected",
        SendError::Timeout => "timeout",
        SendError::Closed => "closed",
        SendError::TooLarge { .. } => "too_large",
    }
}

/// All of them.
#[derive(Debug)]
pub(crate) struct Outbox {
    timeout: Duration,
    /// All have the same limit of time, so the first ends first.
    waiting: VecDeque<(Instant, Outgoing)>,
}

impl Outbox {
    pub(crate) const fn new(timeout: Duration) -> Self {
        Self {
            timeout,
            waiting: VecDeque::new(),
        }
    }

    pub(crate) fn push(&mut self, outgoing: Outgoing, now: Instant) {
        self.waiting.push_back((now + self.timeout, outgoing));
    }

    /// The frames of all, in order.
    pub(crate) fn frames(&self) -> impl Iterator<Item = Bytes> + '_ {
        self.waiting.iter().map(|(_, outgoing)| outgoing.frame.clone())
    }

    /// Takes the echo of one of them; says whether it was one.
    pub(crate) fn echoed(&mut self, message: &TimMessage) -> bool {
        let Some(id) = message.id else {
            return false;
        };
        let sent = Sent {
            id,
            mid: message.mid,
            timestamp: message.timestamp,
        };
        self.end(|outgoing| outgoing.id == id, Ok(sent))
    }

    /// Takes a rejection; says whether it was of one of them.
    ///
    /// Our server names the message's id in `t2`. The reference names nothing; there the oldest message
    /// of that command is meant, as it answers errors in order.
    pub(crate) fn rejected(&mut self, ack: &TimAck) -> bool {
        let outcome = Err(SendError::Rejected(Rejection::of(ack)));
        match ack.t2 {
            Some(id) => self.end(|outgoing| outgoing.id == id, outcome),
            None => self.end(|outgoing| outgoing.tim_type == ack.tim_type, outcome),
        }
    }

    fn end(&mut self, which: impl Fn(&Outgoing) -> bool, outcome: Result<Sent, SendError>) -> bool {
        let place = self.waiting.iter().position(|(_, outgoing)| which(outgoing));
        let ended = place.and_then(|place| self.waiting.remove(place));
        let found = ended.is_some();
        if let Some((_, outgoing)) = ended {
            outgoing.end(outcome);
        }
        found
    }

    pub(crate) fn deadline(&self) -> Option<Instant> {
        self.waiting.front().map(|(deadline, _)| *deadline)
    }

    pub(crate) fn expire(&mut self, now: Instant) {
        while let Some((_, outgoing)) = self.waiting.pop_front_if(|(deadline, _)| *deadline <= now) {
            outgoing.end(Err(SendError::Timeout));
        }
    }
}

/// At the end nobody is left waiting.
impl Drop for Outbox {
    fn drop(&mut self) {
        for (_, outgoing) in self.waiting.drain(..) {
            outgoing.end(Err(SendError::Closed));
        }
    }
}
