//! What is around the arguments and results of calls.

use bytes::Bytes;

use super::ProtocolError;
use super::call::wrap;
use crate::thrift::{Reader, Writer};
use crate::wire_struct::wire_struct;
use crate::{Encoding, WireStruct};

/// First byte of every message.
const PROTOCOL: u8 = 0x82;
/// The version, in the lower bits of the second byte.
const VERSION: u8 = 1;
const VERSION_MASK: u8 = 0x1f;
const KIND_SHIFT: u32 = 5;
/// Longest name of a method.
pub const NAME_BYTES_MAX: usize = 64;

/// What a message is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MessageKind {
    /// A call that is answered.
    Call = 1,
    /// Its answer.
    Reply = 2,
    /// The answer to a call that could not be made.
    Exception = 3,
    /// A call that is not answered.
    OneWay = 4,
}

impl MessageKind {
    fn from_code(code: u8) -> Option<Self> {
        [Self::Call, Self::Reply, Self::Exception, Self::OneWay]
            .into_iter()
            .find(|kind| *kind as u8 == code)
    }
}

/// One message: its head, and the struct that follows, still encoded.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Message {
    /// What it is.
    pub kind: MessageKind,
    /// Answers have that of their call.
    pub sequence: u32,
    /// The method.
    pub name: String,
    /// Arguments, result or error.
    pub body: Bytes,
}

/// The head of a message, as far as it is there.
pub(super) struct Head {
    pub(super) kind: MessageKind,
    pub(super) sequence: u32,
    pub(super) name: (usize, usize),
}

/// Reads a head; the name is told by its place.
pub(super) fn head(reader: &mut Reader<'_>) -> Result<Head, ProtocolError> {
    let (first, second) = (reader.byte()?, reader.byte()?);
    let kind = MessageKind::from_code(second >> KIND_SHIFT);
    let kind = kind.filter(|_| first == PROTOCOL && second & VERSION_MASK == VERSION);
    let kind = kind.ok_or(ProtocolError::Form { first, second })?;
    // Signed in thrift, and written as its 32 bits.
    let sequence = (reader.varint()? & u64::from(u32::MAX)) as u32;
    let length = reader.varint()?;
    if length > NAME_BYTES_MAX as u64 {
        return Err(ProtocolError::Name { length });
    }
    let begin = reader.position();
    for _ in 0..length {
        reader.byte()?;
    }
    Ok(Head {
        kind,
        sequence,
        name: (begin, reader.position()),
    })
}

impl Message {
    /// Reads a whole message.
    ///
    /// # Errors
    /// When its head is not that of a message; what is in the struct is not looked at.
    pub fn read(bytes: &Bytes) -> Result<Self, ProtocolError> {
        let mut reader = Reader::of_shared(bytes);
        let Head {
            kind,
            sequence,
            name: (begin, end),
        } = head(&mut reader)?;
        Ok(Self {
            kind,
            sequence,
            name: String::from_utf8_lossy(&bytes[begin..end]).into_owned(),
            body: bytes.slice(end..),
        })
    }

    /// The bytes of the message.
    #[must_use]
    pub fn to_bytes(&self) -> Bytes {
        let mut writer = Writer::with_capacity(self.body.len() + self.name.len() + 8);
        writer.byte(PROTOCOL);
        writer.byte((self.kind as u8) << KIND_SHIFT | VERSION);
        writer.varint(u64::from(self.sequence));
        writer.binary(self.name.as_bytes());
        writer.raw(&self.body);
        writer.into_bytes().into()
    }

    /// The answer to a call.
    #[must_use]
    pub fn reply(&self, result: &impl WireStruct) -> Self {
        self.answer(MessageKind::Reply, wrap(0, result))
    }

    /// The answer to a call that could not be made.
    #[must_use]
    pub fn exception(&self, kind: ApplicationErrorKind, message: impl Into<String>) -> Self {
        let error = ApplicationError {
            message: Some(message.into()),
            kind: Some(kind as i32),
        };
        self.answer(MessageKind::Exception, error.encode_payload(Encoding::Thrift))
    }

    fn answer(&self, kind: MessageKind, body: Bytes) -> Self {
        Self {
            kind,
            sequence: self.sequence,
            name: self.name.clone(),
            body,
        }
    }
}

/// Why a call could not be made (`TApplicationException`).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ApplicationErrorKind {
    /// There is no such method.
    UnknownMethod = 1,
    /// It is not a call.
    InvalidMessageType = 2,
    /// It was not possible to do it.
    InternalError = 6,
    /// The arguments cannot be read.
    ProtocolError = 7,
}

wire_struct! {
    /// The error of thrift itself.
    #[derive(Debug)]
    pub struct ApplicationError {
        /// For people.
        optional 1 "message" message: String,
        /// One of [`ApplicationErrorKind`].
        optional 2 "type" kind: i32,
    }
}
