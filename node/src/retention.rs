//! Old messages go by themselves: per database one walk after another, each done by the node whose turn it is.
//!
//! A walk is slow on purpose: a page, a pause, the next page. Where it was is kept in memory alone; a node that takes over
//! begins anew, which costs reading.

use crate::node::Node;
use parking_lot::Mutex;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;
use tim_core::id::DatabaseName;
use tim_core::placement;
use tim_store::{Keep, Retention};
use tim_telemetry::{Counter, attribute, counter, names};

/// How often it is looked for databases that were added, and whose turn it is.
const LOOK_INTERVAL: Duration = Duration::from_secs(1);
/// Wait after a page that could not be read.
const RETRY_MS: u64 = 5_000;

/// What is told of the walks.
#[derive(Debug)]
pub(crate) struct Walks {
    removed: Counter,
    /// When the last whole walk of this node has ended, in Unix seconds.
    ended: Mutex<BTreeMap<DatabaseName, u64>>,
}

impl Default for Walks {
    fn default() -> Self {
        Self {
            removed: counter(&names::RETENTION_REMOVED),
            ended: Mutex::default(),
        }
    }
}

impl Walks {
    /// When the last whole walk over each database has ended, in Unix seconds; of those that this node has walked.
    pub(crate) fn ended(&self) -> Vec<(DatabaseName, u64)> {
        self.ended.lock().clone().into_iter().collect()
    }
}

/// The configuration in the store's units.
fn retention(config: &tim_config::Retention) -> Retention {
    let set = |value: u64| (value > 0).then_some(value);
    let nanoseconds = |seconds: u64| {
        let seconds = i64::try_from(seconds).unwrap_or(i64::MAX);
        seconds.saturating_mul(1_000_000_000)
    };
    let keep = |seconds: u64| Keep {
        age_ns: set(seconds).map(nanoseconds),
        undelivered_ns: set(config.undelivered_seconds).map(nanoseconds),
        entries_max: set(config.entries_per_conversation_max),
    };
    Retention {
        direct: keep(config.direct_seconds),
        room: keep(config.room_seconds),
        system: keep(config.system_seconds),
    }
}

/// Walks until the process ends.
pub(crate) async fn run(node: Arc<Node>) {
    let retention = retention(&node.config.storage.retention);
    if !retention.is_on() {
        // Everything is kept.
        return std::future::pending().await;
    }
    let mut walked = BTreeSet::new();
    loop {
        // Databases may be added while the node runs.
        for database in node.databases.store().databases() {
            if walked.insert(database.clone()) {
                tokio::spawn(Box::pin(walk(Arc::clone(&node), database, retention)));
            }
        }
        tokio::time::sleep(LOOK_INTERVAL).await;
    }
}

fn is_our_turn(node: &Node, database: &DatabaseName) -> bool {
    let key = [b"retention\0", database.as_bytes()].concat();
    let view = node.view.load();
    placement::best(&key, &view).is_some_and(|best| best.name == node.name)
}

async fn walk(node: Arc<Node>, name: DatabaseName, retention: Retention) {
    let config = &node.config.storage.retention;
    let mut behind = None;
    loop {
        if !is_our_turn(&node, &name) || node.databases.trouble_at(&name).is_some() {
            behind = None;
            tokio::time::sleep(LOOK_INTERVAL).await;
            continue;
        }
        let page = node.databases.trim_page(&name, &retention, behind).await;
        let wait_ms = match page {
            Ok(walked) => {
                if walked.removed > 0 {
                    let database = attribute(&names::DATABASE_NAME, name.as_str().to_owned());
                    node.walks.removed.add(walked.removed, &[database]);
                }
                behind = walked.next;
                if behind.is_some() {
                    config.pause_millis
                } else {
                    let now = u64::try_from(crate::clock::wall_ms() / 1_000).unwrap_or(0);
                    node.walks.ended.lock().insert(name.clone(), now);
                    crate::random::jittered_ms(config.interval_seconds * 1_000)
                }
            }
            Err(report) => {
                tracing::debug!(database = %name, %report, "old messages go later");
                crate::random::jittered_ms(RETRY_MS)
            }
        };
        tokio::time::sleep(Duration::from_millis(wait_ms)).await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_said_is_kept() {
        assert!(!retention(&tim_config::Retention::default()).is_on());
        let config = tim_config::Retention {
            direct_seconds: 3_600,
            undelivered_seconds: 7_200,
            ..tim_config::Retention::default()
        };
        let kept = retention(&config);
        assert_eq!(
            (kept.direct.age_ns, kept.direct.undelivered_ns),
            (Some(3_600_000_000_000), Some(7_200_000_000_000))
        );
        assert_eq!((kept.room.age_ns, kept.room.entries_max), (None, None));
    }
}
