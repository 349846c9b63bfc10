//! Finding out that one was stopped.

use std::time::Duration;
use tim_core::time::Moment;

/// Watches over a tick that should come in fixed steps.
///
/// A process that was stopped, or a machine that was suspended, does not notice by itself; the distance between two of its
/// own ticks tells. The clock must be one that goes on during a suspension where the system has such a one.
#[derive(Debug)]
pub struct TickWatch {
    interval_ms: u64,
    late_ms: u64,
    last: Moment,
}

impl TickWatch {
    /// Ticks are expected every `interval`; one later than that by `late` or more is reported.
    pub fn new(interval: Duration, late: Duration, now: Moment) -> Self {
        let milliseconds = |duration: Duration| u64::try_from(duration.as_millis()).unwrap_or(u64::MAX);
        Self {
            interval_ms: milliseconds(interval),
            late_ms: milliseconds(late),
            last: now,
        }
    }

    /// A tick has come; how late it is, if too late.
    pub fn tick(&mut self, now: Moment) -> Option<Duration> {
        let lateness = now.since_ms(self.last).saturating_sub(self.interval_ms);
        self.last = now;
        (lateness >= self.late_ms).then(|| Duration::from_millis(lateness))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_tick_that_is_too_late_is_reported_and_only_once() {
        let mut watch = TickWatch::new(Duration::from_millis(250), Duration::from_secs(2), Moment(1_000));
        assert_eq!(watch.tick(Moment(1_250)), None);
        assert_eq!(watch.tick(Moment(3_499)), None);
        assert_eq!(watch.tick(Moment(5_749)), Some(Duration::from_secs(2)));
        assert_eq!(watch.tick(Moment(5_999)), None);
        assert_eq!(
            watch.tick(Moment(5_000)),
            None,
            "a clock that goes back is no stop"
        );
    }
}
