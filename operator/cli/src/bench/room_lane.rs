//! Whether everything that was acknowledged in a room arrived at each of its members, once, in order, and when at the last.
//!
//! What [`super::checker`] keeps per pair would be too much for each of thousands of members: here it is eight bytes per
//! message and member.

use super::checker::Found;
use super::measured::Times;
use std::time::Duration;

/// What stands for "has not arrived".
const MISSING: i64 = i64::MIN;
/// What stands for "without a number".
const UNNUMBERED: i64 = i64::MIN + 1;

/// What one member of a room has got.
#[derive(Debug, Default)]
pub(super) struct MemberLane {
    /// The server's number of each message, by the sender's number.
    arrived: Vec<i64>,
    highest: Option<usize>,
    reconnected: bool,
    duplicated: u64,
    reordered: u64,
    redelivered: u64,
}

impl MemberLane {
    /// A message arrived; whether for the first time.
    pub(super) fn delivered(&mut self, sequence: u64, mid: Option<i64>) -> bool {
        let place = usize::try_from(sequence).unwrap_or(usize::MAX);
        let number = mid.unwrap_or(UNNUMBERED);
        if self.arrived.len() <= place {
            self.arrived.resize(place.saturating_add(1), MISSING);
        }
        let Some(before) = self.arrived.get_mut(place) else {
            return false;
        };
        if *before != MISSING {
            if *before == number && self.reconnected {
                self.redelivered += 1;
            } else {
                self.duplicated += 1;
            }
            return false;
        }
        *before = number;
        match self.highest {
            Some(highest) if place < highest => self.reordered += 1,
            _ => self.highest = Some(place),
        }
        true
    }

    /// The member's connection was made anew.
    pub(super) fn reconnected(&mut self) {
        self.reconnected = true;
    }
}

/// What all members of a room share.
#[derive(Debug)]
pub(super) struct RoomLane {
    members: u32,
    /// The server's number of each acknowledged message, by the sender's number.
    stored: Vec<i64>,
    /// At how many members each message has arrived.
    arrivals: Vec<u32>,
    /// From sending to each arrival.
    pub(super) delivery: Times,
    /// From sending to the last arrival.
    pub(super) last: Times,
}

impl RoomLane {
    /// A room with so many members online.
    pub(super) fn new(members: u32) -> Self {
        Self {
            members,
            stored: Vec::new(),
            arrivals: Vec::new(),
            delivery: Times::new(),
            last: Times::new(),
        }
    }

    /// The server acknowledged a message, giving it a number.
    pub(super) fn stored(&mut self, sequence: u64, mid: Option<i64>) {
        let place = usize::try_from(sequence).unwrap_or(usize::MAX);
        if self.stored.len() <= place {
            self.stored.resize(place.saturating_add(1), MISSING);
        }
        if let Some(stored) = self.stored.get_mut(place) {
            *stored = mid.unwrap_or(UNNUMBERED);
        }
    }

    /// A message arrived at another member, so long after it was sent.
    pub(super) fn arrived(&mut self, sequence: u64, after: Duration) {
        let place = usize::try_from(sequence).unwrap_or(usize::MAX);
        if self.arrivals.len() <= place {
            self.arrivals.resize(place.saturating_add(1), 0);
        }
        self.delivery.record(after);
        if let Some(arrivals) = self.arrivals.get_mut(place) {
            *arrivals += 1;
            if *arrivals == self.members {
                self.last.record(after);
            }
        }
    }

    /// Whether everything acknowledged has arrived at everybody.
    pub(super) fn is_complete(&self) -> bool {
        let mut places = self.stored.iter().enumerate();
        places.all(|(place, stored)| {
            *stored == MISSING || self.arrivals.get(place).is_some_and(|n| *n >= self.members)
        })
    }

    /// Arrivals so far.
    pub(super) fn n_arrivals(&self) -> u64 {
        self.arrivals.iter().map(|n| u64::from(*n)).sum()
    }

    /// What was found at the members.
    pub(super) fn found<'a>(&self, members: impl Iterator<Item = &'a MemberLane>) -> Found {
        let count = |number: usize| u64::try_from(number).unwrap_or(u64::MAX);
        let mut found = Found {
            stored: count(self.stored.iter().filter(|stored| **stored != MISSING).count()),
            ..Found::default()
        };
        for member in members {
            found.duplicated += member.duplicated;
            found.reordered += member.reordered;
            found.redelivered += member.redelivered;
            found.delivered += count(member.arrived.iter().filter(|mid| **mid != MISSING).count());
            for place in 0..self.stored.len().max(member.arrived.len()) {
                let at = |list: &[i64]| list.get(place).copied().unwrap_or(MISSING);
                match (at(&self.stored), at(&member.arrived)) {
                    (MISSING, MISSING) => {}
                    (_, MISSING) => found.lost += 1,
                    (MISSING, _) => found.unacknowledged += 1,
                    (stored, arrived) => found.duplicated += u64::from(stored != arrived),
                }
            }
        }
        found
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(stored: &[(u64, i64)], members: &[&[(u64, i64)]]) -> Found {
        let mut room = RoomLane::new(u32::try_from(members.len()).unwrap());
        for (sequence, mid) in stored {
            room.stored(*sequence, Some(*mid));
        }
        let lanes: Vec<MemberLane> = members
            .iter()
            .map(|arrived| {
                let mut lane = MemberLane::default();
                for (sequence, mid) in *arrived {
                    if lane.delivered(*sequence, Some(*mid)) {
                        room.arrived(*sequence, Duration::from_millis(1));
                    }
                }
                lane
            })
            .collect();
        room.found(lanes.iter())
    }

    #[test]
    fn all_well() {
        let all: &[(u64, i64)] = &[(0, 1), (1, 2)];
        let found = found(all, &[all, all]);
        assert_eq!((found.stored, found.delivered), (2, 4));
        assert_eq!((found.lost, found.duplicated, found.reordered), (0, 0, 0));
    }

    #[test]
    fn each_fault_is_found_at_the_member_that_has_it() {
        let all: &[(u64, i64)] = &[(0, 1), (1, 2)];
        assert_eq!(found(all, &[all, &[(1, 2)]]).lost, 1);
        assert_eq!(found(all, &[all, &[(0, 1), (0, 1), (1, 2)]]).duplicated, 1);
        assert_eq!(found(all, &[all, &[(0, 1), (1, 9)]]).duplicated, 1, "two numbers");
        assert_eq!(found(all, &[all, &[(1, 2), (0, 1)]]).reordered, 1);
        assert_eq!(found(&[(0, 1)], &[all]).unacknowledged, 1);
    }

    #[test]
    fn the_last_arrival_is_that_at_the_last_member() {
        let mut room = RoomLane::new(2);
        room.stored(0, Some(1));
        room.arrived(0, Duration::from_millis(1));
        assert!(!room.is_complete());
        room.arrived(0, Duration::from_millis(5));
        assert!(room.is_complete());
        let last = room.last.percentiles().unwrap();
        assert!(last.count == 1 && (last.max_milliseconds - 5.0).abs() < 0.1);
    }
}
