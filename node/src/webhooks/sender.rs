//! Handing over: per database and address one loop, which does something only on the node whose turn it is.

use super::request::{Poster, secret, signature};
use super::{body, name};
use crate::board::{Effect, Place};
use crate::node::Node;
use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tim_catalogue::{Report, node as causes};
use tim_core::id::DatabaseName;
use tim_core::placement;
use tim_store::{Event, MAX_EVENTS_READ, Recipient};

/// How often an outbox that was empty is looked at, and whose turn it is.
const LOOK_INTERVAL: Duration = Duration::from_millis(500);
/// First wait after events were not accepted; doubles up to the longest.
const RETRY_MIN: Duration = Duration::from_millis(500);
const RETRY_MAX: Duration = Duration::from_secs(60);
/// How often it is counted whether more wait than may, while any do.
const COUNT_INTERVAL: Duration = Duration::from_secs(10);

/// Hands over what the outboxes hold, until the process ends.
pub(crate) async fn run(node: Arc<Node>) {
    let recipients = node.webhooks.recipients();
    if recipients.is_empty() {
        // Nobody is to be told.
        return std::future::pending().await;
    }
    let poster = Poster::new(Duration::from_millis(node.config.webhooks.timeout_millis));
    let mut served = BTreeSet::new();
    loop {
        // Databases may be added while the node runs.
        for database in node.databases.store().databases() {
            for to in &recipients {
                if served.insert((database.clone(), *to)) {
                    let outbox = Outbox {
                        node: Arc::clone(&node),
                        poster: poster.clone(),
                        database: database.clone(),
                        to: *to,
                    };
                    tokio::spawn(Box::pin(outbox.serve()));
                }
            }
        }
        tokio::time::sleep(LOOK_INTERVAL).await;
    }
}

/// The events of one database for one address.
struct Outbox {
    node: Arc<Node>,
    poster: Poster,
    database: DatabaseName,
    to: Recipient,
}

impl Outbox {
    async fn serve(self) {
        let (mut wait, mut counted) = (RETRY_MIN, Instant::now());
        loop {
            let turn = if self.is_our_turn() {
                self.turn().await
            } else {
                self.rests();
                Ok(false)
            };
            // Also of an address that accepts all, but slower than events come.
            if turn != Ok(false) && counted.elapsed() >= COUNT_INTERVAL {
                counted = Instant::now();
                self.give_up_oldest().await;
            }
            let pause = pause(turn, &mut wait);
            if !pause.is_zero() {
                let millis = u64::try_from(pause.as_millis()).unwrap_or(u64::MAX);
                tokio::time::sleep(Duration::from_millis(crate::random::jittered_ms(millis))).await;
            }
        }
    }

    fn is_our_turn(&self) -> bool {
        let key = [b"webhook\0", self.database.as_bytes()].concat();
        let view = self.node.view.load();
        placement::best(&key, &view).is_some_and(|best| best.name == self.node.name)
    }

    /// Hands over the oldest events; whether there may be more.
    async fn turn(&self) -> Result<bool, ()> {
        if self.node.databases.trouble_at(&self.database).is_some() {
            // Told elsewhere.
            return Err(());
        }
        let database = self
            .node
            .databases
            .store()
            .database(&self.database)
            .map_err(drop)?;
        let read = self.node.config.webhooks.batch_max.min(MAX_EVENTS_READ);
        let waiting = database.waiting_events(self.to, read).await.map_err(drop)?;
        // What a newer version has written waits for a node of that version.
        let events: Vec<Event> = waiting
            .into_iter()
            .filter(|event| event.happened.is_some())
            .collect();
        let Some(oldest) = events.first() else {
            self.rests();
            self.node.board.clear(&Place::Webhook(name(self.to)));
            return Ok(false);
        };
        let key = (self.database.clone(), self.to);
        self.node.webhooks.oldest_ns.lock().insert(key, oldest.at_ns);
        let (accepted, trouble) = self.hand_over(&events).await;
        if accepted > 0 {
            database.remove_events(&events[..accepted]).await.map_err(drop)?;
            self.node.metrics.webhook_events(accepted as u64, "accepted");
        }
        match trouble {
            None => {
                self.node.board.clear(&Place::Webhook(name(self.to)));
                Ok(events.len() as u32 >= read)
            }
            Some(trouble) => {
                let report = Report::new(&causes::WEBHOOK_FAILS, trouble);
                self.node
                    .board
                    .raise(Place::Webhook(name(self.to)), Effect::Told, report);
                Err(())
            }
        }
    }

    /// How many of the events were accepted, and why no more.
    async fn hand_over(&self, events: &[Event]) -> (usize, Option<String>) {
        let config = &self.node.config.webhooks;
        let secret = match config.secret_file.as_os_str().is_empty() {
            true => None,
            false => match secret(&config.secret_file).await {
                Ok(secret) => Some(secret),
                Err(trouble) => return (0, Some(trouble)),
            },
        };
        match self.to {
            Recipient::Webhook => {
                let body = body::batch(&self.node.config.node.cluster_id, events);
                match self.post(&config.url, secret.as_deref(), Vec::new(), body).await {
                    Ok(()) => (events.len(), None),
                    Err(trouble) => (0, Some(trouble)),
                }
            }
            Recipient::LoginStates => {
                for (place, event) in events.iter().enumerate() {
                    let Some(body) = body::login_state(event) else {
                        continue;
                    };
                    let headers = vec![("tim-event-id", body::id(event))];
                    let url = &config.login_states_url;
                    if let Err(trouble) = self.post(url, secret.as_deref(), headers, body).await {
                        return (place, Some(trouble));
                    }
                }
                (events.len(), None)
            }
        }
    }

    async fn post(
        &self,
        url: &str,
        secret: Option<&[u8]>,
        mut headers: Vec<(&'static str, String)>,
        body: Vec<u8>,
    ) -> Result<(), String> {
        if let Some(secret) = secret {
            headers.extend(signature(secret, crate::clock::wall_ms() / 1_000, &body));
        }
        let begun = Instant::now();
        let posted = self.poster.post(url, headers, body).await;
        let outcome = if posted.is_ok() { "accepted" } else { "failed" };
        self.node.metrics.webhook_request(begun.elapsed(), outcome);
        posted
    }

    /// More than may wait: the oldest are of the least use.
    async fn give_up_oldest(&self) {
        let Ok(database) = self.node.databases.store().database(&self.database) else {
            return;
        };
        let Ok(waiting) = database.count_waiting_events(self.to).await else {
            return;
        };
        let mut excess = waiting.saturating_sub(u64::from(self.node.config.webhooks.waiting_max));
        while excess > 0 {
            let limit = u32::try_from(excess)
                .unwrap_or(MAX_EVENTS_READ)
                .min(MAX_EVENTS_READ);
            let Ok(oldest) = database.waiting_events(self.to, limit).await else {
                return;
            };
            if oldest.is_empty() || database.remove_events(&oldest).await.is_err() {
                return;
            }
            self.node.metrics.webhook_events(oldest.len() as u64, "dropped");
            excess = excess.saturating_sub(oldest.len() as u64);
        }
    }

    /// Nothing waits for this node to hand it over.
    fn rests(&self) {
        let key = (self.database.clone(), self.to);
        self.node.webhooks.oldest_ns.lock().remove(&key);
    }
}

/// How long to wait after a turn (whether there may be more, or that it failed), and how long after the next failure.
fn pause(turn: Result<bool, ()>, wait: &mut Duration) -> Duration {
    let pause = match turn {
        Ok(true) => Duration::ZERO,
        Ok(false) => LOOK_INTERVAL,
        Err(()) => *wait,
    };
    *wait = match turn {
        Ok(_) => RETRY_MIN,
        Err(()) => (*wait * 2).min(RETRY_MAX),
    };
    pause
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_grow_while_nothing_is_accepted_and_begin_anew() {
        let mut wait = RETRY_MIN;
        let waits: Vec<u128> = (0..9).map(|_| pause(Err(()), &mut wait).as_millis()).collect();
        assert_eq!(
            waits,
            [500, 1_000, 2_000, 4_000, 8_000, 16_000, 32_000, 60_000, 60_000]
        );
        assert_eq!(pause(Ok(true), &mut wait), Duration::ZERO);
        assert_eq!(pause(Err(()), &mut wait), RETRY_MIN);
    }
}
