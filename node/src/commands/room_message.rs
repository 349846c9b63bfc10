//! Messages to rooms (msType 3): stored and delivered to every member, the sender included; taken back; or relayed to
//! who is online.

use super::message::{self, Draft};
use super::relay::{self, Content, Receiver, Sendable};
use super::{Refusal, message::refuse};
use crate::edge::{Connection, Continuation};
use crate::session::Envelope;
use std::sync::Arc;
use tim_core::conversation::{Operation, RoomOperation};
use tim_core::id::RoomId;
use tim_core::placement;
use tim_wire::structs::operation;
use tim_wire::{Command, ErrorCode, Tid, TimMessage};

/// Takes a message to a room.
pub(super) fn begin(connection: &mut Connection, command: Command, mut message: TimMessage) {
    // One client library never sets the kind of its stream messages.
    if message.od_type == 0 && message.data_binary.is_some() {
        message.od_type = operation::STREAM;
    }
    let id = message::client_id(&message);
    match check(connection, &message) {
        Err(refusal) => refuse(connection, command.tim_type(), id, refusal),
        Ok((room, None)) => relay::begin(
            connection,
            Sendable {
                to: Receiver::Room(room),
                tim_type: command.tim_type(),
                vouched: false,
                content: Content::Message(Box::new(message)),
            },
        ),
        Ok((room, Some(operation))) => match connection.node.accounts.users.knows_room(&room) {
            Some(true) => submit(connection, command, operation, message, room),
            Some(false) => refuse(connection, command.tim_type(), id, no_such_room()),
            None => align(connection, command, operation, message, room),
        },
    }
}

fn no_such_room() -> Refusal {
    Refusal::plain(ErrorCode::Account, "no_such_room")
}

/// A room whose members are said elsewhere has them before anything is said in it.
fn align(
    connection: &mut Connection,
    command: Command,
    operation: RoomOperation,
    message: TimMessage,
    room: RoomId,
) {
    let node = Arc::clone(&connection.node);
    connection.begin(Box::pin(async move {
        let aligned = Box::pin(node.accounts.users.align_room(&node, &room)).await;
        let continuation: Continuation = Box::new(move |connection| {
            let id = message::client_id(&message);
            match aligned {
                Ok(true) => submit(connection, command, operation, message, room),
                Ok(false) => refuse(connection, command.tim_type(), id, no_such_room()),
                Err(refusal) => refuse(connection, command.tim_type(), id, refusal),
            }
        });
        continuation
    }));
}

/// The room, and what is asked of it; nothing for what is relayed.
fn check(connection: &Connection, message: &TimMessage) -> Result<(RoomId, Option<RoomOperation>), Refusal> {
    let operation = match message.od_type {
        operation::NORMAL => Some(RoomOperation::Message),
        operation::REVOKE => Some(RoomOperation::Revoke(message::target(message)?)),
        operation::STREAM => None,
        other => {
            let detail = format!("message.odType: {other}; valid in a room: 1, 2, 5");
            return Err(Refusal::field(ErrorCode::Parameters, detail));
        }
    };
    let Some(room) = &message.room_tid else {
        let detail = "message.roomTid: missing; a message to a room needs one".to_owned();
        return Err(Refusal::field(ErrorCode::PermissionDenied, detail));
    };
    let room = message::room(
        &connection.node.ids,
        Some(&room.node),
        "message.roomTid",
        ErrorCode::Account,
    )?;
    Ok((room, operation))
}

fn submit(
    connection: &mut Connection,
    command: Command,
    operation: RoomOperation,
    message: TimMessage,
    room: RoomId,
) {
    let Some(live) = &connection.live else { return };
    let client_id = message::client_id(&message);
    let conversation = placement::room_conversation(&room);
    if let Some(report) = connection.node.databases.trouble_of(&conversation) {
        return refuse(
            connection,
            command.tim_type(),
            client_id,
            Refusal::database(&report),
        );
    }
    let operation = Operation::Room(operation);
    let message = TimMessage {
        room_tid: Some(Tid::of(room.as_str())),
        ..message
    };
    let (body, content_hash) = Envelope::seal(message, &live.sender.tid, None, operation.target());
    let draft = Draft {
        tim_type: command.tim_type(),
        client_id,
        conversation,
        peer: live.account.clone(),
        room: Some(room),
        operation,
        vouched: false,
        body,
        content_hash,
    };
    message::enqueue(connection, draft, message::message_span(command, "room"));
}
