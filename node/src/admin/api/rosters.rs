//! What accounts have to do with others: their friends, whom they have blocked, and the rooms they are in. What is changed
//! is changed in the name of the account, with the notices that the other side gets of it.

use super::blocks::Page;
use super::body::Params;
use super::rooms::{in_room, page_of};
use crate::admin::access::{Caller, Operate, Read};
use crate::admin::operations;
use crate::admin::operations::rooms::{self, About, request};
use crate::admin::problem::{Document, Problem};
use crate::commands::in_name_of::List;
use axum::Json;
use axum::extract::Path;
use axum::http::StatusCode;
use serde::{Deserialize, Serialize};
use std::sync::Arc;
use utoipa::{IntoParams, ToSchema};

/// Words that go with a request.
#[derive(Debug, Deserialize, IntoParams, ToSchema)]
#[into_params(parameter_in = Query)]
pub(super) struct Words {
    /// A few words for whoever is told.
    text: Option<String>,
}

/// A part of a list of accounts.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Roster {
    /// Ids, in their order.
    accounts: Vec<String>,
    /// Cursor of the next page; absent on the last one.
    #[serde(skip_serializing_if = "Option::is_none")]
    next: Option<String>,
}

/// A part of a list of rooms.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Rooms {
    /// Ids, in their order.
    rooms: Vec<String>,
    /// Cursor of the next page; absent on the last one.
    #[serde(skip_serializing_if = "Option::is_none")]
    next: Option<String>,
}

async fn listed(
    caller: &Caller<Read>,
    operation: &'static str,
    account: &str,
    (which, page): (List, Page),
) -> Result<(Vec<String>, Option<String>), Problem> {
    let account = operations::account("account", account)?;
    let work = rooms::list(&caller.node, &account, which);
    page_of(caller.read(operation, work).await?, page)
}

/// The friends of an account, page by page.
#[utoipa::path(get, path = "/api/v1/accounts/{account}/roster", tag = "rosters", security(("token" = ["read"])),
    params(("account" = String, Path, description = "Id of the account."), Page),
    responses((status = 200, body = Roster), (status = "default", body = Document, content_type = "application/problem+json")))]
pub(super) async fn friends(
    caller: Caller<Read>,
    Path(account): Path<String>,
    Params(page): Params<Page>,
) -> Result<Json<Roster>, Problem> {
    let (accounts, next) = listed(&caller, "list_roster", &account, (List::Friends, page)).await?;
    Ok(Json(Roster { accounts, next }))
}

/// Whom an account has blocked, page by page.
#[utoipa::path(get, path = "/api/v1/accounts/{account}/blocked-accounts", tag = "rosters", security(("token" = ["read"])),
    params(("account" = String, Path, description = "Id of the account."), Page),
    responses((status = 200, body = Roster), (status = "default", body = Document, content_type = "application/problem+json")))]
pub(super) async fn blocked(
    caller: Caller<Read>,
    Path(account): Path<String>,
    Params(page): Params<Page>,
) -> Result<Json<Roster>, Problem> {
    let what = (List::BlockedAccounts, page);
    let (accounts, next) = listed(&caller, "list_blocked_accounts", &account, what).await?;
    Ok(Json(Roster { accounts, next }))
}

/// The rooms that an account is in, page by page.
#[utoipa::path(get, path = "/api/v1/accounts/{account}/rooms", tag = "rosters", security(("token" = ["read"])),
    params(("account" = String, Path, description = "Id of the account."), Page),
    responses((status = 200, body = Rooms), (status = "default", body = Document, content_type = "application/problem+json")))]
pub(super) async fn rooms_of(
    caller: Caller<Read>,
    Path(account): Path<String>,
    Params(page): Params<Page>,
) -> Result<Json<Rooms>, Problem> {
    let (rooms, next) = listed(&caller, "list_rooms", &account, (List::Rooms, page)).await?;
    Ok(Json(Rooms { rooms, next }))
}

/// The rooms that an account has blocked, page by page.
#[utoipa::path(get, path = "/api/v1/accounts/{account}/blocked-rooms", tag = "rosters", security(("token" = ["read"])),
    params(("account" = String, Path, description = "Id of the account."), Page),
    responses((status = 200, body = Rooms), (status = "default", body = Document, content_type = "application/problem+json")))]
pub(super) async fn blocked_rooms(
    caller: Caller<Read>,
    Path(account): Path<String>,
    Params(page): Params<Page>,
) -> Result<Json<Rooms>, Problem> {
    let what = (List::BlockedRooms, page);
    let (rooms, next) = listed(&caller, "list_blocked_rooms", &account, what).await?;
    Ok(Json(Rooms { rooms, next }))
}

async fn with_peer(
    caller: &Caller<Operate>,
    (operation, number): (&'static str, i32),
    (account, peer): (String, String),
    text: Option<String>,
) -> Result<StatusCode, Problem> {
    let actor = rooms::actor("account", &account, None)?;
    operations::account("peer", &peer)?;
    let account = actor.account.clone();
    let work = rooms::roster(Arc::clone(&caller.node), actor, number, (peer, text));
    caller.change(operation, Some(&account), work).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Asks another account to be a friend, or says yes to it.
#[utoipa::path(put, path = "/api/v1/accounts/{account}/roster/{peer}", tag = "rosters", security(("token" = ["operate"])),
    params(("account" = String, Path, description = "Id of the account."), ("peer" = String, Path, description = "Id of the other."), Words),
    responses((status = 204), (status = "default", body = Document, content_type = "application/problem+json")))]
pub(super) async fn add(
    caller: Caller<Operate>,
    Path(both): Path<(String, String)>,
    Params(words): Params<Words>,
) -> Result<StatusCode, Problem> {
    let what = ("add_to_roster", request::ADD_ROSTER);
    with_peer(&caller, what, both, words.text).await
}

/// Ends a friendship, on both sides.
#[utoipa::path(delete, path = "/api/v1/accounts/{account}/roster/{peer}", tag = "rosters", security(("token" = ["operate"])),
    params(("account" = String, Path, description = "Id of the account."), ("peer" = String, Path, description = "Id of the other.")),
    responses((status = 204), (status = "default", body = Document, content_type = "application/problem+json")))]
pub(super) async fn remove(
    caller: Caller<Operate>,
    Path(both): Path<(String, String)>,
) -> Result<StatusCode, Problem> {
    let what = ("remove_from_roster", request::REMOVE_ROSTER);
    with_peer(&caller, what, both, None).await
}

/// Blocks another account for an account; a friendship ends.
#[utoipa::path(put, path = "/api/v1/accounts/{account}/blocked-accounts/{peer}", tag = "rosters", security(("token" = ["operate"])),
    params(("account" = String, Path, description = "Id of the account."), ("peer" = String, Path, description = "Id of the other.")),
    responses((status = 204), (status = "default", body = Document, content_type = "application/problem+json")))]
pub(super) async fn block(
    caller: Caller<Operate>,
    Path(both): Path<(String, String)>,
) -> Result<StatusCode, Problem> {
    let what = ("block_for_account", request::BLOCK_ROSTER);
    with_peer(&caller, what, both, None).await
}

/// Lifts what an account has blocked.
#[utoipa::path(delete, path = "/api/v1/accounts/{account}/blocked-accounts/{peer}", tag = "rosters", security(("token" = ["operate"])),
    params(("account" = String, Path, description = "Id of the account."), ("peer" = String, Path, description = "Id of the other.")),
    responses((status = 204), (status = "default", body = Document, content_type = "application/problem+json")))]
pub(super) async fn unblock(
    caller: Caller<Operate>,
    Path(both): Path<(String, String)>,
) -> Result<StatusCode, Problem> {
    // Removing lifts the block as well.
    let what = ("unblock_for_account", request::REMOVE_ROSTER);
    with_peer(&caller, what, both, None).await
}

async fn with_room(
    caller: &Caller<Operate>,
    what: (&'static str, i32),
    (account, room): (String, String),
    text: Option<String>,
) -> Result<StatusCode, Problem> {
    let actor = rooms::actor("account", &account, None)?;
    rooms::room_id(&caller.node, "room", &room)?;
    let account = actor.account.clone();
    let about = About {
        room,
        other: None,
        text,
    };
    in_room(caller, what, actor, (about, &account)).await
}

/// Has an account join an open room, or apply to a private one. What it has blocked of the room ends with it.
#[utoipa::path(put, path = "/api/v1/accounts/{account}/rooms/{room}", tag = "rosters", security(("token" = ["operate"])),
    params(("account" = String, Path, description = "Id of the account."), ("room" = String, Path, description = "Id of the room."), Words),
    responses((status = 204), (status = "default", body = Document, content_type = "application/problem+json")))]
pub(super) async fn join(
    caller: Caller<Operate>,
    Path(both): Path<(String, String)>,
    Params(words): Params<Words>,
) -> Result<StatusCode, Problem> {
    with_room(&caller, ("join_room", request::ADD_ROOM), both, words.text).await
}

/// Has an account leave a room.
#[utoipa::path(delete, path = "/api/v1/accounts/{account}/rooms/{room}", tag = "rosters", security(("token" = ["operate"])),
    params(("account" = String, Path, description = "Id of the account."), ("room" = String, Path, description = "Id of the room.")),
    responses((status = 204), (status = "default", body = Document, content_type = "application/problem+json")))]
pub(super) async fn leave(
    caller: Caller<Operate>,
    Path(both): Path<(String, String)>,
) -> Result<StatusCode, Problem> {
    with_room(&caller, ("leave_room", request::LEAVE_ROOM), both, None).await
}

/// Has an account leave a room, so that nobody can take it in again; to join ends that.
#[utoipa::path(put, path = "/api/v1/accounts/{account}/blocked-rooms/{room}", tag = "rosters", security(("token" = ["operate"])),
    params(("account" = String, Path, description = "Id of the account."), ("room" = String, Path, description = "Id of the room.")),
    responses((status = 204), (status = "default", body = Document, content_type = "application/problem+json")))]
pub(super) async fn block_room(
    caller: Caller<Operate>,
    Path(both): Path<(String, String)>,
) -> Result<StatusCode, Problem> {
    with_room(&caller, ("block_room", request::BLOCK_ROOM), both, None).await
}
