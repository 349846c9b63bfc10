//! Commands 90, 92, 93: messages between two accounts, stored, taken back, burnt, or relayed; those to rooms are in
//! [`super::room_message`]. What a message does is said by its odType, whichever of the three commands brings it.

use super::relay::{Content, Receiver, Sendable};
use super::{Actor, Refusal, business, relay, room_message};
use crate::edge::{Connection, Continuation};
use crate::node::Node;
use crate::session::{Envelope, Pending};
use bytes::Bytes;
use std::sync::Arc;
use std::time::Instant;
use tim_core::conversation::{Operation, Submission};
use tim_core::id::{AccountId, ContentHash, ConversationId, DeviceClass, RoomId, Seq};
use tim_core::placement;
use tim_telemetry::{Kind, Span, attribute, names};
use tim_wire::structs::{message_kind, operation};
use tim_wire::{Command, ErrorCode, IdScheme, Tid, TimMessage};

/// A message that may be sent, as far as its frame tells.
pub(super) struct Checked {
    pub(super) message: TimMessage,
    pub(super) to: AccountId,
    /// A room that both are in was asked, which stands in for friendship.
    pub(super) vouched: bool,
}

/// What is given to a lane.
pub(super) struct Draft {
    pub(super) tim_type: i8,
    pub(super) client_id: Option<i64>,
    pub(super) conversation: ConversationId,
    /// The other account; in a room whom it concerns.
    pub(super) peer: AccountId,
    pub(super) room: Option<RoomId>,
    pub(super) operation: Operation,
    pub(super) vouched: bool,
    pub(super) body: Bytes,
    pub(super) content_hash: ContentHash,
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
    if message.ms_type == message_kind::ROOM {
        return room_message::begin(connection, command, message);
    }
    let id = client_id(&message);
    match check(connection, message) {
        Err(refusal) => refuse(connection, command.tim_type(), id, refusal),
        Ok((way, checked)) if checked.message.room_tid.is_some() => {
            ask_room(connection, command, way, checked);
        }
        Ok((way @ Way::Stored(_), checked)) if connection.node.accounts.users.judge_messages() => {
            ask_users(connection, command, way, checked);
        }
        Ok((way, checked)) => go_on(connection, command, way, checked),
    }
}

fn go_on(connection: &mut Connection, command: Command, way: Way, checked: Checked) {
    match way {
        Way::Stored(operation) => submit(connection, command, operation, checked),
        Way::Relayed => relay::begin(
            connection,
            Sendable {
                to: Receiver::Account(checked.to),
                tim_type: command.tim_type(),
                vouched: checked.vouched,
                content: Content::Message(Box::new(checked.message)),
            },
        ),
    }
}

/// A message within a room to one of its members goes on if both are in the room. A removal may be overtaken by messages
/// that are past this check.
fn ask_room(connection: &mut Connection, command: Command, way: Way, checked: Checked) {
    let id = client_id(&checked.message);
    let room_node = checked.message.room_tid.as_ref().map(|room| room.node.as_str());
    let room = match room(
        &connection.node.ids,
        room_node,
        "message.roomTid",
        ErrorCode::Account,
    ) {
        Ok(room) => room,
        Err(refusal) => return refuse(connection, command.tim_type(), id, refusal),
    };
    let Some(live) = &connection.live else { return };
    let account = live.account.clone();
    let node = Arc::clone(&connection.node);
    connection.begin(Box::pin(async move {
        let asked = Box::pin(vouch(&node, &room, &account, &checked.to)).await;
        let continuation: Continuation = Box::new(move |connection| match asked {
            Err(refusal) => refuse(connection, command.tim_type(), id, refusal),
            Ok(()) => {
                let vouched = true;
                go_on(connection, command, way, Checked { vouched, ..checked });
            }
        });
        continuation
    }));
}

/// Where somebody else says who may write to whom, a message goes on if they say so, whether or not the two are friends.
fn ask_users(connection: &mut Connection, command: Command, way: Way, checked: Checked) {
    let id = client_id(&checked.message);
    let Some(live) = &connection.live else { return };
    let (account, to) = (live.account.clone(), checked.to.clone());
    let node = Arc::clone(&connection.node);
    let answered = move |connection: &mut Connection, asked: Result<(), Refusal>| match asked {
        Err(refusal) => refuse(connection, command.tim_type(), id, refusal),
        Ok(()) => {
            let vouched = true;
            go_on(connection, command, way, Checked { vouched, ..checked });
        }
    };
    if let Some(known) = node.accounts.users.remembered(&account, &to) {
        return answered(connection, known);
    }
    connection.begin(Box::pin(async move {
        let asked = Box::pin(node.accounts.users.may_message(&node, &account, &to)).await;
        let continuation: Continuation = Box::new(move |connection| answered(connection, asked));
        continuation
    }));
}

/// Both are in the room, and both lists of conversations name their chat, durably: they need not be friends.
async fn vouch(node: &Node, room: &RoomId, account: &AccountId, to: &AccountId) -> Result<(), Refusal> {
    let both = [account.clone(), to.clone()];
    let is_there = Box::pin(node.accounts.users.align_room(node, room)).await?;
    let standings = node.databases.standings(room, &both).await;
    let standings = standings.map_err(|report| Refusal::database(&report))?;
    if !is_there || !standings.iter().all(|standing| standing.is_member()) {
        return Err(Refusal::plain(ErrorCode::PermissionDenied, "not_a_member"));
    }
    business::list_both(node, account, to).await
}

/// A room id that is at least well-formed.
pub(super) fn room(
    ids: &IdScheme,
    node: Option<&str>,
    field: &str,
    code: ErrorCode,
) -> Result<RoomId, Refusal> {
    let node = node.unwrap_or_default();
    match RoomId::new(node) {
        Ok(room) if ids.is_valid(node) => Ok(room),
        _ => Err(Refusal::field(
            code,
            format!("{field}: not a room id of this cluster"),
        )),
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
    if message.ms_type != message_kind::DIRECT {
        let sent = message.ms_type;
        let detail = format!("message.msType: {sent}; a client may send 2 (to an account) and 3 (to a room)");
        return Err(Refusal::field(ErrorCode::Parameters, detail));
    }
    let way = way(&message)?;
    let to = account(&connection.node.ids, message.to_node(), "message.to")?;
    if connection.live.as_ref().is_some_and(|live| live.account == to) {
        return Err(Refusal::plain(ErrorCode::PermissionDenied, "own_account"));
    }
    let vouched = false;
    Ok((way, Checked { message, to, vouched }))
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
pub(super) fn target(message: &TimMessage) -> Result<Seq, Refusal> {
    let number = message.mid.and_then(|mid| u64::try_from(mid).ok());
    number.filter(|number| *number > 0).map(Seq).ok_or_else(|| {
        let detail = "message.mid: missing; the number of the message to take back or burn is needed";
        Refusal::field(ErrorCode::Parameters, detail.to_owned())
    })
}

/// An account id that is at least well-formed.
pub(super) fn account(ids: &IdScheme, node: Option<&str>, field: &str) -> Result<AccountId, Refusal> {
    let node = node.unwrap_or_default();
    if node.is_empty() {
        let detail = format!("{field}: empty; an account id of 1 to 64 characters is needed");
        return Err(Refusal::field(ErrorCode::Parameters, detail));
    }
    let valid = ids.is_valid(node);
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
    let span = message_span(command, "direct");
    hand_in(connection, command.tim_type(), operation, checked, span);
}

/// The root of a message's trace, if it is sampled.
pub(super) fn message_span(command: Command, destination: &'static str) -> Span {
    let mut span = Span::root(&names::FRAME_MESSAGE, Kind::Server);
    if span.is_recording() {
        span.set(attribute(&names::NETWORK_PROTOCOL_NAME, "websocket"));
        span.set(attribute(&names::FRAME_TYPE, i64::from(command.number())));
        span.set(attribute(&names::MESSAGING_SYSTEM, "tim"));
        span.set(attribute(&names::MESSAGING_DESTINATION_TEMPLATE, destination));
    }
    span
}

/// Gives a message between two accounts to its lane and remembers what to answer.
fn hand_in(connection: &mut Connection, tim_type: i8, operation: Operation, checked: Checked, span: Span) {
    let Some(live) = &connection.live else { return };
    let draft = draft(&Actor::of(live), tim_type, operation, checked);
    enqueue(connection, draft, span);
}

/// A message or a notice between two accounts, sealed.
pub(super) fn draft(actor: &Actor, tim_type: i8, operation: Operation, checked: Checked) -> Draft {
    let Checked { message, to, vouched } = checked;
    let client_id = client_id(&message);
    // The domain is the sender's, as the reference has it.
    let to_tid = Tid {
        domain: actor.tid.domain.clone(),
        ..Tid::of(to.as_str())
    };
    let (body, content_hash) = Envelope::seal(message, &actor.tid, Some(to_tid), operation.target());
    Draft {
        tim_type,
        client_id,
        conversation: placement::direct_conversation(&actor.account, &to),
        peer: to,
        room: None,
        operation,
        vouched,
        body,
        content_hash,
    }
}

impl Draft {
    /// As it is given to a lane.
    pub(super) fn submission(self, sender: AccountId, sender_class: DeviceClass) -> Submission {
        Submission {
            key: crate::random::message_key(),
            conversation: self.conversation,
            sender,
            peer: self.peer,
            sender_class,
            operation: self.operation,
            client_id: self.client_id,
            content_hash: self.content_hash,
            attempt: 1,
            vouched: self.vouched,
            body: self.body,
        }
    }
}

/// Gives what was sealed to its lane and remembers what to answer.
pub(super) fn enqueue(connection: &mut Connection, draft: Draft, mut span: Span) {
    let Some(live) = &mut connection.live else { return };
    if draft.body.len() > tim_store::MAX_BODY_BYTES {
        // Said here: in a home it would be in the way of what others send.
        let refusal = Refusal::too_large(draft.body.len());
        span.fail(refusal.error_type);
        return refuse(connection, draft.tim_type, draft.client_id, refusal);
    }
    if span.is_recording() {
        let bytes = i64::try_from(draft.body.len()).unwrap_or(i64::MAX);
        span.set(attribute(&names::MESSAGING_BODY_SIZE, bytes));
    }
    let (tim_type, client_id, operation) = (draft.tim_type, draft.client_id, draft.operation);
    let room = draft.room.clone();
    let submission = draft.submission(live.account.clone(), live.class);
    let trace = span.context();
    live.pending.push(Pending {
        key: submission.key,
        tim_type,
        client_id,
        operation,
        peer: submission.peer.clone(),
        room,
        since: Instant::now(),
        span,
    });
    connection.node.engine.submit(live.id, submission, trace);
}
