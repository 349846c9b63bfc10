//! Reading a range's rows in key order, a bounded piece at a time.

use sea_orm::Value;
use tim_core::id::Slot;

use crate::dsn::Engine;
use crate::error::StoreError;
use crate::schema::{Kind, Table};
use crate::statement::{Cell, Row, read_row};
use crate::transaction::{Transaction, summary};

/// Most rows in one piece.
pub(super) const MAX_PIECE_ROWS: usize = 1_024;

/// Most sealed bytes in one piece; a single larger row still makes a piece.
pub(super) const MAX_PIECE_BYTES: i64 = 4 << 20;

/// Slots `[from, until)`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct SlotRange {
    pub(crate) from: Slot,
    pub(crate) until: Slot,
}

impl SlotRange {
    pub(super) fn values(self) -> Vec<Value> {
        vec![(self.from.0 as i32).into(), (self.until.0 as i32).into()]
    }
}

/// A place in the key order of a table: behind the row with this key. The slot comes first, as in the table.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Behind(pub(crate) Option<Row>);

/// Rows in key order.
#[derive(Debug, Default)]
pub(super) struct Piece {
    pub(super) rows: Vec<Row>,
    /// Nothing came behind them when they were read.
    pub(super) last: bool,
}

impl Transaction {
    /// Reads the next rows of a range behind a place.
    pub(super) async fn read_piece(
        &self,
        table: &'static Table,
        range: SlotRange,
        behind: &Behind,
    ) -> Result<Piece, StoreError> {
        let (condition, values) = condition(self.engine(), table, range, behind);
        let order = table
            .key()
            .iter()
            .map(|column| column.name)
            .collect::<Vec<_>>()
            .join(", ");
        let limit = self
            .rows_within_limit(table, &condition, &order, values.clone())
            .await?;
        if limit == 0 {
            return Ok(Piece {
                rows: Vec::new(),
                last: true,
            });
        }
        let text = format!(
            "SELECT {} FROM {} WHERE {condition} ORDER BY {order} LIMIT {limit}",
            table.column_list(),
            table.name
        );
        let rows = self.rows(summary("SELECT", table.name), &text, values).await?;
        let rows = rows
            .iter()
            .map(|row| read_row(table, row))
            .collect::<Result<Vec<_>, _>>()
            .map_err(|error| self.database.error(error))?;
        // Rows that came since the lengths were read are seen with the next piece.
        Ok(Piece {
            last: rows.is_empty(),
            rows,
        })
    }

    /// How many of the next rows fit a piece; only their lengths travel for that.
    async fn rows_within_limit(
        &self,
        table: &'static Table,
        condition: &str,
        order: &str,
        values: Vec<Value>,
    ) -> Result<usize, StoreError> {
        let sealed: Vec<String> = table
            .columns
            .iter()
            .filter(|column| column.kind == Kind::Sealed)
            .map(|column| format!("LENGTH({})", column.name))
            .collect();
        if sealed.is_empty() {
            return Ok(MAX_PIECE_ROWS);
        }
        let cast = if self.engine() == Engine::MySql {
            "SIGNED"
        } else {
            "BIGINT"
        };
        let text = format!(
            "SELECT CAST({} AS {cast}) FROM {} WHERE {condition} ORDER BY {order} LIMIT {MAX_PIECE_ROWS}",
            sealed.join(" + "),
            table.name
        );
        let rows = self.rows(summary("SELECT", table.name), &text, values).await?;
        let mut bytes = 0;
        for (count, row) in rows.iter().enumerate() {
            bytes += row
                .try_get_by_index::<i64>(0)
                .map_err(|error| self.database.error(error))?;
            if bytes > MAX_PIECE_BYTES {
                return Ok(count.max(1));
            }
        }
        Ok(rows.len())
    }
}

/// The condition "in the range and behind the place", in the form whose index the engine uses: MySQL does not search
/// by comparing tuples, so there it is spelt out.
pub(crate) fn condition(
    engine: Engine,
    table: &'static Table,
    range: SlotRange,
    behind: &Behind,
) -> (String, Vec<Value>) {
    let Some(row) = &behind.0 else {
        return ("slot >= ? AND slot < ?".to_owned(), range.values());
    };
    let slot = row.first().map_or(0, Cell::as_number);
    let mut values: Vec<Value> = vec![(slot as i32).into(), (range.until.0 as i32).into()];
    let keys: Vec<(&str, Value)> = table
        .key()
        .iter()
        .zip(row)
        .map(|(column, cell)| (column.name, cell.clone().into_value(column.kind)))
        .collect();
    let text = match engine {
        Engine::MySql => {
            let mut text = String::new();
            for (place, (name, value)) in keys.iter().enumerate() {
                values.push(value.clone());
                if place + 1 < keys.len() {
                    values.push(value.clone());
                    text.push_str(&format!("({name} > ? OR ({name} = ? AND "));
                } else {
                    text.push_str(&format!("{name} > ?"));
                }
            }
            text.push_str(&"))".repeat(keys.len() - 1));
            text
        }
        Engine::Sqlite | Engine::Postgres => {
            let names: Vec<&str> = keys.iter().map(|(name, _)| *name).collect();
            values.extend(keys.iter().map(|(_, value)| value.clone()));
            format!("({}) > ({})", names.join(", "), vec!["?"; names.len()].join(", "))
        }
    };
    (format!("slot >= ? AND slot < ? AND {text}"), values)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::schema::ACCOUNT_CONVERSATION;

    #[test]
    fn a_place_in_the_key_order_is_spelt_out_for_mysql() {
        let range = SlotRange {
            from: Slot(5),
            until: Slot(9),
        };
        let behind = Behind(Some(vec![
            Cell::Number(7),
            Cell::bytes(&[1; 16]),
            Cell::bytes(&[2; 16]),
        ]));
        let (text, values) = condition(Engine::MySql, &ACCOUNT_CONVERSATION, range, &behind);
        assert_eq!(
            text,
            "slot >= ? AND slot < ? AND (slot > ? OR (slot = ? AND (account > ? OR (account = ? AND conversation > ?))))"
        );
        assert_eq!(values.len(), text.matches('?').count());
        assert_eq!(values[..4], [7_i32, 9, 7, 7].map(Value::from));
        let (text, values) = condition(Engine::Postgres, &ACCOUNT_CONVERSATION, range, &behind);
        assert_eq!(
            text,
            "slot >= ? AND slot < ? AND (slot, account, conversation) > (?, ?, ?)"
        );
        assert_eq!(values.len(), 5);
        let (_, values) = condition(Engine::Postgres, &ACCOUNT_CONVERSATION, range, &Behind(None));
        assert_eq!(values, [5_i32, 9].map(Value::from));
    }
}
