//! The server API of tim 2.1 (section 19.2): thrift calls over TCP, in the compact protocol with message envelopes.
//!
//! There is no framing: where a message ends is known only by reading it, so [`Scanner`] finds the end in bytes that
//! arrive in pieces, each looked at once. What is whole is read as a [`Message`], whose arguments are a [`Call`].
//!
//! ```text
//! 0x82  type << 5 | 1  sequence number (varint)  name (varint length, bytes)  arguments: a struct
//! ```

mod beans;
mod call;
mod envelope;
mod scanner;
mod socket;
#[cfg(test)]
mod tests;

pub use beans::{
    AdmAck, AdmMessage, AdmMessageBroadcast, AdmMessageList, AdmModifyUserInfo, AdmNodeList, AdmOnlineUser,
    AdmPresence, AdmPresenceBroadcast, AdmProxyMessage, AdmRoomBean, AdmSubBean, AdmSubOnlineBean,
    AdmSysBlockList, AdmSysBlockUser, AdmTidList, AdmToken, AdmVroomBean, AuthBean, Nodes,
};
pub use call::{
    ByNode, Call, CreateRoom, DelOfflineMsg, ModifyPwd, OfflineMsg, Pull, ToNode, VirtualRoomSub, WithRoom,
    result,
};
pub use envelope::{ApplicationError, ApplicationErrorKind, Message, MessageKind, NAME_BYTES_MAX};
pub use scanner::Scanner;
pub use socket::{SocketFrame, socket_answer, socket_command};

use crate::DecodeError;

/// Why bytes of a connection are no call. Nothing after them can be read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ProtocolError {
    /// Not the compact protocol, or another version of it.
    #[error(
        "a message begins with {first:#04x} {second:#04x}, which is not the compact protocol of version 1"
    )]
    Form {
        /// The first byte.
        first: u8,
        /// The second one.
        second: u8,
    },
    /// The name of the method is longer than any.
    #[error("the name of a method has {length} bytes; at most {NAME_BYTES_MAX}")]
    Name {
        /// Its length.
        length: u64,
    },
    /// A message is larger than it may be.
    #[error("a message has more than {limit} bytes")]
    TooLarge {
        /// The limit.
        limit: usize,
    },
    /// What is inside cannot be read.
    #[error("{0}")]
    Content(#[from] DecodeError),
}
