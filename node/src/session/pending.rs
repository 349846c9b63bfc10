//! The messages of one session that have no outcome yet: what to answer when it comes, and how long it took.

use std::collections::VecDeque;
use std::time::Instant;
use tim_core::conversation::Operation;
use tim_core::id::{AccountId, MessageKey, RoomId};
use tim_telemetry::Span;

/// A message between its frame and its outcome.
#[derive(Debug)]
pub(crate) struct Pending {
    /// Its identity.
    pub(crate) key: MessageKey,
    /// The command that an error answer names.
    pub(crate) tim_type: i8,
    /// The id that the client gave it, which a refusal names.
    pub(crate) client_id: Option<i64>,
    /// What was asked.
    pub(crate) operation: Operation,
    /// Whom it is for, or whom it concerns.
    pub(crate) peer: AccountId,
    /// The room that it is for.
    pub(crate) room: Option<RoomId>,
    /// When the frame was read.
    pub(crate) since: Instant,
    /// The trace's root, ended by the answer.
    pub(crate) span: Span,
}

/// In the order of their frames; bounded by `limits.submissions_per_session_max`.
#[derive(Debug, Default)]
pub(crate) struct PendingQueue(VecDeque<Pending>);

impl PendingQueue {
    /// Adds the newest.
    pub(crate) fn push(&mut self, pending: Pending) {
        self.0.push_back(pending);
    }

    /// Takes the one with the key; nearly always the oldest.
    pub(crate) fn take(&mut self, key: MessageKey) -> Option<Pending> {
        let place = self.0.iter().position(|pending| pending.key == key)?;
        let pending = self.0.remove(place);
        if self.0.is_empty() {
            // An idle session keeps no buffer.
            self.0 = VecDeque::new();
        }
        pending
    }

    /// How many wait.
    pub(crate) fn length(&self) -> usize {
        self.0.len()
    }
}
