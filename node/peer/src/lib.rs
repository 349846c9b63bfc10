//! Between the machines' types and the messages of nodes among themselves. `None` is a malformed message.
//!
//! A crate of its own, without the node behind it, so that what other nodes send can be fuzzed. Trace contexts pass
//! through as they are: what they mean is known to telemetry alone.

pub mod deliveries;
pub mod lanes;
pub mod passwords;
pub mod presence;
pub mod streams;
#[cfg(test)]
mod tests;

use bytes::Bytes;
use tim_core::conversation::{EntryKind, Refusal};
use tim_core::id::{AccountId, ConversationId, DeviceClass};
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

fn to_audience(audience: &[AccountId]) -> Vec<String> {
    audience
        .iter()
        .map(|account| account.as_str().to_owned())
        .collect()
}

fn audience(audience: &[String]) -> Option<Vec<AccountId>> {
    audience
        .iter()
        .map(|account| AccountId::new(account).ok())
        .collect()
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
        EntryKind::RoomMessage => peer::EntryKind::RoomMessage,
        EntryKind::RoomRevoke => peer::EntryKind::RoomRevoke,
        EntryKind::RoomApplied => peer::EntryKind::RoomApplied,
        EntryKind::RoomPassed => peer::EntryKind::RoomPassed,
        EntryKind::RoomRefused => peer::EntryKind::RoomRefused,
        EntryKind::RoomPulled => peer::EntryKind::RoomPulled,
        EntryKind::RoomKicked => peer::EntryKind::RoomKicked,
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
        peer::EntryKind::RoomMessage => EntryKind::RoomMessage,
        peer::EntryKind::RoomRevoke => EntryKind::RoomRevoke,
        peer::EntryKind::RoomApplied => EntryKind::RoomApplied,
        peer::EntryKind::RoomPassed => EntryKind::RoomPassed,
        peer::EntryKind::RoomRefused => EntryKind::RoomRefused,
        peer::EntryKind::RoomPulled => EntryKind::RoomPulled,
        peer::EntryKind::RoomKicked => EntryKind::RoomKicked,
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
        Some(Refusal::NotAMember) => peer::Refusal::NotAMember,
        Some(Refusal::NotAllowed) => peer::Refusal::NotAllowed,
        Some(Refusal::AlreadyMember) => peer::Refusal::AlreadyMember,
        Some(Refusal::Cancelled) => peer::Refusal::Cancelled,
        Some(Refusal::NoSuchRoom) => peer::Refusal::NoSuchRoom,
        Some(Refusal::NothingPending) => peer::Refusal::NothingPending,
        Some(Refusal::OtherwiseRelated) => peer::Refusal::OtherwiseRelated,
        Some(Refusal::RoomFull) => peer::Refusal::RoomFull,
        Some(Refusal::BannedFromPrivate) => peer::Refusal::BannedFromPrivate,
        Some(Refusal::Malformed) => peer::Refusal::Malformed,
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
        peer::Refusal::NotAMember => Refusal::NotAMember,
        peer::Refusal::NotAllowed => Refusal::NotAllowed,
        peer::Refusal::AlreadyMember => Refusal::AlreadyMember,
        peer::Refusal::Cancelled => Refusal::Cancelled,
        peer::Refusal::NoSuchRoom => Refusal::NoSuchRoom,
        peer::Refusal::NothingPending => Refusal::NothingPending,
        peer::Refusal::OtherwiseRelated => Refusal::OtherwiseRelated,
        peer::Refusal::RoomFull => Refusal::RoomFull,
        peer::Refusal::BannedFromPrivate => Refusal::BannedFromPrivate,
        peer::Refusal::Malformed => Refusal::Malformed,
    })
}
