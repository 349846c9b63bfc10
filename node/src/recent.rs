//! What has passed in the last seconds: the figures that people see in `tim status`. Telemetry has the same events over the
//! whole life of the node, which says little about now.

use parking_lot::Mutex;
use std::time::{Duration, Instant};

/// The window, in seconds.
const WINDOW_SECONDS: u64 = 10;
/// Bounds of the durations that are told apart: the first, and the factor between neighbours (each figure is at most a fifth
/// too high).
const SHORTEST_MILLISECONDS: f64 = 0.1;
const FACTOR: f64 = 1.19;
const BUCKETS: usize = 64;

/// The figures of the window.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub(crate) struct RecentFigures {
    /// How many there were, per second.
    pub(crate) per_second: f64,
    /// The time that 99 of 100 of them took at most; nothing if there were none.
    pub(crate) p99_milliseconds: Option<f64>,
}

/// One second.
#[derive(Debug, Clone, Copy)]
struct Second {
    number: u64,
    counts: [u32; BUCKETS],
}

/// Counts over the window; two instants of one second fall into one cell, older cells are overwritten.
#[derive(Debug)]
pub(crate) struct Recent {
    since: Instant,
    // One more than the window: the second that is under way is not counted.
    seconds: Mutex<[Second; WINDOW_SECONDS as usize + 1]>,
}

impl Recent {
    pub(crate) fn new(now: Instant) -> Self {
        let empty = Second {
            number: u64::MAX,
            counts: [0; BUCKETS],
        };
        Self {
            since: now,
            seconds: Mutex::new([empty; WINDOW_SECONDS as usize + 1]),
        }
    }

    /// One more, which took so long.
    pub(crate) fn record(&self, took: Duration, now: Instant) {
        let number = self.number(now);
        let mut seconds = self.seconds.lock();
        let length = seconds.len() as u64;
        let index = usize::try_from(number % length).unwrap_or(0);
        let second = &mut seconds[index];
        if second.number != number {
            *second = Second {
                number,
                counts: [0; BUCKETS],
            };
        }
        let count = &mut second.counts[bucket(took)];
        *count = count.saturating_add(1);
    }

    /// The figures of the last whole seconds; of fewer while the node is young.
    pub(crate) fn figures(&self, now: Instant) -> RecentFigures {
        let present = self.number(now);
        let span = present.min(WINDOW_SECONDS);
        if span == 0 {
            return RecentFigures::default();
        }
        let mut sums = [0_u64; BUCKETS];
        for second in self.seconds.lock().iter() {
            if (present - span..present).contains(&second.number) {
                for (sum, count) in sums.iter_mut().zip(second.counts) {
                    *sum += u64::from(count);
                }
            }
        }
        let total: u64 = sums.iter().sum();
        RecentFigures {
            per_second: total as f64 / span as f64,
            p99_milliseconds: (total > 0).then(|| upper_bound(quantile_bucket(&sums, total))),
        }
    }

    fn number(&self, now: Instant) -> u64 {
        now.saturating_duration_since(self.since).as_secs()
    }
}

fn bucket(took: Duration) -> usize {
    let milliseconds = took.as_secs_f64() * 1_000.0;
    (0..BUCKETS - 1)
        .find(|index| milliseconds <= upper_bound(*index))
        .unwrap_or(BUCKETS - 1)
}

fn upper_bound(bucket: usize) -> f64 {
    let exponent = i32::try_from(bucket).unwrap_or(i32::MAX);
    SHORTEST_MILLISECONDS * FACTOR.powi(exponent)
}

/// The bucket in which 99 of 100 are reached.
fn quantile_bucket(sums: &[u64; BUCKETS], total: u64) -> usize {
    let wanted = (total * 99).div_ceil(100);
    let mut seen = 0;
    sums.iter()
        .position(|count| {
            seen += count;
            seen >= wanted
        })
        .unwrap_or(BUCKETS - 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn later(start: Instant, milliseconds: u64) -> Instant {
        start + Duration::from_millis(milliseconds)
    }

    #[test]
    fn rate_and_p99_are_those_of_the_last_whole_seconds() {
        let start = Instant::now();
        let recent = Recent::new(start);
        assert_eq!(recent.figures(start), RecentFigures::default());
        for number in 0..100 {
            let took = Duration::from_millis(if number < 98 { 4 } else { 80 });
            recent.record(took, later(start, number));
        }
        let figures = recent.figures(later(start, 2_000));
        assert_eq!(figures.per_second, 50.0);
        let p99 = figures.p99_milliseconds.unwrap();
        assert!((80.0..80.0 * FACTOR).contains(&p99), "{p99}");
        let figures = recent.figures(later(start, 10_500));
        assert_eq!(figures.per_second, 10.0);
    }

    #[test]
    fn what_is_older_is_forgotten_and_its_cells_are_used_again() {
        let start = Instant::now();
        let recent = Recent::new(start);
        recent.record(Duration::from_millis(1), start);
        recent.record(Duration::from_millis(1), later(start, 11_000));
        assert_eq!(recent.figures(later(start, 12_000)).per_second, 0.1);
        assert_eq!(recent.figures(later(start, 40_000)), RecentFigures::default());
    }

    #[test]
    fn the_second_under_way_is_not_counted() {
        let start = Instant::now();
        let recent = Recent::new(start);
        recent.record(Duration::from_millis(1), later(start, 1_200));
        assert_eq!(recent.figures(later(start, 1_900)).p99_milliseconds, None);
        assert!(recent.figures(later(start, 2_000)).p99_milliseconds.is_some());
    }

    #[test]
    fn every_duration_has_a_bucket() {
        assert_eq!(bucket(Duration::ZERO), 0);
        assert_eq!(bucket(Duration::from_secs(3_600)), BUCKETS - 1);
    }
}
