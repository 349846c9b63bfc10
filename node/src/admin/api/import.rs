//! Many accounts at once, with the hashes of their passwords: from another cluster, or from the reference engine.

use super::accounts::Profile;
use crate::admin::access::{Admin, Caller};
use crate::admin::limits;
use crate::admin::operations;
use crate::admin::problem::{Document, Problem};
use crate::admin::routes::AdminState;
use crate::node::Node;
use axum::Json;
use axum::extract::{Request, State};
use serde::{Deserialize, Serialize};
use std::sync::Arc;
use tim_catalogue::administration as causes;
use tim_core::id::AccountId;
use tim_store::Created;
use tim_wire::{Encoding, TimUserBean, WireStruct};
use utoipa::ToSchema;

/// Most lines of one call.
const LINES_MAX: usize = 10_000;

/// One line.
#[derive(Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct Line {
    /// Id of the account; or its name and domain.
    account: Option<String>,
    /// Login name, where the id is not given.
    name: Option<String>,
    /// Namespace of the name.
    domain: Option<String>,
    /// argon2id in PHC form, or bcrypt as the reference engine stores it.
    password_hash: String,
    /// The profile, if it has one.
    profile: Option<Profile>,
}

/// A line that was not taken.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Refused {
    /// Its number, from 1.
    line: usize,
    /// What is wrong with it.
    reason: String,
}

/// What became of the lines.
#[derive(Debug, Default, Serialize, ToSchema)]
pub(super) struct Imported {
    /// Accounts that were made.
    created: usize,
    /// Accounts that were there, or were deleted; they are as they were.
    existing: usize,
    /// Lines that were not taken; the others were.
    refused: Vec<Refused>,
}

/// Makes accounts of lines of JSON, one account each. May be repeated: accounts that are there stay as they are. A hash of
/// the reference engine is replaced by one of ours at the first login.
#[utoipa::path(post, path = "/api/v1/accounts/import", tag = "accounts", security(("token" = ["admin"])),
    request_body(content = Line, content_type = "application/x-ndjson", description = "A line per account, at most 10000."),
    responses((status = 200, body = Imported), (status = "default", body = Document, content_type = "application/problem+json")))]
pub(super) async fn import(
    caller: Caller<Admin>,
    State(state): State<AdminState>,
    request: Request,
) -> Result<Json<Imported>, Problem> {
    let body = limits::body(request.into_body(), &state).await?;
    let text = std::str::from_utf8(&body).map_err(|_| Problem::field("body", "is not UTF-8"))?;
    let lines: Vec<String> = text.lines().map(str::to_owned).collect();
    if lines.len() > LINES_MAX {
        let observed = format!("{} lines; valid: at most {LINES_MAX}", lines.len());
        return Err(Problem::field("body", &observed));
    }
    let node = Arc::clone(&caller.node);
    let work = async move { Box::pin(all(&node, &lines)).await };
    Ok(Json(caller.change("import_accounts", None, work).await?))
}

async fn all(node: &Node, lines: &[String]) -> Result<Imported, Problem> {
    let mut imported = Imported::default();
    for (index, line) in lines
        .iter()
        .enumerate()
        .filter(|(_, line)| !line.trim().is_empty())
    {
        match one(node, line).await {
            Ok(Created::New) => imported.created += 1,
            Ok(Created::Exists) => imported.existing += 1,
            // What is wrong with a database is not wrong with the line: those behind it would fail as well.
            Err(problem) if problem.status().is_server_error() => return Err(problem),
            Err(problem) => imported.refused.push(Refused {
                line: index + 1,
                reason: problem.told().1.to_owned(),
            }),
        }
    }
    Ok(imported)
}

async fn one(node: &Node, line: &str) -> Result<Created, Problem> {
    let line: Line =
        serde_json::from_str(line).map_err(|error| Problem::field("line", &error.to_string()))?;
    let account = account_of(node, &line)?;
    let profile = line.profile.map(TimUserBean::from);
    let profile = profile.map_or_else(Vec::new, |bean| bean.encode_payload(Encoding::Thrift).to_vec());
    Ok(node
        .accounts
        .import(node, account, line.password_hash, profile)
        .await?)
}

fn account_of(node: &Node, line: &Line) -> Result<AccountId, Problem> {
    if let Some(id) = &line.account {
        return operations::account("account", id);
    }
    let name = line.name.as_deref().filter(|name| !name.is_empty());
    let id = name.and_then(|name| operations::id_of(node, name, line.domain.as_deref()));
    id.ok_or_else(|| {
        Problem::invalid(
            &causes::INVALID_REQUEST,
            "account",
            "neither an id nor a name that can have one",
        )
    })
}
