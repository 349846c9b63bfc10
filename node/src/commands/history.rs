//! Command 21: older messages of a conversation, newest first.

use super::Refusal;
use super::message;
use crate::edge::{Connection, Continuation};
use crate::session::Envelope;
use std::sync::Arc;
use tim_core::conversation::EntryKind;
use tim_core::id::Seq;
use tim_core::placement;
use tim_wire::frame::server_frame;
use tim_wire::{Command, ErrorCode, TimReq, message_list_payload};

/// Most messages in one answer; the reference has no limit.
const PAGE_MESSAGES_MAX: u32 = 100;
/// The history of a chat of two accounts; the other kind is that of a room.
const DIRECT: i32 = 1;

/// Takes a request.
pub(super) fn begin(connection: &mut Connection, request: TimReq) {
    let refuse = |connection: &mut Connection, refusal: Refusal| {
        refusal.answer(connection, Command::PullMessages.tim_type());
    };
    if request.rtype != Some(DIRECT) {
        return refuse(
            connection,
            Refusal::operation_not_supported("only rtype 1, the history with an account, is offered"),
        );
    }
    let (Some(newest), Some(limit)) = (request.req_int, request.req_int2) else {
        let detail = "request.reqInt, request.reqInt2: both are needed, 0 is fine".to_owned();
        return refuse(connection, Refusal::field(ErrorCode::Parameters, detail));
    };
    let peer = match message::account(connection, request.node.as_deref(), "request.node") {
        Ok(peer) => peer,
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
        let conversation = placement::direct_conversation(&account, &peer);
        let page = Box::pin(node.databases.history(&conversation, newest, not_after_ns, limit)).await;
        let continuation: Continuation = Box::new(move |connection| match page {
            Err(report) => Refusal::database(&report).answer(connection, Command::PullMessages.tim_type()),
            Ok(entries) => {
                let listed: Vec<_> = entries
                    .iter()
                    .filter(|entry| entry.kind == EntryKind::Message)
                    .filter_map(|entry| {
                        Envelope::open(&entry.body)
                            .and_then(|envelope| envelope.listed(entry, false))
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
