//! Command 41, operations on rooms: who is in them. Whether an operation is allowed is judged by the room's home; here is
//! only what needs no room: ids that can be none, accounts that do not exist, and the lists of conversations, which are
//! supersets and so are written before.

use super::message::{self, Draft};
use super::room_info::CHANGE_BYTES_MAX;
use super::{Actor, Refusal};
use crate::edge::{Connection, Continuation};
use crate::node::Node;
use crate::session::{Envelope, Pending, frames};
use bytes::Bytes;
use std::sync::Arc;
use tim_core::conversation::{self, Operation, RoomBody, RoomCreation, RoomOperation, RoomProfile};
use tim_core::id::{AccountId, ContentHash, RoomId};
use tim_core::placement;
use tim_store::{Listed, ListedConversation, Listing};
use tim_telemetry::Span;
use tim_wire::structs::{business, node_kind, operation};
use tim_wire::{Command, Encoding, ErrorCode, IdScheme, Tid, TimAck, TimMessage, TimReq};

/// `TimReq.reqInt` of a new room that whoever wants to join must be let into.
const PRIVATE: i64 = 1;
/// `TimRoomBean.gtype` of the other kind.
const OPEN: i8 = 2;
/// `TimAck.t` of a revoke in a room.
const IN_ROOM: i32 = 3;

/// A request that may be tried, as far as its frame tells.
pub(super) struct Asked {
    pub(super) room: RoomId,
    pub(super) operation: RoomOperation,
    /// Whom it concerns.
    target: AccountId,
    /// Whose list of conversations must name the room first.
    lists: Option<AccountId>,
    /// It must exist.
    is_stranger: bool,
    body: Bytes,
    content_hash: ContentHash,
}

impl Asked {
    /// Whether something has to be looked up or written before the room's home is asked.
    fn needs_preparation(&self) -> bool {
        self.lists.is_some() || self.is_stranger
    }

    pub(super) fn draft(self) -> Draft {
        Draft {
            tim_type: Command::Business.tim_type(),
            client_id: None,
            conversation: placement::room_conversation(&self.room),
            peer: self.target,
            room: Some(self.room),
            operation: Operation::Room(self.operation),
            vouched: false,
            body: self.body,
            content_hash: self.content_hash,
        }
    }
}

/// Takes a request.
pub(super) fn begin(connection: &mut Connection, rtype: i32, request: TimReq) {
    let names = (request.node.clone(), request.node2.clone());
    let Some(live) = &connection.live else { return };
    let changes = connection.node.accounts.users.refuse_room_changes();
    let asked = changes.and_then(|()| check(&connection.node.ids, &Actor::of(live), rtype, request));
    let asked = match asked {
        Ok(asked) => asked,
        Err(refusal) => return refuse(connection, rtype, names, refusal),
    };
    if !asked.needs_preparation() {
        return message::enqueue(connection, asked.draft(), Span::none());
    }
    let node = Arc::clone(&connection.node);
    connection.begin(Box::pin(async move {
        let prepared = Box::pin(prepare(&node, &asked)).await;
        let continuation: Continuation = Box::new(move |connection| match prepared {
            Ok(()) => message::enqueue(connection, asked.draft(), Span::none()),
            Err(refusal) => refuse(connection, rtype, names, refusal),
        });
        continuation
    }));
}

/// What an actor asks of a room, if it can be asked at all.
pub(super) fn check(ids: &IdScheme, actor: &Actor, rtype: i32, request: TimReq) -> Result<Asked, Refusal> {
    let own = actor.account.clone();
    if rtype == business::NEW_ROOM {
        return creation(ids, actor, request);
    }
    let room = message::room(
        ids,
        request.node.as_deref(),
        "request.node",
        ErrorCode::Parameters,
    )?;
    if rtype == business::ADD_ROOM && request.req_str.is_none() {
        let detail = "request.reqStr: missing; a text is needed, it may be empty".to_owned();
        return Err(Refusal::field(ErrorCode::Parameters, detail));
    }
    let operation = match rtype {
        business::ADD_ROOM => RoomOperation::Join,
        business::REFUSE_ROOM => RoomOperation::Refuse,
        business::PULL_ROOM => RoomOperation::Pull,
        business::KICK_ROOM => RoomOperation::Kick,
        business::BLOCK_ROOM => RoomOperation::Block,
        business::BLOCK_ROOM_MEMBER => RoomOperation::Ban,
        business::LEAVE_ROOM => RoomOperation::Leave,
        business::CANCEL_ROOM => RoomOperation::Cancel,
        other => {
            return Err(Refusal::operation_not_supported(&format!(
                "operation {other} of command 41 is only a notice"
            )));
        }
    };
    let target = match operation {
        RoomOperation::Refuse | RoomOperation::Pull | RoomOperation::Kick | RoomOperation::Ban => {
            message::account(ids, request.node2.as_deref(), "request.node2")?
        }
        _ => own.clone(),
    };
    let mut notice = TimMessage::direct(target.as_str(), operation::BUSINESS);
    notice.room_tid = Some(Tid::of(room.as_str()));
    notice.data_string = request.req_str.filter(|text| !text.is_empty());
    let to = Some(Tid::of(target.as_str()));
    let (body, content_hash) = Envelope::seal(notice, &actor.tid, to, None);
    Ok(Asked {
        room,
        operation,
        lists: match operation {
            RoomOperation::Join | RoomOperation::Block => Some(own),
            RoomOperation::Pull => Some(target.clone()),
            _ => None,
        },
        is_stranger: matches!(operation, RoomOperation::Pull | RoomOperation::Ban),
        target,
        body,
        content_hash,
    })
}

fn creation(ids: &IdScheme, actor: &Actor, request: TimReq) -> Result<Asked, Refusal> {
    let (Some(topic), Some(kind)) = (request.node.filter(|topic| !topic.is_empty()), request.req_int) else {
        let detail = "request.node, request.reqInt: a new room needs a topic and a kind, 1 private or 2 open";
        return Err(Refusal::field(ErrorCode::Parameters, detail.to_owned()));
    };
    let domain = actor.tid.domain.as_deref().unwrap_or_default();
    let id = ids.room_id(crate::random::bytes(), domain);
    let room = message::room(ids, Some(&id), "request.node", ErrorCode::Parameters)?;
    let made = RoomCreation {
        id: room.clone(),
        private: kind == PRIVATE,
        profile: RoomProfile {
            topic: Some(topic),
            ..RoomProfile::default()
        },
    };
    let body = made.to_body();
    if body.len() > CHANGE_BYTES_MAX {
        let detail = format!("request.node: the room would have more than {CHANGE_BYTES_MAX} bytes");
        return Err(Refusal::field(ErrorCode::Parameters, detail));
    }
    Ok(Asked {
        room,
        operation: RoomOperation::Create,
        target: actor.account.clone(),
        lists: Some(actor.account.clone()),
        is_stranger: false,
        body,
        content_hash: ContentHash::default(),
    })
}

/// What must be there, and stand in lists, before the room's home is asked.
pub(super) async fn prepare(node: &Node, asked: &Asked) -> Result<(), Refusal> {
    if asked.is_stranger && !node.accounts.exists(node, &asked.target).await? {
        return Err(Refusal::plain(ErrorCode::Account, "no_such_account"));
    }
    let database = |report: tim_catalogue::Report| Refusal::database(&report);
    if asked.operation != RoomOperation::Create {
        // Rooms that are not there leave no trace in lists.
        let found = node.databases.rooms(std::slice::from_ref(&asked.room)).await;
        if found.map_err(database)?.iter().all(Option::is_none) {
            return Err(judged(asked.operation, conversation::Refusal::NoSuchRoom));
        }
    }
    let Some(account) = &asked.lists else {
        return Ok(());
    };
    let listed = ListedConversation {
        conversation: placement::room_conversation(&asked.room),
        what: Listed::Room(asked.room.clone()),
    };
    let listing = node.databases.list_conversation(account, &listed).await;
    match listing.map_err(database)? {
        Listing::Listed => Ok(()),
        Listing::Deleted => Err(Refusal::plain(ErrorCode::Account, "no_such_account")),
    }
}

/// tim's number of an operation; nothing for what no operation of command 41 is.
fn rtype_of(operation: RoomOperation) -> Option<i32> {
    Some(match operation {
        RoomOperation::Create => business::NEW_ROOM,
        RoomOperation::Join => business::ADD_ROOM,
        RoomOperation::Refuse => business::REFUSE_ROOM,
        RoomOperation::Pull => business::PULL_ROOM,
        RoomOperation::Kick => business::KICK_ROOM,
        RoomOperation::Block => business::BLOCK_ROOM,
        RoomOperation::Ban => business::BLOCK_ROOM_MEMBER,
        RoomOperation::Leave => business::LEAVE_ROOM,
        RoomOperation::Cancel => business::CANCEL_ROOM,
        RoomOperation::Message
        | RoomOperation::Revoke(_)
        | RoomOperation::Modify
        | RoomOperation::Admit
        | RoomOperation::Dismiss => return None,
    })
}

/// The operation succeeded: its answer, where the notice or the message is not answer enough.
pub(super) fn succeeded(connection: &mut Connection, pending: &Pending, operation: RoomOperation) {
    let room = pending.room.as_ref().map(|room| room.as_str().to_owned());
    let answer = match operation {
        RoomOperation::Message | RoomOperation::Join | RoomOperation::Admit | RoomOperation::Dismiss => {
            return;
        }
        RoomOperation::Revoke(target) => TimAck {
            t: Some(i64::from(IN_ROOM)),
            n: room,
            t2: i64::try_from(target.0).ok(),
            ..TimAck::success(Command::RevokeMessage)
        },
        RoomOperation::Modify => TimAck {
            t: Some(i64::from(node_kind::MODIFY_ROOM)),
            ..TimAck::success(Command::Nodes)
        },
        RoomOperation::Create
        | RoomOperation::Refuse
        | RoomOperation::Pull
        | RoomOperation::Kick
        | RoomOperation::Block
        | RoomOperation::Ban
        | RoomOperation::Leave
        | RoomOperation::Cancel => TimAck {
            t: rtype_of(operation).map(i64::from),
            n: room,
            n2: concerns_other(operation).then(|| pending.peer.as_str().to_owned()),
            ..TimAck::success(Command::Business)
        },
    };
    let encoding = connection.encoding(Encoding::Thrift);
    connection.out.push(frames::ack(&answer, encoding));
}

fn concerns_other(operation: RoomOperation) -> bool {
    matches!(
        operation,
        RoomOperation::Refuse | RoomOperation::Pull | RoomOperation::Kick | RoomOperation::Ban
    )
}

/// What a home's refusal is called on the wire: of a room that is not there it depends on what was asked.
pub(super) fn judged(operation: RoomOperation, refusal: conversation::Refusal) -> Refusal {
    let unknown = refusal == conversation::Refusal::NoSuchRoom;
    match operation {
        RoomOperation::Message | RoomOperation::Revoke(_) if unknown => {
            Refusal::plain(ErrorCode::Account, "no_such_room")
        }
        RoomOperation::Join if unknown => Refusal::plain(ErrorCode::Parameters, "no_such_room"),
        RoomOperation::Modify if unknown => Refusal::plain(ErrorCode::PermissionDenied, "no_such_room"),
        _ => Refusal::judged(refusal),
    }
}

/// The home, or a limit, said no.
pub(super) fn failed(
    connection: &mut Connection,
    pending: &Pending,
    operation: RoomOperation,
    refusal: Refusal,
) {
    match rtype_of(operation) {
        Some(rtype) => {
            let room = pending.room.as_ref().map(|room| room.as_str().to_owned());
            let other = concerns_other(operation).then(|| pending.peer.as_str().to_owned());
            refuse(connection, rtype, (room, other), refusal);
        }
        None if operation == RoomOperation::Modify => refusal
            .within(node_kind::MODIFY_ROOM)
            .answer(connection, pending.tim_type),
        None => refusal
            .of_message(pending.client_id)
            .answer(connection, pending.tim_type),
    }
}

/// Most operations say no twice, as with the reference: once with their names, and once bare.
fn refuse(
    connection: &mut Connection,
    rtype: i32,
    (room, other): (Option<String>, Option<String>),
    refusal: Refusal,
) {
    let tim_type = Command::Business.tim_type();
    let bare = refusal.clone();
    let once = rtype == business::NEW_ROOM || refusal.error_type == "banned_from_private";
    let named = refusal.within(rtype);
    match rtype {
        business::NEW_ROOM => named.answer(connection, tim_type),
        _ => named.about(room, other).answer(connection, tim_type),
    }
    if !once {
        bare.answer(connection, tim_type);
    }
}

/// `TimRoomBean.gtype` of a room.
pub(super) fn gtype(private: bool) -> i8 {
    if private { 1 } else { OPEN }
}
