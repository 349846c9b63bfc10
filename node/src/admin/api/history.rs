//! What was said in conversations, for callers of the highest role; every page that is read is in the audit log.

use super::body::Params;
use crate::admin::access::{Admin, Caller};
use crate::admin::operations;
use crate::admin::operations::rooms;
use crate::admin::problem::{Document, Problem};
use crate::commands::in_name_of::{HistoryAsked, HistoryOf};
use axum::Json;
use axum::extract::Path;
use base64::Engine as _;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::sync::Arc;
use tim_wire::TimMessage;
use utoipa::{IntoParams, ToSchema};

/// Messages in a page when nothing is said.
const PAGE_DEFAULT: u32 = 50;
/// Digits of a time in nanoseconds.
const NANOS_PER_MILLI: u64 = 1_000_000;

/// Which part.
#[derive(Debug, Deserialize, IntoParams, ToSchema)]
#[into_params(parameter_in = Query)]
#[serde(rename_all = "camelCase")]
pub(super) struct Part {
    /// How many messages at most: 1 to 100, 50 when absent.
    limit: Option<u32>,
    /// Number of the newest message that is wanted; what the page before said as `next`. The newest there is when absent.
    newest: Option<String>,
    /// Nothing newer than this, in Unix milliseconds; passed over when `newest` is given.
    until_unix_millis: Option<String>,
}

/// A message.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct Message {
    /// Its number in the conversation.
    number: i64,
    /// Who sent it.
    #[serde(skip_serializing_if = "Option::is_none")]
    from: Option<String>,
    /// When it was stored.
    unix_millis: i64,
    /// What it does: 1 for a message, more for applications' own.
    operation: i8,
    /// Its text.
    #[serde(skip_serializing_if = "Option::is_none")]
    text: Option<String>,
    /// Its bytes, in base64.
    #[serde(skip_serializing_if = "Option::is_none")]
    data: Option<String>,
    /// Kind of the data, for applications.
    #[serde(skip_serializing_if = "Option::is_none")]
    data_type: Option<i16>,
    /// For applications.
    #[serde(skip_serializing_if = "Option::is_none")]
    extend: Option<BTreeMap<String, String>>,
}

/// A part of a history.
#[derive(Serialize, ToSchema)]
pub(super) struct History {
    /// Newest first.
    messages: Vec<Message>,
    /// What `newest` has to be for the page before; absent when there is nothing older.
    #[serde(skip_serializing_if = "Option::is_none")]
    next: Option<String>,
}

impl Part {
    fn asked(&self) -> Result<HistoryAsked, Problem> {
        let number = |field: &str, text: &Option<String>| {
            let text = text.as_deref().unwrap_or("0");
            let number: u64 = text
                .parse()
                .map_err(|_| Problem::field(field, "a whole number is needed"))?;
            Ok::<u64, Problem>(number)
        };
        let newest = number("newest", &self.newest)?;
        let until_ns = number("untilUnixMillis", &self.until_unix_millis)?.saturating_mul(NANOS_PER_MILLI);
        let limit = self.limit.unwrap_or(PAGE_DEFAULT);
        if !(1..=100).contains(&limit) {
            return Err(Problem::field("limit", &format!("{limit}; valid: 1 to 100")));
        }
        let signed = |number: u64| i64::try_from(number).unwrap_or(i64::MAX);
        Ok(HistoryAsked::new(
            signed(newest),
            Some(signed(until_ns)),
            i64::from(limit),
        ))
    }
}

fn shown(message: TimMessage) -> Message {
    let base64 = |bytes: bytes::Bytes| base64::engine::general_purpose::STANDARD.encode(bytes);
    Message {
        number: message.mid.unwrap_or_default(),
        from: message.from_tid.map(|tid| tid.node),
        unix_millis: message.timestamp.unwrap_or_default() / 1_000_000,
        operation: message.od_type,
        text: message.data_string,
        data: message.data_binary.map(base64),
        data_type: message.udtype,
        extend: message.extend,
    }
}

fn page(messages: Vec<TimMessage>) -> Json<History> {
    let messages: Vec<Message> = messages.into_iter().map(shown).collect();
    let oldest = messages.last().map(|last| last.number);
    let next = oldest
        .filter(|number| *number > 1)
        .map(|number| (number - 1).to_string());
    Json(History { messages, next })
}

/// What two accounts have said to each other, newest first.
#[utoipa::path(get, path = "/api/v1/accounts/{account}/history/{peer}", tag = "history", security(("token" = ["admin"])),
    params(("account" = String, Path, description = "Id of the account."), ("peer" = String, Path, description = "Id of the other."), Part),
    responses((status = 200, body = History), (status = "default", body = Document, content_type = "application/problem+json")))]
pub(super) async fn of_accounts(
    caller: Caller<Admin>,
    Path((account, peer)): Path<(String, String)>,
    Params(part): Params<Part>,
) -> Result<Json<History>, Problem> {
    let account = operations::account("account", &account)?;
    let with = HistoryOf::Peer(operations::account("peer", &peer)?);
    let work = rooms::history(Arc::clone(&caller.node), account.clone(), with, part.asked()?);
    // It changes nothing, but it has to be known who read what others have said.
    Ok(page(caller.change("read_history", Some(&account), work).await?))
}

/// What was said in a room, newest first.
#[utoipa::path(get, path = "/api/v1/rooms/{room}/history", tag = "history", security(("token" = ["admin"])),
    params(("room" = String, Path, description = "Id of the room."), Part),
    responses((status = 200, body = History), (status = "default", body = Document, content_type = "application/problem+json")))]
pub(super) async fn of_room(
    caller: Caller<Admin>,
    Path(room): Path<String>,
    Params(part): Params<Part>,
) -> Result<Json<History>, Problem> {
    let room = rooms::room_id(&caller.node, "room", &room)?;
    let work = rooms::room_history(Arc::clone(&caller.node), room, part.asked()?);
    Ok(page(caller.change("read_room_history", None, work).await?))
}
