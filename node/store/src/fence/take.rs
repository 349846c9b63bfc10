//! Taking fences inside a transaction.

use std::collections::BTreeSet;
use std::time::Duration;

use sea_orm::{QueryResult, Value};
use tim_core::conversation::FenceRefusal;
use tim_core::id::{Epoch, Slot};

use super::{ADVISORY_NAMESPACE, Access, COLUMNS, Fence, read};
use crate::dsn::Engine;
use crate::error::StoreError;
use crate::queries::Query;
use crate::statement::{KeyColumn, KeyRows, join, key_rows};
use crate::store::Layout;
use crate::transaction::{Transaction, summary};

/// How often the layout is read anew because ranges were split meanwhile, before the caller is called stale.
const MAX_LAYOUT_READS: u32 = 3;

/// Longest wait for a fence to become free where the engine can limit it for one transaction; MySQL waits as long as
/// for any lock.
const RAISE_LIMIT: Duration = Duration::from_millis(500);

const FENCE: &str = "tim_fence";

impl Transaction {
    /// Takes the fences of all slots, shared and until the end of the transaction, and judges each use.
    ///
    /// One answer per use, in order. A refused use must leave the transaction; the others go on.
    pub(crate) async fn admit(
        &mut self,
        uses: &[(Slot, Epoch)],
        access: Access,
    ) -> Result<Vec<Result<(), FenceRefusal>>, StoreError> {
        let slots: Vec<Slot> = uses.iter().map(|(slot, _)| *slot).collect();
        self.take(&slots).await?;
        let judge = |(slot, epoch): &(Slot, Epoch)| {
            let fence = self.fences.iter().find(|fence| fence.covers(*slot));
            fence.map_or(Err(FenceRefusal::Stale), |fence| {
                fence.admits(*slot, *epoch, access)
            })
        };
        Ok(uses.iter().map(judge).collect())
    }

    /// What [`Self::admit`] is going to read for these uses, to be read before and handed to [`Self::hold`]: only of SQLite, where
    /// the transaction is the lock.
    pub(crate) fn fences_ahead(&self, uses: &[(Slot, Epoch)]) -> Option<Query> {
        let slots: Vec<Slot> = uses.iter().map(|(slot, _)| *slot).collect();
        self.fence_query(&self.missing(&slots, &self.database.layout()))
    }

    /// Takes fences as they were read under their locks.
    pub(crate) fn hold(&mut self, rows: &[QueryResult]) -> Result<(), StoreError> {
        let fences: Result<Vec<Fence>, _> = rows.iter().map(read).collect();
        self.fences
            .extend(fences.map_err(|error| self.database.error(error))?);
        Ok(())
    }

    /// Where the ranges of slots begin whose fences are not held.
    fn missing(&self, slots: &[Slot], layout: &Layout) -> Vec<Slot> {
        let start_of = |slot: &Slot| {
            let place = layout.partition_point(|(from, _)| from <= slot).checked_sub(1)?;
            layout
                .get(place)
                .filter(|(_, to)| slot < to)
                .map(|(from, _)| *from)
        };
        let starts: BTreeSet<Slot> = slots.iter().filter_map(start_of).collect();
        let is_held = |start: &Slot| self.fences.iter().any(|fence| fence.from == *start);
        starts.into_iter().filter(|start| !is_held(start)).collect()
    }

    /// Takes the fences over slots, shared and until the end of the transaction. Slots without one stay without.
    pub(crate) async fn take(&mut self, slots: &[Slot]) -> Result<(), StoreError> {
        for _ in 0..=MAX_LAYOUT_READS {
            let layout = self.database.layout();
            let missing = self.missing(slots, &layout);
            if !missing.is_empty() {
                self.hold_shared(&missing).await?;
                let rows = self.rows_found(self.fence_query(&missing)).await?;
                self.hold(&rows)?;
            }
            if slots
                .iter()
                .all(|slot| self.fences.iter().any(|fence| fence.covers(*slot)))
            {
                break;
            }
            // Which range a slot is in is only a guess kept in memory; the rows read under the lock decide.
            if *self.read_layout().await? == *layout {
                break;
            }
        }
        Ok(())
    }

    /// Limits the wait of the raise that follows: while it waits, others wait behind it.
    pub(crate) async fn limit_raise(&self) -> Result<(), StoreError> {
        if self.engine() == Engine::Postgres {
            let text = format!("SET LOCAL lock_timeout = {}", RAISE_LIMIT.as_millis());
            self.run_plain(summary("SET", ""), &text).await?;
        }
        Ok(())
    }

    /// Takes one fence exclusively; `None` if there is none that begins at `from`.
    pub(crate) async fn raise(&mut self, from: Slot) -> Result<Option<Fence>, StoreError> {
        let suffix = match self.engine() {
            Engine::Postgres => {
                let text = "SELECT pg_advisory_xact_lock(?, ?)";
                let values = vec![Value::from(ADVISORY_NAMESPACE), Value::from(from.0 as i32)];
                self.rows(summary("SELECT", FENCE), text, values).await?;
                ""
            }
            Engine::MySql => " FOR UPDATE",
            Engine::Sqlite => "",
        };
        let text = format!("SELECT {COLUMNS} FROM tim_fence WHERE from_slot = ?{suffix}");
        let rows = self
            .rows(summary("SELECT", FENCE), &text, vec![Value::from(from.0 as i32)])
            .await?;
        rows.first()
            .map(|row| read(row).map_err(|error| self.database.error(error)))
            .transpose()
    }

    /// All fences of the database, read without taking them.
    pub(crate) async fn all_fences(&self) -> Result<Vec<Fence>, StoreError> {
        let text = format!("SELECT {COLUMNS} FROM tim_fence ORDER BY from_slot");
        let rows = self.rows(summary("SELECT", FENCE), &text, Vec::new()).await?;
        rows.iter()
            .map(|row| read(row).map_err(|error| self.database.error(error)))
            .collect()
    }

    /// Writes a fence that was raised, or is new. Fences are few: one statement each is enough.
    pub(crate) async fn write_fence(&mut self, fence: &Fence) -> Result<(), StoreError> {
        let columns: Vec<&str> = COLUMNS.split(", ").collect();
        let marks = vec!["?"; columns.len()].join(", ");
        let values = super::values(fence);
        let set = |old: fn(&str) -> String| {
            columns[1..]
                .iter()
                .map(|column| old(column))
                .collect::<Vec<_>>()
                .join(", ")
        };
        let suffix = match self.engine() {
            Engine::MySql => {
                format!(
                    "ON DUPLICATE KEY UPDATE {}",
                    set(|column| format!("{column} = VALUES({column})"))
                )
            }
            Engine::Sqlite | Engine::Postgres => {
                format!(
                    "ON CONFLICT (from_slot) DO UPDATE SET {}",
                    set(|column| format!("{column} = excluded.{column}"))
                )
            }
        };
        let text = format!("INSERT INTO tim_fence ({COLUMNS}) VALUES ({marks}) {suffix}");
        self.run(summary("INSERT", FENCE), &text, values).await?;
        Ok(())
    }

    /// Removes a fence that was raised; slots without one are refused as unknown.
    pub(crate) async fn delete_fence(&mut self, from: Slot) -> Result<(), StoreError> {
        let text = "DELETE FROM tim_fence WHERE from_slot = ?";
        self.run(summary("DELETE", FENCE), text, vec![Value::from(from.0 as i32)])
            .await?;
        Ok(())
    }

    /// PostgreSQL locks by advisory locks; the other engines with the reading of the rows.
    async fn hold_shared(&self, starts: &[Slot]) -> Result<(), StoreError> {
        if self.engine() != Engine::Postgres {
            return Ok(());
        }
        let mut keys = KeyRows::new();
        for start in starts {
            keys.row().number(i64::from(start.0));
        }
        let text = format!(
            "SELECT pg_advisory_xact_lock_shared(?, k.start::int) FROM {}",
            key_rows(Engine::Postgres, &[KeyColumn::Number("start")])
        );
        self.rows(
            summary("SELECT", FENCE),
            &text,
            vec![ADVISORY_NAMESPACE.into(), keys.finish()],
        )
        .await?;
        Ok(())
    }

    fn fence_query(&self, starts: &[Slot]) -> Option<Query> {
        let engine = self.engine();
        let mut keys = KeyRows::new();
        for start in starts {
            keys.row().number(i64::from(start.0));
        }
        // Reading transactions hold the row as well: what they read must stay true until they end.
        let suffix = match engine {
            Engine::MySql => " LOCK IN SHARE MODE",
            Engine::Sqlite | Engine::Postgres => "",
        };
        Query::over(keys, summary("SELECT", FENCE), || {
            format!(
                "SELECT {COLUMNS} FROM {keys} {join} tim_fence ON from_slot = k.start{suffix}",
                keys = key_rows(engine, &[KeyColumn::Number("start")]),
                join = join(engine),
            )
        })
    }

    async fn read_layout(&self) -> Result<Layout, StoreError> {
        let layout = self
            .all_fences()
            .await?
            .iter()
            .map(|fence| (fence.from, fence.to))
            .collect();
        Ok(self.database.set_layout(layout))
    }
}
