//! Command 41: the roster; what concerns rooms is in [`super::rooms`] and [`super::room_lists`].

use super::message::{self, Checked, Draft};
use super::{Actor, Refusal, lists, password, room_lists, rooms};
use crate::edge::{Connection, Continuation};
use crate::node::Node;
use std::sync::Arc;
use tim_core::conversation::Operation;
use tim_core::id::AccountId;
use tim_core::placement;
use tim_store::{Listed, ListedConversation, Listing};
use tim_telemetry::Span;
use tim_wire::structs::{business, operation};
use tim_wire::{Command, ErrorCode, IdScheme, TimMessage, TimReq};

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
        _ => ask(connection, rtype, request),
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

/// What is asked of another account, as far as the frame tells.
pub(super) struct Asked {
    operation: Operation,
    to: AccountId,
    text: String,
    /// It must exist, and both lists of conversations must name the other.
    pub(super) is_listed: bool,
}

/// What an actor asks of another account, if it can be asked at all.
pub(super) fn check(ids: &IdScheme, actor: &Actor, rtype: i32, request: TimReq) -> Result<Asked, Refusal> {
    let operation = match rtype {
        business::ADD_ROSTER => Operation::AddFriend,
        business::REMOVE_ROSTER => Operation::RemoveFriend,
        business::BLOCK_ROSTER => Operation::BlockAccount,
        other => {
            return Err(Refusal::operation_not_supported(&format!(
                "operation {other} of command 41 is not offered by this version"
            )));
        }
    };
    let to = message::account(ids, request.node.as_deref(), "request.node")?;
    let text = match (operation, request.req_str) {
        (Operation::AddFriend, None) => {
            let detail = "request.reqStr: missing; a text is needed, it may be empty".to_owned();
            return Err(Refusal::field(ErrorCode::Parameters, detail));
        }
        (Operation::AddFriend, Some(text)) => text,
        _ => String::new(),
    };
    // Whoever can be removed is in both lists already.
    let is_listed = operation != Operation::RemoveFriend;
    if is_listed && actor.account == to {
        return Err(Refusal::plain(ErrorCode::PermissionDenied, "own_account"));
    }
    Ok(Asked {
        operation,
        to,
        text,
        is_listed,
    })
}

/// Submits once the other account is known to exist and both lists name the conversation.
fn ask(connection: &mut Connection, rtype: i32, request: TimReq) -> Result<(), Refusal> {
    let Some(live) = &connection.live else {
        return Ok(());
    };
    let actor = Actor::of(live);
    let asked = check(&connection.node.ids, &actor, rtype, request)?;
    if !asked.is_listed {
        message::enqueue(connection, asked.draft(&actor), Span::none());
        return Ok(());
    }
    let node = Arc::clone(&connection.node);
    connection.begin(Box::pin(async move {
        let prepared = Box::pin(prepare(&node, &actor, &asked)).await;
        let continuation: Continuation = Box::new(move |connection| match prepared {
            Ok(()) => message::enqueue(connection, asked.draft(&actor), Span::none()),
            Err(refusal) => refuse(connection, rtype, refusal),
        });
        continuation
    }));
    Ok(())
}

impl Asked {
    pub(super) fn draft(self, actor: &Actor) -> Draft {
        let mut message = TimMessage::direct(self.to.as_str(), operation::BUSINESS);
        message.data_string = (!self.text.is_empty()).then_some(self.text);
        let checked = Checked {
            message,
            to: self.to,
            vouched: false,
        };
        message::draft(actor, Command::Business.tim_type(), self.operation, checked)
    }
}

/// The other account exists, and both lists of conversations name the new one, durably: they are supersets.
pub(super) async fn prepare(node: &Node, actor: &Actor, asked: &Asked) -> Result<(), Refusal> {
    if !node.accounts.exists(node, &asked.to).await? {
        return Err(Refusal::plain(ErrorCode::Account, "no_such_account"));
    }
    list_both(node, &actor.account, &asked.to).await
}

/// The lists of both accounts name their conversation, durably; the own one first: what an account that is deleted still
/// asks for is in nobody's list.
pub(super) async fn list_both(node: &Node, account: &AccountId, to: &AccountId) -> Result<(), Refusal> {
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
