//! The layout that a new cluster begins with; an existing one keeps its map.

use crate::LoadError;
use serde::{Deserialize, Serialize};

/// Slots that every layout covers: 0 … 1,048,575.
pub const SLOT_COUNT: u32 = 1 << 20;

/// One range of slots, by its lower bound; it ends where the next one begins.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct RangeStart {
    /// First slot.
    pub from: u32,
    /// Database that holds the range.
    pub database: String,
}

/// Section `[partitioning]`.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields, default)]
pub struct Partitioning {
    /// Ranges in any order; empty: the databases share the slots evenly.
    pub layout: Vec<RangeStart>,
}

impl Partitioning {
    /// The ranges to begin with, ordered by lower bound.
    pub fn ranges(&self, databases: &[String]) -> Vec<RangeStart> {
        if self.layout.is_empty() {
            let count = u32::try_from(databases.len()).unwrap_or(1).max(1);
            return (0..count)
                .zip(databases)
                .map(|(index, database)| RangeStart {
                    from: SLOT_COUNT / count * index,
                    database: database.clone(),
                })
                .collect();
        }
        let mut ranges = self.layout.clone();
        ranges.sort_by_key(|range| range.from);
        ranges
    }

    pub(crate) fn validate(&self, databases: &[String]) -> Result<(), LoadError> {
        const KEY: &str = "partitioning.layout";
        if self.layout.is_empty() {
            return Ok(());
        }
        let ranges = self.ranges(databases);
        if ranges[0].from != 0 {
            return Err(LoadError::invalid(
                KEY,
                &ranges[0].from.to_string(),
                "exactly one range from 0",
            ));
        }
        for (index, range) in ranges.iter().enumerate() {
            if range.from >= SLOT_COUNT || ranges[..index].iter().any(|other| other.from == range.from) {
                return Err(LoadError::invalid(
                    KEY,
                    &range.from.to_string(),
                    "different lower bounds below 1048576",
                ));
            }
            if !databases.contains(&range.database) {
                return Err(LoadError::unknown_name(KEY, &range.database, databases));
            }
        }
        Ok(())
    }
}
