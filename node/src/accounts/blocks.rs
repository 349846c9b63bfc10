//! Blocked accounts: they cannot log in, and their sessions end on every node at once.
//!
//! The row in the database decides; every node is told so that it acts at once. A node that is not reached finds the row
//! by itself a little later. A login that was decided just before the block is caught where its session begins: either
//! that sees the news, or who brings the news sees the session.

use super::deletion;
use crate::node::Node;
use crate::peers::Ending;
use crate::session::Input;
use moka::sync::Cache;
use std::sync::Arc;
use std::time::Duration;
use tim_catalogue::Report;
use tim_core::id::{AccountId, NodeName};
use tim_store::Block;

/// News that are kept, and for how long: longer than any login takes.
const NEWS_MAX: u64 = 100_000;
const NEWS_KEPT: Duration = Duration::from_secs(120);
/// How long another node may take to end the sessions of an account.
const TELL_LIMIT: Duration = Duration::from_secs(2);
/// How often a node looks for blocks that it was not told of.
const LOOK_INTERVAL_MS: u64 = 30_000;
/// It looks at those that were said within this time: clocks differ, and databases are away for a while.
const LOOK_BACK_MS: i64 = 15 * 60 * 1_000;
/// Most blocks of one database in one look, and in one list.
const LISTED_MAX: usize = 100_000;

/// Why an account was not blocked, or its block not lifted.
#[derive(Debug, thiserror::Error)]
pub(crate) enum BlockError {
    /// There is none of that name; nothing was changed.
    #[error("there is no such account")]
    NoSuchAccount,
    /// The database cannot do it now, or it is not known whether it did. It may be done again.
    #[error("{0}")]
    Database(Report),
}

/// What this node has been told lately.
#[derive(Debug)]
pub(crate) struct BlockNews(Cache<AccountId, i64>);

impl Default for BlockNews {
    fn default() -> Self {
        let news = Cache::builder().max_capacity(NEWS_MAX).time_to_live(NEWS_KEPT);
        Self(news.build())
    }
}

impl BlockNews {
    /// Until when an account is blocked, as far as this node was told lately.
    pub(crate) fn until(&self, account: &AccountId) -> Option<i64> {
        let until = self.0.get(account);
        until.filter(|until| *until > crate::clock::wall_ms())
    }
}

/// Blocks an account until a time in Unix milliseconds; the nodes that could not be told, which find out by themselves.
pub(crate) async fn block(
    node: &Node,
    account: &AccountId,
    until_ms: i64,
) -> Result<Vec<NodeName>, BlockError> {
    let found = node.databases.find_account(account).await;
    if found.map_err(BlockError::Database)?.is_none() {
        return Err(BlockError::NoSuchAccount);
    }
    let block = Block {
        account: account.clone(),
        until_ms,
    };
    let written = node.databases.block_account(&block).await;
    written.map_err(BlockError::Database)?;
    Ok(tell_all(node, account, until_ms).await)
}

/// Lifts a block.
pub(crate) async fn unblock(node: &Node, account: &AccountId) -> Result<Vec<NodeName>, BlockError> {
    block(node, account, 0).await
}

/// All blocks that are in force, of all databases; those of a range that is just moving may be missing.
pub(crate) async fn list(node: &Node) -> Result<Vec<Block>, Report> {
    let mut all = Vec::new();
    for name in node.databases.store().databases() {
        let blocks = node.databases.list_blocks(&name, 0, LISTED_MAX).await;
        all.extend(blocks?);
    }
    all.sort_by(|one, other| one.account.cmp(&other.account));
    all.dedup_by(|one, other| one.account == other.account);
    Ok(all)
}

async fn tell_all(node: &Node, account: &AccountId, until_ms: i64) -> Vec<NodeName> {
    end_here(node, account, until_ms);
    tell_others(node, account, Ending::Blocked { until_ms }).await
}

/// Tells every node that an account is deleted; those that could not be told.
pub(crate) async fn tell_deleted(node: &Node, account: &AccountId) -> Vec<NodeName> {
    deletion::end_here(node, account);
    tell_others(node, account, Ending::Deleted).await
}

async fn tell_others(node: &Node, account: &AccountId, ending: Ending) -> Vec<NodeName> {
    // Also those that leave: they have sessions until they have left.
    let others: Vec<NodeName> = node.members.borrow().nodes().keys().cloned().collect();
    let told = others
        .into_iter()
        .filter(|name| *name != node.name)
        .map(|name| async move {
            let telling = node.peers.end_account(&name, account, ending);
            match tokio::time::timeout(TELL_LIMIT, telling).await {
                Ok(Some(_)) => None,
                _ => Some(name),
            }
        });
    let told = futures::future::join_all(told).await;
    told.into_iter().flatten().collect()
}

/// Takes the news: whoever of the account is here is told to stay away. How many sessions.
pub(crate) fn end_here(node: &Node, account: &AccountId, until_ms: i64) -> usize {
    node.accounts.block_news.0.insert(account.clone(), until_ms);
    if until_ms <= crate::clock::wall_ms() {
        return 0;
    }
    let sessions = node.local_accounts.sessions_of(account);
    for session in &sessions {
        // It may have ended by itself.
        let _ = node.sessions.post(*session, Input::LogOut);
    }
    sessions.len()
}

/// Looks for blocks that this node was not told of, until the process ends.
pub(crate) async fn follow(node: Arc<Node>) {
    loop {
        let wait = crate::random::jittered_ms(LOOK_INTERVAL_MS);
        tokio::time::sleep(Duration::from_millis(wait)).await;
        let said_after_ms = crate::clock::wall_ms() - LOOK_BACK_MS;
        for name in node.databases.store().databases() {
            if node.databases.trouble_at(&name).is_some() {
                continue;
            }
            match node.databases.list_blocks(&name, said_after_ms, LISTED_MAX).await {
                Ok(blocks) => {
                    for block in blocks {
                        end_here(&node, &block.account, block.until_ms);
                    }
                }
                Err(report) => tracing::debug!(database = %name, %report, "blocks are looked for later"),
            }
        }
    }
}
