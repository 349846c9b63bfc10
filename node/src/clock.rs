//! The two clocks: a monotonic one for waiting, the wall clock for timestamps; and the notice when the latter jumps.

use std::sync::OnceLock;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};
use tim_core::time::Moment;

/// A difference between the two clocks that grows by more than this at once is a jump.
pub(crate) const JUMP_MIN: Duration = Duration::from_secs(2);

fn origin() -> Instant {
    static ORIGIN: OnceLock<Instant> = OnceLock::new();
    *ORIGIN.get_or_init(Instant::now)
}

/// Monotonic time since the process began to ask, in the pure cores' form.
pub(crate) fn now() -> Moment {
    Moment(u64::try_from(origin().elapsed().as_millis()).unwrap_or(u64::MAX))
}

/// Wall clock, nanoseconds since 1970.
pub(crate) fn wall_ns() -> i64 {
    SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .ok()
        .and_then(|since| i64::try_from(since.as_nanos()).ok())
        .unwrap_or(0)
}

/// Wall clock, milliseconds since 1970.
pub(crate) fn wall_ms() -> i64 {
    wall_ns() / 1_000_000
}

/// Compares the clocks from time to time.
#[derive(Debug)]
pub(crate) struct JumpDetector {
    offset_ns: i64,
}

impl JumpDetector {
    pub(crate) fn new(wall_ns: i64, monotonic_ns: i64) -> Self {
        Self {
            offset_ns: wall_ns - monotonic_ns,
        }
    }

    pub(crate) fn start() -> Self {
        Self::new(wall_ns(), monotonic_ns())
    }

    /// How far the wall clock has jumped since the last look, if it did.
    pub(crate) fn look(&mut self, wall_ns: i64, monotonic_ns: i64) -> Option<i64> {
        let offset = wall_ns - monotonic_ns;
        let jump = offset - self.offset_ns;
        self.offset_ns = offset;
        (jump.unsigned_abs() > u64::try_from(JUMP_MIN.as_nanos()).unwrap_or(u64::MAX)).then_some(jump)
    }
}

/// Monotonic time in nanoseconds.
pub(crate) fn monotonic_ns() -> i64 {
    i64::try_from(origin().elapsed().as_nanos()).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slow_drift_is_no_jump_and_a_jump_is_told_once() {
        const SECOND: i64 = 1_000_000_000;
        let mut detector = JumpDetector::new(100 * SECOND, 0);
        assert_eq!(detector.look(110 * SECOND + 5_000_000, 10 * SECOND), None);
        assert_eq!(
            detector.look(3_720 * SECOND, 20 * SECOND),
            Some(3_600 * SECOND - 5_000_000)
        );
        assert_eq!(detector.look(3_730 * SECOND, 30 * SECOND), None);
        assert!(detector.look(100 * SECOND, 40 * SECOND).unwrap() < 0);
    }
}
