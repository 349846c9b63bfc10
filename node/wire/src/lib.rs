//! The tim wire protocol, so that unmodified tim clients can talk to us: frames, structs in both
//! encodings, error codes and identifiers.
//!
//! Everything here is pure: bytes in, values out. Nothing reads a socket, a clock or a random source.
//!
//! ```text
//! client -> server   [cmd | json bit]            [payload]      frame::ClientFrame
//! server -> client   [cmd | sync bit] [sync id]? [payload]      frame::ServerFrame
//!                                                  |
//!                                   WireStruct, in the connection's Encoding
//! ```
//!
//! Numbers in comments such as "section 9" are those of the specification of the wire protocol.

pub mod account_id;
mod base58;
mod command;
mod decode_error;
mod encoding;
mod error_code;
pub mod frame;
mod json;
mod login_token;
mod message_body;
pub mod server_api;
pub mod structs;
pub mod thrift;
mod wire_struct;

pub use account_id::IdScheme;
pub use command::Command;
pub use decode_error::DecodeError;
pub use encoding::Encoding;
pub use error_code::ErrorCode;
pub use frame::{ClientFrame, ClientRequest, ServerFrame};
pub use login_token::LoginToken;
pub use message_body::{MessageBody, MessageStamp, message_list_payload};
pub use structs::{
    Tid, TimAck, TimAuth, TimError, TimMessage, TimMessageList, TimNodes, TimPresence, TimReq, TimRoomBean,
    TimStream, TimUserBean, Token,
};
pub use wire_struct::WireStruct;
