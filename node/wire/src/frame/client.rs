//! Frames from clients.

use bytes::{Bytes, BytesMut};

use super::{FLAG, SYNC_ID_LENGTH};
use crate::{Command, DecodeError, Encoding};

/// A frame from a client, its payload not yet read: what is allowed at all is decided by the command alone.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ClientFrame {
    /// The command's number, also when it is none of [`Command`].
    pub number: u8,
    /// Encoding of this payload.
    pub encoding: Encoding,
    /// What follows the first byte.
    pub payload: Bytes,
}

impl ClientFrame {
    /// Takes a frame apart.
    ///
    /// # Errors
    /// When it is empty.
    pub fn parse(frame: Bytes) -> Result<Self, DecodeError> {
        let first = *frame.first().ok_or(DecodeError::FrameTooShort { length: 0 })?;
        let encoding = if first & FLAG == 0 {
            Encoding::Thrift
        } else {
            Encoding::Json
        };
        Ok(Self {
            number: first & !FLAG,
            encoding,
            payload: frame.slice(1..),
        })
    }

    /// The command, if it is a known one.
    #[must_use]
    pub fn command(&self) -> Option<Command> {
        Command::from_number(self.number)
    }

    /// The number as an ack would name it.
    #[must_use]
    pub const fn tim_type(&self) -> i8 {
        // Without the flag bit it is below 128.
        self.number as i8
    }

    /// The sync id that a frame of command 12 confirms. What follows it is ignored.
    ///
    /// # Errors
    /// When it is not there.
    pub fn confirmed_sync_id(&self) -> Result<i32, DecodeError> {
        self.payload
            .first_chunk::<SYNC_ID_LENGTH>()
            .map(|bytes| i32::from_be_bytes(*bytes))
            .ok_or(DecodeError::FrameTooShort {
                length: self.payload.len() + 1,
            })
    }
}

/// Builds a frame of a client.
#[must_use]
pub fn client_frame(command: Command, encoding: Encoding, payload: &[u8]) -> Bytes {
    let flag = if encoding == Encoding::Json { FLAG } else { 0 };
    let mut frame = BytesMut::with_capacity(1 + payload.len());
    frame.extend_from_slice(&[command.number() | flag]);
    frame.extend_from_slice(payload);
    frame.freeze()
}

/// Builds a frame of a client that has no payload: ping, offline request.
#[must_use]
pub fn empty_client_frame(command: Command, encoding: Encoding) -> Bytes {
    client_frame(command, encoding, &[])
}

/// Builds the confirmation of a sync id.
#[must_use]
pub fn confirmation_frame(sync_id: i32, encoding: Encoding) -> Bytes {
    client_frame(Command::Ack, encoding, &sync_id.to_be_bytes())
}
