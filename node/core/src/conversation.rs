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

mod erasure;
mod judge;
mod relation;
mod room;

use std::sync::Arc;

use bytes::Bytes;
use serde::{Deserialize, Serialize};

use crate::id::{
    AccountId, ContentHash, ConversationId, DatabaseName, DeviceClass, Epoch, MessageKey, Seq, Version,
};

pub use erasure::SentMessages;
pub use judge::{Decision, Found, decide, may_send, may_send_between};
pub use relation::{Relation, Relations, Side};
pub use room::{
    MAX_MANAGERS, MAX_QUIET_RUNS, MAX_WINDOWS, QuietRun, QuietRuns, Rank, Room, RoomBody, RoomChange,
    RoomCreation, RoomMember, RoomMove, RoomOperation, RoomProfile, Shown, Standing, Window, Windows,
    concerned,
};

/// What a session asks of a conversation.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Operation {
    /// A message to the other account (tim odType 1). Needs friendship.
    Message,
    /// A message whose meaning applications agree on (tim odType 31 and above). Needs friendship; is not history.
    Application,
    /// A request for friendship, or the answer to one (tim rtype 4). Before it is submitted, the entry of the
    /// conversation in the lists of **both** accounts must be durable: the lists are supersets.
    AddFriend,
    /// The end of a friendship, of a request for it, or of the sender's own block (tim rtype 6).
    RemoveFriend,
    /// No messages and no requests of the other account any more (tim rtype 7). The lists as with
    /// [`Operation::AddFriend`].
    BlockAccount,
    /// The sender takes back the message in this place (tim odType 2). Needs friendship.
    Revoke(Seq),
    /// The receiver has read the message in this place, nobody shall again (tim odType 3). Needs friendship.
    Burn(Seq),
    /// What is asked of a room.
    Room(RoomOperation),
    /// The system tells the peer something (tim msType 1), in the peer's system conversation. The sender is
    /// [`AccountId::system`]; only administrators' interfaces make such.
    System,
}

impl Operation {
    /// The place of the message that it erases.
    #[must_use]
    pub fn target(self) -> Option<Seq> {
        match self {
            Self::Revoke(target) | Self::Burn(target) | Self::Room(RoomOperation::Revoke(target)) => {
                Some(target)
            }
            Self::Message
            | Self::Application
            | Self::AddFriend
            | Self::RemoveFriend
            | Self::BlockAccount
            | Self::Room(_)
            | Self::System => None,
        }
    }
}

/// One thing to be numbered and stored, as it travels from the session's node to the home.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Submission {
    /// Identity; the same in every attempt.
    pub key: MessageKey,
    /// Where to.
    pub conversation: ConversationId,
    /// Who sends.
    pub sender: AccountId,
    /// The other account of the conversation; in a room the account that is concerned, the sender itself where that
    /// is nobody else.
    pub peer: AccountId,
    /// The sending device's class.
    pub sender_class: DeviceClass,
    /// What is asked.
    pub operation: Operation,
    /// The id the client gave, if it gave one other than 0. A retry of the client is recognised by it together
    /// with `content_hash`.
    pub client_id: Option<i64>,
    /// Hash of what the client sent, over everything that makes the message what it is.
    pub content_hash: ContentHash,
    /// How often this message has been sent to a home, this time included; 1 the first time. A refusal of a later
    /// attempt raises the version, so that an older attempt can no longer commit.
    pub attempt: u32,
    /// The session's node has asked a room that both accounts are in, which stands in for friendship.
    pub vouched: bool,
    /// What is stored; opaque here, unless it makes or changes a room.
    pub body: Bytes,
}

/// What kind of thing an entry is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum EntryKind {
    /// Shown in history.
    Message,
    /// "Somebody wants to be your friend" (tim bnType 4).
    FriendRequest,
    /// "You are friends now" (tim bnType 5).
    FriendAccepted,
    /// What was here has been revoked or burnt; no body. It keeps its place, so that a gap means loss and nothing
    /// else.
    Tombstone,
    /// Like a message, but not in history.
    Application,
    /// "You are not friends any more" (tim bnType 6).
    FriendRemoved,
    /// "You are blocked" (tim bnType 7), told to those who had nothing to do with the account before.
    AccountBlocked,
    /// A change that nobody is told; it keeps its place, and a retry of it is recognised.
    Unannounced,
    /// "That message was taken back" (tim odType 2).
    Revoke,
    /// "That message was read and burnt" (tim odType 3).
    Burn,
    /// A message in a room; shown in history.
    RoomMessage,
    /// "That message was taken back" in a room.
    RoomRevoke,
    /// "Somebody wants to join" (tim bnType 9), told to those who may let in.
    RoomApplied,
    /// "You are in" (tim bnType 10), told to who asked for it.
    RoomPassed,
    /// "You are not let in" (tim bnType 11).
    RoomRefused,
    /// "You were taken in" (tim bnType 12), told to who had not asked.
    RoomPulled,
    /// "You are removed" (tim bnType 13).
    RoomKicked,
    /// What the system tells one account; not in history.
    System,
}

impl EntryKind {
    /// Every kind with the number under which it is stored. A number is never reused.
    const CODES: [(Self, i16); 18] = [
        (Self::Message, 1),
        (Self::FriendRequest, 2),
        (Self::FriendAccepted, 3),
        (Self::Tombstone, 4),
        (Self::Application, 5),
        (Self::FriendRemoved, 6),
        (Self::AccountBlocked, 7),
        (Self::Unannounced, 8),
        (Self::Revoke, 9),
        (Self::Burn, 10),
        (Self::RoomMessage, 11),
        (Self::RoomRevoke, 12),
        (Self::RoomApplied, 13),
        (Self::RoomPassed, 14),
        (Self::RoomRefused, 15),
        (Self::RoomPulled, 16),
        (Self::RoomKicked, 17),
        (Self::System, 40),
    ];

    /// tim's `bnType` of a notice.
    #[must_use]
    pub fn notice_type(self) -> Option<i32> {
        match self {
            Self::FriendRequest => Some(4),
            Self::FriendAccepted => Some(5),
            Self::FriendRemoved => Some(6),
            Self::AccountBlocked => Some(7),
            Self::RoomApplied => Some(9),
            Self::RoomPassed => Some(10),
            Self::RoomRefused => Some(11),
            Self::RoomPulled => Some(12),
            Self::RoomKicked => Some(13),
            Self::Message
            | Self::Application
            | Self::Tombstone
            | Self::Unannounced
            | Self::Revoke
            | Self::Burn
            | Self::RoomMessage
            | Self::RoomRevoke
            | Self::System => None,
        }
    }

    /// Whether there is something of it to write to a client at all.
    #[must_use]
    pub fn has_content(self) -> bool {
        !matches!(self, Self::Tombstone | Self::Unannounced)
    }

    /// Whether it is shown in history and may be taken back.
    #[must_use]
    pub fn is_message(self) -> bool {
        matches!(self, Self::Message | Self::RoomMessage)
    }

    /// Whether nobody in a room is shown it but the account that came or went with it, see [`QuietRuns`]. An
    /// application is told to others: to those who may let in.
    #[must_use]
    pub fn is_quiet_in_room(self) -> bool {
        matches!(
            self,
            Self::RoomPassed | Self::RoomPulled | Self::RoomRefused | Self::RoomKicked | Self::Unannounced
        )
    }

    /// Whether it is shown to its sender like to everybody else, and confirmed by it: so it is in rooms.
    #[must_use]
    pub fn is_of_room(self) -> bool {
        match self {
            Self::RoomMessage
            | Self::RoomRevoke
            | Self::RoomApplied
            | Self::RoomPassed
            | Self::RoomRefused
            | Self::RoomPulled
            | Self::RoomKicked => true,
            Self::Message
            | Self::FriendRequest
            | Self::FriendAccepted
            | Self::Tombstone
            | Self::Application
            | Self::FriendRemoved
            | Self::AccountBlocked
            | Self::Unannounced
            | Self::Revoke
            | Self::Burn
            | Self::System => false,
        }
    }

    /// The number under which the kind is stored.
    #[must_use]
    pub fn to_code(self) -> i16 {
        Self::CODES
            .into_iter()
            .find(|(kind, _)| *kind == self)
            .map_or(0, |(_, code)| code)
    }

    /// The kind stored under a number; `None` for one this version does not know.
    #[must_use]
    pub fn from_code(code: i16) -> Option<Self> {
        Self::CODES
            .into_iter()
            .find(|(_, known)| *known == code)
            .map(|(kind, _)| kind)
    }
}

/// One numbered entry of a conversation, as stored and as delivered.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Entry {
    /// Its place; tim's `mid`.
    pub seq: Seq,
    /// What it is.
    pub kind: EntryKind,
    /// Its identity.
    pub key: MessageKey,
    /// Who caused it.
    pub sender: AccountId,
    /// With which class of device.
    pub sender_class: DeviceClass,
    /// The id the client gave.
    pub client_id: Option<i64>,
    /// Unix nanoseconds; never decreases within a conversation.
    pub timestamp_ns: i64,
    /// Who alone is told, in a room; empty where the kind says it.
    pub audience: Vec<AccountId>,
    /// Opaque here; empty for a tombstone.
    pub body: Bytes,
}

impl Submission {
    /// Whose sessions are shown what becomes of it. The system has none.
    #[must_use]
    pub fn recipients(&self) -> Vec<AccountId> {
        match self.operation {
            Operation::System => vec![self.peer.clone()],
            _ => vec![self.sender.clone(), self.peer.clone()],
        }
    }
}

impl Entry {
    /// tim's `id`: the client's own if it gave one, else derived from the key.
    #[must_use]
    pub fn wire_id(&self) -> i64 {
        self.client_id.unwrap_or_else(|| self.key.wire_id())
    }

    /// What is left of it when its content has been taken away.
    #[must_use]
    pub fn erased(&self) -> Self {
        Self {
            kind: EntryKind::Tombstone,
            body: Bytes::new(),
            ..self.clone()
        }
    }

    /// Whether a session of `account` is shown this entry. What is not shown still counts as handed on and
    /// confirmed: it only keeps the numbers without gap.
    #[must_use]
    pub fn shown_to(&self, account: &AccountId) -> bool {
        match self.kind {
            EntryKind::Message
            | EntryKind::Application
            | EntryKind::Revoke
            | EntryKind::Burn
            | EntryKind::RoomMessage
            | EntryKind::RoomRevoke
            | EntryKind::System => true,
            EntryKind::RoomApplied
            | EntryKind::RoomPassed
            | EntryKind::RoomRefused
            | EntryKind::RoomPulled
            | EntryKind::RoomKicked => self.audience.contains(account),
            EntryKind::FriendRequest
            | EntryKind::FriendAccepted
            | EntryKind::FriendRemoved
            | EntryKind::AccountBlocked => self.sender != *account,
            EntryKind::Tombstone | EntryKind::Unannounced => false,
        }
    }
}

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

/// What decisions need of a stored entry, found under the lock.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct KnownEntry {
    /// Key of the stored entry.
    pub key: MessageKey,
    /// Its sender.
    pub sender: AccountId,
    /// Its client id.
    pub client_id: Option<i64>,
    /// Its content hash.
    pub content_hash: ContentHash,
    /// Its place.
    pub seq: Seq,
    /// What it is.
    pub kind: EntryKind,
    /// Its timestamp in Unix nanoseconds.
    pub timestamp_ns: i64,
    /// Who alone is told of it.
    pub audience: Vec<AccountId>,
}

impl KnownEntry {
    /// What of a stored entry decides whether a submission is it; the hash is stored beside the entry.
    #[must_use]
    pub fn of(entry: &Entry, content_hash: ContentHash) -> Self {
        Self {
            key: entry.key,
            sender: entry.sender.clone(),
            client_id: entry.client_id,
            content_hash,
            seq: entry.seq,
            kind: entry.kind,
            timestamp_ns: entry.timestamp_ns,
            audience: entry.audience.clone(),
        }
    }
}

/// Why an operation is not allowed. Nothing of it is stored, except [`Refusal::AlreadyFriends`], which repeats the
/// notice to the other side.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, thiserror::Error)]
pub enum Refusal {
    /// Sender and receiver are not mutual friends.
    #[error("sender and receiver are not friends")]
    NotFriends,
    /// The other account has blocked the caller.
    #[error("the other account has blocked the caller")]
    Blocked,
    /// An account cannot befriend itself.
    #[error("an account cannot be its own friend")]
    OwnAccount,
    /// They are friends already.
    #[error("they are friends already")]
    AlreadyFriends,
    /// There is nothing between the two that could end.
    #[error("there is no relation to the account")]
    NotRelated,
    /// There is no message in that place of the conversation, or not any more.
    #[error("there is no such message")]
    NoSuchMessage,
    /// Only its sender may revoke a message, only its receiver may burn it.
    #[error("the message is not theirs to erase")]
    NotTheirs,
    /// The account does not take part in the room.
    #[error("the account is not a member of the room")]
    NotAMember,
    /// Others may do that in the room: its managers, its founder, or whoever is of higher rank.
    #[error("the account may not do that in the room")]
    NotAllowed,
    /// The account takes part in the room already.
    #[error("the account is a member of the room already")]
    AlreadyMember,
    /// The room has ended.
    #[error("the room has been cancelled")]
    Cancelled,
    /// There is no such room.
    #[error("there is no such room")]
    NoSuchRoom,
    /// The account has not applied to the room, or is not in it.
    #[error("the account has nothing to do with the room")]
    NothingPending,
    /// The account is something else to the room than an applicant.
    #[error("the account is no applicant of the room")]
    OtherwiseRelated,
    /// The room has as many members as it may.
    #[error("the room is full")]
    RoomFull,
    /// A private room has banned the account. Apart from [`Refusal::Blocked`] as clients get another number of answers.
    #[error("the private room has banned the account")]
    BannedFromPrivate,
    /// What is to be changed cannot be read or cannot be.
    #[error("what the room shall be cannot be")]
    Malformed,
}

impl Refusal {
    /// The code clients know (specification of the wire, section 7).
    #[must_use]
    pub fn wire_code(self) -> i32 {
        match self {
            Self::AlreadyMember => 4101,
            Self::OtherwiseRelated => 4103,
            Self::NotRelated | Self::NoSuchMessage | Self::Malformed => 4104,
            Self::NotFriends | Self::OwnAccount | Self::NotTheirs | Self::NotAMember | Self::NotAllowed => {
                4105
            }
            Self::Cancelled => 4108,
            Self::NoSuchRoom | Self::NothingPending => 4109,
            Self::Blocked | Self::BannedFromPrivate => 4110,
            Self::RoomFull => 4111,
            Self::AlreadyFriends => 4117,
        }
    }
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
