//! Whether an account may have another session: asked of the presence registry before a login is accepted.
//!
//! The registry is a moment late: it may still know sessions that have ended, or whose node has died and is not yet
//! declared dead. So before a login is refused, the nodes of those that are in its way are asked whether they live, and
//! a client that comes back at once is given a moment for its old session to end.

use crate::commands::{Limit, Refusal};
use crate::node::Node;
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;
use tim_core::id::{AccountId, DeviceClass, NodeName, SessionId};
use tim_core::presence::{DeviceLimit, DeviceLimits, Registration, SessionEntry, TooManyDevices};
use tim_core::time::Moment;

/// How long a login that is too much waits for a session that is just ending.
const ENDING_LIMIT_MS: u64 = 1_500;
/// How often it looks meanwhile.
const LOOK_INTERVAL: Duration = Duration::from_millis(50);
/// A node or owner that has not answered after this time keeps nobody from logging in.
const ANSWER_LIMIT: Duration = Duration::from_millis(500);

/// The limits as the configuration says them.
pub(crate) fn limits(config: &tim_config::Sessions) -> DeviceLimits {
    DeviceLimits {
        per_account: config.per_account_max as usize,
        per_class: config.per_device_class_max as usize,
        login_interval_ms: config.login_interval_seconds * 1_000,
    }
}

/// When the login counts from, in the account's own reckoning; waits for what is ending.
pub(super) async fn admit(node: &Node, account: &AccountId, class: DeviceClass) -> Result<u64, Refusal> {
    let limits = limits(&node.config.sessions);
    let until = crate::clock::now().plus_ms(ENDING_LIMIT_MS);
    loop {
        let now_ms = u64::try_from(crate::clock::wall_ms()).unwrap_or(0);
        let mut known = known(node, account).await;
        if limits.reached(&known, class).is_some() {
            // Nobody yields to a session that is no more.
            let gone = gone(node, account, &known).await;
            known.retain(|entry| !gone.contains(&entry.session));
        }
        let too_many = match limits.admit(&known, class, now_ms) {
            Ok(logged_in_ms) => return Ok(logged_in_ms),
            Err(too_many) => too_many,
        };
        if is_over(until) {
            return Err(refusal(node, too_many));
        }
        tokio::time::sleep(LOOK_INTERVAL).await;
    }
}

fn is_over(until: Moment) -> bool {
    crate::clock::now() >= until
}

fn refusal(node: &Node, too_many: TooManyDevices) -> Refusal {
    let sessions = &node.config.sessions;
    let limit = match too_many.limit {
        DeviceLimit::Account => Limit {
            key: "sessions.per_account_max",
            value: sessions.per_account_max,
        },
        DeviceLimit::Class => Limit {
            key: "sessions.per_device_class_max",
            value: sessions.per_device_class_max,
        },
    };
    node.metrics.limit_reached(limit.key);
    Refusal::too_many_devices(&limit, too_many.wait_ms)
}

/// What the registry says.
async fn known(node: &Node, account: &AccountId) -> Vec<SessionEntry> {
    let found = tokio::time::timeout(ANSWER_LIMIT, node.look_up(account)).await;
    found.unwrap_or_default()
}

/// Those that their nodes do not know, or whose nodes do not answer. The registry is told: if one lives all the same, its
/// node registers it anew.
async fn gone(node: &Node, account: &AccountId, known: &[SessionEntry]) -> BTreeSet<SessionId> {
    let mut by_node: BTreeMap<&NodeName, Vec<SessionId>> = BTreeMap::new();
    for entry in known {
        by_node.entry(&entry.node).or_default().push(entry.session);
    }
    let asked = by_node.into_iter().map(|(name, mut sessions)| async move {
        if *name == node.name {
            sessions.retain(|session| !node.sessions.contains(*session));
            return sessions;
        }
        let gone = tokio::time::timeout(ANSWER_LIMIT, node.peers.gone_sessions(name, &sessions)).await;
        gone.ok().flatten().unwrap_or(sessions)
    });
    let gone = futures::future::join_all(asked).await;
    let gone: BTreeSet<SessionId> = gone.into_iter().flatten().collect();
    let forgotten = known.iter().filter(|entry| gone.contains(&entry.session));
    let forgotten: Vec<Registration> = forgotten
        .map(|entry| Registration {
            account: account.clone(),
            entry: entry.clone(),
        })
        .collect();
    if !forgotten.is_empty() {
        // Whether or not it arrives: entries that are not renewed expire.
        let _ = tokio::time::timeout(ANSWER_LIMIT, node.forget_sessions(account, forgotten)).await;
    }
    gone
}
