//! Delivery to one session: what is handed on, in which order, and what its confirmations move.
//!
//! Per conversation a session has a *position* (the last entry handed on), how far the client confirmed without a
//! gap, and the durable *cursor*. Entries are handed on in order only; what is missing is fetched. A position
//! begins at the cursor that came with the message, or, before the first search for undelivered messages has been
//! answered, at the cursor in the database (a cursor that travelled with a message may be older than the session).
//! Memory is bounded: beyond the window of unconfirmed entries nothing is handed on or kept; it is fetched later.

mod backlog;
mod conversation;
mod machine;
#[cfg(test)]
mod tests;
mod unconfirmed;

use std::sync::Arc;

use crate::conversation::Entry;
use crate::id::{ConversationId, Seq};
use crate::mutation::Mutations;

pub use machine::Session;

/// Where a conversation stands for the session's account and class of device.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Position {
    /// Which conversation.
    pub conversation: ConversationId,
    /// Everything up to here is confirmed, durably.
    pub cursor: Seq,
    /// The newest entry.
    pub head: Seq,
}

/// What happens to a session.
#[derive(Debug, Clone)]
pub enum Event {
    /// The presence shard has the session (again): look for undelivered messages.
    Registered,
    /// A home sent entries.
    Pushed {
        /// Of which conversation.
        conversation: ConversationId,
        /// In order.
        entries: Vec<Arc<Entry>>,
        /// The delivered cursor as of the commit, where known.
        cursor: Option<Seq>,
    },
    /// The session's own submission was stored: its echo.
    Accepted {
        /// Of which conversation.
        conversation: ConversationId,
        /// As stored.
        entry: Arc<Entry>,
        /// The delivered cursor as of the commit, where known.
        cursor: Option<Seq>,
        /// The client sent again what it had sent before; it gets an echo of its own.
        repeated: bool,
    },
    /// [`Effect::FetchEntries`] was answered.
    Fetched {
        /// Of which conversation.
        conversation: ConversationId,
        /// The entries after the place asked for (after the cursor, if none was), in order and without gap.
        entries: Vec<Arc<Entry>>,
        /// Between these two places there is nothing that the account is shown; the entries begin behind the second.
        skip: Option<(Seq, Seq)>,
        /// The durable cursor.
        cursor: Seq,
        /// The newest entry's place.
        head: Seq,
    },
    /// [`Effect::FetchEntries`] was not answered.
    FetchFailed(ConversationId),
    /// [`Effect::FetchUndelivered`] was answered. The first answer must name **every** listed conversation, later
    /// ones those with `cursor < head` (others do no harm).
    Undelivered(Vec<Position>),
    /// [`Effect::FetchUndelivered`] was not answered, or only in part: what is known is given by
    /// [`Event::Undelivered`] after it has been asked again.
    UndeliveredFailed,
    /// Any frame came from the client; given before what the frame says.
    Frame,
    /// The client confirmed a sync id.
    Confirmed(u32),
    /// What was handed on tells that another entry has lost its content: it is not sent again.
    Erased {
        /// Of which conversation.
        conversation: ConversationId,
        /// The place of the one without content.
        seq: Seq,
    },
    /// The client asked for offline messages (command 11 hex, 17).
    OfflineRequested,
    /// The view changed: look for undelivered messages after so many milliseconds (the shell paces its sessions).
    ViewChanged {
        /// The wait.
        check_after_ms: u64,
    },
    /// [`Effect::MoveCursor`] was answered: the cursor as it is in the database now.
    CursorMoved {
        /// Of which conversation.
        conversation: ConversationId,
        /// The cursor.
        cursor: Seq,
    },
    /// [`Effect::MoveCursor`] was not answered.
    CursorFailed(ConversationId),
    /// The node drains: nothing new is handed on, confirmations are still taken.
    StopDelivery,
    /// The drain was called off: everything goes on.
    ResumeDelivery,
    /// A deadline was reached.
    Timer,
}

/// What the shell has to do for a session.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Effect {
    /// Write one entry (command 90). With a sync id the client confirms; without, it is an echo.
    SendEntry {
        /// Confirmation wanted under this number.
        sync_id: Option<u32>,
        /// Of which conversation.
        conversation: ConversationId,
        /// The entry.
        entry: Arc<Entry>,
    },
    /// Write a batch of offline messages (command 17).
    SendOffline {
        /// Confirmation wanted under this number.
        sync_id: u32,
        /// The entries, oldest first.
        entries: Vec<(ConversationId, Arc<Entry>)>,
    },
    /// Write the end of the offline messages (command 18).
    SendOfflineEnd,
    /// Read entries of a conversation under its fence, oldest first.
    FetchEntries {
        /// Which conversation.
        conversation: ConversationId,
        /// Those after this place; `None`: those after the durable cursor.
        after: Option<Seq>,
        /// At most so many.
        limit: u32,
    },
    /// Move the durable cursor, if it still is `from`.
    MoveCursor {
        /// Which conversation.
        conversation: ConversationId,
        /// As it was.
        from: Seq,
        /// As it shall be.
        to: Seq,
    },
    /// Read the account's list of conversations, then cursor and head of each.
    FetchUndelivered {
        /// Whether all listed conversations are wanted, or only those with undelivered entries.
        all: bool,
    },
}

/// Limits and waits of a session.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Config {
    /// Entries handed on and not confirmed; beyond, nothing is handed on or kept.
    pub max_unconfirmed: usize,
    /// Bodies of entries handed on and not confirmed, in bytes; one entry is handed on whatever its size.
    pub max_unconfirmed_bytes: usize,
    /// Echoes handed on and not yet followed by a frame of the client; they hold no memory to speak of.
    pub max_unconfirmed_echoes: usize,
    /// Entries that came ahead of a gap and are kept while it is fetched.
    pub max_held: usize,
    /// Entries per fetch.
    pub fetch_limit: u32,
    /// Entries per offline batch.
    pub offline_batch: usize,
    /// A frame is sent again after so many milliseconds without confirmation.
    pub confirm_timeout_ms: u64,
    /// How often a frame is sent before the session counts as not confirming.
    pub max_sends: u32,
    /// How long after login the client may ask for offline messages before they are pushed, in milliseconds.
    pub offline_wait_ms: u64,
    /// Undelivered messages are looked for at least this often, in milliseconds.
    pub check_ms: u64,
    /// Wait for an answer of the database before it is asked again, in milliseconds.
    pub answer_timeout_ms: u64,
    /// Wait before a failed question is asked again, in milliseconds.
    pub retry_ms: u64,
    /// How long a new session waits for its registration before it looks for undelivered messages all the same.
    pub register_wait_ms: u64,
    /// Planted bugs; none outside the simulator.
    pub mutations: Mutations,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            max_unconfirmed: 256,
            max_unconfirmed_bytes: 512 << 10,
            max_unconfirmed_echoes: 1_024,
            max_held: 64,
            fetch_limit: 64,
            offline_batch: 10,
            confirm_timeout_ms: 10_000,
            max_sends: 3,
            offline_wait_ms: 3_000,
            check_ms: 60_000,
            answer_timeout_ms: 10_000,
            retry_ms: 500,
            register_wait_ms: 2_000,
            mutations: Mutations::default(),
        }
    }
}
