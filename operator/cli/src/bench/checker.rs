//! Whether everything that was acknowledged arrived, once, in order. Written apart from the client and the loads: it sees
//! numbers only.

use std::collections::HashMap;

/// One direction of a pair: what one account sent to another.
#[derive(Debug, Default)]
pub(super) struct Lane {
    /// Acknowledged, with the server's number.
    stored: HashMap<u64, Option<i64>>,
    /// Delivered, with the server's number.
    delivered: HashMap<u64, Option<i64>>,
    highest_delivered: Option<u64>,
    reconnected: bool,
    counts: Counts,
}

#[derive(Debug, Default, Clone, Copy)]
struct Counts {
    duplicated: u64,
    reordered: u64,
    redelivered: u64,
    renumbered: u64,
}

/// What was found in all lanes.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Found {
    /// Acknowledged.
    pub(super) stored: u64,
    /// Delivered at least once.
    pub(super) delivered: u64,
    /// Acknowledged and never delivered.
    pub(super) lost: u64,
    /// Delivered twice on one connection, or under two numbers.
    pub(super) duplicated: u64,
    /// Delivered after one that was sent later.
    pub(super) reordered: u64,
    /// Delivered again after a reconnect, under the same number: allowed while its confirmation was not durable.
    pub(super) redelivered: u64,
    /// Delivered without an acknowledgement: its echo was lost with a connection.
    pub(super) unacknowledged: u64,
}

impl Lane {
    /// The server acknowledged a message, giving it a number.
    pub(super) fn stored(&mut self, sequence: u64, mid: Option<i64>) {
        self.stored.insert(sequence, mid);
        self.compare_numbers(sequence);
    }

    /// A message arrived.
    pub(super) fn delivered(&mut self, sequence: u64, mid: Option<i64>) {
        if let Some(before) = self.delivered.get(&sequence) {
            if *before == mid && self.reconnected {
                self.counts.redelivered += 1;
            } else {
                self.counts.duplicated += 1;
            }
            return;
        }
        self.delivered.insert(sequence, mid);
        match self.highest_delivered {
            Some(highest) if sequence < highest => self.counts.reordered += 1,
            _ => self.highest_delivered = Some(sequence),
        }
        self.compare_numbers(sequence);
    }

    /// The receiver's connection was made anew.
    pub(super) fn reconnected(&mut self) {
        self.reconnected = true;
    }

    /// Whether everything acknowledged has arrived.
    pub(super) fn is_complete(&self) -> bool {
        self.stored
            .keys()
            .all(|sequence| self.delivered.contains_key(sequence))
    }

    /// How many have arrived.
    pub(super) fn n_delivered(&self) -> usize {
        self.delivered.len()
    }

    /// The latest message that was acknowledged.
    pub(super) fn highest_stored(&self) -> Option<u64> {
        self.stored.keys().max().copied()
    }

    /// How many acknowledged messages up to that one have not arrived.
    pub(super) fn n_missing_up_to(&self, sequence: u64) -> usize {
        self.stored
            .keys()
            .filter(|stored| **stored <= sequence && !self.delivered.contains_key(stored))
            .count()
    }

    /// Sender and receiver must be told one number for one message.
    fn compare_numbers(&mut self, sequence: u64) {
        if let (Some(Some(stored)), Some(Some(delivered))) =
            (self.stored.get(&sequence), self.delivered.get(&sequence))
            && stored != delivered
        {
            self.counts.renumbered += 1;
        }
    }

    /// What was found.
    pub(super) fn found(&self) -> Found {
        let count = |number: usize| u64::try_from(number).unwrap_or(u64::MAX);
        let lost = self
            .stored
            .keys()
            .filter(|sequence| !self.delivered.contains_key(sequence))
            .count();
        let unacknowledged = self
            .delivered
            .keys()
            .filter(|sequence| !self.stored.contains_key(sequence))
            .count();
        Found {
            stored: count(self.stored.len()),
            delivered: count(self.delivered.len()),
            lost: count(lost),
            duplicated: self.counts.duplicated + self.counts.renumbered,
            reordered: self.counts.reordered,
            redelivered: self.counts.redelivered,
            unacknowledged: count(unacknowledged),
        }
    }
}

impl Found {
    /// Adds what was found in another lane.
    pub(super) fn add(&mut self, other: Self) {
        self.stored += other.stored;
        self.delivered += other.delivered;
        self.lost += other.lost;
        self.duplicated += other.duplicated;
        self.reordered += other.reordered;
        self.redelivered += other.redelivered;
        self.unacknowledged += other.unacknowledged;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lane(stored: &[u64], delivered: &[u64]) -> Found {
        let mut lane = Lane::default();
        for sequence in stored {
            lane.stored(*sequence, Some(i64::try_from(*sequence).unwrap()));
        }
        for sequence in delivered {
            lane.delivered(*sequence, Some(i64::try_from(*sequence).unwrap()));
        }
        lane.found()
    }

    #[test]
    fn all_well() {
        let found = lane(&[0, 1, 2], &[0, 1, 2]);
        assert_eq!((found.lost, found.duplicated, found.reordered), (0, 0, 0));
        assert_eq!((found.stored, found.delivered), (3, 3));
    }

    #[test]
    fn each_fault_is_found() {
        assert_eq!(lane(&[0, 1, 2], &[0, 2]).lost, 1);
        assert_eq!(lane(&[0, 1], &[0, 0, 1]).duplicated, 1);
        assert_eq!(lane(&[0, 1, 2], &[0, 2, 1]).reordered, 1);
        assert_eq!(lane(&[0], &[0, 1]).unacknowledged, 1);
    }

    #[test]
    fn what_is_missing_is_told_from_what_is_on_its_way() {
        let mut lane = Lane::default();
        assert_eq!(lane.highest_stored(), None);
        for sequence in 0..4 {
            lane.stored(sequence, None);
        }
        lane.delivered(0, None);
        assert_eq!(
            (
                lane.highest_stored(),
                lane.n_missing_up_to(2),
                lane.n_missing_up_to(0)
            ),
            (Some(3), 2, 0)
        );
    }

    #[test]
    fn a_repetition_is_allowed_after_a_reconnect_and_only_under_the_same_number() {
        let mut lane = Lane::default();
        lane.stored(0, Some(7));
        lane.delivered(0, Some(7));
        lane.reconnected();
        lane.delivered(0, Some(7));
        assert_eq!((lane.found().redelivered, lane.found().duplicated), (1, 0));
        lane.delivered(0, Some(8));
        assert_eq!(lane.found().duplicated, 1, "stored twice");
    }

    #[test]
    fn two_numbers_for_one_message_are_a_duplicate() {
        let mut lane = Lane::default();
        lane.stored(0, Some(7));
        lane.delivered(0, Some(8));
        assert_eq!(lane.found().duplicated, 1);
    }
}
