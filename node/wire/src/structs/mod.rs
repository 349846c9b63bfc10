//! The structs of the protocol, exactly as section 5 numbers and names them.

mod ack;
mod auth;
mod message;
mod message_list;
mod nodes;
mod presence;
mod request;
mod room_bean;
mod stream;
mod tid;
mod token;
mod user_bean;

#[cfg(test)]
pub(crate) mod sample;
#[cfg(test)]
mod tests;

pub use ack::{TimAck, TimError};
pub use auth::TimAuth;
pub use message::{TimMessage, message_kind, operation};
pub use message_list::TimMessageList;
pub use nodes::{TimNodes, node_kind};
pub use presence::TimPresence;
pub use request::{TimReq, business, virtual_room};
pub use room_bean::TimRoomBean;
pub use stream::TimStream;
pub use tid::Tid;
pub use token::Token;
pub use user_bean::TimUserBean;
