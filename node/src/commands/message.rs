//! Commands 90, 92, 93: messages between two accounts, stored, taken back, burnt, or relayed. What a message does is
//! said by its odType, whichever of the three commands brings it.

use super::relay::{Content, Sendable};
use super::{Refusal, relay};
use crate::edge::Connection;
use crate::session::{Envelope, Pending};
use std::time::Instant;
use tim_core::conversation::{Operation, Submission};
use tim_core::id::{AccountId, Seq};
use tim_core::placement;
use tim_telemetry::{Kind, Span, attribute, names};
use tim_wire::structs::{message_kind, operation};
use tim_wire::{Command, ErrorCode, Tid, TimMessage};

/// A message that may be sent, as far as its frame tells.
pub(super) struct Checked {
    pub(super) message: TimMessage,
    pub(super) to: AccountId,
}

/// How a message goes on.
enum Way {
    /// Stored by its conversation's home.
    Stored(Operation),
    /// Straight to who is online.
    Relayed,
}

/// Takes a message.
pub(super) fn begin(connection: &mut Connection, command: Command, message: TimMessage) {
    let id = client_id(&message);
    let checked = check(connection, message);
    match checked {
        Err(refusal) => refuse(connection, command.tim_type(), id, refusal),
        Ok((Way::Relayed, Checked { message, to })) => relay::begin(
            connection,
            Sendable {
                to,
                tim_type: command.tim_type(),
                content: Content::Message(Box::new(message)),
            },
        ),
        Ok((Way::Stored(operation), checked)) => submit(connection, command, operation, checked),
    }
}

/// The id that the client gave a message; 0 is none.
pub(super) fn client_id(message: &TimMessage) -> Option<i64> {
    message.id.filter(|id| *id != 0)
}

/// Says no to a message, naming it by the id of its client.
pub(super) fn refuse(connection: &mut Connection, tim_type: i8, id: Option<i64>, refusal: Refusal) {
    connection.node.metrics.rejected_with(refusal.error_type);
    refusal.of_message(id).answer(connection, tim_type);
}

fn check(connection: &Connection, mut message: TimMessage) -> Result<(Way, Checked), Refusal> {
    // One client library never sets the kinds of its stream messages.
    if message.ms_type == 0
        && message.od_type == 0
        && message.data_binary.is_some()
        && message.to_tid.is_some()
    {
        message.ms_type = message_kind::DIRECT;
        message.od_type = operation::STREAM;
    }
    match message.ms_type {
        message_kind::DIRECT if message.room_tid.is_none() => {}
        message_kind::DIRECT | message_kind::ROOM => {
            return Err(Refusal::operation_not_supported(
                "messages in rooms are not offered by this version",
            ));
        }
        other => {
            let detail = format!("message.msType: {other}; a client may send 2 (to an account)");
            return Err(Refusal::field(ErrorCode::Parameters, detail));
        }
    }
    let way = way(&message)?;
    let to = account(connection, message.to_node(), "message.to")?;
    if connection.live.as_ref().is_some_and(|live| live.account == to) {
        return Err(Refusal::plain(ErrorCode::PermissionDenied, "own_account"));
    }
    Ok((way, Checked { message, to }))
}

fn way(message: &TimMessage) -> Result<Way, Refusal> {
    Ok(match message.od_type {
        operation::STREAM => Way::Relayed,
        operation::NORMAL => Way::Stored(Operation::Message),
        operation::REVOKE => Way::Stored(Operation::Revoke(target(message)?)),
        operation::BURN => Way::Stored(Operation::Burn(target(message)?)),
        operation::APPLICATION_FIRST.. => Way::Stored(Operation::Application),
        operation::BUSINESS => {
            let detail = "message.odType: 4; notices come from the server alone".to_owned();
            return Err(Refusal::field(ErrorCode::Parameters, detail));
        }
        other => {
            let detail = format!("message.odType: {other}; valid: 1, 2, 3, 5, 31 to 127");
            return Err(Refusal::field(ErrorCode::Parameters, detail));
        }
    })
}

/// The number of the message that is taken back or burnt.
fn target(message: &TimMessage) -> Result<Seq, Refusal> {
    let number = message.mid.and_then(|mid| u64::try_from(mid).ok());
    number.filter(|number| *number > 0).map(Seq).ok_or_else(|| {
        let detail = "message.mid: missing; the number of the message to take back or burn is needed";
        Refusal::field(ErrorCode::Parameters, detail.to_owned())
    })
}

/// An account id that is at least well-formed.
pub(super) fn account(
    connection: &Connection,
    node: Option<&str>,
    field: &str,
) -> Result<AccountId, Refusal> {
    let node = node.unwrap_or_default();
    if node.is_empty() {
        let detail = format!("{field}: empty; an account id of 1 to 64 characters is needed");
        return Err(Refusal::field(ErrorCode::Parameters, detail));
    }
    let valid = connection.node.ids.is_valid(node);
    match AccountId::new(node) {
        Ok(account) if valid => Ok(account),
        _ => Err(Refusal::field(
            ErrorCode::Account,
            format!("{field}: not an account id of this cluster"),
        )),
    }
}

fn submit(connection: &mut Connection, command: Command, operation: Operation, checked: Checked) {
    let conversation = match &connection.live {
        Some(live) => placement::direct_conversation(&live.account, &checked.to),
        None => return,
    };
    if let Some(report) = connection.node.databases.trouble_of(&conversation) {
        let id = client_id(&checked.message);
        return refuse(connection, command.tim_type(), id, Refusal::database(&report));
    }
    let mut span = Span::root(&names::FRAME_MESSAGE, Kind::Server);
    if span.is_recording() {
        span.set(attribute(&names::NETWORK_PROTOCOL_NAME, "websocket"));
        span.set(attribute(&names::FRAME_TYPE, i64::from(command.number())));
        span.set(attribute(&names::MESSAGING_SYSTEM, "tim"));
        span.set(attribute(&names::MESSAGING_DESTINATION_TEMPLATE, "direct"));
    }
    hand_in(connection, command.tim_type(), operation, checked, span);
}

/// Gives a message or a notice to its lane and remembers what to answer.
pub(super) fn hand_in(
    connection: &mut Connection,
    tim_type: i8,
    operation: Operation,
    checked: Checked,
    mut span: Span,
) {
    let Checked { message, to } = checked;
    let Some(live) = &mut connection.live else { return };
    let client_id = client_id(&message);
    // The domain is the sender's, as the reference has it.
    let to_tid = Tid {
        domain: live.sender.tid.domain.clone(),
        ..Tid::of(to.as_str())
    };
    let (body, content_hash) = Envelope::seal(message, &live.sender.tid, to_tid, operation.target());
    if body.len() > tim_store::MAX_BODY_BYTES {
        // Said here: in a home it would be in the way of what others send.
        let refusal = Refusal::too_large(body.len());
        span.fail(refusal.error_type);
        return refuse(connection, tim_type, client_id, refusal);
    }
    if span.is_recording() {
        let bytes = i64::try_from(body.len()).unwrap_or(i64::MAX);
        span.set(attribute(&names::MESSAGING_BODY_SIZE, bytes));
    }
    let submission = Submission {
        key: crate::random::message_key(),
        conversation: placement::direct_conversation(&live.account, &to),
        sender: live.account.clone(),
        peer: to,
        sender_class: live.class,
        operation,
        client_id,
        content_hash,
        attempt: 1,
        body,
    };
    let trace = span.context();
    live.pending.push(Pending {
        key: submission.key,
        tim_type,
        client_id,
        operation,
        peer: submission.peer.clone(),
        since: Instant::now(),
        span,
    });
    connection.node.engine.submit(live.id, submission, trace);
}
