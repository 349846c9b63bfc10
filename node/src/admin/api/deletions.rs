//! Deleted accounts.

use super::blocks;
use super::body::Params;
use crate::accounts::deletion;
use crate::admin::access::{Admin, Caller, Read};
use crate::admin::operations;
use crate::admin::problem::{Document, Problem};
use crate::node::Node;
use axum::Json;
use axum::extract::Path;
use axum::http::StatusCode;
use serde::{Deserialize, Serialize};
use std::sync::Arc;
use tim_core::conversation::SentMessages;
use tim_core::id::AccountId;
use tim_store::Deletion as Task;
use utoipa::{IntoParams, ToSchema};

/// What becomes of the messages that the account has sent.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub(super) enum Messages {
    /// Their content goes, and who sent them.
    #[default]
    Erase,
    /// They stay for those they were sent to, under the account's id.
    Keep,
}

impl From<Messages> for SentMessages {
    fn from(messages: Messages) -> Self {
        match messages {
            Messages::Erase => Self::Erased,
            Messages::Keep => Self::Kept,
        }
    }
}

impl From<SentMessages> for Messages {
    fn from(sent: SentMessages) -> Self {
        match sent {
            SentMessages::Erased => Self::Erase,
            SentMessages::Kept => Self::Keep,
        }
    }
}

/// How an account is deleted.
#[derive(Debug, Deserialize, IntoParams, ToSchema)]
#[into_params(parameter_in = Query)]
pub(super) struct How {
    /// `erase` (when absent) or `keep`.
    #[param(inline)]
    messages: Option<Messages>,
}

/// A deletion that has begun and is not done.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct Deletion {
    /// Id of the account.
    account: String,
    /// Since when.
    begun_unix_millis: i64,
    /// What becomes of what it has sent.
    messages: Messages,
}

/// What was begun, and who was told.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct Begun {
    /// The deletion; the nodes go on with it by themselves.
    deletion: Deletion,
    /// Nodes that could not be told at once; they find out by themselves within a minute.
    untold_nodes: Vec<String>,
}

/// The deletions that are not done.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Deletions {
    /// Ordered by account, at most 1000 of each database.
    deletions: Vec<Deletion>,
}

impl From<Task> for Deletion {
    fn from(task: Task) -> Self {
        Self {
            account: task.account.as_str().to_owned(),
            begun_unix_millis: task.begun_ms,
            messages: task.sent.into(),
        }
    }
}

async fn begin(node: Arc<Node>, account: AccountId, sent: SentMessages) -> Result<deletion::Begun, Problem> {
    let begun = Box::pin(deletion::begin(&node, &account, sent)).await;
    begun
        .map_err(Problem::database)?
        .ok_or_else(Problem::no_such_account)
}

/// Deletes an account for good: nobody logs in as it any more and its sessions end at once; what it has stored is erased
/// by the nodes afterwards, whichever of them live. May be asked for again. Nobody gets the id again.
#[utoipa::path(delete, path = "/api/v1/accounts/{account}", tag = "accounts", security(("token" = ["admin"])),
    params(("account" = String, Path, description = "Id of the account."), How),
    responses((status = 202, body = Begun), (status = "default", body = Document, content_type = "application/problem+json")))]
pub(super) async fn delete(
    caller: Caller<Admin>,
    Path(account): Path<String>,
    Params(how): Params<How>,
) -> Result<(StatusCode, Json<Begun>), Problem> {
    let account = operations::account("account", &account)?;
    let sent = how.messages.unwrap_or_default().into();
    let work = begin(Arc::clone(&caller.node), account.clone(), sent);
    let begun = caller.change("delete_account", Some(&account), work).await?;
    let told = Begun {
        deletion: begun.deletion.into(),
        untold_nodes: blocks::names(&begun.untold),
    };
    Ok((StatusCode::ACCEPTED, Json(told)))
}

/// The deletions that have begun and are not done.
#[utoipa::path(get, path = "/api/v1/deletions", tag = "accounts", security(("token" = ["read"])),
    responses((status = 200, body = Deletions), (status = "default", body = Document, content_type = "application/problem+json")))]
pub(super) async fn list(caller: Caller<Read>) -> Result<Json<Deletions>, Problem> {
    let node = Arc::clone(&caller.node);
    let work = async move { Box::pin(deletion::list(&node)).await.map_err(Problem::database) };
    let listed = caller.read("list_deletions", work).await?;
    let deletions = listed.into_iter().map(Deletion::from).collect();
    Ok(Json(Deletions { deletions }))
}
