//! Between the machines' types and the messages on the wire between nodes. `None` is a malformed message.

mod deliveries;
mod lanes;
mod presence;

pub(super) use deliveries::{deliver_request, pushes, relay_request};
pub(super) use lanes::{answer, append_reply, append_request, open, submit};
pub(super) use presence::{
    accounts, ask_snapshot_request, heartbeat_request, lookup_reply, lookup_request, lookups,
    put_snapshot_request, register_request, registrations, replicate_request, replication, sessions, shards,
    snapshots, unregister_request,
};

use bytes::Bytes;
use tim_core::conversation::{EntryKind, Refusal};
use tim_core::id::{ConversationId, DeviceClass};
use tim_proto::peer::v1 as peer;
use tim_telemetry::TraceContext;

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

fn to_trace(trace: Option<TraceContext>) -> Option<peer::TraceContext> {
    trace.map(|trace| peer::TraceContext {
        trace_id: Bytes::copy_from_slice(&trace.trace_id()),
        span_id: Bytes::copy_from_slice(&trace.span_id()),
        flags: trace.flags(),
    })
}

fn trace(trace: Option<peer::TraceContext>) -> Option<TraceContext> {
    let trace = trace?;
    TraceContext::from_parts(&trace.trace_id, &trace.span_id, trace.flags)
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

#[cfg(test)]
mod tests;
