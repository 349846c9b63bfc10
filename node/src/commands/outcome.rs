//! What became of a message or a notice: the echo, or an answer that says why not.

use super::{Refusal, rooms};
use crate::edge::{Connection, Continuation};
use crate::session::{Pending, frames};
use std::sync::Arc;
use tim_core::conversation::{self, Operation};
use tim_core::id::{ConversationId, MessageKey};
use tim_core::session::Event;
use tim_core::submit::Outcome;
use tim_wire::structs::business;
use tim_wire::{Command, Encoding, ErrorCode, TimAck};

/// `TimAck.t` of a revoke or burn in a chat of two accounts.
const IN_DIRECT_CHAT: i32 = 2;

/// Tells the sender.
pub(crate) fn outcome(
    connection: &mut Connection,
    key: MessageKey,
    conversation: ConversationId,
    outcome: Outcome,
) {
    let node = Arc::clone(&connection.node);
    let Some(live) = &mut connection.live else { return };
    let pending = live.pending.take(key);
    match outcome {
        Outcome::Stored {
            entry,
            refusal,
            cursor,
            repeated,
        } => {
            let accepted = Event::Accepted {
                conversation,
                entry,
                cursor,
                repeated,
            };
            live.handle(&node, &connection.mailbox, accepted, &mut connection.out);
            match pending.as_ref().map(|pending| pending.operation) {
                Some(Operation::Room(_)) => node.metrics.accepted_room(),
                _ => node.metrics.accepted_direct(),
            }
            if let Some(pending) = pending {
                node.metrics.acknowledged(pending.since);
                match refusal {
                    Some(refusal) => answer(connection, pending, Refusal::judged(refusal)),
                    None => succeeded(connection, &pending),
                }
            }
        }
        Outcome::Refused(refusal) => {
            if let Some(pending) = pending {
                refused(connection, pending, refusal);
            }
        }
        Outcome::Busy => {
            if let Some(pending) = pending {
                let refusal = Refusal::overloaded("too many messages of this session have no outcome yet");
                answer(connection, pending, refusal);
            }
        }
    }
}

/// The echo is enough of an answer to a message; some operations have one of their own.
fn succeeded(connection: &mut Connection, pending: &Pending) {
    let (command, t, t2) = match pending.operation {
        Operation::Message | Operation::Application | Operation::AddFriend | Operation::System => return,
        Operation::RemoveFriend => (Command::Business, business::REMOVE_ROSTER, None),
        Operation::BlockAccount => (Command::Business, business::BLOCK_ROSTER, None),
        // The second number tells chats of two from rooms.
        Operation::Revoke(target) => (Command::RevokeMessage, IN_DIRECT_CHAT, Some(target)),
        Operation::Burn(target) => (Command::BurnMessage, IN_DIRECT_CHAT, Some(target)),
        Operation::Room(operation) => return rooms::succeeded(connection, pending, operation),
    };
    let answer = TimAck {
        t: Some(i64::from(t)),
        n: Some(pending.peer.as_str().to_owned()),
        t2: t2.and_then(|target| i64::try_from(target.0).ok()),
        ..TimAck::success(command)
    };
    let encoding = connection.encoding(Encoding::Thrift);
    connection.out.push(frames::ack(&answer, encoding));
}

fn answer(connection: &mut Connection, mut pending: Pending, refusal: Refusal) {
    connection.node.metrics.rejected_with(refusal.error_type);
    pending.span.fail(refusal.error_type);
    let refusal = match pending.operation {
        Operation::Message
        | Operation::Application
        | Operation::Revoke(_)
        | Operation::Burn(_)
        | Operation::System => refusal,
        Operation::AddFriend => refusal.within(business::ADD_ROSTER),
        Operation::RemoveFriend => refusal.within(business::REMOVE_ROSTER),
        Operation::BlockAccount => refusal.within(business::BLOCK_ROSTER),
        Operation::Room(operation) => return rooms::failed(connection, &pending, operation, refusal),
    };
    refusal
        .of_message(pending.client_id)
        .answer(connection, pending.tim_type);
}

/// Who is not a friend may not exist at all; clients know the two apart. Asked only now, so that messages between
/// friends cost no question.
fn refused(connection: &mut Connection, pending: Pending, refusal: conversation::Refusal) {
    if let Operation::Room(operation) = pending.operation {
        return answer(connection, pending, rooms::judged(operation, refusal));
    }
    if refusal != conversation::Refusal::NotFriends {
        return answer(connection, pending, Refusal::judged(refusal));
    }
    let node = Arc::clone(&connection.node);
    let existing = async move {
        let exists = node.accounts.exists(&node, &pending.peer).await;
        let continuation: Continuation = Box::new(move |connection| {
            let refusal = match exists {
                Ok(true) => Refusal::judged(refusal),
                Ok(false) => Refusal::plain(ErrorCode::Account, "no_such_account"),
                Err(refusal) => refusal,
            };
            answer(connection, pending, refusal);
        });
        continuation
    };
    connection.begin(Box::pin(existing));
}
