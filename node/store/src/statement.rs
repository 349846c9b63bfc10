//! SQL in three dialects: how values are bound, how many keys reach a statement at once, how rows are written.
//!
//! The hot path does not go through the ORM's entities: it has few statements, each for many rows at once, and their
//! texts are stable so that every connection prepares them once. Two devices keep the number of statements
//! independent of the number of rows:
//!
//! * **Key rows** ([`KeyRows`]): a statement over many keys takes them as one JSON text that every engine unpacks into
//!   a table, which is joined to the real one.
//! * **Upserts** ([`Table::upsert`]) write up to [`MAX_ROWS_PER_INSERT`] rows at once (see [`piece`]).

use std::fmt::Write as _;

use sea_orm::{DbErr, QueryResult, Value};

use crate::dsn::Engine;
use crate::schema::{Kind, Table};

/// Most rows that one INSERT writes: 256 rows of 10 columns stay under every engine's limit of parameters (SQLite has
/// the lowest, 32,766).
pub(crate) const MAX_ROWS_PER_INSERT: usize = 256;

/// Up to so many rows go into one INSERT, whatever their number.
pub(crate) const MAX_FEW_ROWS: usize = 16;

/// Most bytes that one INSERT carries: MariaDB takes packets of 16 MiB unless it is told otherwise.
pub(crate) const MAX_INSERT_BYTES: usize = 4 << 20;

/// A column of key rows.
#[derive(Debug, Clone, Copy)]
pub(crate) enum KeyColumn {
    /// A number.
    Number(&'static str),
    /// Bytes; travel as hexadecimal text.
    Bytes(&'static str),
}

/// The FROM item that unpacks key rows under the alias `k`; it takes one parameter.
pub(crate) fn key_rows(engine: Engine, columns: &[KeyColumn]) -> String {
    let mut list = String::new();
    for (place, column) in columns.iter().enumerate() {
        if place > 0 {
            list.push_str(", ");
        }
        let _ = match (engine, column) {
            (Engine::Sqlite, KeyColumn::Number(name)) => {
                write!(list, "json_extract(value, '$[{place}]') AS {name}")
            }
            (Engine::Sqlite, KeyColumn::Bytes(name)) => {
                write!(list, "unhex(json_extract(value, '$[{place}]')) AS {name}")
            }
            (Engine::Postgres, KeyColumn::Number(name)) => write!(list, "(j->>{place})::bigint AS {name}"),
            (Engine::Postgres, KeyColumn::Bytes(name)) => {
                write!(list, "decode(j->>{place}, 'hex') AS {name}")
            }
            (Engine::MySql, KeyColumn::Number(name)) => write!(list, "j.c{place} AS {name}"),
            (Engine::MySql, KeyColumn::Bytes(name)) => write!(list, "UNHEX(j.c{place}) AS {name}"),
        };
    }
    match engine {
        Engine::Sqlite => format!("(SELECT {list} FROM json_each(?)) AS k"),
        Engine::Postgres => format!("(SELECT {list} FROM json_array_elements(?::json) AS t(j)) AS k"),
        Engine::MySql => {
            let definitions: Vec<String> = columns
                .iter()
                .enumerate()
                .map(|(place, column)| match column {
                    KeyColumn::Number(_) => format!("c{place} BIGINT PATH '$[{place}]'"),
                    KeyColumn::Bytes(_) => format!("c{place} VARCHAR(256) PATH '$[{place}]'"),
                })
                .collect();
            format!(
                "(SELECT {list} FROM JSON_TABLE(?, '$[*]' COLUMNS({})) AS j) AS k",
                definitions.join(", ")
            )
        }
    }
}

/// Joins a table to key rows so that the keys are read first and the table is searched by them.
pub(crate) fn join(engine: Engine) -> &'static str {
    match engine {
        Engine::Sqlite => "CROSS JOIN",
        Engine::Postgres => "JOIN",
        Engine::MySql => "STRAIGHT_JOIN",
    }
}

/// Keys for one statement, as the JSON text that [`key_rows`] unpacks.
#[derive(Debug)]
pub(crate) struct KeyRows {
    text: String,
    rows: usize,
    in_row: bool,
}

impl KeyRows {
    pub(crate) fn new() -> Self {
        Self {
            text: String::from("["),
            rows: 0,
            in_row: false,
        }
    }

    /// Begins the next row.
    pub(crate) fn row(&mut self) -> &mut Self {
        if self.rows > 0 {
            self.text.push_str("],");
        }
        self.text.push('[');
        self.rows += 1;
        self.in_row = false;
        self
    }

    /// Appends a number to the row.
    pub(crate) fn number(&mut self, number: i64) -> &mut Self {
        self.separate();
        let _ = write!(self.text, "{number}");
        self
    }

    /// Appends bytes to the row.
    pub(crate) fn bytes(&mut self, bytes: &[u8]) -> &mut Self {
        const DIGITS: &[u8; 16] = b"0123456789abcdef";
        self.separate();
        self.text.push('"');
        for byte in bytes {
            self.text.push(char::from(DIGITS[usize::from(byte >> 4)]));
            self.text.push(char::from(DIGITS[usize::from(byte & 0xf)]));
        }
        self.text.push('"');
        self
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.rows == 0
    }

    /// The parameter of the statement.
    pub(crate) fn finish(mut self) -> Value {
        if self.rows > 0 {
            self.text.push(']');
        }
        self.text.push(']');
        Value::from(self.text)
    }

    fn separate(&mut self) {
        if self.in_row {
            self.text.push(',');
        }
        self.in_row = true;
    }
}

/// Turns the `?` of a statement into the engine's own placeholders. Our statements hold no other question marks.
pub(crate) fn placeholders(engine: Engine, text: &str) -> String {
    if engine != Engine::Postgres {
        return text.to_owned();
    }
    let mut numbered = String::with_capacity(text.len() + 16);
    let mut number = 0;
    for character in text.chars() {
        if character == '?' {
            number += 1;
            let _ = write!(numbered, "${number}");
        } else {
            numbered.push(character);
        }
    }
    numbered
}

/// One column's value, whatever the engine. Cells of one column are ordered as every engine orders them.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum Cell {
    /// A number.
    Number(i64),
    /// Bytes.
    Bytes(Vec<u8>),
    /// Nothing, in an optional column.
    Nothing,
}

impl Cell {
    pub(crate) fn bytes(bytes: &[u8]) -> Self {
        Self::Bytes(bytes.to_vec())
    }

    /// The number, or 0 where bytes stand; the descriptions of the tables say which columns are numbers.
    pub(crate) fn as_number(&self) -> i64 {
        match self {
            Self::Number(number) => *number,
            Self::Bytes(_) | Self::Nothing => 0,
        }
    }

    /// The bytes, or none where a number stands.
    pub(crate) fn as_bytes(&self) -> &[u8] {
        match self {
            Self::Bytes(bytes) => bytes,
            Self::Number(_) | Self::Nothing => &[],
        }
    }

    pub(crate) fn into_value(self, kind: Kind) -> Value {
        match (self, kind) {
            (Self::Number(number), Kind::Int) => Value::Int(i32::try_from(number).ok()),
            (Self::Number(number), Kind::Small) => Value::SmallInt(i16::try_from(number).ok()),
            (Self::Number(number), _) => Value::BigInt(Some(number)),
            (Self::Bytes(bytes), _) => Value::Bytes(Some(bytes)),
            (Self::Nothing, _) => Value::Bytes(None),
        }
    }
}

/// A row of a [`Table`], its columns in the table's order.
pub(crate) type Row = Vec<Cell>;

/// Reads the columns of `table`, which are the first ones of the result.
pub(crate) fn read_row(table: &Table, result: &QueryResult) -> Result<Row, DbErr> {
    table
        .columns
        .iter()
        .enumerate()
        .map(|(place, column)| {
            Ok(match column.kind {
                Kind::Int => Cell::Number(i64::from(result.try_get_by_index::<i32>(place)?)),
                Kind::Small => Cell::Number(i64::from(result.try_get_by_index::<i16>(place)?)),
                Kind::Big => Cell::Number(result.try_get_by_index::<i64>(place)?),
                Kind::Key | Kind::Sealed | Kind::RowKey => {
                    Cell::Bytes(result.try_get_by_index::<Vec<u8>>(place)?)
                }
                Kind::KeyOptional => result
                    .try_get_by_index::<Option<Vec<u8>>>(place)?
                    .map_or(Cell::Nothing, Cell::Bytes),
            })
        })
        .collect()
}

/// How many of the next rows go into one INSERT: all of a few, else a power of two, so that not many different texts occur,
/// and not more bytes than [`MAX_INSERT_BYTES`] unless it is a single row.
pub(crate) fn piece(rows: &[Row]) -> usize {
    let mut size = MAX_ROWS_PER_INSERT.min(rows.len());
    if size > MAX_FEW_ROWS && !size.is_power_of_two() {
        size = size.next_power_of_two() / 2;
    }
    while size > 1 && bytes_of(&rows[..size]) > MAX_INSERT_BYTES {
        size /= 2;
    }
    size
}

fn bytes_of(rows: &[Row]) -> usize {
    rows.iter().flatten().map(|cell| cell.as_bytes().len()).sum()
}

impl Table {
    /// Writes rows; a row that is there with the same or a higher version stays as it is.
    pub(crate) fn upsert(&self, engine: Engine, rows: usize) -> String {
        let row = format!("({})", vec!["?"; self.columns.len()].join(","));
        let mut text = format!(
            "INSERT INTO {} ({}) VALUES {}",
            self.name,
            self.column_list(),
            vec![row.as_str(); rows].join(",")
        );
        let others = &self.columns[self.key_columns..];
        if engine == Engine::MySql {
            // Evaluated from left to right, so the version, which all others look at, is set last. VALUES() is
            // understood by MariaDB and MySQL alike.
            let set: Vec<String> = others
                .iter()
                .map(|column| {
                    let name = column.name;
                    format!("{name} = IF(VALUES(version) > version, VALUES({name}), {name})")
                })
                .collect();
            let _ = write!(text, " ON DUPLICATE KEY UPDATE {}", set.join(", "));
        } else {
            let key: Vec<&str> = self.key().iter().map(|column| column.name).collect();
            let set: Vec<String> = others
                .iter()
                .map(|column| format!("{0} = excluded.{0}", column.name))
                .collect();
            let _ = write!(
                text,
                " ON CONFLICT ({}) DO UPDATE SET {} WHERE excluded.version > {}.version",
                key.join(", "),
                set.join(", "),
                self.name
            );
        }
        text
    }

    /// Writes rows that are not there yet; those that are stay as they are, and the count of affected rows tells.
    pub(crate) fn insert_absent(&self, engine: Engine, rows: usize) -> String {
        let (verb, suffix) = match engine {
            Engine::MySql => ("INSERT IGNORE", ""),
            Engine::Sqlite | Engine::Postgres => ("INSERT", " ON CONFLICT DO NOTHING"),
        };
        let row = format!("({})", vec!["?"; self.columns.len()].join(","));
        format!(
            "{verb} INTO {} ({}) VALUES {}{suffix}",
            self.name,
            self.column_list(),
            vec![row.as_str(); rows].join(",")
        )
    }

    /// The parameters of [`Self::upsert`] and [`Self::insert_absent`].
    pub(crate) fn values(&self, rows: impl Iterator<Item = Row>) -> Vec<Value> {
        rows.flat_map(|row| {
            row.into_iter()
                .zip(self.columns)
                .map(|(cell, column)| cell.into_value(column.kind))
        })
        .collect()
    }

    /// The key of a row behind its slot, as it stands in the change table and in checkpoints: numbers big-endian
    /// with the sign bit turned, so that bytewise order is the order of the rows.
    pub(crate) fn row_key(&self, row: &[Cell]) -> Vec<u8> {
        let mut key = Vec::with_capacity(48);
        for (cell, column) in row.iter().zip(self.key()).skip(1) {
            match column.kind {
                Kind::Small => {
                    let number = i16::try_from(cell.as_number()).unwrap_or_default();
                    key.extend_from_slice(&(number ^ i16::MIN).to_be_bytes());
                }
                Kind::Int | Kind::Big => {
                    key.extend_from_slice(&(cell.as_number() ^ i64::MIN).to_be_bytes());
                }
                Kind::Key | Kind::KeyOptional | Kind::Sealed | Kind::RowKey => {
                    key.extend_from_slice(cell.as_bytes())
                }
            }
        }
        key
    }

    /// The cells of a key made by [`Self::row_key`], without the slot; `None` if the length does not fit.
    pub(crate) fn parse_row_key(&self, mut key: &[u8]) -> Option<Row> {
        let mut cells = Vec::with_capacity(self.key_columns);
        for column in self.key().iter().skip(1) {
            match column.kind {
                Kind::Small => {
                    let (bytes, rest) = key.split_first_chunk::<2>()?;
                    cells.push(Cell::Number(i64::from(i16::from_be_bytes(*bytes) ^ i16::MIN)));
                    key = rest;
                }
                Kind::Int | Kind::Big => {
                    let (bytes, rest) = key.split_first_chunk::<8>()?;
                    cells.push(Cell::Number(i64::from_be_bytes(*bytes) ^ i64::MIN));
                    key = rest;
                }
                Kind::Key | Kind::KeyOptional | Kind::Sealed | Kind::RowKey => {
                    let (bytes, rest) = key.split_first_chunk::<{ crate::schema::KEY_BYTES }>()?;
                    cells.push(Cell::bytes(bytes));
                    key = rest;
                }
            }
        }
        key.is_empty().then_some(cells)
    }
}

#[cfg(test)]
mod tests;
