//! Commands 95, 96 and 97: raw frames, perhaps in several messages. To an account (95, 96) under the rules of a message,
//! to who is online, without echo and answer; into a virtual room (97) as a push.

use super::relay::{Content, Receiver, Sendable};
use super::{Refusal, message, relay, stream};
use crate::edge::Connection;
use bytes::Bytes;
use tim_core::id::AccountId;
use tim_wire::frame::{BigData, BigDataAssembler, BigDataPiece};
use tim_wire::{Command, ErrorCode};

/// Takes a message that is a frame, or the beginning of one.
pub(super) fn begin(connection: &mut Connection, frame: Bytes) {
    let limit = connection.node.config.limits.big_data_bytes_max as usize;
    if frame.len() > limit {
        let detail = format!("frame: {} bytes; at most {limit}", frame.len());
        return refuse(connection, detail);
    }
    let mut assembler = BigDataAssembler::new(limit);
    match assembler.push(frame) {
        Ok(Some(complete)) => piece(connection, complete),
        Ok(None) => connection.begin_big_data(assembler),
        // A first message has nothing that it could overshoot.
        Err(_) => {}
    }
}

/// Passes over a frame that was refused, with all messages that belong to it.
pub(super) fn pass_over(connection: &mut Connection, frame: Bytes) {
    let limit = connection.node.config.limits.big_data_bytes_max as usize;
    let mut assembler = BigDataAssembler::new(limit);
    if let Ok(None) = assembler.push(frame) {
        connection.pass_over_big_data(assembler);
    }
}

/// Takes what the messages of a frame have become.
pub(crate) fn piece(connection: &mut Connection, piece: BigDataPiece) {
    match piece {
        BigDataPiece::Complete(big_data) => complete(connection, big_data),
        BigDataPiece::TooLong => refuse(connection, "frame: longer than its length says".to_owned()),
        BigDataPiece::First { .. } | BigDataPiece::Ignored => {}
    }
}

/// Whatever the command, the answer names 96, as with the reference.
fn refuse(connection: &mut Connection, detail: String) {
    let refusal = Refusal::field(ErrorCode::BigData, detail);
    connection.node.metrics.rejected_with(refusal.error_type);
    refusal.answer(connection, Command::BigBinary.tim_type());
}

fn complete(connection: &mut Connection, big_data: BigData) {
    if big_data.command == Command::BigBinaryStream {
        return stream::push_binary(connection, big_data);
    }
    let tim_type = big_data.command.tim_type();
    let to = message::account(&connection.node.ids, Some(&big_data.node), "frame.target");
    let own = |to: &AccountId| connection.live.as_ref().is_some_and(|live| live.account == *to);
    match to {
        Err(refusal) => message::refuse(connection, tim_type, None, refusal),
        Ok(to) if own(&to) => {
            let refusal = Refusal::plain(ErrorCode::PermissionDenied, "own_account");
            message::refuse(connection, tim_type, None, refusal);
        }
        Ok(to) => relay::begin(
            connection,
            Sendable {
                to: Receiver::Account(to),
                tim_type,
                vouched: false,
                content: Content::BigData(big_data),
            },
        ),
    }
}
