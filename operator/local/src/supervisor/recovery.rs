//! What users noticed of a node's end: how long until it served again, and until their sessions were back.

use crate::event::Event;
use std::collections::BTreeMap;
use std::time::{Duration, Instant};

/// Sessions that are not back by then are told as not back.
const SESSIONS_WAIT_MAX: Duration = Duration::from_secs(20);

/// One node at one moment.
#[derive(Debug, Clone)]
pub(super) struct Seen {
    /// Its name.
    pub(super) node: String,
    /// Whether it serves.
    pub(super) serving: bool,
    /// Its sessions.
    pub(super) sessions: u64,
}

#[derive(Debug)]
struct Recovery {
    how: String,
    ended: Instant,
    sessions_lost: u64,
    sessions_in_all_before: u64,
    serving_after: Option<Duration>,
    back_after: Option<Duration>,
}

/// Ends that are not over yet.
#[derive(Debug, Default)]
pub(super) struct Recoveries {
    open: BTreeMap<String, Recovery>,
    last: BTreeMap<String, u64>,
}

impl Recoveries {
    /// A node ended although nobody had asked it to.
    pub(super) fn ended(&mut self, node: &str, how: &str, now: Instant) {
        let sessions_in_all_before = self.last.values().sum();
        let sessions_lost = self.last.remove(node).unwrap_or(0);
        let recovery = Recovery {
            how: how.to_owned(),
            ended: now,
            sessions_lost,
            sessions_in_all_before,
            serving_after: None,
            back_after: None,
        };
        // If it ends again before it recovered, the first end is what its users remember.
        self.open.entry(node.to_owned()).or_insert(recovery);
    }

    /// Whether any node is recovering.
    pub(super) fn is_any_open(&self) -> bool {
        !self.open.is_empty()
    }

    /// Whether the node is recovering: its serving again is told as a recovery.
    pub(super) fn is_open(&self, node: &str) -> bool {
        self.open.contains_key(node)
    }

    /// What to tell now. `outstanding` are messages that a running load tool has had acknowledged and not seen arrive: they
    /// are given the same time as sessions, and what is left of them then is lost.
    pub(super) fn follow(&mut self, seen: &[Seen], outstanding: Option<u64>, now: Instant) -> Vec<Event> {
        let in_all: u64 = seen.iter().map(|node| node.sessions).sum();
        let mut events = Vec::new();
        self.open.retain(|name, recovery| {
            if recovery.serving_after.is_none() && seen.iter().any(|node| node.node == *name && node.serving)
            {
                recovery.serving_after = Some(now.duration_since(recovery.ended));
            }
            let Some(restarted_after) = recovery.serving_after else {
                return true;
            };
            let elapsed = now.duration_since(recovery.ended);
            let back = recovery.sessions_lost == 0 || in_all >= recovery.sessions_in_all_before;
            if back && recovery.back_after.is_none() {
                recovery.back_after = Some(elapsed);
            }
            let arrived = outstanding.is_none_or(|outstanding| outstanding == 0);
            if !(back && arrived) && elapsed < SESSIONS_WAIT_MAX {
                return true;
            }
            let missing = recovery.sessions_in_all_before.saturating_sub(in_all);
            let returned = recovery.sessions_lost.saturating_sub(missing);
            events.push(Event::Recovered {
                node: name.clone(),
                how: recovery.how.clone(),
                restarted_after,
                sessions_back: (recovery.sessions_lost > 0)
                    .then_some((returned, recovery.back_after.unwrap_or(elapsed))),
                messages_lost: outstanding,
            });
            false
        });
        if self.open.is_empty() {
            self.last = seen
                .iter()
                .map(|node| (node.node.clone(), node.sessions))
                .collect();
        }
        events
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn seen(sessions: [(&str, bool, u64); 2]) -> Vec<Seen> {
        sessions
            .iter()
            .map(|(node, serving, sessions)| Seen {
                node: (*node).into(),
                serving: *serving,
                sessions: *sessions,
            })
            .collect()
    }

    #[test]
    fn a_recovery_is_told_when_as_many_sessions_are_back_wherever() {
        let start = Instant::now();
        let mut recoveries = Recoveries::default();
        assert!(
            recoveries
                .follow(&seen([("a", true, 3), ("b", true, 4)]), None, start)
                .is_empty()
        );
        recoveries.ended("a", "signal 9", start);
        let later = |milliseconds| start + Duration::from_millis(milliseconds);
        assert!(
            recoveries
                .follow(&seen([("a", false, 0), ("b", true, 5)]), None, later(200))
                .is_empty()
        );
        assert!(
            recoveries
                .follow(&seen([("a", true, 0), ("b", true, 6)]), None, later(400))
                .is_empty()
        );
        let told = recoveries.follow(&seen([("a", true, 1), ("b", true, 6)]), None, later(900));
        assert!(
            matches!(
                &told[..],
                [Event::Recovered { node, restarted_after, sessions_back: Some((3, after)), .. }]
                    if node == "a" && restarted_after.as_millis() == 400 && after.as_millis() == 900
            ),
            "{told:?}"
        );
        assert!(!recoveries.is_open("a"));
    }

    #[test]
    fn a_node_without_sessions_is_told_as_soon_as_it_serves() {
        let start = Instant::now();
        let mut recoveries = Recoveries::default();
        recoveries.ended("a", "exit code 1", start);
        let told = recoveries.follow(&seen([("a", true, 0), ("b", true, 0)]), None, start);
        assert!(
            matches!(
                &told[..],
                [Event::Recovered {
                    sessions_back: None,
                    ..
                }]
            ),
            "{told:?}"
        );
    }

    #[test]
    fn messages_of_a_load_are_waited_for_and_then_counted() {
        let start = Instant::now();
        let all = seen([("a", true, 1), ("b", true, 1)]);
        let mut recoveries = Recoveries::default();
        recoveries.ended("a", "signal 9", start);
        assert!(
            recoveries.follow(&all, Some(7), start).is_empty(),
            "seven are on their way"
        );
        let told = recoveries.follow(&all, Some(0), start + Duration::from_secs(1));
        assert!(
            matches!(
                &told[..],
                [Event::Recovered {
                    messages_lost: Some(0),
                    ..
                }]
            ),
            "{told:?}"
        );
        recoveries.ended("a", "signal 9", start);
        let told = recoveries.follow(&all, Some(2), start + SESSIONS_WAIT_MAX);
        assert!(
            matches!(
                &told[..],
                [Event::Recovered {
                    messages_lost: Some(2),
                    ..
                }]
            ),
            "{told:?}"
        );
    }

    #[test]
    fn sessions_that_do_not_come_back_are_not_counted_as_back() {
        let start = Instant::now();
        let mut recoveries = Recoveries::default();
        recoveries.follow(&seen([("a", true, 3), ("b", true, 0)]), None, start);
        recoveries.ended("a", "signal 9", start);
        let told = recoveries.follow(
            &seen([("a", true, 1), ("b", true, 0)]),
            None,
            start + SESSIONS_WAIT_MAX,
        );
        assert!(
            matches!(
                &told[..],
                [Event::Recovered {
                    sessions_back: Some((1, _)),
                    ..
                }]
            ),
            "{told:?}"
        );
    }
}
