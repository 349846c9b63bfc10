//! Rooms. What changes one is asked in the name of its founder, or of the account that `by` names: under that account's
//! rights, and with the notices that members get of it.

use super::blocks::Page;
use super::body::{Body, Params};
use crate::admin::access::{Caller, Operate, Read};
use crate::admin::operations::rooms::{self, About, request};
use crate::admin::problem::{Document, Problem};
use crate::commands::Actor;
use axum::Json;
use axum::extract::Path;
use axum::http::StatusCode;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::sync::Arc;
use tim_core::id::AccountId;
use tim_wire::TimRoomBean;
use utoipa::{IntoParams, ToSchema};

/// A new room.
#[derive(Deserialize, ToSchema)]
pub(super) struct NewRoom {
    /// Id of the account that founds it, and is its first member.
    founder: String,
    /// What it is about.
    topic: String,
    /// Whether accounts have to be let in; else everybody may join.
    private: Option<bool>,
    /// Domain of the founder, where it has one.
    domain: Option<String>,
}

/// The id of a room.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct RoomId {
    /// For members, messages and this API.
    room: String,
}

/// A room.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct Room {
    /// Its id.
    room: String,
    /// Whose it is; absent where its members are said by `accounts.database`.
    #[serde(skip_serializing_if = "Option::is_none")]
    founder: Option<String>,
    /// Who may let accounts in and keep them out.
    managers: Vec<String>,
    /// Whether accounts have to be let in.
    private: bool,
    /// How many are in it.
    members: u32,
    /// How many may be in it (`limits.room_members_max`).
    members_max: u32,
    /// When it was made.
    created_unix_millis: i64,
    /// What it is about.
    #[serde(skip_serializing_if = "Option::is_none")]
    topic: Option<String>,
    /// Picture.
    #[serde(skip_serializing_if = "Option::is_none")]
    cover: Option<String>,
    /// Label.
    #[serde(skip_serializing_if = "Option::is_none")]
    label: Option<String>,
    /// Kind, as applications number it.
    #[serde(skip_serializing_if = "Option::is_none")]
    kind: Option<i64>,
    /// For applications.
    #[serde(skip_serializing_if = "Option::is_none")]
    extend: Option<BTreeMap<String, String>>,
}

/// A change of a room: fields that are given replace those that are there, and absent ones stay.
#[derive(Deserialize, ToSchema)]
pub(super) struct RoomChange {
    /// In whose name: a manager may change all but founder and managers; the founder when absent.
    by: Option<String>,
    /// Hands the room over to this member.
    founder: Option<String>,
    /// All managers there shall be; members, at most 256.
    managers: Option<Vec<String>>,
    /// What it is about.
    topic: Option<String>,
    /// Picture.
    cover: Option<String>,
    /// Label.
    label: Option<String>,
    /// Kind, as applications number it.
    kind: Option<i64>,
    /// For applications.
    extend: Option<BTreeMap<String, String>>,
}

/// In whose name.
#[derive(Debug, Deserialize, IntoParams, ToSchema)]
#[into_params(parameter_in = Query)]
pub(super) struct By {
    /// Id of the founder, a manager or, in an open room, a member; the founder when absent.
    by: Option<String>,
    /// A few words for whoever is told.
    text: Option<String>,
}

/// A part of a list of accounts.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Accounts {
    /// Ids, in their order.
    accounts: Vec<String>,
    /// Cursor of the next page; absent on the last one.
    #[serde(skip_serializing_if = "Option::is_none")]
    next: Option<String>,
}

/// A page of what is in the order of its texts.
pub(super) fn page_of(all: Vec<String>, page: Page) -> Result<(Vec<String>, Option<String>), Problem> {
    let (limit, after) = page.bounds()?;
    let rest = all
        .into_iter()
        .filter(|name| after.as_deref().is_none_or(|after| name.as_str() > after));
    let mut listed: Vec<String> = rest.take(limit + 1).collect();
    let more = listed.len() > limit;
    listed.truncate(limit);
    let next = listed.last().filter(|_| more).cloned();
    Ok((listed, next))
}

fn accounts(all: &[AccountId], page: Page) -> Result<Json<Accounts>, Problem> {
    let names = all.iter().map(|account| account.as_str().to_owned());
    let (accounts, next) = page_of(names.collect(), page)?;
    Ok(Json(Accounts { accounts, next }))
}

impl RoomChange {
    fn bean(self) -> TimRoomBean {
        TimRoomBean {
            founder: self.founder,
            managers: self.managers,
            cover: self.cover,
            topic: self.topic,
            label: self.label,
            kind: self.kind,
            extend: self.extend,
            ..TimRoomBean::default()
        }
    }
}

/// Founds a room.
#[utoipa::path(post, path = "/api/v1/rooms", tag = "rooms", security(("token" = ["operate"])), request_body = NewRoom,
    responses((status = 201, body = RoomId), (status = "default", body = Document, content_type = "application/problem+json")))]
pub(super) async fn create(
    caller: Caller<Operate>,
    Body(given): Body<NewRoom>,
) -> Result<(StatusCode, Json<RoomId>), Problem> {
    if given.topic.is_empty() {
        return Err(Problem::field("topic", "a text is needed"));
    }
    let founder = rooms::actor("founder", &given.founder, given.domain)?;
    let account = founder.account.clone();
    let private = given.private.unwrap_or_default();
    let work = rooms::create(Arc::clone(&caller.node), founder, given.topic, private);
    let room = caller.change("create_room", Some(&account), work).await?;
    let room = room.as_str().to_owned();
    Ok((StatusCode::CREATED, Json(RoomId { room })))
}

/// A room that has not ended.
#[utoipa::path(get, path = "/api/v1/rooms/{room}", tag = "rooms", security(("token" = ["read"])),
    params(("room" = String, Path, description = "Id of the room.")),
    responses((status = 200, body = Room), (status = "default", body = Document, content_type = "application/problem+json")))]
pub(super) async fn find(caller: Caller<Read>, Path(room): Path<String>) -> Result<Json<Room>, Problem> {
    let node = &caller.node;
    let room = rooms::room_id(node, "room", &room)?;
    let found = caller.read("find_room", rooms::find(node, &room)).await?;
    let profile = found.profile.clone();
    let managers = found.managers.iter().map(|manager| manager.as_str().to_owned());
    Ok(Json(Room {
        room: found.id.as_str().to_owned(),
        founder: found.founder().map(|founder| founder.as_str().to_owned()),
        managers: managers.collect(),
        private: found.private,
        members: found.members,
        members_max: node.config.limits.room_members_max,
        created_unix_millis: found.created_ns / 1_000_000,
        topic: profile.topic,
        cover: profile.cover,
        label: profile.label,
        kind: profile.kind,
        extend: profile.extend,
    }))
}

/// Changes what is said about a room, who manages it, or whose it is.
#[utoipa::path(patch, path = "/api/v1/rooms/{room}", tag = "rooms", security(("token" = ["operate"])),
    params(("room" = String, Path, description = "Id of the room.")), request_body = RoomChange,
    responses((status = 204), (status = "default", body = Document, content_type = "application/problem+json")))]
pub(super) async fn change(
    caller: Caller<Operate>,
    Path(room): Path<String>,
    Body(given): Body<RoomChange>,
) -> Result<StatusCode, Problem> {
    let id = rooms::room_id(&caller.node, "room", &room)?;
    let actor = rooms::acting(&caller.node, &id, given.by.as_deref()).await?;
    let account = actor.account.clone();
    let work = rooms::change(Arc::clone(&caller.node), actor, room, given.bean());
    caller.change("change_room", Some(&account), work).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Ends a room in which nobody is but the founder.
#[utoipa::path(delete, path = "/api/v1/rooms/{room}", tag = "rooms", security(("token" = ["operate"])),
    params(("room" = String, Path, description = "Id of the room.")),
    responses((status = 204), (status = "default", body = Document, content_type = "application/problem+json")))]
pub(super) async fn cancel(caller: Caller<Operate>, Path(room): Path<String>) -> Result<StatusCode, Problem> {
    let by = By { by: None, text: None };
    ask(&caller, ("cancel_room", request::CANCEL_ROOM), (room, None), by).await
}

/// Who is in a room, page by page.
#[utoipa::path(get, path = "/api/v1/rooms/{room}/members", tag = "rooms", security(("token" = ["read"])),
    params(("room" = String, Path, description = "Id of the room."), Page),
    responses((status = 200, body = Accounts), (status = "default", body = Document, content_type = "application/problem+json")))]
pub(super) async fn members(
    caller: Caller<Read>,
    Path(room): Path<String>,
    Params(page): Params<Page>,
) -> Result<Json<Accounts>, Problem> {
    let room = rooms::room_id(&caller.node, "room", &room)?;
    let work = rooms::members(&caller.node, &room);
    accounts(&caller.read("list_room_members", work).await?, page)
}

/// Whom a room keeps out, page by page.
#[utoipa::path(get, path = "/api/v1/rooms/{room}/banned", tag = "rooms", security(("token" = ["read"])),
    params(("room" = String, Path, description = "Id of the room."), Page),
    responses((status = 200, body = Accounts), (status = "default", body = Document, content_type = "application/problem+json")))]
pub(super) async fn banned(
    caller: Caller<Read>,
    Path(room): Path<String>,
    Params(page): Params<Page>,
) -> Result<Json<Accounts>, Problem> {
    let room = rooms::room_id(&caller.node, "room", &room)?;
    let work = rooms::banned(&caller.node, &room);
    accounts(&caller.read("list_room_bans", work).await?, page)
}

/// Takes an account into a room, whether it has applied or not. A ban of the room is lifted by it.
#[utoipa::path(put, path = "/api/v1/rooms/{room}/members/{account}", tag = "rooms", security(("token" = ["operate"])),
    params(("room" = String, Path, description = "Id of the room."), ("account" = String, Path, description = "Id of the account."), By),
    responses((status = 204), (status = "default", body = Document, content_type = "application/problem+json")))]
pub(super) async fn pull(
    caller: Caller<Operate>,
    Path((room, account)): Path<(String, String)>,
    Params(by): Params<By>,
) -> Result<StatusCode, Problem> {
    let what = ("pull_into_room", request::PULL_ROOM);
    ask(&caller, what, (room, Some(account)), by).await
}

/// Removes a member from a room; it may come back.
#[utoipa::path(delete, path = "/api/v1/rooms/{room}/members/{account}", tag = "rooms", security(("token" = ["operate"])),
    params(("room" = String, Path, description = "Id of the room."), ("account" = String, Path, description = "Id of the account."), By),
    responses((status = 204), (status = "default", body = Document, content_type = "application/problem+json")))]
pub(super) async fn kick(
    caller: Caller<Operate>,
    Path((room, account)): Path<(String, String)>,
    Params(by): Params<By>,
) -> Result<StatusCode, Problem> {
    let what = ("kick_from_room", request::KICK_ROOM);
    ask(&caller, what, (room, Some(account)), by).await
}

/// Turns down the application of an account to a private room.
#[utoipa::path(delete, path = "/api/v1/rooms/{room}/applications/{account}", tag = "rooms", security(("token" = ["operate"])),
    params(("room" = String, Path, description = "Id of the room."), ("account" = String, Path, description = "Id of the account."), By),
    responses((status = 204), (status = "default", body = Document, content_type = "application/problem+json")))]
pub(super) async fn reject(
    caller: Caller<Operate>,
    Path((room, account)): Path<(String, String)>,
    Params(by): Params<By>,
) -> Result<StatusCode, Problem> {
    let what = ("reject_from_room", request::REFUSE_ROOM);
    ask(&caller, what, (room, Some(account)), by).await
}

/// Removes an account from a room and keeps it out.
#[utoipa::path(put, path = "/api/v1/rooms/{room}/banned/{account}", tag = "rooms", security(("token" = ["operate"])),
    params(("room" = String, Path, description = "Id of the room."), ("account" = String, Path, description = "Id of the account."), By),
    responses((status = 204), (status = "default", body = Document, content_type = "application/problem+json")))]
pub(super) async fn ban(
    caller: Caller<Operate>,
    Path((room, account)): Path<(String, String)>,
    Params(by): Params<By>,
) -> Result<StatusCode, Problem> {
    let what = ("ban_from_room", request::BLOCK_ROOM_MEMBER);
    ask(&caller, what, (room, Some(account)), by).await
}

async fn ask(
    caller: &Caller<Operate>,
    (operation, number): (&'static str, i32),
    (room, other): (String, Option<String>),
    by: By,
) -> Result<StatusCode, Problem> {
    let id = rooms::room_id(&caller.node, "room", &room)?;
    let other = other
        .map(|other| crate::admin::operations::account("account", &other))
        .transpose()?;
    let actor = rooms::acting(&caller.node, &id, by.by.as_deref()).await?;
    let concerned = other.clone().unwrap_or_else(|| actor.account.clone());
    let other = other.map(|other| other.as_str().to_owned());
    let text = by.text;
    in_room(
        caller,
        (operation, number),
        actor,
        (About { room, other, text }, &concerned),
    )
    .await
}

/// Asks in the name of an account.
pub(super) async fn in_room(
    caller: &Caller<Operate>,
    (operation, number): (&'static str, i32),
    actor: Actor,
    (about, concerned): (About, &AccountId),
) -> Result<StatusCode, Problem> {
    let work = rooms::room(Arc::clone(&caller.node), actor, number, about);
    caller.change(operation, Some(concerned), work).await?;
    Ok(StatusCode::NO_CONTENT)
}
