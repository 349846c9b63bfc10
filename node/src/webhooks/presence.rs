//! Accounts that come and go: written into the outbox of the account's partition, and told to those who watch.

use super::Webhooks;
use crate::node::Node;
use std::sync::Arc;
use std::time::Duration;
use tim_core::id::{AccountId, SessionId};
use tim_store::Recipient;
use tokio::sync::OwnedSemaphorePermit;

/// After the last session has ended it is asked after so long whether the account has come back, and again while that is
/// not known.
const ABSENCE: Duration = Duration::from_secs(5);
/// So often it is asked.
const ASKED_MAX: u32 = 12;
/// First wait after a database did not take an event; doubles up to the longest.
const RETRY_MIN: Duration = Duration::from_millis(200);
const RETRY_MAX: Duration = Duration::from_secs(30);
/// After so many attempts, about ten minutes, the event is given up and counted.
const ATTEMPTS_MAX: u32 = 25;

impl Webhooks {
    /// A session has logged in: news, if the account had none before.
    pub(crate) fn logged_in(&self, node: &Arc<Node>, account: &AccountId, own: (u64, SessionId)) {
        let Some((node, account, place)) = self.begin(node, account, true) else {
            return;
        };
        tokio::spawn(async move {
            let before = |other: (u64, SessionId)| other < own;
            let sessions = node.look_up(&account).await;
            let mut sessions = sessions.iter().map(|entry| (entry.logged_in_ms, entry.session));
            if !sessions.any(before) {
                record(&node, &account, true).await;
            }
            drop(place);
        });
    }

    /// A session has ended: news, if the account has none any more, and stays away for a while.
    pub(crate) fn session_ended(&self, node: &Arc<Node>, account: &AccountId) {
        let Some((node, account, place)) = self.begin(node, account, false) else {
            return;
        };
        tokio::spawn(async move {
            for _ in 0..ASKED_MAX {
                tokio::time::sleep(ABSENCE).await;
                if node.is_absent(&account).await {
                    record(&node, &account, false).await;
                    break;
                }
                if !node.look_up(&account).await.is_empty() {
                    break;
                }
            }
            drop(place);
        });
    }

    fn begin(
        &self,
        node: &Arc<Node>,
        account: &AccountId,
        online: bool,
    ) -> Option<(Arc<Node>, AccountId, OwnedSemaphorePermit)> {
        let told = self.told_of_presence(online).len();
        if told == 0 && !node.online_news.is_watched() {
            return None;
        }
        let place = Arc::clone(&self.waiting).try_acquire_owned();
        match place {
            Ok(place) => Some((Arc::clone(node), account.clone(), place)),
            Err(_) => {
                node.metrics.webhook_events(told as u64, "dropped");
                None
            }
        }
    }
}

async fn record(node: &Node, account: &AccountId, online: bool) {
    node.online_news.tell(account, online);
    let to = node.webhooks.told_of_presence(online);
    if to.is_empty() {
        return;
    }
    let to: Vec<(Recipient, [u8; 16])> = to.into_iter().map(|to| (to, crate::random::bytes())).collect();
    let at_ns = crate::clock::wall_ns();
    let mut wait = RETRY_MIN;
    for _ in 0..ATTEMPTS_MAX {
        let put = node
            .databases
            .put_presence_event((account, online), &to, at_ns)
            .await;
        if put.is_ok() {
            return;
        }
        tokio::time::sleep(wait).await;
        wait = (wait * 2).min(RETRY_MAX);
    }
    node.metrics.webhook_events(to.len() as u64, "dropped");
}
