//! Telling the owners of an account's presence shard what was verified, and asking them.

use super::tag::Tag;
use crate::node::Node;
use crate::peers::ToPeer;
use futures::StreamExt;
use futures::stream::FuturesUnordered;
use parking_lot::Mutex;
use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;
use tim_core::id::{AccountId, NodeName};
use tim_core::placement;
use tim_core::view::View;
use tim_peer::passwords::{TAGS_MAX, TagBytes};
use tim_telemetry::{Kind, Span, attribute, names};
use tokio::sync::Notify;
use tokio::time::{Instant, MissedTickBehavior};

/// A login waits so long for the owners before it is hashed: a hash alone takes a tenth of that.
const ASK_LIMIT: Duration = Duration::from_millis(150);
/// Tags that wait to be told; more are not told.
const WAITING_MAX: usize = 16_384;
/// So long tags are gathered before they are told.
const GATHER: Duration = Duration::from_millis(20);
/// Tags of live sessions are repeated at this rate: so many, so often, which is 2,000 per second.
const REPEATED_AT_ONCE: usize = 200;
const REPEAT_PAUSE: Duration = Duration::from_millis(100);
/// They are repeated at least twice in the time that they are kept for, and no more often than this.
const REPEAT_INTERVAL_MIN: Duration = Duration::from_secs(1);

/// What waits to be told to the owners.
#[derive(Debug, Default)]
pub(super) struct Waiting {
    tags: Mutex<Vec<(AccountId, Tag)>>,
    come: Notify,
}

impl Waiting {
    fn push(&self, account: &AccountId, tag: Tag) {
        let mut tags = self.tags.lock();
        if tags.len() < WAITING_MAX {
            tags.push((account.clone(), tag));
            drop(tags);
            self.come.notify_one();
        }
    }

    fn take(&self) -> Vec<(AccountId, Tag)> {
        std::mem::take(&mut *self.tags.lock())
    }
}

/// Remembers a verified password, here and, soon, at the owners.
pub(in crate::accounts) fn tell(node: &Node, account: &AccountId, tag: Tag) {
    let remembered = &node.accounts.remembered;
    if !remembered.is_off {
        remembered.remember(account, tag);
        remembered.waiting.push(account, tag);
    }
}

/// Whether a password was verified lately anywhere; then it is remembered here, too.
pub(in crate::accounts) async fn knows(node: &Node, account: &AccountId, tag: Tag) -> bool {
    if node.accounts.remembered.is_off {
        return false;
    }
    let mut span = Span::root(&names::PASSWORD_LOOKUP, Kind::Internal);
    let known = ask(node, account, &tag.bytes()).await;
    let source = if known { "owners" } else { "hash" };
    span.set(attribute(&names::PASSWORD_SOURCE, source));
    if known {
        // After a change of the view one of the owners may be new.
        tell(node, account, tag);
    }
    known
}

async fn ask(node: &Node, account: &AccountId, tag: &TagBytes) -> bool {
    let remembered = &node.accounts.remembered;
    if remembered.keeps(tag) {
        return true;
    }
    let Ok(_place) = remembered.asking.try_acquire() else {
        return false;
    };
    let view = node.view.load_full();
    let others = owners(account, &view).filter(|owner| **owner != node.name);
    let mut answers: FuturesUnordered<_> = others
        .map(|owner| Box::pin(node.peers.remembers_password(owner, tag)))
        .collect();
    let one_does = async {
        while let Some(does) = answers.next().await {
            if does {
                return true;
            }
        }
        false
    };
    tokio::time::timeout(ASK_LIMIT, one_does).await.unwrap_or(false)
}

fn owners<'a>(account: &AccountId, view: &'a View) -> impl Iterator<Item = &'a NodeName> + use<'a> {
    let owners = placement::shard_owners_of(account, view);
    // A node that is alone remembers for itself, and need not keep it twice.
    let are_two = owners.follower.is_some();
    let both = [owners.primary, owners.follower].into_iter().flatten();
    both.filter(move |_| are_two)
}

/// Tells the owners for as long as the node runs: what is verified, and again what live sessions logged in with.
pub(crate) async fn run(node: Arc<Node>) {
    tokio::join!(tell_what_is_new(&node), repeat(&node));
}

async fn tell_what_is_new(node: &Node) {
    let waiting = &node.accounts.remembered.waiting;
    loop {
        waiting.come.notified().await;
        tokio::time::sleep(GATHER).await;
        let view = node.view.load_full();
        send(node, waiting.take(), |account| owners(account, &view).collect());
    }
}

/// Repeats the tags of live sessions: to owners that are new, after a change of the view, and to all of them before they
/// forget.
async fn repeat(node: &Node) {
    let mut members = node.members.clone();
    let mut told = members.borrow_and_update().clone();
    let interval = (node.accounts.remembered.kept_for / 2).max(REPEAT_INTERVAL_MIN);
    let mut whole_at = Instant::now() + interval;
    loop {
        let whole = tokio::select! {
            changed = members.changed() => match changed {
                Ok(()) => false,
                // The node ends.
                Err(_) => std::future::pending().await,
            },
            () = tokio::time::sleep_until(whole_at) => true,
        };
        let present = members.borrow_and_update().clone();
        if whole {
            whole_at = Instant::now() + interval;
        } else if present.view().hash() == told.view().hash() {
            continue;
        }
        let is_told = |account: &AccountId, owner: &NodeName| {
            !whole && owners(account, told.view()).any(|before| before == owner)
        };
        let untold = |account: &AccountId| {
            let owners = owners(account, present.view());
            owners.filter(|owner| !is_told(account, owner)).collect()
        };
        walk(node, untold).await;
        told = present;
    }
}

async fn walk<'a>(node: &Node, to: impl Fn(&AccountId) -> Vec<&'a NodeName>) {
    let mut pace = tokio::time::interval(REPEAT_PAUSE);
    pace.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut after: Option<AccountId> = None;
    loop {
        pace.tick().await;
        let accounts = node.local_accounts.list(after.as_ref(), REPEATED_AT_ONCE);
        after = accounts.last().map(|last| last.account.clone());
        if after.is_none() {
            return;
        }
        let tagged = accounts.into_iter().filter_map(|online| {
            let tag = node.accounts.remembered.renew(&online.account)?;
            Some((online.account, tag))
        });
        send(node, tagged.collect(), &to);
    }
}

/// Without waiting; what does not arrive costs a hash.
fn send<'a>(node: &Node, tagged: Vec<(AccountId, Tag)>, to: impl Fn(&AccountId) -> Vec<&'a NodeName>) {
    let mut by_owner: HashMap<&NodeName, Vec<TagBytes>> = HashMap::new();
    for (account, tag) in &tagged {
        for owner in to(account) {
            by_owner.entry(owner).or_default().push(tag.bytes());
        }
    }
    for (owner, tags) in by_owner {
        if *owner == node.name {
            node.accounts.remembered.keep(tags);
            continue;
        }
        for tags in tags.chunks(TAGS_MAX) {
            let tags = tags.to_vec();
            node.peers.send(owner, ToPeer::RememberPasswords { tags });
        }
    }
}
