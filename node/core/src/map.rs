//! The partition map: which database holds which slots, and the epoch of each range.

use serde::{Deserialize, Serialize};

use crate::id::{ConversationId, DatabaseName, Epoch, NodeName, Slot};
use crate::placement::{self, SLOT_COUNT};
use crate::view::View;

/// How the homes of a range's conversations are chosen. All nodes must agree, so it is part of the map.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum HomePlacement {
    /// All conversations of the database share one home: for SQLite, which has one writer.
    PerDatabase,
    /// Every conversation has its own home.
    PerConversation,
}

/// A range of slots from `from` to the next range's `from`, and the database that holds it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Range {
    /// First slot of the range.
    pub from: Slot,
    /// The database that holds it.
    pub database: DatabaseName,
    /// The number of the range's own last change.
    pub epoch: Epoch,
    /// How homes are chosen in it.
    pub homes: HomePlacement,
}

/// Why a list of ranges is no partition map. Nothing changed; the same list fails again.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BadMap {
    /// No range begins at slot 0.
    #[error("no range begins at slot 0")]
    NoStart,
    /// Two ranges begin at one slot.
    #[error("two ranges begin at slot {0}")]
    Twice(Slot),
    /// A range begins behind the last slot.
    #[error("slot {0} is behind the last one, {last}", last = SLOT_COUNT - 1)]
    Beyond(Slot),
    /// A split at a slot where a range begins already.
    #[error("a range begins at slot {0} already")]
    NothingToSplit(Slot),
}

/// All ranges, without gap, in order. Never empty, whoever sent it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "WrittenMap")]
pub struct PartitionMap {
    ranges: Vec<Range>,
    version: u64,
}

/// A map as it is written down, before anybody has looked at it.
#[derive(Deserialize)]
struct WrittenMap {
    ranges: Vec<Range>,
    version: u64,
}

impl TryFrom<WrittenMap> for PartitionMap {
    type Error = BadMap;

    fn try_from(written: WrittenMap) -> Result<Self, BadMap> {
        Self::new(written.ranges, written.version)
    }
}

impl PartitionMap {
    /// Builds a map out of ranges in any order.
    ///
    /// # Errors
    /// [`BadMap`] unless exactly one range begins at 0, none twice, none behind the end.
    pub fn new(mut ranges: Vec<Range>, version: u64) -> Result<Self, BadMap> {
        ranges.sort_by_key(|range| range.from);
        if ranges.first().is_none_or(|range| range.from != Slot(0)) {
            return Err(BadMap::NoStart);
        }
        for pair in ranges.windows(2) {
            if pair[0].from == pair[1].from {
                return Err(BadMap::Twice(pair[0].from));
            }
        }
        if let Some(range) = ranges.iter().find(|range| range.from.0 >= SLOT_COUNT) {
            return Err(BadMap::Beyond(range.from));
        }
        Ok(Self { ranges, version })
    }

    /// The equal division of all slots over databases, in their order; every range at epoch 1.
    ///
    /// # Errors
    /// [`BadMap`] when there is no database, or more of them than slots.
    pub fn even(databases: &[(DatabaseName, HomePlacement)]) -> Result<Self, BadMap> {
        let count = databases.len().max(1) as u64;
        let ranges = databases
            .iter()
            .enumerate()
            .map(|(place, (database, homes))| Range {
                from: Slot((place as u64 * u64::from(SLOT_COUNT) / count) as u32),
                database: database.clone(),
                epoch: Epoch(1),
                homes: *homes,
            })
            .collect();
        Self::new(ranges, 1)
    }

    /// Grows with every change; of two maps the one with the higher version is newer.
    #[must_use]
    pub fn version(&self) -> u64 {
        self.version
    }

    /// The ranges in order.
    #[must_use]
    pub fn ranges(&self) -> &[Range] {
        &self.ranges
    }

    /// The range of a slot.
    #[must_use]
    pub fn range_of(&self, slot: Slot) -> &Range {
        &self.ranges[self.place_of(slot)]
    }

    /// The range of an id (account id or conversation id bytes).
    #[must_use]
    pub fn range_of_id(&self, id: &[u8]) -> &Range {
        self.range_of(placement::slot(id))
    }

    /// First slot behind the range of a slot.
    #[must_use]
    pub fn end_of(&self, slot: Slot) -> Slot {
        self.ranges
            .get(self.place_of(slot) + 1)
            .map_or(Slot(SLOT_COUNT), |next| next.from)
    }

    /// The ranges that a database holds.
    pub fn ranges_of<'a>(&'a self, database: &'a DatabaseName) -> impl Iterator<Item = &'a Range> {
        self.ranges
            .iter()
            .filter(move |range| range.database == *database)
    }

    /// The distinct databases, in the order of their first range.
    #[must_use]
    pub fn databases(&self) -> Vec<&DatabaseName> {
        let mut found: Vec<&DatabaseName> = Vec::new();
        for range in &self.ranges {
            if !found.contains(&&range.database) {
                found.push(&range.database);
            }
        }
        found
    }

    /// The home of a conversation in a view; `None` only for an empty view.
    #[must_use]
    pub fn home<'a>(&self, conversation: &ConversationId, view: &'a View) -> Option<&'a NodeName> {
        let range = self.range_of_id(&conversation.0);
        let best = match range.homes {
            HomePlacement::PerDatabase => placement::best(range.database.as_bytes(), view),
            HomePlacement::PerConversation => placement::best(&conversation.0, view),
        };
        best.map(|node| &node.name)
    }

    /// The map after the range of `at` was split there and the upper part moved to `database`.
    ///
    /// The moved range gets `epoch`; the lower part keeps its own, so that a split fences only what moves.
    ///
    /// # Errors
    /// [`BadMap::NothingToSplit`] when a range begins at `at` already, [`BadMap::Beyond`] behind the end.
    pub fn split(
        &self,
        at: Slot,
        database: DatabaseName,
        homes: HomePlacement,
        epoch: Epoch,
    ) -> Result<Self, BadMap> {
        if self.ranges.iter().any(|range| range.from == at) {
            return Err(BadMap::NothingToSplit(at));
        }
        let mut ranges = self.ranges.clone();
        ranges.push(Range {
            from: at,
            database,
            epoch,
            homes,
        });
        Self::new(ranges, self.version.saturating_add(1))
    }

    fn place_of(&self, slot: Slot) -> usize {
        self.ranges
            .partition_point(|range| range.from <= slot)
            .saturating_sub(1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn name(name: &str) -> DatabaseName {
        DatabaseName::new(name).unwrap()
    }

    fn two() -> PartitionMap {
        let databases = [
            (name("d0"), HomePlacement::PerDatabase),
            (name("d1"), HomePlacement::PerDatabase),
        ];
        PartitionMap::even(&databases).unwrap()
    }

    #[test]
    fn bounds_belong_to_the_upper_range() {
        let map = two();
        assert_eq!(map.range_of(Slot(524_287)).database, name("d0"));
        assert_eq!(map.range_of(Slot(524_288)).database, name("d1"));
        assert_eq!(map.range_of(Slot(SLOT_COUNT - 1)).database, name("d1"));
        assert_eq!(map.end_of(Slot(5)), Slot(524_288));
        assert_eq!(map.end_of(Slot(524_288)), Slot(SLOT_COUNT));
    }

    #[test]
    fn a_split_moves_the_upper_part_only() {
        let map = two();
        let after = map
            .split(Slot(100), name("d2"), HomePlacement::PerConversation, Epoch(2))
            .unwrap();
        assert_eq!(after.version(), 2);
        assert_eq!(after.range_of(Slot(99)), map.range_of(Slot(99)));
        assert_eq!(after.range_of(Slot(100)).epoch, Epoch(2));
        assert_eq!(after.end_of(Slot(100)), Slot(524_288));
        assert_eq!(
            after.split(Slot(100), name("d3"), HomePlacement::PerDatabase, Epoch(3)),
            Err(BadMap::NothingToSplit(Slot(100)))
        );
        assert_eq!(after.databases(), [&name("d0"), &name("d2"), &name("d1")]);
    }

    #[test]
    fn bad_lists_are_refused() {
        let range = |from| Range {
            from: Slot(from),
            database: name("d0"),
            epoch: Epoch(1),
            homes: HomePlacement::PerDatabase,
        };
        assert_eq!(PartitionMap::new(vec![], 1), Err(BadMap::NoStart));
        assert_eq!(PartitionMap::new(vec![range(7)], 1), Err(BadMap::NoStart));
        assert_eq!(
            PartitionMap::new(vec![range(0), range(7), range(7)], 1),
            Err(BadMap::Twice(Slot(7)))
        );
        assert_eq!(
            PartitionMap::new(vec![range(0), range(SLOT_COUNT)], 1),
            Err(BadMap::Beyond(Slot(SLOT_COUNT)))
        );
    }

    #[test]
    fn a_map_is_read_as_it_was_written_and_a_bad_one_not_at_all() {
        let text = serde_json::to_string(&two()).unwrap();
        assert_eq!(serde_json::from_str::<PartitionMap>(&text).unwrap(), two());
        for bad in [
            r#"{"ranges":[],"version":1}"#.to_owned(),
            text.replacen("\"from\":0", "\"from\":7", 1),
            text.replace("524288", "0"),
            text.replace("524288", "4294967295"),
        ] {
            assert!(serde_json::from_str::<PartitionMap>(&bad).is_err(), "{bad}");
        }
    }
}
