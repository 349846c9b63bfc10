//! Frames from the server.

use bytes::{Bytes, BytesMut};

use super::{FLAG, SYNC_ID_LENGTH};
use crate::{Command, DecodeError};

/// A frame from a server. Its encoding is the one of the login and is not told by the frame.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ServerFrame {
    /// The command's number, also when it is none of [`Command`].
    pub number: u8,
    /// What to confirm, if a confirmation is wanted.
    pub sync_id: Option<i32>,
    /// What follows the header.
    pub payload: Bytes,
}

impl ServerFrame {
    /// Takes a frame apart.
    ///
    /// # Errors
    /// When it is empty, or ends inside its sync id.
    pub fn parse(frame: Bytes) -> Result<Self, DecodeError> {
        let too_short = DecodeError::FrameTooShort { length: frame.len() };
        let Some((first, rest)) = frame.split_first() else {
            return Err(too_short);
        };
        let number = first & !FLAG;
        if first & FLAG == 0 {
            return Ok(Self {
                number,
                sync_id: None,
                payload: frame.slice(1..),
            });
        }
        let sync_id = rest.first_chunk::<SYNC_ID_LENGTH>().ok_or(too_short)?;
        Ok(Self {
            number,
            sync_id: Some(i32::from_be_bytes(*sync_id)),
            payload: frame.slice(1 + SYNC_ID_LENGTH..),
        })
    }

    /// The command, if it is a known one.
    #[must_use]
    pub fn command(&self) -> Option<Command> {
        Command::from_number(self.number)
    }
}

/// Builds a frame of the server: a header of one or five bytes, and a payload that was encoded once for
/// all sessions of its encoding.
#[must_use]
pub fn server_frame(command: Command, sync_id: Option<i32>, payload: &[u8]) -> Bytes {
    let mut frame = BytesMut::with_capacity(1 + SYNC_ID_LENGTH + payload.len());
    match sync_id {
        None => frame.extend_from_slice(&[command.number()]),
        Some(sync_id) => {
            frame.extend_from_slice(&[command.number() | FLAG]);
            frame.extend_from_slice(&sync_id.to_be_bytes());
        }
    }
    frame.extend_from_slice(payload);
    frame.freeze()
}
