//! What an account reads next of a room.

use super::{QuietRuns, Windows};
use crate::id::Seq;

/// The next run of entries that an account reads.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Shown {
    /// It begins behind this place; up to here there is nothing for the account.
    pub after: Seq,
    /// Its last place; `after` when nothing follows.
    pub until: Seq,
}

impl Shown {
    /// Of a conversation of two: all of it.
    #[must_use]
    pub fn all_behind(from: Seq) -> Self {
        Self {
            after: from,
            until: Seq(u64::MAX),
        }
    }

    /// Of a room: what the account's windows show, without what is news to others only. `head` is the newest entry
    /// that `windows` know of: nothing behind it, as the account may have been removed with the next.
    #[must_use]
    pub fn in_room(from: Seq, windows: &Windows, quiet: &QuietRuns, head: Seq) -> Self {
        let mut from = from;
        while let Some(window) = windows.next_behind(from) {
            let begin = from.max(window.after);
            let after = quiet.pass(windows, begin).min(head).max(begin);
            match window.until {
                Some(until) if after >= until => from = after,
                until => {
                    return Self {
                        after,
                        until: until.unwrap_or(head).max(after),
                    };
                }
            }
        }
        Self {
            after: from,
            until: from,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn quiet(places: impl IntoIterator<Item = u64>) -> QuietRuns {
        let mut runs = QuietRuns::default();
        places.into_iter().for_each(|seq| runs.add(Seq(seq)));
        runs
    }

    #[test]
    fn windows_alone() {
        let mut windows = Windows::default();
        windows.open(Seq(2));
        windows.close(Seq(5));
        windows.open(Seq(9));
        let shown = |from| {
            let shown = Shown::in_room(Seq(from), &windows, &QuietRuns::default(), Seq(20));
            (shown.after.0, shown.until.0)
        };
        assert_eq!(
            [shown(0), shown(3), shown(5), shown(12)],
            [(2, 5), (3, 5), (9, 20), (12, 20)]
        );
    }

    #[test]
    fn all_comings_of_others_are_passed_over() {
        let mut windows = Windows::default();
        windows.open(Seq(9));
        let quiet = quiet(1..=100_000);
        let shown = |from| Shown::in_room(Seq(from), &windows, &quiet, Seq(100_001)).after;
        assert_eq!(shown(0), Seq(9), "its own coming is told");
        assert_eq!(shown(10), Seq(100_000));
    }

    #[test]
    fn what_came_after_the_windows_were_read_is_read() {
        let mut windows = Windows::default();
        windows.open(Seq(0));
        // Entry 150 may have removed the account: these windows cannot tell.
        let shown = Shown::in_room(Seq(1), &windows, &quiet(1..=150), Seq(100));
        assert_eq!(shown.after, Seq(100));
    }

    #[test]
    fn a_run_over_the_end_of_a_window_leads_to_the_next() {
        let mut windows = Windows::default();
        windows.open(Seq(0));
        // It left unannounced.
        windows.close(Seq(4));
        windows.open(Seq(19));
        let shown = Shown::in_room(Seq(4), &windows, &quiet(1..=50), Seq(60));
        assert_eq!((shown.after, shown.until), (Seq(19), Seq(60)));
        let gone = Shown::in_room(Seq(60), &Windows::default(), &quiet(1..=50), Seq(60));
        assert_eq!((gone.after, gone.until), (Seq(60), Seq(60)));
    }
}
