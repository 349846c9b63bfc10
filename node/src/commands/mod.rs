//! What each frame of a client does. One file per command; what is not offered is answered, never passed over.

mod actor;
mod big_data;
mod business;
mod history;
pub(crate) mod in_name_of;
mod lists;
mod login;
mod message;
mod outcome;
mod password;
mod presence;
mod profiles;
mod refuse;
mod relay;
mod room_info;
mod room_lists;
mod room_message;
mod rooms;
mod stream;
mod throttle;
mod virtual_room;

pub(crate) use actor::Actor;
pub(crate) use big_data::piece as big_data_piece;
pub(crate) use business::list_both;
pub(crate) use outcome::outcome;
pub(crate) use presence::{Absences, session_ended};
pub(crate) use profiles::{profile, store_profile};
pub(crate) use refuse::{Limit, Refusal};
pub(crate) use stream::{PUSH_REFUSED, push_refused};
pub(crate) use throttle::Throttle;

use crate::edge::Connection;
use crate::session::{CloseReason, frames};
use bytes::Bytes;
use std::sync::Arc;
use tim_core::session::Event;
use tim_wire::{ClientFrame, ClientRequest, Command, TimAck};

/// Handles one frame; frames of a connection come one after the other. `whole` is the frame with its first byte.
pub(crate) fn handle(connection: &mut Connection, frame: &ClientFrame, whole: Bytes) {
    if connection.live.is_none() {
        return before_login(connection, frame);
    }
    seen(connection);
    if throttle::refuses(connection, frame, &whole) {
        return;
    }
    if frame.command().is_some_and(Command::is_big_data) {
        return big_data::begin(connection, whole);
    }
    match frame.request() {
        Ok(request) => after_login(connection, frame, request),
        Err(error) => {
            let refusal = Refusal::field(error.wire_code(), format!("the payload cannot be read: {error}"));
            refusal.answer(connection, frame.tim_type());
        }
    }
}

/// Handles a message, or a subscription, that an administrator asks for in the name of a session: under its rates and
/// rights, but it is no sign of life of the client, so it confirms nothing.
pub(crate) fn send_as(connection: &mut Connection, frame: &ClientFrame, whole: &Bytes) {
    if connection.live.is_none() || throttle::refuses(connection, frame, whole) {
        return;
    }
    match frame.request() {
        Ok(request @ (ClientRequest::Message { .. } | ClientRequest::VirtualRoom(_))) => {
            after_login(connection, frame, request);
        }
        Ok(_) => Refusal::not_supported(frame.number).answer(connection, frame.tim_type()),
        Err(error) => {
            let refusal = Refusal::field(error.wire_code(), format!("the payload cannot be read: {error}"));
            refusal.answer(connection, frame.tim_type());
        }
    }
}

/// Before login a client may log in or ping, which is not answered; anything else ends the connection, as with the
/// reference.
fn before_login(connection: &mut Connection, frame: &ClientFrame) {
    match frame.command() {
        Some(Command::Auth) => login::begin(connection, frame),
        Some(Command::Ping) => {}
        _ => connection.out.close(CloseReason::Unauthenticated),
    }
}

/// Any frame confirms the echoes before it.
fn seen(connection: &mut Connection) {
    let node = Arc::clone(&connection.node);
    if let Some(live) = &mut connection.live {
        live.handle(&node, &connection.mailbox, Event::Frame, &mut connection.out);
    }
}

fn after_login(connection: &mut Connection, frame: &ClientFrame, request: ClientRequest) {
    let node = Arc::clone(&connection.node);
    let Some(live) = &mut connection.live else { return };
    let (mailbox, out) = (&connection.mailbox, &mut connection.out);
    match request {
        ClientRequest::Confirm { sync_id } => live.confirmed(&node, mailbox, sync_id.cast_unsigned(), out),
        ClientRequest::Ping => {
            live.last_ping = crate::clock::now();
            out.push(frames::ping());
        }
        ClientRequest::Login(_) => out.push(frames::ack(&TimAck::success(Command::Auth), live.encoding)),
        ClientRequest::OfflineMessages => live.handle(&node, mailbox, Event::OfflineRequested, out),
        ClientRequest::BroadcastPresence(presence) => {
            presence::begin(connection, Command::BroadcastPresence, presence);
        }
        ClientRequest::Presence(presence) => presence::begin(connection, Command::Presence, presence),
        ClientRequest::Nodes(nodes) => profiles::begin(connection, nodes),
        ClientRequest::PullMessages(request) => history::begin(connection, request),
        ClientRequest::Business(request) => business::begin(connection, request),
        ClientRequest::VirtualRoom(request) => virtual_room::begin(connection, &request),
        ClientRequest::Stream(stream) => stream::push_struct(connection, stream),
        ClientRequest::Message { command, message } => message::begin(connection, command, message),
        _ => Refusal::not_supported(frame.number).answer(connection, frame.tim_type()),
    }
}
