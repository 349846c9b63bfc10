//! Numbers of lives: each higher than the one before, without anything on disk.

use tim_core::id::Generation;

/// Low bits that are random, so that two lives begun in one millisecond differ.
const RANDOM_BITS: u32 = 16;
/// Doublings of the step after which it stays: 2^24 ms are four and a half hours.
const DOUBLINGS_MAX: u32 = 24;

/// A number for the next life.
///
/// It is the wall clock in milliseconds, then random bits. Should the clock have gone back, so that others hold a higher
/// number of this node, they declare the new life dead at once and it tries again: each attempt without success doubles the
/// step above the last number, which overtakes any distance in a few attempts.
pub fn next_generation(unix_ms: u64, previous: Option<Generation>, attempt: u32, random: u16) -> Generation {
    let by_clock = (unix_ms << RANDOM_BITS) | u64::from(random);
    let above = previous.map_or(0, |previous| {
        let step_ms = 1_u64 << attempt.min(DOUBLINGS_MAX);
        previous.0.saturating_add(step_ms << RANDOM_BITS)
    });
    Generation(by_clock.max(above))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_later_life_is_higher_whatever_the_clock_does() {
        let first = next_generation(1_000_000, None, 0, 5);
        assert!(next_generation(1_000_001, Some(first), 0, 0) > first);
        assert!(next_generation(7, Some(first), 0, 0) > first);
        assert!(next_generation(u64::MAX >> 16, Some(first), 40, 0) > first);
    }

    #[test]
    fn a_clock_a_day_behind_is_overtaken_in_few_attempts() {
        let day_ms = 86_400_000;
        let held_by_others = next_generation(2_000 * day_ms, None, 0, 0);
        let mut own = next_generation(1_999 * day_ms, None, 0, 0);
        let mut attempts = 0;
        while own <= held_by_others {
            own = next_generation(1_999 * day_ms, Some(own), attempts, 0);
            attempts += 1;
        }
        assert!(attempts < 40, "{attempts}");
    }
}
