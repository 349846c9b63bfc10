//! What the home hands to the store, and what it gets back.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::{Entry, KnownEntry, MemberCursor, Refusal, RoomMove, Submission};
use crate::id::{ConversationId, DatabaseName, Epoch, Seq, Version};

/// Submissions to one conversation that are decided together, in order.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ConversationBatch {
    /// The conversation.
    pub conversation: ConversationId,
    /// The version the home believes in; another one in the database is a conflict.
    pub expected_version: Version,
    /// Epoch of the range the home believes in, for the fence.
    pub epoch: Epoch,
    /// Most members a room may have.
    pub room_members_max: u32,
    /// In the order in which they are to be numbered.
    pub submissions: Vec<Arc<Submission>>,
}

/// What becomes of one submission.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Verdict {
    /// Insert this entry.
    Store {
        /// What to insert, and to deliver after the commit.
        entry: Arc<Entry>,
        /// Told to the caller although something was stored (4117).
        refusal: Option<Refusal>,
        /// Whether this entry made the two accounts friends.
        becomes_friends: bool,
        /// The place of the message that becomes a tombstone with it.
        erases: Option<Seq>,
        /// Who came into a room with it, or went.
        moves: Option<RoomMove>,
    },
    /// It is stored already: by an earlier attempt, or the client sent it again under its own id.
    Known(KnownEntry),
    /// Not allowed.
    Refuse(Refusal),
}

/// What a fence said instead of letting a transaction pass. Nothing was written for the conversation.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum FenceRefusal {
    /// A cut-over is under way; ask again shortly.
    Closing,
    /// The range went to another database; the newer map is needed.
    Moved {
        /// Which has it now.
        to: DatabaseName,
        /// Its epoch there.
        epoch: Epoch,
    },
    /// Range or epoch differ from what the node believes, or the range is not open here (yet).
    Stale,
}

/// What became of one conversation of a batch.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum ConversationOutcome {
    /// Decided and committed.
    Done {
        /// One per submission.
        verdicts: Vec<Verdict>,
        /// The version after it.
        version: Version,
        /// The cursors of its accounts, read in the transaction.
        cursors: Vec<MemberCursor>,
    },
    /// Another home has changed the conversation; nothing was written.
    Conflict {
        /// Per submission the stored entry, if it is there all the same.
        known: Vec<Option<KnownEntry>>,
    },
    /// The fence refused; nothing was written.
    Fenced(FenceRefusal),
}

/// What became of a whole transaction.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum BatchResult {
    /// It committed; one outcome per conversation, in the order of the batch.
    Committed(Vec<ConversationOutcome>),
    /// It certainly changed nothing (deadlock, no connection, refused by the server). It may be tried again.
    Failed,
    /// It may or may not have committed. Nothing may be said to anybody before that is settled, by running the
    /// same batch with the same expected versions again.
    Unknown,
}
