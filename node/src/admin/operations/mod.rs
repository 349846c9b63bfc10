//! What administrators do, for all their interfaces.

pub(super) mod rooms;

use super::problem::Problem;
use crate::accounts::blocks::{self, BlockError};
use crate::accounts::online::{self, LoggedOut, SentAs};
use crate::commands::{self, in_name_of};
use crate::node::Node;
use crate::system_messages::{self, TARGETS_MAX};
use axum::body::Bytes;
use axum::http::StatusCode;
use std::sync::Arc;
use tim_catalogue::{administration as causes, node as node_causes};
use tim_core::id::{AccountId, NodeName, SessionId, VirtualRoomId};
use tim_core::presence::SessionEntry;
use tim_core::stream::{Operation, Outcome};
use tim_store::Account;
use tim_wire::{ClientFrame, Command, LoginToken, TimAuth, TimMessage, TimUserBean};

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

/// What a block for so many seconds from now is called and when it ends, in Unix milliseconds; negative ones lift the block.
pub(super) fn block_for(field: &str, seconds: i64) -> Result<(&'static str, i64), Problem> {
    if seconds < 0 {
        return Ok(("unblock_account", 0));
    }
    let now = crate::clock::wall_ms() / 1_000;
    Ok(("block_account", block_end(field, now.saturating_add(seconds))?))
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
    connection_free_stream(&node, virtual_room("room", &id)?, Operation::Create { owner }).await?;
    Ok(id)
}

/// Removes a virtual room of an owner. One that is not there, or somebody else's, stays as it is.
pub(super) async fn remove_virtual_room(
    node: Arc<Node>,
    room: VirtualRoomId,
    owner: AccountId,
) -> Result<(), Problem> {
    connection_free_stream(&node, room, Operation::Remove { by: owner }).await
}

pub(super) fn virtual_room(field: &str, text: &str) -> Result<VirtualRoomId, Problem> {
    VirtualRoomId::new(text)
        .map_err(|error| Problem::field(field, &format!("not the id of a virtual room: {error}")))
}

async fn connection_free_stream(
    node: &Node,
    room: VirtualRoomId,
    operation: Operation,
) -> Result<(), Problem> {
    let overloaded = |observed: &str| {
        let status = StatusCode::SERVICE_UNAVAILABLE;
        Err(Problem::new(status, &node_causes::OVERLOADED, observed))
    };
    match in_name_of::virtual_room(node, room, operation).await {
        Outcome::Done => Ok(()),
        Outcome::TooMany => overloaded("as many virtual rooms as limits.virtual_rooms_max allows"),
        Outcome::Unavailable => overloaded("no node that holds the virtual room has answered"),
        Outcome::Denied | Outcome::NoSuchRoom => Err(Problem::field(
            "room",
            "there is no such virtual room of that owner",
        )),
    }
}

/// The accounts a system message is for, each once.
pub(super) fn targets(field: &str, names: &[String]) -> Result<Vec<AccountId>, Problem> {
    if names.is_empty() || names.len() > TARGETS_MAX {
        let observed = format!("{} accounts; valid: 1 to {TARGETS_MAX}", names.len());
        return Err(Problem::field(field, &observed));
    }
    let mut accounts: Vec<AccountId> = names
        .iter()
        .map(|name| account(field, name))
        .collect::<Result<_, _>>()?;
    accounts.sort();
    accounts.dedup();
    Ok(accounts)
}

/// Has the system tell accounts something; those that were not told, and why.
pub(super) async fn tell(
    node: Arc<Node>,
    accounts: Vec<AccountId>,
    message: TimMessage,
) -> Result<Vec<(AccountId, Problem)>, Problem> {
    let told = Box::pin(system_messages::tell(&node, accounts, &message)).await;
    let untold = told
        .into_iter()
        .filter_map(|(account, told)| Some((account, told.err()?.into())));
    Ok(untold.collect())
}

/// A message in the name of a session, as if its client had sent it.
pub(super) async fn send_as(node: Arc<Node>, session: SessionId, frame: Bytes) -> Result<(), Problem> {
    match Box::pin(online::send_as(&node, session, frame)).await {
        SentAs::Taken => Ok(()),
        SentAs::NoSuchSession => {
            let observed = "no node has a connection of that id";
            let status = StatusCode::NOT_FOUND;
            Err(Problem::new(status, &causes::NO_SUCH_CONNECTION, observed))
        }
        SentAs::Unknown => {
            let observed = "a node that may have the connection does not answer";
            let status = StatusCode::SERVICE_UNAVAILABLE;
            Err(Problem::new(status, &node_causes::NODE_UNREACHABLE, observed))
        }
    }
}

/// The id of a connection, as its login was told (`n2`).
pub(super) fn connection(field: &str, text: &str) -> Result<SessionId, Problem> {
    let number = u64::from_str_radix(text, 16)
        .ok()
        .filter(|_| !text.starts_with('+'));
    let observed = "not the id of a connection, as the answer to its login names it (n2)";
    number
        .map(SessionId)
        .ok_or_else(|| Problem::field(field, observed))
}

/// A frame that carries a message.
pub(super) fn message_frame(field: &str, bytes: Bytes) -> Result<Bytes, Problem> {
    let command = ClientFrame::parse(bytes.clone())
        .ok()
        .and_then(|frame| frame.command());
    match command {
        Some(Command::Message | Command::RevokeMessage | Command::BurnMessage) => Ok(bytes),
        _ => Err(Problem::field(
            field,
            "not a frame of a message; its first byte is the command 90, 92 or 93, plus 128 for JSON",
        )),
    }
}
