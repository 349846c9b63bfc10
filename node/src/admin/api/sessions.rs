//! Who is online, and the end of sessions.

use super::blocks::{Page, names};
use super::body::Params;
use crate::accounts::online::{self, Devices};
use crate::admin::access::{Caller, Operate, Read};
use crate::admin::operations;
use crate::admin::problem::{Document, Problem};
use axum::Json;
use axum::extract::Path;
use serde::Serialize;
use std::collections::BTreeMap;
use std::sync::Arc;
use utoipa::ToSchema;

/// Whether an account is online.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct Sessions {
    /// Whether it has a session.
    online: bool,
    /// Its sessions.
    sessions: Vec<Session>,
}

/// A session.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct Session {
    /// The node that it is connected to.
    node: String,
    /// Class of the device (`termtyp`).
    device_class: i8,
    /// When it logged in; of logins at nearly the same moment each counts a little later than the one before.
    logged_in_unix_millis: u64,
}

/// An account that is online.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct Online {
    /// Its id.
    account: String,
    /// The classes (`termtyp`) of its devices by the node that they are connected to.
    device_classes: BTreeMap<String, Vec<i8>>,
}

/// A part of the list of who is online.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct WhoIsOnline {
    /// In an order of the cluster's own, each account once.
    accounts: Vec<Online>,
    /// Cursor of the next page; absent on the last one.
    #[serde(skip_serializing_if = "Option::is_none")]
    next: Option<String>,
    /// Nodes that have not answered; who is connected to them is missing.
    missing_nodes: Vec<String>,
}

/// What became of a forced logout.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct Ended {
    /// Sessions that were told to stay away.
    sessions: u64,
    /// Nodes that have not answered; sessions there may go on.
    missing_nodes: Vec<String>,
}

fn shown((account, devices): (tim_core::id::AccountId, Devices)) -> Online {
    let device_classes = devices.into_iter().map(|(node, classes)| {
        let classes = classes.iter().map(|class| class.0).collect();
        (node.as_str().to_owned(), classes)
    });
    Online {
        account: account.as_str().to_owned(),
        device_classes: device_classes.collect(),
    }
}

/// Whether an account is online, and where.
#[utoipa::path(get, path = "/api/v1/accounts/{account}/sessions", tag = "sessions", security(("token" = ["read"])),
    params(("account" = String, Path, description = "Id of the account.")),
    responses((status = 200, body = Sessions), (status = "default", body = Document, content_type = "application/problem+json")))]
pub(super) async fn of_account(
    caller: Caller<Read>,
    Path(account): Path<String>,
) -> Result<Json<Sessions>, Problem> {
    let account = operations::account("account", &account)?;
    let work = operations::sessions(&caller.node, &account);
    let found = caller.read("look_up_account", work).await?;
    let sessions: Vec<Session> = found
        .into_iter()
        .map(|entry| Session {
            node: entry.node.as_str().to_owned(),
            device_class: entry.class.0,
            logged_in_unix_millis: entry.logged_in_ms,
        })
        .collect();
    Ok(Json(Sessions {
        online: !sessions.is_empty(),
        sessions,
    }))
}

/// Ends the sessions of an account on every node. Its clients are told to stay away (ack 20); it may log in again.
#[utoipa::path(delete, path = "/api/v1/accounts/{account}/sessions", tag = "sessions", security(("token" = ["operate"])),
    params(("account" = String, Path, description = "Id of the account.")),
    responses((status = 200, body = Ended), (status = "default", body = Document, content_type = "application/problem+json")))]
pub(super) async fn end(
    caller: Caller<Operate>,
    Path(account): Path<String>,
) -> Result<Json<Ended>, Problem> {
    let account = operations::account("account", &account)?;
    let work = operations::log_out(Arc::clone(&caller.node), account.clone());
    let ended = caller.change("end_sessions", Some(&account), work).await?;
    Ok(Json(Ended {
        sessions: ended.sessions,
        missing_nodes: names(&ended.missing),
    }))
}

/// Who is online in the whole cluster, page by page.
#[utoipa::path(get, path = "/api/v1/sessions", tag = "sessions", security(("token" = ["read"])), params(Page),
    responses((status = 200, body = WhoIsOnline), (status = "default", body = Document, content_type = "application/problem+json")))]
pub(super) async fn list(
    caller: Caller<Read>,
    Params(page): Params<Page>,
) -> Result<Json<WhoIsOnline>, Problem> {
    let (limit, after) = page.bounds()?;
    let after = after
        .map(|after| operations::account("cursor", &after))
        .transpose()?;
    let node = &caller.node;
    let listed = caller.read("list_online", async {
        Ok(online::list(node, after.as_ref(), limit).await)
    });
    let page = listed.await?;
    let accounts: Vec<Online> = page.accounts.into_iter().map(shown).collect();
    let next = accounts
        .last()
        .filter(|_| page.more)
        .map(|last| last.account.clone());
    Ok(Json(WhoIsOnline {
        accounts,
        next,
        missing_nodes: names(&page.missing),
    }))
}
