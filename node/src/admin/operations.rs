//! What administrators do, for both interfaces.

use super::problem::Problem;
use crate::accounts::blocks::{self, BlockError};
use crate::accounts::online::{self, LoggedOut};
use crate::commands;
use crate::node::Node;
use axum::http::StatusCode;
use std::sync::Arc;
use tim_catalogue::{node as node_causes, protocol};
use tim_core::id::{AccountId, NodeName, SessionId, VirtualRoomId};
use tim_core::presence::SessionEntry;
use tim_core::stream::{Operation, Outcome};
use tim_store::Account;
use tim_wire::{LoginToken, TimAuth, TimUserBean};

/// Latest end of a block, in Unix seconds: the last second of the year 9999.
const BLOCK_UNTIL_MAX: i64 = 253_402_300_799;

/// An account id as a path or a field holds it.
pub(super) fn account(field: &str, text: &str) -> Result<AccountId, Problem> {
    AccountId::new(text).map_err(|error| Problem::field(field, &format!("not an account id: {error}")))
}

/// The id that a name and domain have, if they can have one.
pub(super) fn id_of(node: &Node, name: &str, domain: Option<&str>) -> Option<AccountId> {
    AccountId::new(node.ids.account_id(name, domain.unwrap_or_default())).ok()
}

pub(super) fn credentials(name: String, password: String, domain: Option<String>) -> TimAuth {
    TimAuth {
        name: Some(name),
        pwd: Some(password),
        domain,
        ..TimAuth::default()
    }
}

pub(super) async fn register(node: Arc<Node>, auth: TimAuth) -> Result<AccountId, Problem> {
    Ok(Box::pin(node.accounts.create(&node, &auth)).await?)
}

pub(super) async fn find(node: &Node, account: &AccountId) -> Result<Account, Problem> {
    let found = node.databases.find_account(account).await;
    let found = found.map_err(Problem::database)?;
    found.ok_or_else(Problem::no_such_account)
}

pub(super) async fn set_password(node: Arc<Node>, account: AccountId, new: String) -> Result<(), Problem> {
    let set = Box::pin(node.accounts.set_password(&node, &account, new)).await?;
    set.then_some(()).ok_or_else(Problem::no_such_account)
}

pub(super) async fn profile(node: &Node, account: &AccountId) -> Result<TimUserBean, Problem> {
    Ok(commands::profile(&find(node, account).await?))
}

/// Fields that are given replace those that are there; the profile as it is then.
pub(super) async fn change_profile(
    node: Arc<Node>,
    account: AccountId,
    given: TimUserBean,
) -> Result<TimUserBean, Problem> {
    Box::pin(commands::store_profile(&node, &account, &given)).await?;
    Box::pin(profile(&node, &account)).await
}

/// A login token and when it ends, in Unix milliseconds.
pub(super) async fn make_token(node: Arc<Node>, account: AccountId) -> Result<(LoginToken, i64), Problem> {
    if !Box::pin(node.accounts.exists(&node, &account)).await? {
        return Err(Problem::no_such_account());
    }
    Ok(Box::pin(node.accounts.make_token(&node, &account)).await?)
}

/// Whether a block may end then, in Unix seconds.
pub(super) fn block_end(field: &str, until_seconds: i64) -> Result<i64, Problem> {
    let now = crate::clock::wall_ms() / 1_000;
    if (now + 1..=BLOCK_UNTIL_MAX).contains(&until_seconds) {
        return Ok(until_seconds * 1_000);
    }
    Err(Problem::field(
        field,
        &format!(
            "the block would end at {until_seconds} (Unix seconds); valid: later than now, {now}, and at most {BLOCK_UNTIL_MAX}"
        ),
    ))
}

/// Blocks until a time in Unix milliseconds; 0 lifts the block. The nodes that could not be told.
pub(super) async fn block(
    node: Arc<Node>,
    account: AccountId,
    until_ms: i64,
) -> Result<Vec<NodeName>, Problem> {
    let told = Box::pin(blocks::block(&node, &account, until_ms)).await;
    told.map_err(|error| match error {
        BlockError::NoSuchAccount => Problem::no_such_account(),
        BlockError::Database(report) => Problem::database(report),
    })
}

/// All blocks: accounts and ends in Unix milliseconds, ordered by account.
pub(super) async fn blocks(node: &Node) -> Result<Vec<(AccountId, i64)>, Problem> {
    let listed = Box::pin(blocks::list(node)).await.map_err(Problem::database)?;
    let listed = listed.into_iter().map(|block| (block.account, block.until_ms));
    Ok(listed.collect())
}

/// The sessions of an account in the whole cluster; none only when that is certain.
pub(super) async fn sessions(node: &Node, account: &AccountId) -> Result<Vec<SessionEntry>, Problem> {
    if !Box::pin(node.accounts.exists(node, account)).await? {
        return Err(Problem::no_such_account());
    }
    let found = node.look_up(account).await;
    if found.is_empty() && !node.is_absent(account).await {
        let observed =
            "the node that knows where the account is does not answer, or has just begun to learn it";
        let status = StatusCode::SERVICE_UNAVAILABLE;
        return Err(Problem::new(status, &node_causes::NODE_UNREACHABLE, observed));
    }
    Ok(found)
}

/// Ends the sessions of an account.
pub(super) async fn log_out(node: Arc<Node>, account: AccountId) -> Result<LoggedOut, Problem> {
    if !Box::pin(node.accounts.exists(&node, &account)).await? {
        return Err(Problem::no_such_account());
    }
    Ok(Box::pin(online::log_out(&node, &account)).await)
}

/// Makes a virtual room for an owner.
pub(super) async fn create_virtual_room(node: Arc<Node>, owner: AccountId) -> Result<String, Problem> {
    if !Box::pin(node.accounts.exists(&node, &owner)).await? {
        return Err(Problem::no_such_account());
    }
    let id = node.ids.virtual_room_id(crate::random::bytes());
    ask_streams(&node, virtual_room("room", &id)?, Operation::Create { owner }).await?;
    Ok(id)
}

/// Removes a virtual room of an owner. One that is not there, or somebody else's, stays as it is.
pub(super) async fn remove_virtual_room(
    node: Arc<Node>,
    room: VirtualRoomId,
    owner: AccountId,
) -> Result<(), Problem> {
    ask_streams(&node, room, Operation::Remove { by: owner }).await
}

pub(super) fn virtual_room(field: &str, text: &str) -> Result<VirtualRoomId, Problem> {
    VirtualRoomId::new(text)
        .map_err(|error| Problem::field(field, &format!("not the id of a virtual room: {error}")))
}

async fn ask_streams(node: &Node, room: VirtualRoomId, operation: Operation) -> Result<(), Problem> {
    // No session: nobody subscribes, and nothing ends with it.
    let nobody = SessionId(crate::random::number());
    let overloaded = |observed: &str| {
        let status = StatusCode::SERVICE_UNAVAILABLE;
        Err(Problem::new(status, &node_causes::OVERLOADED, observed))
    };
    match node.streams.ask(nobody, room, operation).await {
        Outcome::Done => Ok(()),
        Outcome::TooMany => overloaded("as many virtual rooms as limits.virtual_rooms_max allows"),
        Outcome::Unavailable => overloaded("no node that holds the virtual room has answered"),
        Outcome::Denied | Outcome::NoSuchRoom => Err(Problem::field(
            "room",
            "there is no such virtual room of that owner",
        )),
    }
}

/// What this version has nothing for.
pub(super) fn not_offered(observed: &str) -> Problem {
    Problem::new(StatusCode::NOT_IMPLEMENTED, &protocol::NOT_SUPPORTED, observed)
}
