//! Rates: how often something may happen, and a meter that remembers nothing but one moment.
//!
//! A token bucket in the form of the generic cell rate algorithm: instead of tokens the meter keeps the moment at which
//! it will be full again, so that one number is enough for an idle session.

use crate::time::Moment;

const SECOND_US: u64 = 1_000_000;

/// So many at once, and one more after every interval.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rate {
    interval_us: u64,
    burst: u64,
}

/// Too fast: after this time one more may pass, in milliseconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("too fast by {wait_ms} ms")]
pub struct TooFast {
    /// The wait.
    pub wait_ms: u64,
}

impl Rate {
    /// So many per second, as many of them at once; `None` for zero, which is no limit.
    #[must_use]
    pub fn per_second(count: u32) -> Option<Self> {
        Self::of(count, SECOND_US)
    }

    /// So many per minute, as many of them at once; `None` for zero, which is no limit.
    #[must_use]
    pub fn per_minute(count: u32) -> Option<Self> {
        Self::of(count, 60 * SECOND_US)
    }

    fn of(count: u32, period_us: u64) -> Option<Self> {
        let burst = u64::from(count);
        let interval_us = period_us.checked_div(burst)?.max(1);
        Some(Self { interval_us, burst })
    }
}

/// How much of a rate is used up.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Meter {
    full_at_us: u64,
}

impl Meter {
    /// Lets one pass, or says how long to wait; who is refused uses nothing up.
    ///
    /// # Errors
    /// [`TooFast`] when the rate is used up.
    pub fn take(&mut self, rate: &Rate, now: Moment) -> Result<(), TooFast> {
        let now_us = now.0.saturating_mul(1_000);
        let full_at_us = self.full_at_us.max(now_us);
        let used_us = full_at_us - now_us;
        let usable_us = (rate.burst - 1) * rate.interval_us;
        if used_us > usable_us {
            let wait_ms = (used_us - usable_us).div_ceil(1_000);
            return Err(TooFast { wait_ms });
        }
        self.full_at_us = full_at_us + rate.interval_us;
        Ok(())
    }

    /// Whether one may pass, without letting it.
    ///
    /// # Errors
    /// [`TooFast`] when the rate is used up.
    pub fn look(&self, rate: &Rate, now: Moment) -> Result<(), TooFast> {
        Self { ..*self }.take(rate, now)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_burst_passes_and_then_the_rate() {
        let rate = Rate::per_second(10).unwrap();
        let mut meter = Meter::default();
        for _ in 0..10 {
            assert_eq!(meter.take(&rate, Moment(5_000)), Ok(()));
        }
        assert_eq!(meter.take(&rate, Moment(5_000)), Err(TooFast { wait_ms: 100 }));
        assert_eq!(meter.look(&rate, Moment(5_040)), Err(TooFast { wait_ms: 60 }));
        assert_eq!(meter.take(&rate, Moment(5_100)), Ok(()));
        assert_eq!(meter.take(&rate, Moment(5_100)), Err(TooFast { wait_ms: 100 }));
        assert_eq!(Rate::per_second(0), None, "no limit");
    }

    proptest! {
        #[test]
        fn no_stretch_of_time_sees_more_than_burst_and_rate(
            count in 1_u32..5_000, steps in prop::collection::vec(0_u64..300, 1..400),
        ) {
            let rate = Rate::per_second(count).unwrap();
            let (mut meter, mut now, mut passed) = (Meter::default(), 0, Vec::new());
            for step in steps {
                now += step;
                if meter.take(&rate, Moment(now)).is_ok() {
                    passed.push(now);
                }
            }
            for (first, begin) in passed.iter().enumerate() {
                let last = passed.len() - 1;
                let allowed = u64::from(count) + (passed[last] - begin) * 1_000 / rate.interval_us;
                prop_assert!((last - first + 1) as u64 <= allowed + 1);
            }
        }

        #[test]
        fn who_waits_as_told_passes(count in 1_u32..5_000, tries in 1_usize..6_000, now in 0_u64..1_000_000) {
            let rate = Rate::per_second(count).unwrap();
            let mut meter = Meter::default();
            for _ in 0..tries {
                if let Err(too_fast) = meter.take(&rate, Moment(now)) {
                    prop_assert!(too_fast.wait_ms >= 1);
                    prop_assert_eq!(meter.take(&rate, Moment(now + too_fast.wait_ms)), Ok(()));
                    return Ok(());
                }
            }
            prop_assert!(tries <= count as usize);
        }
    }
}
