//! Catching up: the present state of rows that were written since the source was marked.

use std::collections::BTreeMap;

use tim_core::repartition::Done;

use super::Move;
use crate::dsn::Engine;
use crate::error::StoreError;
use crate::fence::Access;
use crate::schema::{CHANGE, Kind, Table};
use crate::statement::{Cell, KeyColumn, KeyRows, Row, join, key_rows, read_row};
use crate::transaction::{Transaction, summary};

/// Most notes that one step copies.
const MAX_DRAIN_ROWS: usize = 1_024;

/// Notes that one step copies at most once the sealed bytes it has read reach this.
const MAX_DRAIN_READ: usize = 128;

impl Move<'_> {
    /// Copies rows that are noted and removes their notes; says how many are left.
    pub(super) async fn drain_changes(&self) -> Result<Done, StoreError> {
        let fence = self.announce_term(&self.source).await?;
        if fence.is_some_and(|fence| self.has_moved(&fence)) {
            return Ok(Done::Drained { left: 0 });
        }
        self.announce_term(&self.target).await?;
        let notes = self.notes().await?;
        for of_table in by_table(&notes) {
            let (table, notes) = of_table;
            for notes in notes.chunks(MAX_DRAIN_READ) {
                let rows = self.noted_rows(table, notes).await?;
                self.write_target(table, rows, None).await?;
            }
        }
        let left = self.remove_notes(notes).await?;
        Ok(Done::Drained { left })
    }

    /// The next notes, in key order.
    async fn notes(&self) -> Result<Vec<Row>, StoreError> {
        self.source
            .transact(Access::Read, &move |transaction| {
                Box::pin(async move {
                    let text = format!(
                        "SELECT {} FROM tim_change WHERE slot >= ? AND slot < ? \
                         ORDER BY slot, table_code, row_key LIMIT {MAX_DRAIN_ROWS}",
                        CHANGE.column_list()
                    );
                    let what = summary("SELECT", CHANGE.name);
                    let rows = transaction.rows(what, &text, self.range().values()).await?;
                    let notes = rows
                        .iter()
                        .map(|row| read_row(&CHANGE, row))
                        .collect::<Result<Vec<_>, _>>()
                        .map_err(|error| self.source.error(error))?;
                    Ok((transaction, notes))
                })
            })
            .await
    }

    /// The present state of noted rows. It is at least as new as the notes, which were read before.
    async fn noted_rows(&self, table: &'static Table, notes: &[&Row]) -> Result<Vec<Row>, StoreError> {
        self.source
            .transact(Access::Read, &move |transaction| {
                Box::pin(async move {
                    let rows = transaction.rows_of_notes(table, notes).await?;
                    Ok((transaction, rows))
                })
            })
            .await
    }

    /// Removes notes whose version is still the one that was copied; how many notes are left in the range.
    async fn remove_notes(&self, notes: Vec<Row>) -> Result<u64, StoreError> {
        let notes = &notes;
        self.source
            .transact(Access::Write, &move |mut transaction| {
                Box::pin(async move {
                    let fence = transaction.hold_at(self.plan.from).await?;
                    let fence = self.checked_source(fence)?;
                    if !self.is_ours(&fence) {
                        return Err(self.refuse(&self.source, "the source is not marked for this move"));
                    }
                    if !notes.is_empty() {
                        transaction.remove_notes(notes).await?;
                    }
                    let left = transaction.changes_left(self).await?;
                    Ok((transaction, left))
                })
            })
            .await
    }
}

/// Notes by their table; those of tables we do not know stay where they are, and with them the source.
fn by_table(notes: &[Row]) -> Vec<(&'static Table, Vec<&Row>)> {
    let mut tables: BTreeMap<i16, (&'static Table, Vec<&Row>)> = BTreeMap::new();
    for note in notes {
        let code = i16::try_from(note[1].as_number()).unwrap_or_default();
        if let Some(table) = Table::of_code(code) {
            tables
                .entry(code)
                .or_insert_with(|| (table, Vec::new()))
                .1
                .push(note);
        }
    }
    tables.into_values().collect()
}

impl Transaction {
    async fn rows_of_notes(&self, table: &'static Table, notes: &[&Row]) -> Result<Vec<Row>, StoreError> {
        let engine = self.engine();
        let mut keys = KeyRows::new();
        for note in notes {
            let Some(key) = table.parse_row_key(note[2].as_bytes()) else {
                return Err(StoreError::DamagedRow {
                    database: self.database.name().clone(),
                    table: CHANGE.name,
                    reason: "a key has not the form of its table",
                });
            };
            keys.row().number(note[0].as_number());
            for cell in key {
                match cell {
                    Cell::Number(number) => keys.number(number),
                    Cell::Bytes(bytes) => keys.bytes(&bytes),
                    Cell::Nothing => keys.bytes(&[]),
                };
            }
        }
        let columns: Vec<KeyColumn> = table
            .key()
            .iter()
            .map(|column| key_column(column.name, column.kind))
            .collect();
        let equal: Vec<String> = table
            .key()
            .iter()
            .map(|column| format!("t.{0} = k.{0}", column.name))
            .collect();
        let list: Vec<String> = table
            .columns
            .iter()
            .map(|column| format!("t.{}", column.name))
            .collect();
        let text = format!(
            "SELECT {list} FROM {keys} {join} {name} t ON {equal}",
            list = list.join(", "),
            keys = key_rows(engine, &columns),
            join = join(engine),
            name = table.name,
            equal = equal.join(" AND "),
        );
        let rows = self
            .rows(summary("SELECT", table.name), &text, vec![keys.finish()])
            .await?;
        rows.iter()
            .map(|row| read_row(table, row))
            .collect::<Result<_, _>>()
            .map_err(|error| self.database.error(error))
    }

    async fn remove_notes(&self, notes: &[Row]) -> Result<(), StoreError> {
        let engine = self.engine();
        let mut keys = KeyRows::new();
        for note in notes {
            keys.row()
                .number(note[0].as_number())
                .number(note[1].as_number())
                .bytes(note[2].as_bytes())
                .number(note[3].as_number());
        }
        let columns: Vec<KeyColumn> = CHANGE
            .columns
            .iter()
            .map(|column| key_column(column.name, column.kind))
            .collect();
        let keys_text = key_rows(engine, &columns);
        let equal = "c.slot = k.slot AND c.table_code = k.table_code AND c.row_key = k.row_key \
                     AND c.version = k.version";
        let text = match engine {
            Engine::MySql => {
                format!("DELETE c FROM {keys_text} STRAIGHT_JOIN tim_change c ON {equal}")
            }
            Engine::Postgres => format!("DELETE FROM tim_change c USING {keys_text} WHERE {equal}"),
            Engine::Sqlite => format!(
                "DELETE FROM tim_change WHERE (slot, table_code, row_key, version) IN \
                 (SELECT k.slot, k.table_code, k.row_key, k.version FROM {keys_text})"
            ),
        };
        self.run(summary("DELETE", CHANGE.name), &text, vec![keys.finish()])
            .await?;
        Ok(())
    }
}

fn key_column(name: &'static str, kind: Kind) -> KeyColumn {
    match kind {
        Kind::Int | Kind::Small | Kind::Big => KeyColumn::Number(name),
        Kind::Key | Kind::KeyOptional | Kind::Sealed | Kind::RowKey => KeyColumn::Bytes(name),
    }
}
