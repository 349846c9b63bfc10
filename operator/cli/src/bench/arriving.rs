//! Takes what arrives at a client, and waits for the last of it.

use super::accounts::LoggedIn;
use super::measured::Live;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tim_client::wire::{ErrorCode, TimMessage};
use tim_client::{Event, Events};

/// Once nothing has arrived for this long, nothing more is expected.
const SILENCE_MAX: Duration = Duration::from_secs(15);
/// How often it is looked whether everything has arrived.
const ARRIVAL_INTERVAL: Duration = Duration::from_millis(50);

/// Who counts what arrives at a client.
pub(super) trait Inbox {
    /// A message arrived.
    fn arrived(&self, message: &TimMessage);
    /// The connection was made anew.
    fn reconnected(&self);
}

/// Takes what arrives until the client ends; what waited during a break is asked for.
pub(super) async fn receive(mut receiver: LoggedIn, live: Arc<Live>, inbox: impl Inbox) {
    let mut connected_before = false;
    while let Some(event) = receiver.events.next().await {
        match event {
            Event::Message { message, .. } => inbox.arrived(&message),
            Event::OfflineBatch { messages, .. } => {
                messages.iter().for_each(|message| inbox.arrived(message));
            }
            Event::Connected { .. } => {
                if connected_before {
                    inbox.reconnected();
                    // Without a connection again it is asked for after the next one.
                    receiver.client.request_offline().await.ok();
                }
                connected_before = true;
            }
            Event::Reconnecting { .. } => {
                connected_before = true;
                Live::raise(&live.reconnects);
            }
            _ => {}
        }
    }
}

/// A sender has nothing to read but refusals of its friendship, which the first message shows anyway.
pub(super) async fn ignore_events(mut events: Events, live: Arc<Live>) {
    while let Some(event) = events.next().await {
        match event {
            Event::Reconnecting { .. } => Live::raise(&live.reconnects),
            Event::Ack(ack) if !ack.ok => {
                let error = ack.error.unwrap_or_default();
                let code = error.code.and_then(ErrorCode::from_number);
                if code != Some(ErrorCode::Repeated) {
                    live.refuse(error.info.unwrap_or_default());
                }
            }
            _ => {}
        }
    }
}

/// Waits until everything acknowledged has arrived, or nothing arrives any more.
pub(super) async fn await_all(n_arrived: impl Fn() -> u64, is_complete: impl Fn() -> bool) {
    let mut last = (n_arrived(), Instant::now());
    while !is_complete() {
        tokio::time::sleep(ARRIVAL_INTERVAL).await;
        let now = n_arrived();
        if now != last.0 {
            last = (now, Instant::now());
        } else if last.1.elapsed() >= SILENCE_MAX {
            return;
        }
    }
    // Late repetitions would be duplicates: they get a moment to show.
    tokio::time::sleep(ARRIVAL_INTERVAL * 10).await;
}
