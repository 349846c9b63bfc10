//! What a conversation consists of: numbered entries, as they are stored and delivered.

use bytes::Bytes;
use serde::{Deserialize, Serialize};

use crate::id::{AccountId, ContentHash, DeviceClass, MessageKey, Seq};

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

    /// Whether nobody in a room is shown it but the account that came or went with it, see [`QuietRuns`](super::QuietRuns). An
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

#[cfg(test)]
mod tests {
    use super::EntryKind;
    use std::collections::BTreeSet;

    #[test]
    fn every_kind_has_a_number_of_its_own() {
        let codes: BTreeSet<i16> = EntryKind::CODES.iter().map(|(_, code)| *code).collect();
        assert_eq!(codes.len(), EntryKind::CODES.len());
        for (kind, code) in EntryKind::CODES {
            assert_eq!((kind.to_code(), EntryKind::from_code(code)), (code, Some(kind)));
        }
    }
}
