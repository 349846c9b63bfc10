//! Command 21: older messages of a conversation, newest first.

use super::Refusal;
use super::message;
use crate::edge::{Connection, Continuation};
use crate::node::Node;
use crate::session::Envelope;
use std::sync::Arc;
use tim_core::conversation::Entry;
use tim_core::id::{AccountId, RoomId, Seq};
use tim_core::placement;
use tim_wire::frame::server_frame;
use tim_wire::{Command, ErrorCode, MessageBody, MessageStamp, TimMessage, TimReq, message_list_payload};

/// Most messages in one answer; the reference has no limit.
const PAGE_MESSAGES_MAX: u32 = 100;
/// The history of a chat of two accounts.
const DIRECT: i32 = 1;
/// The history of a room, for its members.
const ROOM: i32 = 2;

/// Whose history.
#[derive(Debug)]
pub(crate) enum Of {
    /// Of the chat with another account.
    Peer(AccountId),
    /// Of a room, for its members.
    Room(RoomId),
    /// Of a room, for who may see everything.
    AnyRoom(RoomId),
}

/// Which part of a history.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Asked {
    newest: Option<Seq>,
    not_after_ns: Option<i64>,
    limit: u32,
}

impl Asked {
    /// What is not above 0 says nothing; a number counts before a time, in Unix nanoseconds.
    pub(crate) fn new(newest: i64, not_after_ns: Option<i64>, limit: i64) -> Self {
        let newest = u64::try_from(newest).ok().filter(|newest| *newest > 0).map(Seq);
        Self {
            newest,
            not_after_ns: not_after_ns.filter(|time| *time > 0 && newest.is_none()),
            limit: u32::try_from(limit.max(0))
                .unwrap_or(PAGE_MESSAGES_MAX)
                .min(PAGE_MESSAGES_MAX),
        }
    }
}

/// Takes a request.
pub(super) fn begin(connection: &mut Connection, request: TimReq) {
    let refuse = |connection: &mut Connection, refusal: Refusal| {
        refusal.answer(connection, Command::PullMessages.tim_type());
    };
    let (Some(newest), Some(limit)) = (request.req_int, request.req_int2) else {
        let detail = "request.reqInt, request.reqInt2: both are needed, 0 is fine".to_owned();
        return refuse(connection, Refusal::field(ErrorCode::Parameters, detail));
    };
    let node = request.node.as_deref();
    let of = match request.rtype {
        Some(DIRECT) => message::account(&connection.node.ids, node, "request.node").map(Of::Peer),
        Some(ROOM) => {
            message::room(&connection.node.ids, node, "request.node", ErrorCode::Parameters).map(Of::Room)
        }
        _ => {
            let detail = "request.rtype: valid: 1 (with an account), 2 (of a room)".to_owned();
            Err(Refusal::field(ErrorCode::Parameters, detail))
        }
    };
    let of = match of {
        Ok(of) => of,
        // Unlike elsewhere, an id that is none is a wrong parameter here.
        Err(refusal) => return refuse(connection, refusal.with_code(ErrorCode::Parameters)),
    };
    let Some(live) = &connection.live else { return };
    let (account, encoding) = (live.account.clone(), live.encoding);
    let node = Arc::clone(&connection.node);
    // Nanoseconds since 1970 as text, a refinement of the later generation of clients.
    let not_after_ns = request.node2.as_deref().and_then(|text| text.parse().ok());
    let asked = Asked::new(newest, not_after_ns, limit);
    connection.begin(Box::pin(async move {
        let page = Box::pin(page(&node, &account, &of, asked)).await;
        let continuation: Continuation = Box::new(move |connection| match page {
            Err(refusal) => refusal.answer(connection, Command::PullMessages.tim_type()),
            Ok(entries) => {
                let listed: Vec<_> = entries
                    .iter()
                    .filter_map(|entry| listed(entry, &account))
                    .collect();
                match message_list_payload(None, &listed, encoding) {
                    Ok(payload) => connection
                        .out
                        .push(server_frame(Command::PullMessages, None, &payload)),
                    Err(error) => tracing::warn!(%error, "a page of history cannot be encoded"),
                }
            }
        });
        continuation
    }));
}

/// A message as it stands in history; nothing for another entry, or one that cannot be read.
fn listed(entry: &Entry, account: &AccountId) -> Option<(MessageBody, MessageStamp)> {
    if !entry.kind.is_message() {
        return None;
    }
    let envelope = Envelope::open(&entry.body).ok()?;
    envelope.listed(entry, account, false).ok()
}

/// The same as a struct.
pub(super) fn message(entry: &Entry, account: &AccountId) -> Option<TimMessage> {
    let (body, stamp) = listed(entry, account)?;
    body.message(stamp).ok()
}

/// A message or a notice as it stands in a batch of what waited.
pub(super) fn waiting_message(entry: &Entry, account: &AccountId) -> Option<TimMessage> {
    let envelope = Envelope::open(&entry.body).ok()?;
    let (body, stamp) = envelope.listed(entry, account, true).ok()?;
    body.message(stamp).ok()
}

/// The entries asked for; of a room only for its members.
pub(super) async fn page(
    node: &Node,
    account: &AccountId,
    of: &Of,
    asked: Asked,
) -> Result<Vec<Entry>, Refusal> {
    let database = |report: tim_catalogue::Report| Refusal::database(&report);
    let conversation = match of {
        Of::Peer(peer) => placement::direct_conversation(account, peer),
        Of::Room(room) => {
            let is_there = Box::pin(node.accounts.users.align_room(node, room)).await?;
            if !is_there || !node.databases.is_member(room, account).await.map_err(database)? {
                return Err(Refusal::plain(ErrorCode::PermissionDenied, "not_a_member"));
            }
            placement::room_conversation(room)
        }
        Of::AnyRoom(room) => placement::room_conversation(room),
    };
    let page = node
        .databases
        .history(&conversation, asked.newest, asked.not_after_ns, asked.limit);
    page.await.map_err(database)
}
