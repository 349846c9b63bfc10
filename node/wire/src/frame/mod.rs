//! Frames: one WebSocket message, or one body of the HTTP channel (section 2).

mod big_data;
mod client;
mod request;
mod server;

#[cfg(test)]
mod tests;

pub use big_data::{BigData, BigDataAssembler, BigDataPiece};
pub use client::{ClientFrame, client_frame, confirmation_frame, empty_client_frame};
pub use request::ClientRequest;
pub use server::{ServerFrame, server_frame};

/// Bit 7 of the first byte: from a client "the payload is JSON", from a server "a sync id follows".
pub const FLAG: u8 = 0x80;

/// Length of a sync id.
const SYNC_ID_LENGTH: usize = 4;
