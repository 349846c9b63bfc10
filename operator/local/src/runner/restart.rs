//! When a process that ended is started again: at once, and with growing pauses when it keeps ending.

use std::time::{Duration, Instant};

/// A life of at least this length counts as a good one.
const GOOD_LIFE: Duration = Duration::from_secs(10);
/// The first pause; doubled each time.
const PAUSE_MIN: Duration = Duration::from_millis(250);
/// The longest pause.
const PAUSE_MAX: Duration = Duration::from_secs(10);

/// The memory of one node's ends.
#[derive(Debug, Default)]
pub(super) struct Restarts {
    ends_in_a_row: u32,
    started: Option<Instant>,
    not_before: Option<Instant>,
}

impl Restarts {
    pub(super) fn ends_in_a_row(&self) -> u32 {
        self.ends_in_a_row
    }

    pub(super) fn is_due(&self, now: Instant) -> bool {
        self.not_before.is_none_or(|not_before| now >= not_before)
    }

    pub(super) fn started(&mut self, now: Instant) {
        self.started = Some(now);
    }

    pub(super) fn ended(&mut self, now: Instant) {
        let good = self
            .started
            .take()
            .is_some_and(|started| now.duration_since(started) >= GOOD_LIFE);
        self.ends_in_a_row = if good {
            1
        } else {
            self.ends_in_a_row.saturating_add(1)
        };
        // The first end is answered at once: a killed node shall be back before its clients notice.
        let doublings = self.ends_in_a_row.saturating_sub(2);
        let pause = if self.ends_in_a_row <= 1 {
            Duration::ZERO
        } else {
            PAUSE_MIN.saturating_mul(1 << doublings.min(16)).min(PAUSE_MAX)
        };
        self.not_before = Some(now + pause);
    }

    pub(super) fn reset(&mut self) {
        *self = Self::default();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_end_is_answered_at_once_and_repeated_ones_ever_later() {
        let start = Instant::now();
        let mut restarts = Restarts::default();
        assert!(restarts.is_due(start));
        restarts.started(start);
        restarts.ended(start);
        assert!(restarts.is_due(start));
        let mut last = Duration::ZERO;
        for _ in 0..10 {
            restarts.started(start);
            restarts.ended(start);
            let pause = restarts.not_before.unwrap() - start;
            assert!(pause >= last && pause <= PAUSE_MAX && pause >= PAUSE_MIN);
            last = pause;
        }
        assert_eq!(last, PAUSE_MAX);
    }

    #[test]
    fn a_good_life_is_forgiven() {
        let start = Instant::now();
        let mut restarts = Restarts::default();
        for _ in 0..5 {
            restarts.started(start);
            restarts.ended(start);
        }
        restarts.started(start);
        let later = start + GOOD_LIFE;
        restarts.ended(later);
        assert!(restarts.is_due(later));
        assert_eq!(restarts.ends_in_a_row(), 1);
    }
}
