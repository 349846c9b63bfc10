//! Which counters of a sender were seen.

/// How far behind the highest counter a datagram may come and still be told from a repeated one.
const WINDOW: u64 = 1_024;
const WORDS: usize = (WINDOW / 64) as usize;

/// A sliding window over counters, one bit each.
#[derive(Debug, Default)]
pub(super) struct ReplayWindow {
    highest: u64,
    seen: [u64; WORDS],
}

impl ReplayWindow {
    /// Whether the counter was neither seen nor is too old to tell. 0 is never sent.
    pub(super) fn is_new(&self, counter: u64) -> bool {
        if counter > self.highest {
            return true;
        }
        counter != 0 && self.highest - counter < WINDOW && !self.bit(counter)
    }

    /// Remembers the counter.
    pub(super) fn mark(&mut self, counter: u64) {
        if counter > self.highest {
            let passed = (counter - self.highest).min(WINDOW);
            for step in 0..passed {
                self.set(counter - step, false);
            }
            self.highest = counter;
        }
        self.set(counter, true);
    }

    fn bit(&self, counter: u64) -> bool {
        let (word, mask) = place(counter);
        self.seen[word] & mask != 0
    }

    fn set(&mut self, counter: u64, value: bool) {
        let (word, mask) = place(counter);
        if value {
            self.seen[word] |= mask;
        } else {
            self.seen[word] &= !mask;
        }
    }
}

fn place(counter: u64) -> (usize, u64) {
    let position = counter % WINDOW;
    // Below WORDS by construction.
    ((position / 64) as usize, 1 << (position % 64))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::collections::HashSet;

    proptest! {
        /// Against the plain definition: new is what was not seen and is not too old.
        #[test]
        fn each_counter_is_new_once(counters in proptest::collection::vec(1_u64..5_000, 1..400)) {
            let mut window = ReplayWindow::default();
            let mut seen = HashSet::new();
            let mut highest = 0;
            for counter in counters {
                let too_old = highest >= WINDOW && counter <= highest - WINDOW;
                prop_assert_eq!(window.is_new(counter), !seen.contains(&counter) && !too_old);
                if window.is_new(counter) {
                    window.mark(counter);
                    seen.insert(counter);
                    highest = highest.max(counter);
                }
            }
        }
    }

    #[test]
    fn the_ends_of_the_number_range_do_no_harm() {
        let mut window = ReplayWindow::default();
        assert!(!window.is_new(0));
        window.mark(u64::MAX);
        assert!(!window.is_new(u64::MAX) && !window.is_new(1) && window.is_new(u64::MAX - 1));
    }
}
