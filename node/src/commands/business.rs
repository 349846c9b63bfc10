//! Command 41: roster and rooms. Here adding a friend; lists answer as empty ones do, which is not at all.

use super::Refusal;
use super::message::{self, Checked};
use crate::edge::{Connection, Continuation};
use std::sync::Arc;
use tim_core::conversation::Operation;
use tim_core::id::AccountId;
use tim_core::placement;
use tim_telemetry::Span;
use tim_wire::structs::{business, operation};
use tim_wire::{Command, ErrorCode, TimMessage, TimReq};

/// Takes a request.
pub(super) fn begin(connection: &mut Connection, request: TimReq) {
    match request.rtype {
        Some(
            business::ROSTER
            | business::USER_ROOMS
            | business::ROOM_USERS
            | business::BLOCK_ROSTER_LIST
            | business::BLOCK_ROOM_LIST
            | business::BLOCK_ROOM_MEMBER_LIST,
        ) => {}
        Some(business::ADD_ROSTER) => add_friend(connection, request),
        Some(other) => {
            Refusal::operation_not_supported(&format!(
                "operation {other} of command 41 is not offered by this version"
            ))
            .within(other)
            .answer(connection, Command::Business.tim_type());
        }
        None => {
            Refusal::field(
                ErrorCode::Parameters,
                "request.rtype: missing; an operation is needed".to_owned(),
            )
            .answer(connection, Command::Business.tim_type());
        }
    }
}

fn refuse(connection: &mut Connection, refusal: Refusal) {
    refusal
        .within(business::ADD_ROSTER)
        .answer(connection, Command::Business.tim_type());
}

fn add_friend(connection: &mut Connection, request: TimReq) {
    let to = match message::account(connection, request.node.as_deref(), "request.node") {
        Ok(to) => to,
        Err(refusal) => return refuse(connection, refusal),
    };
    let Some(text) = request.req_str else {
        let detail = "request.reqStr: missing; a text is needed, it may be empty".to_owned();
        return refuse(connection, Refusal::field(ErrorCode::Parameters, detail));
    };
    let Some(live) = &connection.live else { return };
    let account = live.account.clone();
    if account == to {
        return refuse(
            connection,
            Refusal::plain(ErrorCode::PermissionDenied, "own_account"),
        );
    }
    let node = Arc::clone(&connection.node);
    connection.begin(Box::pin(async move {
        let prepared = Box::pin(prepare(&node, &account, &to)).await;
        let continuation: Continuation = Box::new(move |connection| match prepared {
            Ok(()) => submit(connection, to, text),
            Err(refusal) => refuse(connection, refusal),
        });
        continuation
    }));
}

/// The other account exists, and both lists of conversations name the new one, durably: they are supersets.
async fn prepare(node: &crate::node::Node, account: &AccountId, to: &AccountId) -> Result<(), Refusal> {
    if !node.accounts.exists(node, to).await? {
        return Err(Refusal::plain(ErrorCode::Account, "no_such_account"));
    }
    let conversation = placement::direct_conversation(account, to);
    for (whose, peer) in [(account, to), (to, account)] {
        node.databases
            .list_conversation(whose, &conversation, peer)
            .await
            .map_err(|report| Refusal::database(&report))?;
    }
    Ok(())
}

fn submit(connection: &mut Connection, to: AccountId, text: String) {
    let mut message = TimMessage::direct(to.as_str(), operation::BUSINESS);
    message.data_string = (!text.is_empty()).then_some(text);
    message::hand_in(
        connection,
        Command::Business.tim_type(),
        Operation::AddFriend,
        Checked { message, to },
        Span::none(),
    );
}
