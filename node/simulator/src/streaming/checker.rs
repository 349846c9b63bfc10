//! What subscribers saw, and what they should have.

use std::collections::BTreeMap;

use crate::checker::Violation;
use crate::options::SECOND;

/// Longest silence of a stream, whatever happens to one node or one link.
const SILENCE_MAX: u64 = SECOND;

/// One subscriber and one pusher, each in one life.
type Pair = (u64, u64);

#[derive(Debug, Default)]
pub(super) struct Checker {
    /// Last number heard.
    heard: BTreeMap<Pair, u32>,
    /// Since when it is silent.
    silent: BTreeMap<Pair, u64>,
    pub(super) violations: Vec<Violation>,
    pub(super) frames: u64,
}

impl Checker {
    pub(super) fn heard(&mut self, now: u64, pair: Pair, number: u32) {
        self.frames += 1;
        self.silent.insert(pair, now);
        let last = self.heard.insert(pair, number);
        if last.is_some_and(|last| last >= number) {
            self.violate(now, format!("{pair:?} heard {number} after {last:?}"));
        }
    }

    /// These should hear each other just now; what is not named need not, and begins anew.
    pub(super) fn silence(&mut self, now: u64, pairs: &[Pair]) {
        self.silent.retain(|pair, _| pairs.contains(pair));
        for pair in pairs {
            let since = *self.silent.entry(*pair).or_insert(now);
            if now - since > SILENCE_MAX {
                self.silent.insert(*pair, now);
                self.violate(
                    now,
                    format!("{pair:?} was silent since {:.3} s", since as f64 / 1e6),
                );
            }
        }
    }

    pub(super) fn violate(&mut self, at: u64, what: String) {
        let invariant = "streams";
        self.violations.push(Violation { invariant, at, what });
    }
}
