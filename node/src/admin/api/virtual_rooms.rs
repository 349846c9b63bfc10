//! Virtual rooms of accounts.

use super::body::{Body, Params};
use crate::admin::access::{Caller, Operate};
use crate::admin::operations;
use crate::admin::problem::{Document, Problem};
use axum::Json;
use axum::extract::Path;
use axum::http::StatusCode;
use serde::{Deserialize, Serialize};
use std::sync::Arc;
use utoipa::{IntoParams, ToSchema};

/// Whose room it is.
#[derive(Debug, Deserialize, IntoParams, ToSchema)]
#[into_params(parameter_in = Query)]
pub(super) struct Owner {
    /// Id of the account that owns it.
    owner: String,
}

/// A virtual room.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct VirtualRoom {
    /// Its id, for subscribers and pushers.
    virtual_room: String,
}

/// Makes a virtual room for an account. One that nobody pushes into for a while ends
/// (`sessions.virtual_room_idle_seconds`).
#[utoipa::path(post, path = "/api/v1/virtual-rooms", tag = "virtual rooms", security(("token" = ["operate"])),
    request_body = Owner,
    responses((status = 201, body = VirtualRoom), (status = "default", body = Document, content_type = "application/problem+json")))]
pub(super) async fn create(
    caller: Caller<Operate>,
    Body(given): Body<Owner>,
) -> Result<(StatusCode, Json<VirtualRoom>), Problem> {
    let owner = operations::account("owner", &given.owner)?;
    let work = operations::create_virtual_room(Arc::clone(&caller.node), owner.clone());
    let virtual_room = caller.change("create_virtual_room", Some(&owner), work).await?;
    Ok((StatusCode::CREATED, Json(VirtualRoom { virtual_room })))
}

/// Removes a virtual room of an account. One that is not there, or belongs to another account, is passed over.
#[utoipa::path(delete, path = "/api/v1/virtual-rooms/{room}", tag = "virtual rooms", security(("token" = ["operate"])),
    params(("room" = String, Path, description = "Id of the virtual room."), Owner),
    responses((status = 204), (status = "default", body = Document, content_type = "application/problem+json")))]
pub(super) async fn remove(
    caller: Caller<Operate>,
    Path(room): Path<String>,
    Params(given): Params<Owner>,
) -> Result<StatusCode, Problem> {
    let owner = operations::account("owner", &given.owner)?;
    let room = operations::virtual_room("room", &room)?;
    let work = operations::remove_virtual_room(Arc::clone(&caller.node), room, owner.clone());
    caller.change("remove_virtual_room", Some(&owner), work).await?;
    Ok(StatusCode::NO_CONTENT)
}
