//! Where a room's entries are news to nobody but the account that they concern: comings and goings.
//!
//! Everybody's reading would go over all of them otherwise: after an office of 100,000 was taken in, each first login over
//! all 100,000. What concerns the reader itself stands at the edges of its [`Windows`], so nothing of it is passed over.

use serde::{Deserialize, Serialize};

use super::Windows;
use crate::id::Seq;

/// Most runs that a room keeps; the shortest is forgotten first, and read over as before.
pub const MAX_QUIET_RUNS: usize = 16;

/// A run of entries none of which is shown to an account but at an edge of its windows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct QuietRun {
    /// It begins behind this place.
    pub after: Seq,
    /// Its last place.
    pub until: Seq,
}

impl QuietRun {
    fn length(&self) -> u64 {
        self.until.0.saturating_sub(self.after.0)
    }
}

/// The longest quiet runs of a room and the newest, in order.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct QuietRuns(Vec<QuietRun>);

impl QuietRuns {
    /// The entry at `seq` is quiet; it is the newest.
    pub fn add(&mut self, seq: Seq) {
        let after = Seq(seq.0.saturating_sub(1));
        if let Some(last) = self.0.last_mut().filter(|last| last.until == after) {
            last.until = seq;
            return;
        }
        if self.0.len() >= MAX_QUIET_RUNS {
            let shortest = self.0.iter().enumerate().min_by_key(|(_, run)| run.length());
            if let Some(place) = shortest.map(|(place, _)| place) {
                self.0.remove(place);
            }
        }
        self.0.push(QuietRun { after, until: seq });
    }

    /// How far an account that has read up to `place` may go on without reading: `place` itself where it may not.
    /// What follows behind the answer must be read.
    #[must_use]
    pub fn pass(&self, windows: &Windows, mut place: Seq) -> Seq {
        for run in &self.0 {
            if run.after <= place && place < run.until {
                let own = windows.edge_behind(place);
                match own.filter(|own| *own <= run.until) {
                    Some(own) => return Seq(own.0.saturating_sub(1)),
                    None => place = run.until,
                }
            }
        }
        place
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn runs(quiet: impl IntoIterator<Item = u64>) -> QuietRuns {
        let mut runs = QuietRuns::default();
        quiet.into_iter().for_each(|seq| runs.add(Seq(seq)));
        runs
    }

    /// Took part from `after` on, until the entry `until` said that it does not.
    fn window(after: u64, until: Option<u64>) -> Windows {
        let mut windows = Windows::default();
        windows.open(Seq(after));
        if let Some(until) = until {
            windows.close(Seq(until));
        }
        windows
    }

    #[test]
    fn a_run_is_passed_at_once() {
        let runs = runs((1..=100).chain(102..=200));
        assert_eq!(runs.pass(&window(0, None), Seq(1)), Seq(100));
        assert_eq!(
            runs.pass(&window(0, None), Seq(100)),
            Seq(100),
            "entry 101 is for all"
        );
        assert_eq!(runs.pass(&window(0, None), Seq(101)), Seq(200));
        assert_eq!(runs.pass(&window(0, None), Seq(200)), Seq(200));
    }

    #[test]
    fn what_concerns_the_account_is_not_passed() {
        let runs = runs(1..=100);
        let windows = window(9, Some(50));
        assert_eq!(runs.pass(&windows, Seq(9)), Seq(9), "entry 10 says that it came");
        assert_eq!(runs.pass(&windows, Seq(10)), Seq(49), "entry 50 that it went");
        assert_eq!(runs.pass(&windows, Seq(50)), Seq(100));
    }

    #[test]
    fn the_longest_and_the_newest_are_kept() {
        // A run of ten, then many of one.
        let runs = runs((1..=10).chain((0..100).map(|turn| 12 + 2 * turn)));
        assert_eq!(runs.0.len(), MAX_QUIET_RUNS);
        assert_eq!(runs.pass(&window(0, None), Seq(3)), Seq(10));
        assert_eq!(runs.pass(&window(0, None), Seq(209)), Seq(210), "the newest");
        assert_eq!(runs.pass(&window(0, None), Seq(11)), Seq(11), "forgotten");
    }
}
