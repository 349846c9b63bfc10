//! What a client asks for: a frame with its payload read.

use super::ClientFrame;
use crate::{
    Command, DecodeError, TimAuth, TimMessage, TimNodes, TimPresence, TimReq, TimStream, WireStruct,
};

/// A request of a client.
#[derive(Debug, Clone, PartialEq)]
pub enum ClientRequest {
    /// The delivery with that sync id arrived.
    Confirm {
        /// The sync id.
        sync_id: i32,
    },
    /// Heartbeat.
    Ping,
    /// Create an account.
    Register(TimAuth),
    /// Make a login token.
    Token(TimAuth),
    /// Log in.
    Login(TimAuth),
    /// Send what waited.
    OfflineMessages,
    /// Tell the roster.
    BroadcastPresence(TimPresence),
    /// Tell these accounts.
    Presence(TimPresence),
    /// Send history.
    PullMessages(TimReq),
    /// Virtual-room operation.
    VirtualRoom(TimReq),
    /// Roster or room operation.
    Business(TimReq),
    /// Profile or room query, or update.
    Nodes(TimNodes),
    /// A message; also revoke and burn, whose commands mean the same.
    Message {
        /// 90, 92 or 93: what an error names.
        command: Command,
        /// The message.
        message: TimMessage,
    },
    /// Data for a virtual room.
    Stream(TimStream),
    /// A big-data frame, whose pieces go to [`super::BigDataAssembler`] as they came.
    BigData {
        /// 95, 96 or 97.
        command: Command,
    },
    /// A command that clients cannot send, or that does not exist.
    Unknown {
        /// Its number.
        number: u8,
    },
}

impl ClientFrame {
    /// Reads the payload.
    ///
    /// # Errors
    /// When it is not what the command wants.
    pub fn request(&self) -> Result<ClientRequest, DecodeError> {
        let Some(command) = self.command() else {
            return Ok(ClientRequest::Unknown { number: self.number });
        };
        Ok(match command {
            Command::Ack => ClientRequest::Confirm {
                sync_id: self.confirmed_sync_id()?,
            },
            Command::Ping => ClientRequest::Ping,
            Command::Register => ClientRequest::Register(self.decode()?),
            Command::Token => ClientRequest::Token(self.decode()?),
            Command::Auth => ClientRequest::Login(self.decode()?),
            Command::OfflineMessages => ClientRequest::OfflineMessages,
            Command::BroadcastPresence => ClientRequest::BroadcastPresence(self.decode()?),
            Command::Presence => ClientRequest::Presence(self.decode()?),
            Command::PullMessages => ClientRequest::PullMessages(self.decode()?),
            Command::VirtualRoom => ClientRequest::VirtualRoom(self.decode()?),
            Command::Business => ClientRequest::Business(self.decode()?),
            Command::Nodes => ClientRequest::Nodes(self.decode()?),
            Command::Message | Command::RevokeMessage | Command::BurnMessage => ClientRequest::Message {
                command,
                message: self.decode()?,
            },
            Command::Stream => ClientRequest::Stream(self.decode()?),
            Command::BigString | Command::BigBinary | Command::BigBinaryStream => {
                ClientRequest::BigData { command }
            }
            Command::OfflineEnd | Command::Logout => ClientRequest::Unknown { number: self.number },
        })
    }

    /// Reads the payload as one struct.
    ///
    /// # Errors
    /// When it is not one.
    pub fn decode<T: WireStruct>(&self) -> Result<T, DecodeError> {
        T::decode_payload(&self.payload, self.encoding)
    }
}
