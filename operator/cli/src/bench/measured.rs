//! Numbers while a load runs, and the distribution of times.

use crate::quantity::count;
use hdrhistogram::Histogram;
use parking_lot::Mutex;
use schemars::JsonSchema;
use serde::Serialize;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

/// Longest time that is told apart; longer ones count as this.
const MICROSECONDS_MAX: u64 = 600_000_000;
/// Digits that are kept.
const SIGNIFICANT_DIGITS: u8 = 3;

/// Times, in microseconds.
#[derive(Debug)]
pub(super) struct Times(Option<Histogram<u64>>);

impl Times {
    pub(super) fn new() -> Self {
        // Fails for senseless bounds only; without it nothing would be recorded, and shown as none.
        Self(Histogram::new_with_bounds(1, MICROSECONDS_MAX, SIGNIFICANT_DIGITS).ok())
    }

    pub(super) fn record(&mut self, time: Duration) {
        let microseconds = u64::try_from(time.as_micros())
            .unwrap_or(MICROSECONDS_MAX)
            .clamp(1, MICROSECONDS_MAX);
        if let Some(histogram) = &mut self.0 {
            histogram.saturating_record(microseconds);
        }
    }

    pub(super) fn add(&mut self, other: &Self) {
        if let (Some(own), Some(other)) = (&mut self.0, &other.0) {
            // Both have the same bounds.
            let _ = own.add(other);
        }
    }

    pub(super) fn percentiles(&self) -> Option<Percentiles> {
        let histogram = self.0.as_ref().filter(|histogram| !histogram.is_empty())?;
        let milliseconds = |microseconds: u64| microseconds as f64 / 1_000.0;
        Some(Percentiles {
            p50_milliseconds: milliseconds(histogram.value_at_quantile(0.5)),
            p90_milliseconds: milliseconds(histogram.value_at_quantile(0.9)),
            p99_milliseconds: milliseconds(histogram.value_at_quantile(0.99)),
            p999_milliseconds: milliseconds(histogram.value_at_quantile(0.999)),
            max_milliseconds: milliseconds(histogram.max()),
            count: histogram.len(),
        })
    }
}

/// Percentiles of a distribution of times.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Percentiles {
    /// Half took no longer.
    pub p50_milliseconds: f64,
    /// 90 of 100 took no longer.
    pub p90_milliseconds: f64,
    /// 99 of 100 took no longer.
    pub p99_milliseconds: f64,
    /// 999 of 1,000 took no longer.
    pub p999_milliseconds: f64,
    /// The longest.
    pub max_milliseconds: f64,
    /// How many were measured.
    pub count: u64,
}

/// Numbers that everybody may raise while the load runs.
#[derive(Debug, Default)]
pub(super) struct Live {
    pub(super) accounts: AtomicU64,
    pub(super) sessions: AtomicU64,
    pub(super) sent: AtomicU64,
    pub(super) answered: AtomicU64,
    pub(super) delivered: AtomicU64,
    pub(super) refused: AtomicU64,
    pub(super) unanswered: AtomicU64,
    /// Members who have taken what waited for them, and how many there are.
    pub(super) settled: AtomicU64,
    pub(super) to_settle: AtomicU64,
    pub(super) reconnects: AtomicU64,
    pub(super) strangers: AtomicU64,
    pub(super) last_refusal: Mutex<Option<String>>,
}

/// The numbers at one moment.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Numbers {
    accounts: u64,
    sessions: u64,
    sent: u64,
    answered: u64,
    delivered: u64,
    refused: u64,
    unanswered: u64,
    settled: u64,
    to_settle: u64,
    reconnects: u64,
    strangers: u64,
}

impl Live {
    pub(super) fn raise(counter: &AtomicU64) {
        counter.fetch_add(1, Ordering::Relaxed);
    }

    pub(super) fn refuse(&self, why: String) {
        Self::raise(&self.refused);
        *self.last_refusal.lock() = Some(why);
    }

    pub(super) fn numbers(&self) -> Numbers {
        let read = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        Numbers {
            accounts: read(&self.accounts),
            sessions: read(&self.sessions),
            sent: read(&self.sent),
            answered: read(&self.answered),
            delivered: read(&self.delivered),
            refused: read(&self.refused),
            unanswered: read(&self.unanswered),
            settled: read(&self.settled),
            to_settle: read(&self.to_settle),
            reconnects: read(&self.reconnects),
            strangers: read(&self.strangers),
        }
    }
}

impl Numbers {
    /// What has changed since `before`, in one line; nothing if nothing has.
    pub(super) fn line(&self, before: &Self, interval: Duration) -> Option<String> {
        if self == before {
            return None;
        }
        let seconds = interval.as_secs().max(1);
        let rate = |now: u64, before: u64| format!("{}/s", count((now - before) / seconds));
        let mut parts = Vec::new();
        if self.accounts != before.accounts {
            parts.push(format!("{} accounts registered", count(self.accounts)));
        }
        if self.sessions != before.sessions {
            parts.push(format!("{} logged in", count(self.sessions)));
        }
        if self.strangers != before.strangers {
            parts.push(format!("{} strangers have come", count(self.strangers)));
        }
        if (self.settled, self.to_settle) != (before.settled, before.to_settle) {
            let (settled, all) = (count(self.settled), count(self.to_settle));
            parts.push(format!("taking what waited: {settled} of {all} members"));
        }
        if self.sent != before.sent || self.answered != before.answered || self.delivered != before.delivered
        {
            parts.push(format!(
                "sent {} · answered {} · delivered {}",
                rate(self.sent, before.sent),
                rate(self.answered, before.answered),
                rate(self.delivered, before.delivered)
            ));
        }
        if self.refused != before.refused {
            parts.push(format!("{} refused", count(self.refused)));
        }
        if self.unanswered != before.unanswered {
            parts.push(format!("{} unanswered", count(self.unanswered)));
        }
        if self.reconnects != before.reconnects {
            parts.push(format!("{} reconnects", count(self.reconnects)));
        }
        Some(format!("  {}", parts.join(" · ")))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percentiles_are_those_of_what_was_recorded() {
        let mut times = Times::new();
        assert_eq!(times.percentiles(), None);
        for milliseconds in 1..=1_000 {
            times.record(Duration::from_millis(milliseconds));
        }
        let percentiles = times.percentiles().unwrap();
        assert!((percentiles.p50_milliseconds - 500.0).abs() < 2.0);
        assert!((percentiles.p99_milliseconds - 990.0).abs() < 2.0);
        assert_eq!(percentiles.count, 1_000);
    }

    #[test]
    fn progress_says_what_changed_and_nothing_else() {
        let live = Live::default();
        let before = live.numbers();
        assert_eq!(live.numbers().line(&before, Duration::from_secs(1)), None);
        live.sent.store(1_840, Ordering::Relaxed);
        let line = live.numbers().line(&before, Duration::from_secs(1)).unwrap();
        assert!(
            line.contains("sent 1,840/s") && !line.contains("refused"),
            "{line}"
        );
        let before = live.numbers();
        live.to_settle.store(5_000, Ordering::Relaxed);
        live.settled.store(1_200, Ordering::Relaxed);
        let line = live.numbers().line(&before, Duration::from_secs(1)).unwrap();
        assert_eq!(line.trim(), "taking what waited: 1,200 of 5,000 members");
    }
}
