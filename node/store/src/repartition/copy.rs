//! Copying a range in key order, with a checkpoint in the target: after a crash it goes on where the target's last
//! commit left it.

use tim_core::repartition::Done;

use super::Move;
use super::rows::{Behind, Piece};
use crate::dsn::Engine;
use crate::error::StoreError;
use crate::fence::Access;
use crate::read;
use crate::schema::{MOVING, Table};
use crate::statement::{Cell, Row};
use crate::transaction::{Transaction, summary};

const CHECKPOINTS: &str = "tim_copy";

/// How far a table is copied.
#[derive(Debug, Clone, Default)]
pub(super) struct Checkpoint {
    behind: Behind,
    rows: u64,
    done: bool,
}

impl Move<'_> {
    /// Copies the next piece behind the target's checkpoint.
    pub(super) async fn copy_chunk(&self) -> Result<Done, StoreError> {
        if self
            .source_fence()
            .await?
            .is_some_and(|fence| self.has_moved(&fence))
        {
            return Ok(Done::Copied {
                rows: 0,
                finished: true,
            });
        }
        self.announce_term(&self.target).await?;
        let checkpoints = self.checkpoints().await?;
        let Some((table, checkpoint)) = MOVING
            .into_iter()
            .map(|table| (table, checkpoints.iter().find(|(code, _)| *code == table.code)))
            .map(|(table, found)| (table, found.map(|(_, found)| found.clone()).unwrap_or_default()))
            .find(|(_, checkpoint)| !checkpoint.done)
        else {
            return Ok(Done::Copied {
                rows: 0,
                finished: true,
            });
        };
        let piece = self.read_source(table, &checkpoint.behind).await?;
        let rows = piece.rows.len() as u64;
        let next = Checkpoint {
            behind: piece.rows.last().map_or(checkpoint.behind.clone(), |row| {
                Behind(Some(row[..table.key_columns].to_vec()))
            }),
            rows: checkpoint.rows + rows,
            done: piece.last,
        };
        let finished = piece.last && std::ptr::eq(table, MOVING[MOVING.len() - 1]);
        self.write_target(table, piece.rows, Some(next)).await?;
        Ok(Done::Copied { rows, finished })
    }

    async fn read_source(&self, table: &'static Table, behind: &Behind) -> Result<Piece, StoreError> {
        self.source
            .transact(Access::Read, &move |transaction| {
                Box::pin(async move {
                    let piece = transaction.read_piece(table, self.range(), behind).await?;
                    Ok((transaction, piece))
                })
            })
            .await
    }

    /// Writes copies, unless the target is not `incoming` for this operation and term. A newer row stays.
    pub(super) async fn write_target(
        &self,
        table: &'static Table,
        rows: Vec<Row>,
        checkpoint: Option<Checkpoint>,
    ) -> Result<(), StoreError> {
        let (rows, checkpoint) = (&rows, &checkpoint);
        self.target
            .transact(Access::Write, &move |mut transaction| {
                Box::pin(async move {
                    self.hold_incoming(&mut transaction).await?;
                    transaction.upsert_quietly(table, rows.clone()).await?;
                    if let Some(checkpoint) = checkpoint {
                        transaction
                            .write_checkpoint(&self.plan.operation.0, table, checkpoint)
                            .await?;
                    }
                    Ok((transaction, ()))
                })
            })
            .await
    }

    pub(super) async fn hold_incoming(&self, transaction: &mut Transaction) -> Result<(), StoreError> {
        let fence = transaction.hold_at(self.plan.from).await?;
        let fence = fence.ok_or_else(|| self.refuse(&self.target, "the target was not prepared"))?;
        self.check_term(&self.target, &fence)?;
        if !self.is_incoming(&fence) || fence.term != self.term {
            return Err(self.refuse(&self.target, "the target is not incoming for this move and term"));
        }
        Ok(())
    }

    async fn checkpoints(&self) -> Result<Vec<(i16, Checkpoint)>, StoreError> {
        self.target
            .transact(Access::Read, &move |transaction| {
                Box::pin(async move {
                    let checkpoints = transaction.checkpoints(&self.plan.operation.0).await?;
                    Ok((transaction, checkpoints))
                })
            })
            .await
    }
}

impl Transaction {
    async fn checkpoints(&self, operation: &str) -> Result<Vec<(i16, Checkpoint)>, StoreError> {
        let text = "SELECT table_code, slot, row_key, rows_copied, done FROM tim_copy WHERE operation = ?";
        let rows = self
            .rows(summary("SELECT", CHECKPOINTS), text, vec![operation.into()])
            .await?;
        let mut checkpoints = Vec::with_capacity(rows.len());
        for row in &rows {
            let error = |error| self.database.error(error);
            let code = row.try_get_by_index::<i16>(0).map_err(error)?;
            let Some(table) = Table::of_code(code) else {
                continue;
            };
            let slot = i64::from(row.try_get_by_index::<i32>(1).map_err(error)?);
            let key: Vec<u8> = row.try_get_by_index(2).map_err(error)?;
            let behind = table.parse_row_key(&key).map(|rest| {
                let mut cells = vec![Cell::Number(slot)];
                cells.extend(rest);
                cells
            });
            checkpoints.push((
                code,
                Checkpoint {
                    behind: Behind(behind),
                    rows: read::number(row, 3).map_err(error)?,
                    done: row.try_get_by_index::<i16>(4).map_err(error)? != 0,
                },
            ));
        }
        Ok(checkpoints)
    }

    async fn write_checkpoint(
        &self,
        operation: &str,
        table: &'static Table,
        checkpoint: &Checkpoint,
    ) -> Result<(), StoreError> {
        let (slot, key) = match &checkpoint.behind.0 {
            Some(row) => (row[0].as_number(), table.row_key(row)),
            None => (0, Vec::new()),
        };
        let values = vec![
            operation.into(),
            table.code.into(),
            (slot as i32).into(),
            key.into(),
            (checkpoint.rows as i64).into(),
            i16::from(checkpoint.done).into(),
        ];
        const OTHERS: [&str; 4] = ["slot", "row_key", "rows_copied", "done"];
        let suffix = match self.engine() {
            Engine::MySql => {
                let set = OTHERS.map(|name| format!("{name} = VALUES({name})")).join(", ");
                format!("ON DUPLICATE KEY UPDATE {set}")
            }
            Engine::Sqlite | Engine::Postgres => {
                let set = OTHERS.map(|name| format!("{name} = excluded.{name}")).join(", ");
                format!("ON CONFLICT (operation, table_code) DO UPDATE SET {set}")
            }
        };
        let text = format!(
            "INSERT INTO tim_copy (operation, table_code, slot, row_key, rows_copied, done) \
             VALUES (?, ?, ?, ?, ?, ?) {suffix}"
        );
        self.run(summary("INSERT", CHECKPOINTS), &text, values).await?;
        Ok(())
    }
}
