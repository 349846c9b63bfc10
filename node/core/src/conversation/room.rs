//! Rooms: what stands in a room's row and in the rows of the accounts that have to do with it.
//!
//! A room is a conversation. Who takes part is judged under its lock, so that a change takes effect at once. An account
//! sees the entries of its [`Windows`]: those stored while it took part, and notices that are meant for it alone.

mod judge;
mod quiet;
mod shown;
#[cfg(test)]
mod tests;
mod windows;

use std::collections::BTreeMap;

use bytes::Bytes;
use serde::{Deserialize, Serialize};

use crate::conversation::{Operation, Relation, Submission};
use crate::id::{AccountId, RoomId, Seq};

pub(crate) use judge::{Found, Step, judge};
pub use quiet::{MAX_QUIET_RUNS, QuietRun, QuietRuns};
pub use shown::Shown;
pub use windows::{MAX_WINDOWS, Window, Windows};

/// Most managers of a room, the founder not counted: each of them is told of every application.
pub const MAX_MANAGERS: usize = 256;

/// What a session asks of a room. The account that it concerns, if another than the caller, is [`Submission::peer`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum RoomOperation {
    /// A message to everybody in it (tim msType 3, odType 1).
    Message,
    /// The sender takes back the message in this place (odType 2).
    Revoke(Seq),
    /// A new room (tim rtype 8); the body is a [`RoomCreation`]. Of the system: a mirror without members, which a room
    /// that is there becomes, too.
    Create,
    /// To join an open room, to apply to a private one (rtype 9).
    Join,
    /// To turn down the application of an account (rtype 11).
    Refuse,
    /// To take an account in (rtype 12).
    Pull,
    /// To remove a member (rtype 13).
    Kick,
    /// To leave, and not to be pulled in again (rtype 14).
    Block,
    /// To remove an account and keep it out (rtype 15).
    Ban,
    /// To leave (rtype 16).
    Leave,
    /// To end the room as its last member (rtype 17).
    Cancel,
    /// To change what is said about the room (command 42, ntype 7); the body is a [`RoomChange`].
    Modify,
    /// The system takes an account into a mirror, see [`Room::is_mirror`]. No client can ask for it.
    Admit,
    /// The system takes a member out of a mirror. No client can ask for it.
    Dismiss,
}

/// What is told about a room. All of it is free for applications; `None` is "not said".
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct RoomProfile {
    /// What it is about.
    pub topic: Option<String>,
    /// A picture.
    pub cover: Option<String>,
    /// A label.
    pub label: Option<String>,
    /// A number for applications.
    pub kind: Option<i64>,
    /// Texts for applications.
    pub extend: Option<BTreeMap<String, String>>,
    /// Bytes for applications.
    pub extra: Option<BTreeMap<String, Bytes>>,
}

impl RoomProfile {
    /// What is given replaces what is there; the rest stays.
    #[must_use]
    pub fn changed_by(&self, given: &Self) -> Self {
        let given = given.clone();
        Self {
            topic: given.topic.or_else(|| self.topic.clone()),
            cover: given.cover.or_else(|| self.cover.clone()),
            label: given.label.or_else(|| self.label.clone()),
            kind: given.kind.or(self.kind),
            extend: given.extend.or_else(|| self.extend.clone()),
            extra: given.extra.or_else(|| self.extra.clone()),
        }
    }
}

/// A room, as it stands beside its conversation.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Room {
    /// As clients address it.
    pub id: RoomId,
    /// Whoever wants to join must be let in.
    pub private: bool,
    /// Who may do everything. The system where that is nobody: of a mirror, and of a room that ended without its founder.
    pub founder: AccountId,
    /// Who else may let in, refuse, remove and ban; in order.
    pub managers: Vec<AccountId>,
    /// How many take part.
    pub members: u32,
    /// Place of the entry with which somebody came or went last: entries behind it concern the present members.
    pub members_since: Seq,
    /// Where entries are news to nobody but the account that they concern.
    pub quiet: QuietRuns,
    /// It has ended.
    pub cancelled: bool,
    /// When it was made, in Unix nanoseconds.
    pub created_ns: i64,
    /// What is told about it.
    pub profile: RoomProfile,
}

/// What an account may do in a room.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Rank {
    /// Talk, if it is a member.
    Plain,
    /// Let in, refuse, remove and ban.
    Manager,
    /// All of it, managers included.
    Founder,
}

impl Room {
    /// Whether who is in it is said elsewhere: then the system alone changes that, and nobody leads.
    #[must_use]
    pub fn is_mirror(&self) -> bool {
        self.founder == AccountId::system() && !self.cancelled
    }

    /// Who leads it with the highest rank, if anybody does.
    #[must_use]
    pub fn founder(&self) -> Option<&AccountId> {
        Some(&self.founder).filter(|founder| **founder != AccountId::system())
    }

    /// What an account may do.
    #[must_use]
    pub fn rank(&self, account: &AccountId) -> Rank {
        if self.founder == *account {
            Rank::Founder
        } else if self.managers.contains(account) {
            Rank::Manager
        } else {
            Rank::Plain
        }
    }

    /// Whom applications are told to.
    #[must_use]
    pub fn leaders(&self) -> Vec<AccountId> {
        std::iter::once(&self.founder)
            .chain(&self.managers)
            .cloned()
            .collect()
    }
}

/// What a room and an account are to each other: what each side has done about the other.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Standing {
    /// The room has let the account in, or banned it.
    pub room: Relation,
    /// The account has joined or applied, or blocked the room.
    pub account: Relation,
}

impl Standing {
    /// It takes part.
    pub const MEMBER: Self = Self {
        room: Relation::Added,
        account: Relation::Added,
    };

    /// It asked to be let in, and nobody has answered.
    pub const APPLIED: Self = Self {
        room: Relation::None,
        account: Relation::Added,
    };

    /// Whether it takes part.
    #[must_use]
    pub fn is_member(self) -> bool {
        self == Self::MEMBER
    }

    /// Whether the room keeps it out.
    #[must_use]
    pub fn is_banned(self) -> bool {
        self.room == Relation::Blocked
    }

    /// Whether it wants nothing of the room.
    #[must_use]
    pub fn has_blocked(self) -> bool {
        self.account == Relation::Blocked
    }

    /// The stored form: the room's side in the high nibble, the account's in the low one; 1 added, 2 blocked.
    #[must_use]
    pub fn to_byte(self) -> u8 {
        self.room.to_nibble() << 4 | self.account.to_nibble()
    }

    /// Reads the stored form; `None` for a byte that [`Self::to_byte`] never makes.
    #[must_use]
    pub fn from_byte(byte: u8) -> Option<Self> {
        Some(Self {
            room: Relation::from_nibble(byte >> 4)?,
            account: Relation::from_nibble(byte & 0xf)?,
        })
    }
}

/// The row of an account that has, or had, something to do with a room.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RoomMember {
    /// Whose.
    pub account: AccountId,
    /// What the two are to each other.
    pub standing: Standing,
    /// What the account sees of the room.
    pub windows: Windows,
}

impl RoomMember {
    /// An account that has had nothing to do with the room.
    #[must_use]
    pub fn stranger(account: AccountId) -> Self {
        Self {
            account,
            standing: Standing::default(),
            windows: Windows::default(),
        }
    }
}

/// Somebody came or went with an entry.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum RoomMove {
    /// Takes part from this entry on.
    Joined(AccountId),
    /// Takes part no more.
    Left(AccountId),
}

/// What a new room is made of.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RoomCreation {
    /// As clients will address it; random.
    pub id: RoomId,
    /// Whoever wants to join must be let in.
    pub private: bool,
    /// What is told about it.
    pub profile: RoomProfile,
}

/// What is to be different about a room; `None` stays as it is.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct RoomChange {
    /// To whom the founder hands the room over.
    pub founder: Option<AccountId>,
    /// Who manages it from now on.
    pub managers: Option<Vec<AccountId>>,
    /// What is told about it.
    pub profile: RoomProfile,
}

/// The body of a submission that makes or changes a room.
pub trait RoomBody: Serialize + for<'a> Deserialize<'a> {
    /// As it travels from the session's node to the home.
    #[must_use]
    fn to_body(&self) -> Bytes {
        // It holds nothing that cannot be written; an empty body is refused as malformed.
        postcard::to_stdvec(self).map_or_else(|_| Bytes::new(), Bytes::from)
    }

    /// Reads what [`Self::to_body`] made.
    #[must_use]
    fn from_body(body: &Bytes) -> Option<Self> {
        postcard::from_bytes(body).ok()
    }
}

impl RoomBody for RoomCreation {}
impl RoomBody for RoomChange {}

/// The accounts whose rows a decision about a submission needs; none for one that does not concern a room.
#[must_use]
pub fn concerned(submission: &Submission) -> Vec<AccountId> {
    let Operation::Room(operation) = submission.operation else {
        return Vec::new();
    };
    let mut accounts = vec![submission.sender.clone()];
    if submission.peer != submission.sender {
        accounts.push(submission.peer.clone());
    }
    // It is in no room.
    accounts.retain(|account| *account != AccountId::system());
    if operation == RoomOperation::Modify
        && let Some(change) = RoomChange::from_body(&submission.body)
    {
        accounts.extend(change.founder);
        accounts.extend(change.managers.into_iter().flatten().take(MAX_MANAGERS + 1));
    }
    accounts
}
