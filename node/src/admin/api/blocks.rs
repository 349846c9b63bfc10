//! Blocked accounts.

use super::body::{Body, Params};
use crate::admin::access::{Caller, Operate, Read};
use crate::admin::operations;
use crate::admin::problem::{Document, Problem};
use axum::Json;
use axum::extract::Path;
use serde::{Deserialize, Serialize};
use std::sync::Arc;
use tim_core::id::NodeName;
use utoipa::{IntoParams, ToSchema};

/// Blocks or accounts in a page when nothing is said, and at most.
const PAGE_DEFAULT: u32 = 100;
const PAGE_MAX: u32 = 1_000;

/// How long an account is blocked: one of the two.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct BlockUntil {
    /// Until this second of Unix time.
    until_unix_seconds: Option<i64>,
    /// For so many seconds from now.
    seconds: Option<u32>,
}

/// A part of a list.
#[derive(Debug, Deserialize, IntoParams, ToSchema)]
#[into_params(parameter_in = Query)]
pub(super) struct Page {
    /// How many at most: 1 to 1000, 100 when absent.
    limit: Option<u32>,
    /// What the page before said as `next`; absent for the first page.
    cursor: Option<String>,
}

/// A block that is in force.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct Block {
    /// Id of the account.
    account: String,
    /// Until when.
    until_unix_millis: i64,
}

/// A part of the list of blocks.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Blocks {
    /// Ordered by account.
    blocks: Vec<Block>,
    /// Cursor of the next page; absent on the last one.
    #[serde(skip_serializing_if = "Option::is_none")]
    next: Option<String>,
}

/// Who was told of a change.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct Told {
    /// Nodes that could not be told at once; they find out by themselves within a minute.
    untold_nodes: Vec<String>,
}

impl Page {
    /// How many, and after whom.
    pub(super) fn bounds(self) -> Result<(usize, Option<String>), Problem> {
        let limit = self.limit.unwrap_or(PAGE_DEFAULT);
        if !(1..=PAGE_MAX).contains(&limit) {
            return Err(Problem::field(
                "limit",
                &format!("{limit}; valid: 1 to {PAGE_MAX}"),
            ));
        }
        Ok((limit as usize, self.cursor))
    }
}

impl BlockUntil {
    fn until_ms(&self) -> Result<i64, Problem> {
        let now = crate::clock::wall_ms() / 1_000;
        match (self.until_unix_seconds, self.seconds) {
            (Some(until), None) => operations::block_end("untilUnixSeconds", until),
            (None, Some(seconds)) => operations::block_end("seconds", now + i64::from(seconds)),
            _ => Err(Problem::field(
                "untilUnixSeconds",
                "exactly one of untilUnixSeconds and seconds is needed",
            )),
        }
    }
}

/// Names of nodes, as they are told.
pub(super) fn names(nodes: &[NodeName]) -> Vec<String> {
    nodes.iter().map(|name| name.as_str().to_owned()).collect()
}

/// Blocks an account: it cannot log in, and its sessions end on every node.
#[utoipa::path(put, path = "/api/v1/accounts/{account}/block", tag = "blocks", security(("token" = ["operate"])),
    params(("account" = String, Path, description = "Id of the account.")), request_body = BlockUntil,
    responses((status = 200, body = Told), (status = "default", body = Document, content_type = "application/problem+json")))]
pub(super) async fn block(
    caller: Caller<Operate>,
    Path(account): Path<String>,
    Body(given): Body<BlockUntil>,
) -> Result<Json<Told>, Problem> {
    let account = operations::account("account", &account)?;
    let work = operations::block(Arc::clone(&caller.node), account.clone(), given.until_ms()?);
    let untold = caller.change("block_account", Some(&account), work).await?;
    let untold_nodes = names(&untold);
    Ok(Json(Told { untold_nodes }))
}

/// Lifts the block of an account, if it has one.
#[utoipa::path(delete, path = "/api/v1/accounts/{account}/block", tag = "blocks", security(("token" = ["operate"])),
    params(("account" = String, Path, description = "Id of the account.")),
    responses((status = 200, body = Told), (status = "default", body = Document, content_type = "application/problem+json")))]
pub(super) async fn unblock(
    caller: Caller<Operate>,
    Path(account): Path<String>,
) -> Result<Json<Told>, Problem> {
    let account = operations::account("account", &account)?;
    let work = operations::block(Arc::clone(&caller.node), account.clone(), 0);
    let untold = caller.change("unblock_account", Some(&account), work).await?;
    let untold_nodes = names(&untold);
    Ok(Json(Told { untold_nodes }))
}

/// Who is blocked, page by page.
#[utoipa::path(get, path = "/api/v1/blocks", tag = "blocks", security(("token" = ["read"])), params(Page),
    responses((status = 200, body = Blocks), (status = "default", body = Document, content_type = "application/problem+json")))]
pub(super) async fn list(caller: Caller<Read>, Params(page): Params<Page>) -> Result<Json<Blocks>, Problem> {
    let (limit, after) = page.bounds()?;
    let all = caller
        .read("list_blocks", operations::blocks(&caller.node))
        .await?;
    let rest = all
        .into_iter()
        .filter(|(account, _)| after.as_deref().is_none_or(|after| account.as_str() > after));
    let mut blocks: Vec<Block> = rest
        .take(limit + 1)
        .map(|(account, until_unix_millis)| Block {
            account: account.as_str().to_owned(),
            until_unix_millis,
        })
        .collect();
    let more = blocks.len() > limit;
    blocks.truncate(limit);
    let next = blocks.last().filter(|_| more).map(|last| last.account.clone());
    Ok(Json(Blocks { blocks, next }))
}
