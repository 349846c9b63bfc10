//! Command 41: the roster. What concerns rooms is not offered yet; their lists answer as empty ones do, which is not at
//! all.

use super::message::{self, Checked};
use super::{Refusal, lists, password};
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
    let Some(rtype) = request.rtype else {
        let detail = "request.rtype: missing; an operation is needed".to_owned();
        return Refusal::field(ErrorCode::Parameters, detail)
            .answer(connection, Command::Business.tim_type());
    };
    let asked = match rtype {
        business::ROSTER => return lists::friends(connection),
        business::BLOCK_ROSTER_LIST => return lists::blocked(connection),
        business::USER_ROOMS
        | business::ROOM_USERS
        | business::BLOCK_ROOM_LIST
        | business::BLOCK_ROOM_MEMBER_LIST => return,
        business::MODIFY_AUTH => return password::change(connection, request),
        business::ADD_ROSTER => add_friend(connection, request),
        business::REMOVE_ROSTER => remove_friend(connection, &request),
        business::BLOCK_ROSTER => block_account(connection, &request),
        other => Err(Refusal::operation_not_supported(&format!(
            "operation {other} of command 41 is not offered by this version"
        ))),
    };
    if let Err(refusal) = asked {
        refuse(connection, rtype, refusal);
    }
}

fn refuse(connection: &mut Connection, rtype: i32, refusal: Refusal) {
    refusal
        .within(rtype)
        .answer(connection, Command::Business.tim_type());
}

fn add_friend(connection: &mut Connection, request: TimReq) -> Result<(), Refusal> {
    let to = message::account(connection, request.node.as_deref(), "request.node")?;
    let text = request.req_str.ok_or_else(|| {
        let detail = "request.reqStr: missing; a text is needed, it may be empty".to_owned();
        Refusal::field(ErrorCode::Parameters, detail)
    })?;
    submit_listed(connection, business::ADD_ROSTER, Operation::AddFriend, to, text)
}

/// Whoever can be removed is in both lists already.
fn remove_friend(connection: &mut Connection, request: &TimReq) -> Result<(), Refusal> {
    let to = message::account(connection, request.node.as_deref(), "request.node")?;
    submit(connection, Operation::RemoveFriend, to, String::new());
    Ok(())
}

fn block_account(connection: &mut Connection, request: &TimReq) -> Result<(), Refusal> {
    let to = message::account(connection, request.node.as_deref(), "request.node")?;
    let operation = Operation::BlockAccount;
    submit_listed(connection, business::BLOCK_ROSTER, operation, to, String::new())
}

/// Submits once the other account is known to exist and both lists name the conversation.
fn submit_listed(
    connection: &mut Connection,
    rtype: i32,
    operation: Operation,
    to: AccountId,
    text: String,
) -> Result<(), Refusal> {
    let Some(live) = &connection.live else {
        return Ok(());
    };
    let account = live.account.clone();
    if account == to {
        return Err(Refusal::plain(ErrorCode::PermissionDenied, "own_account"));
    }
    let node = Arc::clone(&connection.node);
    connection.begin(Box::pin(async move {
        let prepared = Box::pin(prepare(&node, &account, &to)).await;
        let continuation: Continuation = Box::new(move |connection| match prepared {
            Ok(()) => submit(connection, operation, to, text),
            Err(refusal) => refuse(connection, rtype, refusal),
        });
        continuation
    }));
    Ok(())
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

fn submit(connection: &mut Connection, operation: Operation, to: AccountId, text: String) {
    let mut message = TimMessage::direct(to.as_str(), operation::BUSINESS);
    message.data_string = (!text.is_empty()).then_some(text);
    let checked = Checked { message, to };
    let tim_type = Command::Business.tim_type();
    message::hand_in(connection, tim_type, operation, checked, Span::none());
}
