//! Which entries of a room an account sees.

use serde::{Deserialize, Serialize};

use crate::id::Seq;

/// Most windows of one account; when it comes and goes more often, the oldest is forgotten.
pub const MAX_WINDOWS: usize = 16;

/// A run of entries that an account sees.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Window {
    /// It begins behind this place.
    pub after: Seq,
    /// Its last place; `None` while the account takes part.
    pub until: Option<Seq>,
}

impl Window {
    fn reaches(&self, seq: Seq) -> bool {
        self.until.is_none_or(|until| until >= seq)
    }
}

/// All windows of an account, in order. Each begins with the notice that opened it and ends with the one that closed it,
/// where the account is told at all; so two may touch, and are not made one.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Windows(Vec<Window>);

impl Windows {
    /// Windows as they were stored, in order.
    #[must_use]
    pub fn from_stored(windows: Vec<Window>) -> Self {
        Self(windows)
    }

    /// As they are stored.
    #[must_use]
    pub fn as_slice(&self) -> &[Window] {
        &self.0
    }

    /// The account takes part from the entry behind `after` on.
    pub fn open(&mut self, after: Seq) {
        if !self.is_open() {
            self.push(Window { after, until: None });
        }
    }

    fn is_open(&self) -> bool {
        self.0.last().is_some_and(|last| last.until.is_none())
    }

    /// The account takes part no more; `until` is the last entry that it sees.
    pub fn close(&mut self, until: Seq) {
        if let Some(last) = self.0.last_mut().filter(|last| last.until.is_none()) {
            last.until = Some(until.max(last.after));
        }
    }

    /// The account sees this one entry, whether it takes part or not.
    pub fn show(&mut self, seq: Seq) {
        if !self.is_open() {
            self.push(Window {
                after: Seq(seq.0.saturating_sub(1)),
                until: Some(seq),
            });
        }
    }

    fn push(&mut self, window: Window) {
        if self.0.len() >= MAX_WINDOWS {
            self.0.remove(0);
        }
        self.0.push(window);
    }

    /// Where a device begins that has confirmed nothing yet.
    #[must_use]
    pub fn floor(&self) -> Seq {
        self.0.first().map_or(Seq(0), |window| window.after)
    }

    /// The last entry that the account sees of a room whose newest entry is `head`.
    #[must_use]
    pub fn last_shown(&self, head: Seq) -> Seq {
        self.0.last().map_or(Seq(0), |window| {
            window.until.map_or(head, |until| until.min(head))
        })
    }

    /// The first entry behind a place with which a window begins or ends.
    #[must_use]
    pub fn edge_behind(&self, place: Seq) -> Option<Seq> {
        let edges = self
            .0
            .iter()
            .flat_map(|window| [Some(window.after.next()), window.until]);
        edges.flatten().filter(|edge| *edge > place).min()
    }

    /// The window that holds the first entry behind a place that the account sees.
    #[must_use]
    pub fn next_behind(&self, place: Seq) -> Option<Window> {
        self.0.iter().find(|window| window.reaches(place.next())).copied()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(windows: &Windows, head: u64) -> Vec<u64> {
        let inside = |seq: &u64| {
            windows
                .as_slice()
                .iter()
                .any(|window| window.after.0 < *seq && window.reaches(Seq(*seq)))
        };
        (1..=head).filter(inside).collect()
    }

    #[test]
    fn who_comes_and_goes_sees_what_was_said_meanwhile() {
        let mut windows = Windows::default();
        windows.open(Seq(2));
        windows.close(Seq(5));
        windows.show(Seq(8));
        windows.open(Seq(9));
        assert_eq!(shown(&windows, 11), [3, 4, 5, 8, 10, 11]);
        assert_eq!((windows.floor(), windows.last_shown(Seq(11))), (Seq(2), Seq(11)));
        assert_eq!(windows.next_behind(Seq(5)).unwrap().after, Seq(7));
        assert_eq!(windows.next_behind(Seq(8)).unwrap().after, Seq(9));
        windows.close(Seq(10));
        assert_eq!(windows.last_shown(Seq(11)), Seq(10));
        assert_eq!(windows.next_behind(Seq(10)), None);
    }

    #[test]
    fn every_notice_of_its_own_is_an_edge() {
        let mut windows = Windows::default();
        windows.open(Seq(2));
        windows.close(Seq(5));
        windows.show(Seq(6));
        windows.open(Seq(6));
        assert_eq!(shown(&windows, 8), [3, 4, 5, 6, 7, 8]);
        let mut edges = Vec::new();
        let mut place = Seq(0);
        while let Some(edge) = windows.edge_behind(place) {
            edges.push(edge.0);
            place = edge;
        }
        assert_eq!(edges, [3, 5, 6, 7]);
    }

    #[test]
    fn their_number_is_bounded() {
        let mut windows = Windows::default();
        for turn in 0..100 {
            windows.open(Seq(10 * turn));
            windows.close(Seq(10 * turn + 5));
        }
        assert_eq!(windows.as_slice().len(), MAX_WINDOWS);
        assert_eq!(windows.last_shown(Seq(2_000)), Seq(995));
    }
}
