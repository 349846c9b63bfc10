//! A message as it is stored: the part its sender wrote, apart from what the server fills in.
//!
//! A message is decoded once, split, and its body travels and rests in one form, whatever the clients'
//! encodings are. For a delivery the stamp is spliced into the body by copying: nothing is decoded for
//! thrift clients, and once per message for JSON clients.
//!
//! ```text
//! client frame -> TimMessage -> (MessageBody, MessageStamp) -> home, database, other nodes
//!                                       \____ payload(stamp, encoding) -> frames of N sessions
//! ```

use bytes::Bytes;

use crate::structs::{Tid, TimMessage, TimMessageList};
use crate::thrift::{FieldHeader, Kind, RawField, RawFields, Reader, ThriftValue, Writer};
use crate::wire_struct::wire_struct;
use crate::{DecodeError, Encoding, WireStruct};

wire_struct! {
    /// The fields of a message that the server fills in, or that follow from where it is stored.
    #[derive(Debug)]
    pub struct MessageStamp {
        /// The same in every copy.
        optional 3 "id" id: i64,
        /// Number in the conversation.
        optional 4 "mid" mid: i64,
        /// Sender.
        optional 6 "fromTid" from_tid: Tid,
        /// Receiver.
        optional 7 "toTid" to_tid: Tid,
        /// Room.
        optional 8 "roomTid" room_tid: Tid,
        /// Whether it waited for its receiver.
        optional 11 "isOffline" is_offline: bool,
        /// Unix nanoseconds.
        optional 12 "timestamp" timestamp: i64,
    }
}

impl MessageStamp {
    fn apply(self, message: &mut TimMessage) {
        message.id = self.id;
        message.mid = self.mid;
        message.from_tid = self.from_tid;
        message.to_tid = self.to_tid;
        message.room_tid = self.room_tid;
        message.is_offline = self.is_offline;
        message.timestamp = self.timestamp;
    }
}

/// What the sender wrote, as the thrift struct of a message without the fields of [`MessageStamp`].
#[derive(Clone, PartialEq, Eq)]
pub struct MessageBody(Bytes);

impl MessageBody {
    /// Parts a message. A list of targets that a client sent is dropped: it would go around the rights.
    #[must_use]
    pub fn split(mut message: TimMessage) -> (Self, MessageStamp) {
        let stamp = MessageStamp {
            id: message.id.take(),
            mid: message.mid.take(),
            from_tid: message.from_tid.take(),
            to_tid: message.to_tid.take(),
            room_tid: message.room_tid.take(),
            is_offline: message.is_offline.take(),
            timestamp: message.timestamp.take(),
        };
        message.to_list = None;
        (Self(message.encode_payload(Encoding::Thrift)), stamp)
    }

    /// A body that [`Self::as_bytes`] gave earlier.
    ///
    /// # Errors
    /// When the bytes are not a struct.
    pub fn from_bytes(bytes: Bytes) -> Result<Self, DecodeError> {
        let mut fields = RawFields::new(&bytes);
        while fields.next_field()?.is_some() {}
        Ok(Self(bytes))
    }

    /// The stored form.
    #[must_use]
    pub const fn as_bytes(&self) -> &Bytes {
        &self.0
    }

    /// `msType` and `odType`, without reading the rest.
    ///
    /// # Errors
    /// When the stored bytes do not begin as a message.
    pub fn kind(&self) -> Result<(i8, i8), DecodeError> {
        let mut reader = Reader::new(&self.0);
        let mut kinds = [0_i8; 2];
        for (previous, kind) in (0_i16..).zip(kinds.iter_mut()) {
            match reader.field(previous)? {
                Some(FieldHeader { id, kind: Kind::I8 }) if id == previous + 1 => {
                    *kind = reader.byte()?.cast_signed();
                }
                _ => {
                    return Err(DecodeError::Truncated {
                        position: reader.position(),
                    });
                }
            }
        }
        Ok((kinds[0], kinds[1]))
    }

    /// The whole message again.
    ///
    /// # Errors
    /// When the stored bytes are not a message.
    pub fn message(&self, stamp: MessageStamp) -> Result<TimMessage, DecodeError> {
        let mut message = TimMessage::decode_payload(&self.0, Encoding::Thrift)?;
        stamp.apply(&mut message);
        Ok(message)
    }

    /// The payload of a delivery.
    ///
    /// # Errors
    /// When the stored bytes are not a message.
    pub fn payload(&self, stamp: &MessageStamp, encoding: Encoding) -> Result<Bytes, DecodeError> {
        match encoding {
            Encoding::Thrift => {
                let mut writer = Writer::with_capacity(self.0.len() + STAMP_CAPACITY);
                self.splice(stamp, &mut writer)?;
                Ok(writer.into_bytes().into())
            }
            Encoding::Json => Ok(self.message(stamp.clone())?.encode_payload(encoding)),
        }
    }

    /// Writes body and stamp as one struct, fields in ascending order as the reference has them.
    fn splice(&self, stamp: &MessageStamp, writer: &mut Writer) -> Result<(), DecodeError> {
        let mut encoded = Writer::with_capacity(STAMP_CAPACITY);
        stamp.write(&mut encoded);
        let encoded = encoded.into_bytes();
        let mut stamp_fields = RawFields::new(&encoded);
        let mut body_fields = RawFields::new(&self.0);
        let mut from_stamp = stamp_fields.next_field()?;
        let mut from_body = body_fields.next_field()?;
        let mut previous = 0;
        loop {
            let stamp_is_next = match (&from_stamp, &from_body) {
                (None, None) => break,
                (Some(stamp), Some(body)) => stamp.id < body.id,
                (stamp, _) => stamp.is_some(),
            };
            let source = if stamp_is_next {
                &mut stamp_fields
            } else {
                &mut body_fields
            };
            let field = if stamp_is_next {
                &mut from_stamp
            } else {
                &mut from_body
            };
            if let Some(RawField { id, kind, value }) = std::mem::replace(field, source.next_field()?) {
                writer.field(previous, id, kind);
                writer.raw(value);
                previous = id;
            }
        }
        writer.stop();
        Ok(())
    }
}

/// Room for what the server fills in.
const STAMP_CAPACITY: usize = 192;

/// Length only: the content may not reach a log.
impl std::fmt::Debug for MessageBody {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(formatter, "MessageBody({} bytes)", self.0.len())
    }
}

/// The payload of a list of stored messages: an offline batch (with an id) or a page of history (without).
///
/// # Errors
/// When the bytes of a body are not a message.
pub fn message_list_payload(
    id: Option<i64>,
    messages: &[(MessageBody, MessageStamp)],
    encoding: Encoding,
) -> Result<Bytes, DecodeError> {
    match encoding {
        Encoding::Thrift => thrift_list(id, messages),
        Encoding::Json => {
            let messages: Result<_, _> = messages
                .iter()
                .map(|(body, stamp)| body.message(stamp.clone()))
                .collect();
            Ok(TimMessageList {
                id,
                message_list: Some(messages?),
            }
            .encode_payload(encoding))
        }
    }
}

fn thrift_list(id: Option<i64>, messages: &[(MessageBody, MessageStamp)]) -> Result<Bytes, DecodeError> {
    let length: usize = messages
        .iter()
        .map(|(body, _)| body.0.len() + STAMP_CAPACITY)
        .sum();
    let mut writer = Writer::with_capacity(length);
    TimMessageList {
        id,
        message_list: None,
    }
    .write_thrift_fields(&mut writer);
    writer.field(i16::from(id.is_some()), 2, Kind::List);
    writer.list(Kind::Struct, messages.len());
    for (body, stamp) in messages {
        body.splice(stamp, &mut writer)?;
    }
    writer.stop();
    Ok(writer.into_bytes().into())
}

#[cfg(test)]
mod tests;
