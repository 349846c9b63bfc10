//! Webhooks: others outside are told of messages, and of accounts that come and go, over HTTP.
//!
//! What they are owed stands in the outbox of each database: of a message since its own transaction, so neither is there
//! without the other. Per database and address one node, chosen by rendezvous hashing, hands over the oldest events,
//! and removes them when they were accepted; when another node takes its place, or an answer was lost, events are handed
//! over again under the same id.

mod body;
mod presence;
mod request;
mod sender;

pub(crate) use sender::run;

use parking_lot::Mutex;
use std::collections::HashMap;
use std::sync::Arc;
use tim_config::WebhookEvent;
use tim_core::id::DatabaseName;
use tim_store::{Announce, Recipient};
use tokio::sync::Semaphore;

/// Logins and logouts that may wait to be written; more are given up and counted.
const PRESENCE_WAITING_MAX: usize = 10_000;

/// What the node's other parts tell it, and what it shows of itself.
#[derive(Debug)]
pub(crate) struct Webhooks {
    config: tim_config::Webhooks,
    /// Places for presence that is not written yet.
    waiting: Arc<Semaphore>,
    /// When the oldest event happened that waits for this node to hand it over, in Unix nanoseconds.
    oldest_ns: Mutex<HashMap<(DatabaseName, Recipient), i64>>,
}

impl Webhooks {
    pub(crate) fn new(config: &tim_config::Webhooks) -> Self {
        Self {
            config: config.clone(),
            waiting: Arc::new(Semaphore::new(PRESENCE_WAITING_MAX)),
            oldest_ns: Mutex::default(),
        }
    }

    /// Which addresses are told when an account comes or goes.
    fn told_of_presence(&self, online: bool) -> Vec<Recipient> {
        let event = match online {
            true => WebhookEvent::AccountOnline,
            false => WebhookEvent::AccountOffline,
        };
        let wanted = [
            (
                Recipient::Webhook,
                !self.config.url.is_empty() && self.config.events.contains(&event),
            ),
            (Recipient::LoginStates, !self.config.login_states_url.is_empty()),
        ];
        wanted
            .into_iter()
            .filter(|(_, is)| *is)
            .map(|(to, _)| to)
            .collect()
    }

    /// The addresses there are.
    fn recipients(&self) -> Vec<Recipient> {
        let configured = [
            (Recipient::Webhook, &self.config.url),
            (Recipient::LoginStates, &self.config.login_states_url),
        ];
        let configured = configured.into_iter().filter(|(_, url)| !url.is_empty());
        configured.map(|(to, _)| to).collect()
    }

    /// How long the oldest event that this node has to hand over has waited, in seconds.
    pub(crate) fn lag_seconds(&self) -> u64 {
        let oldest = self.oldest_ns.lock().values().min().copied();
        let waited = oldest.map_or(0, |oldest| crate::clock::wall_ns().saturating_sub(oldest));
        u64::try_from(waited / 1_000_000_000).unwrap_or(0)
    }
}

/// What leaves events in the databases.
pub(crate) fn announce(config: &tim_config::Webhooks) -> Announce {
    let wants = |event| !config.url.is_empty() && config.events.contains(&event);
    Announce {
        messages: wants(WebhookEvent::MessageSent),
        rooms: wants(WebhookEvent::RoomChanged),
        content: config.include_content,
    }
}

/// An address as telemetry and troubles name it.
fn name(to: Recipient) -> &'static str {
    match to {
        Recipient::Webhook => "webhook",
        Recipient::LoginStates => "login_states",
    }
}
