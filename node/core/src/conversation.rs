//! Conversations: what is submitted, what is stored, and the pure decision between the two.
//!
//! # For the store: one transaction of a batch
//!
//! The home hands over [`ConversationBatch`]es of one database. For all of them in **one** transaction:
//!
//! 1. Take the fences of their ranges. What a fence refuses becomes [`ConversationOutcome::Fenced`] and leaves the
//!    transaction; the rest goes on.
//! 2. Lock the conversation rows in key order (`SELECT … FOR UPDATE`; SQLite has the whole file). A conversation
//!    without a row is [`ConversationState::default`]; make its row first (insert-or-ignore), so that there is
//!    something to lock.
//! 3. Load the [`ConversationState`] and, **under the lock**, every entry whose key is among the batch's
//!    [`Submission::key`]s or whose (sender, client id, content hash) matches a submission that has a client id.
//!    Those are the [`KnownEntry`]s. Load the entries in the places that operations erase
//!    ([`Operation::target`]) as well: those are the targets.
//! 4. Call [`decide`]. It compares the version, looks for ids, judges rights, numbers.
//! 5. Write what it says:
//!    * On a [`Decision::Conflict`]: nothing.
//!    * [`Decision::Apply`] with `changed == false`: nothing (everything was known, or refused for free).
//!    * [`Decision::Apply`] with `changed == true`: the row becomes `state` (head, version, timestamp, relations),
//!      and for each [`Verdict::Store`] the entry is inserted; the one it erases becomes a tombstone: its body goes,
//!      what a retry is recognised by stays. When the verdict's `becomes_friends` is set, both
//!      accounts' lists of conversations must already be durable in their own partitions (see [`Operation`]). A room
//!      that differs and the rows of its `members` are written, too.
//! 6. Read the member rows of the conversation's accounts, for [`ConversationOutcome::Done`]'s cursors; an account
//!    and class without a row begins at [`starting_cursor`]. None for a room, which may have any number of them.
//! 7. Commit. When the commit's fate is not known, say [`BatchResult::Unknown`] and nothing else.

mod batch;
mod entry;
mod erasure;
mod judge;
mod refusal;
mod relation;
mod room;
mod submission;

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::id::{AccountId, DeviceClass, Seq, Version};

pub use batch::{BatchResult, ConversationBatch, ConversationOutcome, FenceRefusal, Verdict};
pub use entry::{Entry, EntryKind, KnownEntry};
pub use erasure::SentMessages;
pub use judge::{Decision, Found, decide, may_send, may_send_between};
pub use refusal::Refusal;
pub use relation::{Relation, Relations, Side};
pub use room::{
    MAX_MANAGERS, MAX_QUIET_RUNS, MAX_WINDOWS, QuietRun, QuietRuns, Rank, Room, RoomBody, RoomChange,
    RoomCreation, RoomMember, RoomMove, RoomOperation, RoomProfile, Shown, Standing, Window, Windows,
    concerned,
};
pub use submission::{Operation, Submission};

/// The locked row of a conversation, as far as decisions need it.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ConversationState {
    /// Number of the newest entry; 0 for none.
    pub head: Seq,
    /// Counts the transactions that changed this row.
    pub version: Version,
    /// Timestamp of the newest entry in Unix nanoseconds; 0 for none.
    pub last_timestamp_ns: i64,
    /// What the two accounts of a direct conversation are to each other.
    pub relations: Relations,
    /// The room that the conversation is.
    pub room: Option<Arc<Room>>,
}

/// How far one class of an account's devices has confirmed a conversation.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct MemberCursor {
    /// Whose.
    pub account: AccountId,
    /// Which class of devices.
    pub class: DeviceClass,
    /// Everything up to here is confirmed.
    pub cursor: Seq,
}

/// Where a class of devices begins: its own cursor, else the highest of the account's other classes, else 0.
#[must_use]
pub fn starting_cursor(cursors: &[MemberCursor], account: &AccountId, class: DeviceClass) -> Seq {
    let own = |cursor: &&MemberCursor| cursor.account == *account;
    let exact = cursors.iter().filter(own).find(|cursor| cursor.class == class);
    exact.map_or_else(
        || {
            cursors
                .iter()
                .filter(own)
                .map(|cursor| cursor.cursor)
                .max()
                .unwrap_or_default()
        },
        |cursor| cursor.cursor,
    )
}
