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
use tim_wire::{Command, ErrorCode, TimReq, message_list_payload};

/// Most messages in one answer; the reference has no limit.
const PAGE_MESSAGES_MAX: u32 = 100;
/// The history of a chat of two accounts.
const DIRECT: i32 = 1;
/// The history of a room, for its members.
const ROOM: i32 = 2;

/// Whose history.
enum Of {
    Peer(AccountId),
    Room(RoomId),
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
        Some(DIRECT) => message::account(connection, node, "request.node").map(Of::Peer),
        Some(ROOM) => message::room(connection, node, "request.node", ErrorCode::Parameters).map(Of::Room),
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
    let newest = u64::try_from(newest).ok().filter(|newest| *newest > 0).map(Seq);
    // Nanoseconds since 1970 as text, a refinement of the later generation of clients.
    let not_after_ns = request
        .node2
        .as_deref()
        .and_then(|text| text.parse::<i64>().ok())
        .filter(|time| *time > 0 && newest.is_none());
    let limit = u32::try_from(limit.max(0))
        .unwrap_or(PAGE_MESSAGES_MAX)
        .min(PAGE_MESSAGES_MAX);
    connection.begin(Box::pin(async move {
        let page = Box::pin(page(&node, &account, &of, (newest, not_after_ns, limit))).await;
        let continuation: Continuation = Box::new(move |connection| match page {
            Err(refusal) => refusal.answer(connection, Command::PullMessages.tim_type()),
            Ok(entries) => {
                let listed: Vec<_> = entries
                    .iter()
                    .filter(|entry| entry.kind.is_message())
                    .filter_map(|entry| {
                        Envelope::open(&entry.body)
                            .and_then(|envelope| envelope.listed(entry, &account, false))
                            .ok()
                    })
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

/// The entries asked for; of a room only for its members.
async fn page(
    node: &Node,
    account: &AccountId,
    of: &Of,
    (newest, not_after_ns, limit): (Option<Seq>, Option<i64>, u32),
) -> Result<Vec<Entry>, Refusal> {
    let database = |report: tim_catalogue::Report| Refusal::database(&report);
    let conversation = match of {
        Of::Peer(peer) => placement::direct_conversation(account, peer),
        Of::Room(room) => {
            if !node.databases.is_member(room, account).await.map_err(database)? {
                return Err(Refusal::plain(ErrorCode::PermissionDenied, "not_a_member"));
            }
            placement::room_conversation(room)
        }
    };
    let page = node.databases.history(&conversation, newest, not_after_ns, limit);
    page.await.map_err(database)
}
