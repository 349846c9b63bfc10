//! The offline procedure: wait for the client to ask, batches one after another, then the end.

use std::collections::VecDeque;

use crate::id::ConversationId;
use crate::session::unconfirmed::Entries;
use crate::time::Moment;

#[derive(Debug)]
pub(super) enum Offline {
    /// Just logged in: until this moment the client may ask.
    Waiting(Moment),
    /// It asked; the search for undelivered messages is under way.
    Searching,
    /// Batches are collected and sent one at a time; boxed, as nearly all sessions are past it.
    Sending(Box<Sending>),
    /// Nothing is held back: a backlog is pushed like live messages.
    Idle,
}

#[derive(Debug, Default)]
pub(super) struct Sending {
    /// Conversations with backlog, in the order they were found.
    pub(super) queue: VecDeque<ConversationId>,
    /// The batch that is being collected.
    pub(super) batch: Entries,
    /// A batch was sent and is not confirmed.
    pub(super) awaiting: bool,
}

impl Offline {
    /// Whether a conversation's backlog is not to be pushed.
    pub(super) fn holds_backlog(&self) -> bool {
        !matches!(self, Self::Idle)
    }

    /// Whether entries of a conversation wait in the batch being collected: nothing may overtake them.
    pub(super) fn has_unsent(&self, conversation: ConversationId) -> bool {
        matches!(self, Self::Sending(sending) if sending.batch.iter().any(|(of, _)| *of == conversation))
    }

    pub(super) fn deadline(&self) -> Option<Moment> {
        match self {
            Self::Waiting(until) => Some(*until),
            _ => None,
        }
    }
}
