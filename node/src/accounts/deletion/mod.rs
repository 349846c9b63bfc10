//! Deleted accounts: what is asked for is durable before it is answered, and done by whichever nodes live.
//!
//! 1. **Begin** ([`begin`]): one transaction in the account's partition empties its credential and profile and writes the
//!    task. From then on nobody logs in as it, nothing new begins with it, and every node ends its sessions.
//! 2. **Detach**, at once: no relation, no membership and no rank is left in any conversation of its list, so that messages
//!    to it and from it are refused.
//! 3. **Erase**, when nothing of it can be under way any more ([`tim_config::Deletion::settle_seconds`]): what it sent, its
//!    cursors, its lists, and at last the task.
//!
//! Each step may be done again, by any node, so nothing needs to know how far another one came: the task is done by the node
//! whose turn it is in the view ([`turn`]), and begins anew where that has died. What a repartition copies is erased
//! when it has been copied.

mod steps;

use crate::accounts::blocks;
use crate::node::Node;
use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;
use tim_catalogue::Report;
use tim_core::conversation::SentMessages;
use tim_core::id::{AccountId, NodeName};
use tim_core::placement;
use tim_store::Deletion;
use tokio::sync::Notify;

/// How often a node looks for deletions that it was not told of, or that are its turn now.
const LOOK_INTERVAL_MS: u64 = 10_000;
/// The block of an account that is deleted, as it is told: for ever.
const FOR_EVER_MS: i64 = i64::MAX;

/// Wakes those who delete.
#[derive(Debug, Default)]
pub(crate) struct DeletionNews {
    /// Rung when a deletion has begun.
    begun: Notify,
}

/// A deletion that has begun.
#[derive(Debug)]
pub(crate) struct Begun {
    /// The task.
    pub(crate) deletion: Deletion,
    /// Nodes that could not be told; they find out by themselves.
    pub(crate) untold: Vec<NodeName>,
}

/// Begins to delete an account; nothing when there is none of that id (any more).
pub(crate) async fn begin(
    node: &Node,
    account: &AccountId,
    sent: SentMessages,
) -> Result<Option<Begun>, Report> {
    let wanted = Deletion {
        account: account.clone(),
        begun_ms: crate::clock::wall_ms(),
        sent,
    };
    // Of those who were never here there may be something all the same: what others have said to them.
    let unknown_too = node.accounts.users.are_elsewhere();
    let Some(deletion) = node.databases.begin_deletion(&wanted, unknown_too).await? else {
        return Ok(None);
    };
    let untold = blocks::tell_deleted(node, account).await;
    Ok(Some(Begun { deletion, untold }))
}

/// Until when nobody logs in as a deleted account. One that belongs to another system may come back when nothing of it can
/// be under way any more; the database keeps it out until its deletion has ended.
fn out_until_ms(node: &Node) -> i64 {
    if !node.accounts.users.are_elsewhere() {
        return FOR_EVER_MS;
    }
    crate::clock::wall_ms().saturating_add(settle_ms(node))
}

fn settle_ms(node: &Node) -> i64 {
    i64::try_from(node.config.accounts.deletion.settle_seconds * 1_000).unwrap_or(i64::MAX)
}

/// Takes the news: sessions end, and what is remembered of the account is forgotten. How many sessions.
pub(crate) fn end_here(node: &Node, account: &AccountId) -> usize {
    node.accounts.forget(account);
    node.accounts.deletion_news.begun.notify_one();
    blocks::end_here(node, account, out_until_ms(node))
}

/// The accounts that are being deleted, of all databases that answer; those of a range that is just moving may be missing.
pub(crate) async fn list(node: &Node) -> Result<Vec<Deletion>, Report> {
    let mut all = Vec::new();
    for name in node.databases.store().databases() {
        all.extend(node.databases.deletions(&name).await?);
    }
    all.sort_by(|one, other| one.account.cmp(&other.account));
    all.dedup_by(|one, other| one.account == other.account);
    Ok(all)
}

/// Whose turn a deletion is, by rendezvous hashing: the others would do the same over again.
fn is_our_turn(node: &Node, account: &AccountId) -> bool {
    let key = [b"deletion\0", account.as_bytes()].concat();
    let view = node.view.load();
    placement::best(&key, &view).is_some_and(|best| best.name == node.name)
}

/// Deletes what is to be deleted, until the process ends.
pub(crate) async fn run(node: Arc<Node>) {
    let mut detached = HashSet::new();
    loop {
        let wait_ms = match Box::pin(look(&node, &mut detached)).await {
            Some(erasable_in_ms) => crate::random::jittered_ms(LOOK_INTERVAL_MS).min(erasable_in_ms),
            None => crate::random::jittered_ms(LOOK_INTERVAL_MS),
        };
        let news = node.accounts.deletion_news.begun.notified();
        let _ = tokio::time::timeout(Duration::from_millis(wait_ms.max(1)), news).await;
    }
}

/// One look over all databases; in how many milliseconds the next account may be erased, if one waits for that alone.
async fn look(node: &Arc<Node>, detached: &mut HashSet<AccountId>) -> Option<u64> {
    let mut found = Vec::new();
    for name in node.databases.store().databases() {
        if node.databases.trouble_at(&name).is_some() {
            continue;
        }
        match node.databases.deletions(&name).await {
            Ok(deletions) => found.extend(deletions),
            Err(report) => tracing::debug!(database = %name, %report, "deletions are looked for later"),
        }
    }
    let known: HashSet<AccountId> = found.iter().map(|one| one.account.clone()).collect();
    detached.retain(|account| known.contains(account));
    for deletion in &found {
        // This node was not told: sessions may be here, and what is remembered of it may be wrong.
        if !node.accounts.was_told_deleted(&deletion.account) {
            blocks::end_here(node, &deletion.account, out_until_ms(node));
            node.accounts.forget(&deletion.account);
        }
    }
    found.retain(|deletion| is_our_turn(node, &deletion.account));
    for deletion in &found {
        if !detached.contains(&deletion.account) {
            match Box::pin(steps::detach(node, deletion)).await {
                Ok(()) => {
                    detached.insert(deletion.account.clone());
                }
                Err(stopped) => stopped.tell(),
            }
        }
    }
    erase(node, &found, detached).await
}

async fn erase(node: &Arc<Node>, found: &[Deletion], detached: &HashSet<AccountId>) -> Option<u64> {
    let settle_ms = settle_ms(node);
    let mut next = None;
    for deletion in found.iter().filter(|one| detached.contains(&one.account)) {
        let left_ms = deletion
            .begun_ms
            .saturating_add(settle_ms)
            .saturating_sub(crate::clock::wall_ms());
        if let Ok(left_ms @ 1..) = u64::try_from(left_ms) {
            next = Some(next.map_or(left_ms, |next: u64| next.min(left_ms)));
            continue;
        }
        match Box::pin(steps::erase(node, deletion)).await {
            Ok(()) => {
                node.metrics.account_deleted();
                tracing::info!("an account has been deleted");
            }
            Err(stopped) => stopped.tell(),
        }
    }
    next
}
