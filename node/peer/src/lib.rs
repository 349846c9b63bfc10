//! Between the machines' types and the messages of nodes among themselves. `None` is a malformed message.
//!
//! A crate of its own, without the node behind it, so that what other nodes send can be fuzzed. Trace contexts pass
//! through as they are: what they mean is known to telemetry alone.

pub mod deliveries;
pub mod lanes;
pub mod presence;
pub mod streams;
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
        EntryKind::Application => peer::EntryKind::Application,
        EntryKind::FriendRemoved => peer::EntryKind::FriendRemoved,
        EntryKind::AccountBlocked => peer::EntryKind::AccountBlocked,
        EntryKind::Unannounced => peer::EntryKind::Unannounced,
        EntryKind::Revoke => peer::EntryKind::Revoke,
        EntryKind::Burn => peer::EntryKind::Burn,
        EntryKind::System => peer::EntryKind::System,
    }
}

fn kind(kind: peer::EntryKind) -> Option<EntryKind> {
    Some(match kind {
        peer::EntryKind::Unspecified => return None,
        peer::EntryKind::Message => EntryKind::Message,
        peer::EntryKind::FriendRequest => EntryKind::FriendRequest,
        peer::EntryKind::FriendAccepted => EntryKind::FriendAccepted,
        peer::EntryKind::Tombstone => EntryKind::Tombstone,
        peer::EntryKind::Application => EntryKind::Application,
        peer::EntryKind::FriendRemoved => EntryKind::FriendRemoved,
        peer::EntryKind::AccountBlocked => EntryKind::AccountBlocked,
        peer::EntryKind::Unannounced => EntryKind::Unannounced,
        peer::EntryKind::Revoke => EntryKind::Revoke,
        peer::EntryKind::Burn => EntryKind::Burn,
        peer::EntryKind::System => EntryKind::System,
    })
}

fn to_refusal(refusal: Option<Refusal>) -> peer::Refusal {
    match refusal {
        None => peer::Refusal::Unspecified,
        Some(Refusal::NotFriends) => peer::Refusal::NotFriends,
        Some(Refusal::Blocked) => peer::Refusal::Blocked,
        Some(Refusal::OwnAccount) => peer::Refusal::OwnAccount,
        Some(Refusal::AlreadyFriends) => peer::Refusal::AlreadyFriends,
        Some(Refusal::NotRelated) => peer::Refusal::NotRelated,
        Some(Refusal::NoSuchMessage) => peer::Refusal::NoSuchMessage,
        Some(Refusal::NotTheirs) => peer::Refusal::NotTheirs,
    }
}

fn refusal(refusal: peer::Refusal) -> Option<Refusal> {
    Some(match refusal {
        peer::Refusal::Unspecified => return None,
        peer::Refusal::NotFriends => Refusal::NotFriends,
        peer::Refusal::Blocked => Refusal::Blocked,
        peer::Refusal::OwnAccount => Refusal::OwnAccount,
        peer::Refusal::AlreadyFriends => Refusal::AlreadyFriends,
        peer::Refusal::NotRelated => Refusal::NotRelated,
        peer::Refusal::NoSuchMessage => Refusal::NoSuchMessage,
        peer::Refusal::NotTheirs => Refusal::NotTheirs,
    })
}
