//! The instruments of the node, made once; names and units are in `tim_telemetry::names`.

use crate::recent::{Recent, RecentFigures};
use parking_lot::RwLock;
use std::collections::HashMap;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tim_core::id::DatabaseName;
use tim_telemetry::{Counter, Histogram, KeyValue, attribute, counter, histogram, names};

/// What is counted and timed while messages pass.
#[derive(Debug)]
pub(crate) struct Metrics {
    pub(crate) login_duration: Histogram,
    pub(crate) ack_duration: Histogram,
    pub(crate) delivery_duration: Histogram,
    pub(crate) accepted: Counter,
    pub(crate) delivered: Counter,
    pub(crate) rejected: Counter,
    pub(crate) redelivered: Counter,
    pub(crate) frames_dropped: Counter,
    pub(crate) sessions_ended: Counter,
    passwords_checked: Counter,
    limit_refused: Counter,
    pub(crate) strangers_yielded: Counter,
    admin_requests: Counter,
    accounts_deleted: Counter,
    webhook_events: Counter,
    webhook_duration: Histogram,
    pub(crate) frames_pushed: Counter,
    pub(crate) frames_delivered: Counter,
    pub(crate) home_conflicts: Counter,
    pub(crate) fence_refused: Counter,
    pub(crate) commit_duration: Histogram,
    pub(crate) commit_batch_size: Histogram,
    pub(crate) lookup_duration: Histogram,
    pub(crate) repair_duration: Histogram,
    /// Messages answered as stored, from the frame to its answer.
    pub(crate) recent: Recent,
    commits: RwLock<HashMap<DatabaseName, Arc<Recent>>>,
    direct: [KeyValue; 1],
    room: [KeyValue; 1],
}

impl Metrics {
    pub(crate) fn new() -> Self {
        Self {
            login_duration: histogram(&names::LOGIN_DURATION),
            ack_duration: histogram(&names::MESSAGE_ACK_DURATION),
            delivery_duration: histogram(&names::MESSAGE_DELIVERY_DURATION),
            accepted: counter(&names::MESSAGE_ACCEPTED),
            delivered: counter(&names::MESSAGE_DELIVERED),
            rejected: counter(&names::MESSAGE_REJECTED),
            redelivered: counter(&names::MESSAGE_REDELIVERED),
            frames_dropped: counter(&names::STREAM_FRAMES_DROPPED),
            sessions_ended: counter(&names::SESSION_ENDED),
            passwords_checked: counter(&names::PASSWORD_CHECKED),
            limit_refused: counter(&names::LIMIT_REFUSED),
            strangers_yielded: counter(&names::STRANGER_YIELDED),
            admin_requests: counter(&names::ADMIN_REQUESTS),
            accounts_deleted: counter(&names::ACCOUNT_DELETED),
            webhook_events: counter(&names::WEBHOOK_EVENTS),
            webhook_duration: histogram(&names::WEBHOOK_DURATION),
            frames_pushed: counter(&names::STREAM_FRAMES_PUSHED),
            frames_delivered: counter(&names::STREAM_FRAMES_DELIVERED),
            home_conflicts: counter(&names::HOME_CONFLICTS),
            fence_refused: counter(&names::PARTITION_FENCE_REFUSED),
            commit_duration: histogram(&names::STORAGE_COMMIT_DURATION),
            commit_batch_size: histogram(&names::STORAGE_COMMIT_BATCH_SIZE),
            lookup_duration: histogram(&names::PRESENCE_LOOKUP_DURATION),
            repair_duration: histogram(&names::PRESENCE_REPAIR_DURATION),
            recent: Recent::new(Instant::now()),
            commits: RwLock::default(),
            direct: [attribute(&names::MESSAGING_DESTINATION_TEMPLATE, "direct")],
            room: [attribute(&names::MESSAGING_DESTINATION_TEMPLATE, "room")],
        }
    }

    /// A one-to-one message was stored.
    pub(crate) fn accepted_direct(&self) {
        self.accepted.add(1, &self.direct);
    }

    /// A message to a room was stored.
    pub(crate) fn accepted_room(&self) {
        self.accepted.add(1, &self.room);
    }

    /// A system message was stored.
    pub(crate) fn accepted_system(&self) {
        let kind = attribute(&names::MESSAGING_DESTINATION_TEMPLATE, "system");
        self.accepted.add(1, &[kind]);
    }

    /// Nothing is left of an account.
    pub(crate) fn account_deleted(&self) {
        self.accounts_deleted.add(1, &[]);
    }

    /// A message that came `since` was answered as stored.
    pub(crate) fn acknowledged(&self, since: Instant) {
        let now = Instant::now();
        let took = now.saturating_duration_since(since);
        self.ack_duration.record(took.as_secs_f64(), &[]);
        self.recent.record(took, now);
    }

    /// A group commit has succeeded.
    pub(crate) fn committed(&self, database: &DatabaseName, took: Duration) {
        let now = Instant::now();
        let known = self.commits.read().get(database).cloned();
        let recent = known.unwrap_or_else(|| {
            let mut commits = self.commits.write();
            let new = || Arc::new(Recent::new(now));
            Arc::clone(commits.entry(database.clone()).or_insert_with(new))
        });
        recent.record(took, now);
    }

    /// The group commits of the last seconds.
    pub(crate) fn commits(&self, database: &DatabaseName, now: Instant) -> RecentFigures {
        let recent = self.commits.read().get(database).cloned();
        recent.map_or_else(RecentFigures::default, |recent| recent.figures(now))
    }

    /// A client was refused something by the limit under that key of the configuration.
    pub(crate) fn limit_reached(&self, key: &'static str) {
        self.limit_refused.add(1, &[attribute(&names::LIMIT_NAME, key)]);
    }

    /// A password was decided on.
    pub(crate) fn password_checked(&self, source: &'static str) {
        self.passwords_checked
            .add(1, &[attribute(&names::PASSWORD_SOURCE, source)]);
    }

    /// An administrator was answered, or refused for a cause.
    pub(crate) fn administered(&self, operation: &'static str, cause: Option<&'static str>) {
        let operation = attribute(&names::ADMIN_OPERATION, operation);
        match cause {
            None => self.admin_requests.add(1, &[operation]),
            Some(cause) => self
                .admin_requests
                .add(1, &[operation, attribute(&names::ERROR_TYPE, cause)]),
        }
    }

    /// Events were accepted by a webhook, or given up.
    pub(crate) fn webhook_events(&self, count: u64, outcome: &'static str) {
        self.webhook_events
            .add(count, &[attribute(&names::WEBHOOK_OUTCOME, outcome)]);
    }

    /// A webhook has answered, or not.
    pub(crate) fn webhook_request(&self, took: Duration, outcome: &'static str) {
        self.webhook_duration
            .record(took.as_secs_f64(), &[attribute(&names::WEBHOOK_OUTCOME, outcome)]);
    }

    /// A message was refused with a wire code.
    pub(crate) fn rejected_with(&self, error_type: &'static str) {
        self.rejected.add(1, &[attribute(&names::ERROR_TYPE, error_type)]);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn commits_are_timed_by_database() {
        let metrics = Metrics::new();
        let [slow, quick] = ["d0", "d1"].map(|name| DatabaseName::new(name).unwrap());
        for _ in 0..3 {
            metrics.committed(&slow, Duration::from_millis(40));
        }
        let later = Instant::now() + Duration::from_secs(2);
        let p99 = metrics.commits(&slow, later).p99_milliseconds.unwrap();
        assert!((40.0..50.0).contains(&p99), "{p99}");
        assert_eq!(metrics.commits(&quick, later), RecentFigures::default());
    }
}
