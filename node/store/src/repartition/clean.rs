//! Deleting what is not needed any more: the source's rows behind a finished move, the target's behind a cancelled one.

use tim_core::repartition::Done;

use super::Move;
use super::rows::SlotRange;
use crate::dsn::Engine;
use crate::error::StoreError;
use crate::fence::Access;
use crate::schema::{CHANGE, MOVING, Table};
use crate::transaction::{Transaction, summary};

/// Most rows that one step deletes.
const MAX_CLEAN_ROWS: u64 = 2_048;

impl Move<'_> {
    /// Source: deletes a piece of the moved rows. The fence row stays and points to who has them now.
    pub(super) async fn clean_source(&self) -> Result<Done, StoreError> {
        self.announce_term(&self.source).await?;
        self.source
            .transact(Access::Write, &move |mut transaction| {
                Box::pin(async move {
                    let fence = transaction.hold_at(self.plan.from).await?;
                    let fence = self.checked_source(fence)?;
                    if !self.has_moved(&fence) {
                        return Err(self.refuse(&self.source, "the source has not moved the range"));
                    }
                    let finished = transaction.delete_some(self.range()).await?;
                    Ok((transaction, Done::Cleaned { finished }))
                })
            })
            .await
    }

    /// Target: deletes a piece of the copied rows, and with the last one the fence row and the checkpoints.
    pub(super) async fn clean_target(&self) -> Result<Done, StoreError> {
        if self
            .source_fence()
            .await?
            .is_some_and(|fence| self.has_moved(&fence))
        {
            return Err(self.refuse(&self.source, "the range has moved, the target's rows are in use"));
        }
        if self.announce_term(&self.target).await?.is_none() {
            return Ok(Done::Cleaned { finished: true });
        }
        self.target
            .transact(Access::Write, &move |mut transaction| {
                Box::pin(async move {
                    let Some(fence) = transaction.raise_at(self.plan.from).await? else {
                        return Ok((transaction, Done::Cleaned { finished: true }));
                    };
                    self.check_term(&self.target, &fence)?;
                    if !self.is_incoming(&fence) {
                        return Err(self.refuse(&self.target, "the target is not incoming for this move"));
                    }
                    let finished = transaction.delete_some(self.range()).await?;
                    if finished {
                        transaction.forget_checkpoints(&self.plan.operation.0).await?;
                        transaction.delete_fence(fence.from).await?;
                    }
                    Ok((transaction, Done::Cleaned { finished }))
                })
            })
            .await
    }
}

impl Transaction {
    /// Deletes up to [`MAX_CLEAN_ROWS`] rows of the range; true when none is left.
    async fn delete_some(&self, range: SlotRange) -> Result<bool, StoreError> {
        let mut room = MAX_CLEAN_ROWS;
        for table in MOVING.into_iter().chain([&CHANGE]) {
            let text = delete_text(self.engine(), table, room);
            room -= self
                .run(summary("DELETE", table.name), &text, range.values())
                .await?
                .min(room);
            if room == 0 {
                return Ok(false);
            }
        }
        Ok(true)
    }

    async fn forget_checkpoints(&self, operation: &str) -> Result<(), StoreError> {
        let text = "DELETE FROM tim_copy WHERE operation = ?";
        self.run(summary("DELETE", "tim_copy"), text, vec![operation.into()])
            .await?;
        Ok(())
    }
}

/// MySQL limits a DELETE by itself; the others are given the keys.
fn delete_text(engine: Engine, table: &Table, rows: u64) -> String {
    let name = table.name;
    let key = table
        .key()
        .iter()
        .map(|column| column.name)
        .collect::<Vec<_>>()
        .join(", ");
    match engine {
        Engine::MySql => {
            format!("DELETE FROM {name} WHERE slot >= ? AND slot < ? ORDER BY {key} LIMIT {rows}")
        }
        Engine::Postgres => {
            let equal: Vec<String> = table
                .key()
                .iter()
                .map(|column| format!("t.{0} = k.{0}", column.name))
                .collect();
            format!(
                "DELETE FROM {name} t USING \
                 (SELECT {key} FROM {name} WHERE slot >= ? AND slot < ? ORDER BY {key} LIMIT {rows}) k WHERE {}",
                equal.join(" AND ")
            )
        }
        Engine::Sqlite => format!(
            "DELETE FROM {name} WHERE ({key}) IN \
             (SELECT {key} FROM {name} WHERE slot >= ? AND slot < ? ORDER BY {key} LIMIT {rows})"
        ),
    }
}
