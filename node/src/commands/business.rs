//! Command 41: the roster; what concerns rooms is in [`super::rooms`] and [`super::room_lists`].

use super::message::{self, Checked};
use super::{Refusal, lists, password, room_lists, rooms};
use crate::edge::{Connection, Continuation};
use std::sync::Arc;
use tim_core::conversation::Operation;
use tim_core::id::AccountId;
use tim_core::placement;
use tim_store::{Listed, ListedConversation, Listing};
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
        business::USER_ROOMS => return room_lists::own(connection),
        business::BLOCK_ROOM_LIST => return room_lists::blocked(connection),
        business::ROOM_USERS => return room_lists::members(connection, &request),
        business::BLOCK_ROOM_MEMBER_LIST => return room_lists::banned(connection, &request),
        business::NEW_ROOM..=business::CANCEL_ROOM => return rooms::begin(connection, rtype, request),
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
    connection.node.accounts.users.refuse_friends()?;
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
    connection.node.accounts.users.refuse_friends()?;
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
    list_both(node, account, to).await
}

/// The lists of both accounts name their conversation, durably; the own one first: what an account that is deleted still
/// asks for is in nobody's list.
pub(crate) async fn list_both(
    node: &crate::node::Node,
    account: &AccountId,
    to: &AccountId,
) -> Result<(), Refusal> {
    let conversation = placement::direct_conversation(account, to);
    for (whose, peer) in [(account, to), (to, account)] {
        let listed = ListedConversation {
            conversation,
            what: Listed::Direct(peer.clone()),
        };
        let database = |report: tim_catalogue::Report| Refusal::database(&report);
        let listing = node.databases.list_conversation(whose, &listed).await;
        if listing.map_err(database)? == Listing::Deleted {
            let removed = node.databases.remove_listing(account, &conversation).await;
            removed.map_err(database)?;
            return Err(Refusal::plain(ErrorCode::Account, "no_such_account"));
        }
    }
    Ok(())
}

fn submit(connection: &mut Connection, operation: Operation, to: AccountId, text: String) {
    let mut message = TimMessage::direct(to.as_str(), operation::BUSINESS);
    message.data_string = (!text.is_empty()).then_some(text);
    let checked = Checked {
        message,
        to,
        vouched: false,
    };
    let tim_type = Command::Business.tim_type();
    message::hand_in(connection, tim_type, operation, checked, Span::none());
}
