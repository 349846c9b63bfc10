//! One conversation of a session: position, confirmations, and what is on its way from the database.

use std::collections::VecDeque;
use std::sync::Arc;

use crate::conversation::Entry;
use crate::id::Seq;
use crate::time::Moment;

/// What the account is not shown moves its durable cursor only by so many places at once: somebody who comes into a room would
/// cost a write per member who is online otherwise.
const PASSED_OVER_UNSAVED_MAX: u64 = 256;

#[derive(Debug, Default)]
pub(super) struct Channel {
    /// The last entry handed on or passed over; `None` while it is not known where to begin.
    pub(super) position: Option<Seq>,
    /// Confirmed by the client without a gap.
    pub(super) confirmed: Seq,
    /// The newest entry that the client itself confirmed.
    told: Seq,
    /// The durable cursor, as last seen.
    pub(super) cursor: Seq,
    /// The newest entry known to exist.
    pub(super) wanted: Seq,
    /// Entries up to here are backlog: delivered by the offline procedure while that lasts.
    pub(super) backlog_until: Seq,
    /// What was handed on or passed over behind `confirmed` up to the position, in order.
    handed: VecDeque<Handed>,
    /// Entries that came ahead of a gap, ascending, without gap among themselves.
    held: VecDeque<Arc<Entry>>,
    /// A fetch is under way until this moment.
    pub(super) fetching_until: Option<Moment>,
    /// A move of the cursor is under way until this moment.
    pub(super) moving_until: Option<Moment>,
    /// Something failed; not before this moment again.
    pub(super) retry_at: Option<Moment>,
}

/// An entry that was handed on; or a run that was passed over, by its last place.
#[derive(Debug)]
struct Handed {
    seq: Seq,
    confirmed: bool,
}

impl Channel {
    /// Begins at a cursor, if it has not begun.
    pub(super) fn begin(&mut self, cursor: Seq) {
        if self.position.is_none() {
            self.position = Some(cursor);
            self.confirmed = cursor;
            self.cursor = self.cursor.max(cursor);
            self.wanted = self.wanted.max(cursor);
        }
    }

    /// The entry is the next one to hand on.
    pub(super) fn is_next(&self, entry: &Entry) -> bool {
        self.position.is_some_and(|position| entry.seq == position.next())
    }

    /// The entry has been handed on (or passed over) by this session.
    pub(super) fn is_past(&self, entry: &Entry) -> bool {
        self.position.is_some_and(|position| entry.seq <= position)
    }

    /// Some of the backlog has not been handed on.
    pub(super) fn has_backlog(&self) -> bool {
        self.position.is_none_or(|position| position < self.backlog_until)
    }

    /// Something exists that has not been handed on.
    pub(super) fn is_behind(&self) -> bool {
        self.position.is_none_or(|position| position < self.wanted)
    }

    /// The next entry is handed on; `confirmed` at once when nothing will be confirmed for it.
    pub(super) fn hand_on(&mut self, seq: Seq, confirmed: bool) {
        self.position = Some(seq);
        self.wanted = self.wanted.max(seq);
        match self.handed.back_mut() {
            // Runs of what needs no confirmation are one, however long.
            Some(last) if last.confirmed && confirmed => last.seq = seq,
            _ => self.handed.push_back(Handed { seq, confirmed }),
        }
        self.settle();
    }

    /// There is nothing to hand on behind `from` up to `to`.
    pub(super) fn skip(&mut self, from: Seq, to: Seq) {
        if self
            .position
            .is_some_and(|position| from <= position && position < to)
        {
            self.hand_on(to, true);
        }
    }

    /// The client has this entry.
    pub(super) fn confirm(&mut self, seq: Seq) {
        let place = self.handed.partition_point(|handed| handed.seq < seq);
        if let Some(handed) = self.handed.get_mut(place).filter(|handed| handed.seq == seq) {
            handed.confirmed = true;
            self.told = self.told.max(seq);
            self.settle();
        }
    }

    fn settle(&mut self) {
        while let Some(handed) = self.handed.front().filter(|handed| handed.confirmed) {
            self.confirmed = handed.seq;
            self.handed.pop_front();
        }
    }

    /// What was handed on and not confirmed counts as not handed on.
    pub(super) fn roll_back(&mut self) {
        if self.position.is_some() {
            self.position = Some(self.confirmed);
            self.handed.clear();
        }
    }

    /// Keeps an entry that came ahead of a gap; whether it was kept.
    pub(super) fn hold(&mut self, entry: Arc<Entry>) -> bool {
        let fits = self.held.back().is_none_or(|last| entry.seq == last.seq.next());
        if fits {
            self.held.push_back(entry);
        }
        fits
    }

    /// The first entry held that is not past; older ones are let go. Returns also how many were.
    pub(super) fn first_held(&mut self) -> (Option<Arc<Entry>>, usize) {
        let mut dropped = 0;
        while self.held.front().is_some_and(|entry| self.is_past(entry)) {
            self.held.pop_front();
            dropped += 1;
        }
        (self.held.front().cloned(), dropped)
    }

    /// Lets go of everything held; how much it was.
    pub(super) fn drop_held(&mut self) -> usize {
        let count = self.held.len();
        self.held = VecDeque::new();
        count
    }

    /// Whether the durable cursor is to be moved to what is confirmed.
    pub(super) fn has_unsaved(&self) -> bool {
        self.told.min(self.confirmed) > self.cursor
            || self.confirmed.0.saturating_sub(self.cursor.0) >= PASSED_OVER_UNSAVED_MAX
    }

    /// The client's confirmations are durable, and nothing is on its way.
    pub(super) fn is_durable(&self) -> bool {
        self.moving_until.is_none() && !self.has_unsaved()
    }
}
