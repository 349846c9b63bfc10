//! Frames to a client, encoded as its login chose.

use super::Relayed;
use super::envelope::{Envelope, EnvelopeError};
use bytes::Bytes;
use std::sync::Arc;
use tim_core::conversation::Entry;
use tim_core::id::{AccountId, ConversationId};
use tim_wire::frame::server_frame;
use tim_wire::{Command, Encoding, TimAck, TimNodes, TimPresence, WireStruct, message_list_payload};

const PING: &[u8] = &[Command::Ping.number()];
const OFFLINE_END: &[u8] = &[Command::OfflineEnd.number()];

/// An answer to an operation.
pub(crate) fn ack(ack: &TimAck, encoding: Encoding) -> Bytes {
    server_frame(Command::Ack, None, &ack.encode_payload(encoding))
}

/// The answer to a ping, which is a ping.
pub(crate) fn ping() -> Bytes {
    Bytes::from_static(PING)
}

/// "No more offline messages".
pub(crate) fn offline_end() -> Bytes {
    Bytes::from_static(OFFLINE_END)
}

/// One entry; `None` for one without anything to show.
pub(crate) fn entry(
    entry: &Entry,
    to: &AccountId,
    sync_id: Option<u32>,
    encoding: Encoding,
) -> Result<Option<Bytes>, EnvelopeError> {
    if !entry.kind.has_content() {
        return Ok(None);
    }
    let payload = Envelope::open(&entry.body)?.payload(entry, to, encoding)?;
    Ok(Some(server_frame(
        Command::Message,
        sync_id.map(u32::cast_signed),
        &payload,
    )))
}

/// A batch of offline messages. What cannot be read is left out: it must not hold up the rest.
pub(crate) fn offline_batch(
    entries: &[(ConversationId, Arc<Entry>)],
    to: &AccountId,
    sync_id: u32,
    encoding: Encoding,
) -> Result<Bytes, EnvelopeError> {
    let listed: Vec<_> = entries
        .iter()
        .filter(|(_, entry)| entry.kind.has_content())
        .filter_map(|(conversation, entry)| {
            let listed = Envelope::open(&entry.body).and_then(|envelope| envelope.listed(entry, to, true));
            listed
                .inspect_err(|error| tracing::warn!(%conversation, seq = entry.seq.0, %error, "a stored message is left out"))
                .ok()
        })
        .collect();
    let id = i64::try_from(crate::random::number() >> 1).unwrap_or(1);
    let payload = message_list_payload(Some(id), &listed, encoding)?;
    Ok(server_frame(
        Command::OfflineMessages,
        Some(sync_id.cast_signed()),
        &payload,
    ))
}

/// What is not stored.
pub(crate) fn relayed(relayed: &Relayed, encoding: Encoding) -> Result<Bytes, EnvelopeError> {
    let (command, payload) = match relayed {
        Relayed::BigData(big_data) => return Ok(big_data.server_frame()),
        Relayed::Message {
            wire_id,
            timestamp_ns,
            body,
        } => {
            let envelope = Envelope::open(body)?;
            (
                Command::Message,
                envelope.relayed(*wire_id, *timestamp_ns, encoding)?,
            )
        }
        Relayed::Presence(payload) => {
            let presence = TimPresence::decode_payload(payload, Encoding::Thrift)?;
            (Command::Presence, presence.encode_payload(encoding))
        }
    };
    Ok(server_frame(command, None, &payload))
}

/// An answer to a query of lists, profiles or rooms.
pub(crate) fn nodes(nodes: &TimNodes, encoding: Encoding) -> Bytes {
    server_frame(Command::Nodes, None, &nodes.encode_payload(encoding))
}
