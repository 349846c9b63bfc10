//! Command 22: virtual rooms and who gets what is pushed into them.

use super::{Refusal, message};
use crate::edge::{Connection, Continuation};
use crate::session::frames;
use std::sync::Arc;
use tim_core::id::{AccountId, VirtualRoomId};
use tim_core::stream::{Form, Operation, Outcome};
use tim_wire::structs::virtual_room as rtype;
use tim_wire::{Command, Encoding, ErrorCode, TimAck, TimReq};

/// An operation that may be tried, as far as its frame tells.
struct Checked {
    room: VirtualRoomId,
    operation: Operation,
    /// What a success answers: the room, or the account whose right was changed.
    names: String,
}

/// Takes a request; later frames of the connection wait until it is answered.
pub(super) fn begin(connection: &mut Connection, request: &TimReq) {
    let number = request.rtype.unwrap_or_default();
    let (checked, session) = match (check(connection, request, number), &connection.live) {
        (Ok(checked), Some(live)) => (checked, live.id),
        (Err(refusal), _) => return refuse(connection, number, refusal),
        (Ok(_), None) => return,
    };
    let node = Arc::clone(&connection.node);
    connection.begin(Box::pin(async move {
        let Checked {
            room,
            operation,
            names,
        } = checked;
        let outcome = node.streams.ask(session, room, operation).await;
        let continuation: Continuation = Box::new(move |connection| match refusal(outcome) {
            Some(refusal) => refuse(connection, number, refusal),
            None => succeeded(connection, number, names),
        });
        continuation
    }));
}

fn check(connection: &Connection, request: &TimReq, number: i32) -> Result<Checked, Refusal> {
    let Some(live) = &connection.live else {
        return Err(Refusal::plain(ErrorCode::PermissionDenied, "not_logged_in"));
    };
    let by = live.account.clone();
    if number == rtype::CREATE {
        let id = connection.node.ids.virtual_room_id(crate::random::bytes());
        return Ok(Checked {
            room: room(connection, Some(&id), "request.node")?,
            operation: Operation::Create { owner: by },
            names: id,
        });
    }
    if !(rtype::REMOVE..=rtype::UNSUBSCRIBE).contains(&number) {
        let detail = format!("request.rtype: {number}; valid: 1 to 6");
        return Err(Refusal::field(ErrorCode::Parameters, detail));
    }
    let room = room(connection, request.node.as_deref(), "request.node")?;
    let mut names = room.as_str().to_owned();
    let operation = match number {
        rtype::GRANT | rtype::WITHDRAW => {
            let account = account(connection, request)?;
            account.as_str().clone_into(&mut names);
            if number == rtype::GRANT {
                Operation::Grant { by, to: account }
            } else {
                Operation::Withdraw { by, from: account }
            }
        }
        rtype::SUBSCRIBE => Operation::Subscribe(form(request.req_int)?),
        rtype::UNSUBSCRIBE => Operation::Unsubscribe,
        _ => Operation::Remove { by },
    };
    Ok(Checked {
        room,
        operation,
        names,
    })
}

/// A virtual-room id that is at least well-formed.
pub(super) fn room(
    connection: &Connection,
    node: Option<&str>,
    field: &str,
) -> Result<VirtualRoomId, Refusal> {
    let node = node.unwrap_or_default();
    let well_formed = connection.node.ids.is_valid(node);
    VirtualRoomId::new(node)
        .ok()
        .filter(|_| well_formed)
        .ok_or_else(|| {
            let problem = if node.is_empty() {
                "missing"
            } else {
                "not an id of this cluster"
            };
            let detail = format!("{field}: {problem}; the id of a virtual room is needed");
            Refusal::field(ErrorCode::Parameters, detail)
        })
}

/// All that is wrong with a request is 4104 here, ids of accounts too.
fn account(connection: &Connection, request: &TimReq) -> Result<AccountId, Refusal> {
    message::account(&connection.node.ids, request.node2.as_deref(), "request.node2").map_err(|_| {
        let detail = "request.node2: missing or not an id of this cluster; an account id is needed";
        Refusal::field(ErrorCode::Parameters, detail.to_owned())
    })
}

fn form(number: Option<i64>) -> Result<Form, Refusal> {
    match number {
        None => Ok(Form::Struct),
        Some(1) => Ok(Form::Binary),
        Some(other) => {
            let detail = format!("request.reqInt: {other}; valid: absent (struct), 1 (binary)");
            Err(Refusal::field(ErrorCode::Undefined, detail))
        }
    }
}

fn refusal(outcome: Outcome) -> Option<Refusal> {
    Some(match outcome {
        Outcome::Done => return None,
        Outcome::Denied => Refusal::plain(ErrorCode::PermissionDenied, "not_the_owner"),
        Outcome::NoSuchRoom => {
            let detail = "request.node: there is no such virtual room; it may have been idle too long";
            Refusal::field(ErrorCode::Undefined, detail.to_owned())
        }
        Outcome::TooMany => Refusal::overloaded(
            "as many virtual rooms, subscriptions of this session or pushers of the room as are allowed",
        ),
        Outcome::Unavailable => {
            Refusal::overloaded("no node that holds the virtual room has answered, try again")
        }
    })
}

fn refuse(connection: &mut Connection, number: i32, refusal: Refusal) {
    connection.node.metrics.rejected_with(refusal.error_type);
    refusal
        .within(number)
        .answer(connection, Command::VirtualRoom.tim_type());
}

fn succeeded(connection: &mut Connection, number: i32, names: String) {
    let answer = TimAck {
        t: Some(i64::from(number)),
        n: Some(names),
        ..TimAck::success(Command::VirtualRoom)
    };
    let encoding = connection.encoding(Encoding::Thrift);
    connection.out.push(frames::ack(&answer, encoding));
}
