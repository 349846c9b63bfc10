//! Between the machines' types and the messages of nodes among themselves. `None` is a malformed message.
//!
//! A crate of its own, without the node behind it, so that what other nodes send can be fuzzed. Trace contexts pass
//! through as they are: what they mean is known to telemetry alone.

pub mod deliveries;
pub mod lanes;
pub mod presence;
#[cfg(test)]
mod tests;

use bytes::Bytes;
use tim_core::conversation::{EntryKind, Refusal};
use tim_core::id::{ConversationId, DeviceClass};
use tim_proto::peer::v1 as peer;

fn bytes16(bytes: &Bytes) -> Option<[u8; 16]> {
    bytes.as_ref().try_into().ok()
}

fn to_bytes(bytes: [u8; 16]) -> Bytes {
    Bytes::copy_from_slice(&bytes)
}

fn conversation(bytes: &Bytes) -> Option<ConversationId> {
    bytes16(bytes).map(ConversationId)
}

fn class(number: i32) -> Option<DeviceClass> {
    i8::try_from(number).ok().map(DeviceClass)
}

fn to_kind(kind: EntryKind) -> peer::EntryKind {
    match kind {
        EntryKind::Message => peer::EntryKind::Message,
        EntryKind::FriendRequest => peer::EntryKind::FriendRequest,
        EntryKind::FriendAccepted => peer::EntryKind::FriendAccepted,
        EntryKind::Tombstone => peer::EntryKind::Tombstone,
    }
}

fn kind(kind: peer::EntryKind) -> Option<EntryKind> {
    match kind {
        peer::EntryKind::Unspecified => None,
        peer::EntryKind::Message => Some(EntryKind::Message),
        peer::EntryKind::FriendRequest => Some(EntryKind::FriendRequest),
        peer::EntryKind::FriendAccepted => Some(EntryKind::FriendAccepted),
        peer::EntryKind::Tombstone => Some(EntryKind::Tombstone),
    }
}

fn to_refusal(refusal: Option<Refusal>) -> peer::Refusal {
    match refusal {
        None => peer::Refusal::Unspecified,
        Some(Refusal::NotFriends) => peer::Refusal::NotFriends,
        Some(Refusal::Blocked) => peer::Refusal::Blocked,
        Some(Refusal::OwnAccount) => peer::Refusal::OwnAccount,
        Some(Refusal::AlreadyFriends) => peer::Refusal::AlreadyFriends,
    }
}

fn refusal(refusal: peer::Refusal) -> Option<Refusal> {
    match refusal {
        peer::Refusal::Unspecified => None,
        peer::Refusal::NotFriends => Some(Refusal::NotFriends),
        peer::Refusal::Blocked => Some(Refusal::Blocked),
        peer::Refusal::OwnAccount => Some(Refusal::OwnAccount),
        peer::Refusal::AlreadyFriends => Some(Refusal::AlreadyFriends),
    }
}
