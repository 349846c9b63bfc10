//! Comparing both sides: counts and checksums over canonical rows, sub-range by sub-range.
//!
//! Rows whose change is noted but not copied yet are left out on both sides; the source is read in one snapshot
//! together with its notes. Nobody drains meanwhile, as the coordinator does one thing at a time, so what the target
//! holds of the other rows is what the source held in that snapshot.

use std::collections::HashSet;

use aws_lc_rs::digest;
use sea_orm::{IsolationLevel, TransactionOptions};
use tim_core::id::Slot;
use tim_core::repartition::Done;

use super::Move;
use super::rows::{Behind, SlotRange};
use crate::dsn::Engine;
use crate::error::StoreError;
use crate::fence::Access;
use crate::schema::{CHANGE, MOVING, Table};
use crate::statement::{Cell, Row};
use crate::transaction::{Transaction, summary};

/// Sub-ranges that are compared one by one: short snapshots, and a difference is near where it was seen.
const SUB_RANGES: u32 = 64;

/// A difference may be one that somebody else's step made; it counts when it is seen so often in a row.
const LOOKS_AT_A_DIFFERENCE: u32 = 2;

/// Rows with their table that are left out.
type Noted = HashSet<(i16, Vec<u8>, i64)>;

/// Count and checksum of a sub-range.
#[derive(Debug, PartialEq, Eq)]
struct Summed {
    rows: u64,
    checksum: Vec<u8>,
}

impl Move<'_> {
    /// Compares the whole range.
    pub(super) async fn verify(&self) -> Result<Done, StoreError> {
        let fence = self.announce_term(&self.source).await?;
        let fence =
            fence.ok_or_else(|| self.refuse(&self.source, "the source has no fence over the range"))?;
        if self.has_moved(&fence) {
            // The cut-over was decided on a comparison before; the target may have moved on since.
            return Ok(Done::Verified { equal: true });
        }
        if !fence.copying || !self.is_ours(&fence) {
            return Err(self.refuse(&self.source, "the source is not marked for this move"));
        }
        self.announce_term(&self.target).await?;
        for sub_range in sub_ranges(self.range()) {
            if !self.verify_sub_range(sub_range).await? {
                tracing::warn!(
                    from = sub_range.from.0, until = sub_range.until.0,
                    operation = %self.plan.operation.0, "source and target differ"
                );
                return Ok(Done::Verified { equal: false });
            }
        }
        Ok(Done::Verified { equal: true })
    }

    async fn verify_sub_range(&self, sub_range: SlotRange) -> Result<bool, StoreError> {
        for _ in 0..LOOKS_AT_A_DIFFERENCE {
            let (noted, source) = self.sum_source(sub_range).await?;
            let noted = &noted;
            let target = self
                .target
                .transact(Access::Read, &move |mut transaction| {
                    Box::pin(async move {
                        self.hold_incoming(&mut transaction).await?;
                        let summed = transaction.sum(sub_range, noted).await?;
                        Ok((transaction, summed))
                    })
                })
                .await?;
            if source == target {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// Notes and rows of the source in one snapshot.
    async fn sum_source(&self, sub_range: SlotRange) -> Result<(Noted, Summed), StoreError> {
        let options = match self.source.engine() {
            // The transaction's first read begins the snapshot.
            Engine::Sqlite => TransactionOptions::default(),
            Engine::Postgres | Engine::MySql => TransactionOptions {
                isolation_level: Some(IsolationLevel::RepeatableRead),
                ..TransactionOptions::default()
            },
        };
        let transaction = self.source.begin_with(Access::Read, options).await?;
        let noted = transaction.noted(sub_range).await?;
        let summed = transaction.sum(sub_range, &noted).await?;
        transaction.rollback().await;
        Ok((noted, summed))
    }
}

/// Up to [`SUB_RANGES`] pieces of nearly equal size.
fn sub_ranges(range: SlotRange) -> Vec<SlotRange> {
    let (from, until) = (u64::from(range.from.0), u64::from(range.until.0));
    let slots = until.saturating_sub(from);
    let count = slots.min(u64::from(SUB_RANGES));
    let bound = |place: u64| Slot((from + slots * place / count) as u32);
    (0..count)
        .map(|place| SlotRange {
            from: bound(place),
            until: bound(place + 1),
        })
        .collect()
}

impl Transaction {
    async fn noted(&self, range: SlotRange) -> Result<Noted, StoreError> {
        let text = "SELECT table_code, row_key, slot FROM tim_change WHERE slot >= ? AND slot < ?";
        let rows = self
            .rows(summary("SELECT", CHANGE.name), text, range.values())
            .await?;
        rows.iter()
            .map(|row| {
                let slot = i64::from(row.try_get_by_index::<i32>(2)?);
                Ok((row.try_get_by_index(0)?, row.try_get_by_index(1)?, slot))
            })
            .collect::<Result<_, _>>()
            .map_err(|error| self.database.error(error))
    }

    async fn sum(&self, range: SlotRange, noted: &Noted) -> Result<Summed, StoreError> {
        let mut checksum = digest::Context::new(&digest::SHA256);
        let mut rows = 0;
        for table in MOVING {
            let mut behind = Behind(None);
            loop {
                let piece = self.read_piece(table, range, &behind).await?;
                let Some(last) = piece.rows.last() else {
                    break;
                };
                behind = Behind(Some(last[..table.key_columns].to_vec()));
                for row in &piece.rows {
                    if !noted.contains(&(table.code, table.row_key(row), row[0].as_number())) {
                        rows += 1;
                        checksum.update(&canonical(table, row));
                    }
                }
            }
        }
        Ok(Summed {
            rows,
            checksum: checksum.finish().as_ref().to_vec(),
        })
    }
}

/// A row in a form that does not depend on the engine: table, then every cell with its kind and length.
fn canonical(table: &Table, row: &Row) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(256);
    bytes.extend_from_slice(&table.code.to_be_bytes());
    for cell in row {
        match cell {
            Cell::Number(number) => {
                bytes.push(1);
                bytes.extend_from_slice(&number.to_be_bytes());
            }
            Cell::Bytes(value) => {
                bytes.push(2);
                bytes.extend_from_slice(&(value.len() as u64).to_be_bytes());
                bytes.extend_from_slice(value);
            }
            Cell::Nothing => bytes.push(3),
        }
    }
    bytes
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn sub_ranges_cover_the_range_without_gap(from in 0_u32..1_000, slots in 1_u32..100_000) {
            let range = SlotRange { from: Slot(from), until: Slot(from + slots) };
            let parts = sub_ranges(range);
            prop_assert_eq!(parts[0].from, range.from);
            prop_assert_eq!(parts[parts.len() - 1].until, range.until);
            prop_assert!(parts.windows(2).all(|pair| pair[0].until == pair[1].from));
            prop_assert!(parts.iter().all(|part| part.from < part.until));
            prop_assert!(parts.len() <= SUB_RANGES as usize);
        }
    }
}
