//! Comings and goings that most of a room has not been told: they are news to nobody but those whom they concern.
//!
//! They go out with the next entry that is for everybody, so that the numbers have no gap then. To tell each of them to
//! all would make a room of n members cost n deliveries for everybody who comes: n² to fill it.

use std::collections::VecDeque;
use std::sync::Arc;

use crate::conversation::Entry;
use crate::id::{Seq, SessionId};

/// Most entries held back in one room; when there are more, sessions ask their database how far they may go on.
pub(super) const HELD_BACK_MAX: usize = 64;

/// An entry with the session whose submission it was.
pub(super) type Held = (Arc<Entry>, SessionId);

/// The newest entries of a room that were told to few, without gap among themselves.
#[derive(Debug, Clone, Default)]
pub(super) struct HeldBack(VecDeque<Held>);

impl HeldBack {
    /// Keeps an entry for later, unless it is one of long ago that was told again.
    pub(super) fn keep(&mut self, held: Held) {
        match self.0.back() {
            Some((last, _)) if held.0.seq <= last.seq => return,
            Some((last, _)) if held.0.seq > last.seq.next() => self.0.clear(),
            _ => {}
        }
        self.0.push_back(held);
        if self.0.len() > HELD_BACK_MAX {
            self.0.pop_front();
        }
    }

    /// What stands directly before a place.
    pub(super) fn before(&self, seq: Seq) -> impl Iterator<Item = Held> + '_ {
        let fits = self.0.back().is_some_and(|(last, _)| last.seq.next() == seq);
        self.0.iter().filter(move |_| fits).cloned()
    }

    /// An entry for everybody goes out: nothing of before it is owed any more.
    pub(super) fn told_up_to(&mut self, seq: Seq) {
        if self.0.back().is_some_and(|(last, _)| last.seq < seq) {
            self.0 = VecDeque::new();
        }
    }
}
