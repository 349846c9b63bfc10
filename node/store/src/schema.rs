//! The tables of a partition database, described once.
//!
//! The migration, the hot path's inserts and the copies of a repartition are all generated from these descriptions, so
//! that a column cannot be forgotten by one of them. Rules that hold for every [`Table`] here:
//!
//! * it begins with the slot, so that a range of slots is contiguous;
//! * keys are fixed-length binary and compared bytewise by every engine;
//! * it ends with a version that grows; a lower one never overwrites a higher.

use crate::dsn::Engine;

/// Longest key of a row behind its slot, in bytes: a member row has 16 + 16 + 2.
pub(crate) const MAX_ROW_KEY_BYTES: usize = 64;

/// Bytes of every keyed id (see [`crate::keys`]).
pub(crate) const KEY_BYTES: usize = 16;

/// What a column holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    /// 32-bit integer.
    Int,
    /// 16-bit integer.
    Small,
    /// 64-bit integer.
    Big,
    /// [`KEY_BYTES`] bytes.
    Key,
    /// [`KEY_BYTES`] bytes or nothing.
    KeyOptional,
    /// Sealed bytes.
    Sealed,
    /// The key of a row of any table behind its slot, at most [`MAX_ROW_KEY_BYTES`].
    RowKey,
}

impl Kind {
    /// The type of the column, with its `NOT NULL`.
    pub(crate) fn sql(self, engine: Engine) -> &'static str {
        match (self, engine) {
            (Self::Int, Engine::Postgres) => "INTEGER NOT NULL",
            (Self::Int, _) => "INT NOT NULL",
            (Self::Small, _) => "SMALLINT NOT NULL",
            (Self::Big, _) => "BIGINT NOT NULL",
            (Self::Key, Engine::Sqlite) => "BLOB NOT NULL",
            (Self::Key, Engine::Postgres) => "BYTEA NOT NULL",
            (Self::Key, Engine::MySql) => "BINARY(16) NOT NULL",
            (Self::KeyOptional, Engine::Sqlite) => "BLOB",
            (Self::KeyOptional, Engine::Postgres) => "BYTEA",
            (Self::KeyOptional, Engine::MySql) => "BINARY(16)",
            (Self::Sealed | Self::RowKey, Engine::Sqlite) => "BLOB NOT NULL",
            (Self::Sealed | Self::RowKey, Engine::Postgres) => "BYTEA NOT NULL",
            (Self::RowKey, Engine::MySql) => "VARBINARY(64) NOT NULL",
            (Self::Sealed, Engine::MySql) => "MEDIUMBLOB NOT NULL",
        }
    }
}

/// One column.
#[derive(Debug)]
pub(crate) struct Column {
    pub(crate) name: &'static str,
    pub(crate) kind: Kind,
}

/// A table whose rows belong to a slot and move with it.
#[derive(Debug)]
pub(crate) struct Table {
    pub(crate) name: &'static str,
    /// Stands for the table in the change table and in checkpoints. Never reused.
    pub(crate) code: i16,
    pub(crate) columns: &'static [Column],
    /// The primary key are the first so many columns, the slot among them.
    pub(crate) key_columns: usize,
    /// A second net under what the transactions make sure of.
    pub(crate) unique: &'static [UniqueIndex],
}

/// A unique index beside the primary key.
#[derive(Debug)]
pub(crate) struct UniqueIndex {
    pub(crate) name: &'static str,
    pub(crate) columns: &'static [&'static str],
    /// Rows in which this column is empty are left out where the engine can; empty for an index over all rows.
    pub(crate) only_if_set: &'static str,
}

const fn column(name: &'static str, kind: Kind) -> Column {
    Column { name, kind }
}

/// Accounts: what is needed to log in, and the profile, both sealed. A credential of no bytes at all is that of an account
/// that was deleted: the row stays, so that nobody else gets its id and with it what others have said to it.
pub(crate) static ACCOUNT: Table = Table {
    name: "tim_account",
    code: 1,
    columns: &[
        column("slot", Kind::Int),
        column("account", Kind::Key),
        column("credential", Kind::Sealed),
        column("profile", Kind::Sealed),
        column("version", Kind::Big),
    ],
    key_columns: 2,
    unique: &[],
};

/// Login tokens, found by their value alone: one generation of clients presents nothing else. `used` turns from 0 to 1
/// once; rows go when they have expired.
pub(crate) static TOKEN: Table = Table {
    name: "tim_token",
    code: 2,
    columns: &[
        column("slot", Kind::Int),
        column("token", Kind::Key),
        column("expires_ms", Kind::Big),
        column("used", Kind::Small),
        column("owner", Kind::Sealed),
        column("version", Kind::Big),
    ],
    key_columns: 2,
    unique: &[],
};

/// The list of conversations of an account: a superset, see the architecture. `listed` 0 is a deletion.
pub(crate) static ACCOUNT_CONVERSATION: Table = Table {
    name: "tim_account_conversation",
    code: 3,
    columns: &[
        column("slot", Kind::Int),
        column("account", Kind::Key),
        column("conversation", Kind::Key),
        column("listed", Kind::Small),
        column("sealed", Kind::Sealed),
        column("version", Kind::Big),
    ],
    key_columns: 3,
    unique: &[],
};

/// Conversations: head, timestamp of the newest entry, relations of the two accounts, or that it is a room. Who they are
/// is nowhere here.
pub(crate) static CONVERSATION: Table = Table {
    name: "tim_conversation",
    code: 4,
    columns: &[
        column("slot", Kind::Int),
        column("conversation", Kind::Key),
        column("head", Kind::Big),
        column("last_timestamp_ns", Kind::Big),
        column("relations", Kind::Small),
        column("version", Kind::Big),
    ],
    key_columns: 2,
    unique: &[],
};

/// Member rows: the delivered cursor of one device class of an account.
pub(crate) static MEMBER: Table = Table {
    name: "tim_member",
    code: 5,
    columns: &[
        column("slot", Kind::Int),
        column("conversation", Kind::Key),
        column("account", Kind::Key),
        column("class", Kind::Small),
        column("position", Kind::Big),
        column("version", Kind::Big),
    ],
    key_columns: 4,
    unique: &[],
};

/// Entries of conversations. `client_key` is there when the client gave an id.
pub(crate) static MESSAGE: Table = Table {
    name: "tim_message",
    code: 6,
    columns: &[
        column("slot", Kind::Int),
        column("conversation", Kind::Key),
        column("lane", Kind::Small),
        column("seq", Kind::Big),
        column("message", Kind::Key),
        column("client_key", Kind::KeyOptional),
        column("kind", Kind::Small),
        column("timestamp_ns", Kind::Big),
        column("sealed", Kind::Sealed),
        column("version", Kind::Big),
    ],
    key_columns: 4,
    // Without the slot, which follows from the conversation. With it, PostgreSQL takes either these or the primary key
    // for a search by message, as it believes that a slot and a conversation together have about one row, and the
    // primary key leads through all messages of the conversation.
    unique: &[
        UniqueIndex {
            name: "tim_message_key",
            columns: &["conversation", "message"],
            only_if_set: "",
        },
        UniqueIndex {
            name: "tim_message_client",
            columns: &["conversation", "client_key"],
            only_if_set: "client_key",
        },
    ],
};

/// Blocked accounts: until when each may not log in. A time that is over is no block; such rows go some time.
pub(crate) static ACCOUNT_BLOCK: Table = Table {
    name: "tim_account_block",
    code: 20,
    columns: &[
        column("slot", Kind::Int),
        column("account", Kind::Key),
        column("until_ms", Kind::Big),
        column("sealed", Kind::Sealed),
        column("version", Kind::Big),
    ],
    key_columns: 2,
    unique: &[],
};

/// Accounts that are being deleted: the task, until it is done. What it says is sealed.
pub(crate) static ACCOUNT_DELETION: Table = Table {
    name: "tim_account_deletion",
    code: 21,
    columns: &[
        column("slot", Kind::Int),
        column("account", Kind::Key),
        column("begun_ms", Kind::Big),
        column("sealed", Kind::Sealed),
        column("version", Kind::Big),
    ],
    key_columns: 2,
    unique: &[],
};

/// Up to which place the entries of a conversation have gone because they were too old; no row: none has.
pub(crate) static TRIMMED: Table = Table {
    name: "tim_trimmed",
    code: 22,
    columns: &[
        column("slot", Kind::Int),
        column("conversation", Kind::Key),
        column("up_to", Kind::Big),
        column("version", Kind::Big),
    ],
    key_columns: 2,
    unique: &[],
};

/// What `relations` says of a conversation that is a room; of one of two accounts it is one byte.
pub(crate) const ROOM_RELATIONS: i16 = 0x100;

/// Rooms, beside their conversations: everything about them but who is in it.
pub(crate) static ROOM: Table = Table {
    name: "tim_room",
    code: 30,
    columns: &[
        column("slot", Kind::Int),
        column("conversation", Kind::Key),
        column("sealed", Kind::Sealed),
        column("version", Kind::Big),
    ],
    key_columns: 2,
    unique: &[],
};

/// Accounts that have, or had, something to do with a room. `standing` says what (see
/// [`tim_core::conversation::Standing`]); who it is and what it sees of the room is sealed.
pub(crate) static ROOM_MEMBER: Table = Table {
    name: "tim_room_member",
    code: 31,
    columns: &[
        column("slot", Kind::Int),
        column("conversation", Kind::Key),
        column("account", Kind::Key),
        column("standing", Kind::Small),
        column("sealed", Kind::Sealed),
        column("version", Kind::Big),
    ],
    key_columns: 3,
    unique: &[],
};

/// Events that somebody outside is owed. `sent` turns from 0 to 1 where a range is being copied; elsewhere the row goes.
pub(crate) static OUTBOX: Table = Table {
    name: "tim_outbox",
    code: 40,
    columns: &[
        column("slot", Kind::Int),
        column("event", Kind::Key),
        column("target", Kind::Small),
        column("sent", Kind::Small),
        column("made_ns", Kind::Big),
        column("sealed", Kind::Sealed),
        column("version", Kind::Big),
    ],
    key_columns: 2,
    // The order in which they are handed over; unique because an event's id is.
    unique: &[UniqueIndex {
        name: "tim_outbox_order",
        columns: &["target", "sent", "made_ns", "event"],
        only_if_set: "",
    }],
};

/// The change table: what was written in a part of a range that is being copied. A set of keys, not a log.
pub(crate) static CHANGE: Table = Table {
    name: "tim_change",
    code: 7,
    columns: &[
        column("slot", Kind::Int),
        column("table_code", Kind::Small),
        column("row_key", Kind::RowKey),
        column("version", Kind::Big),
    ],
    key_columns: 3,
    unique: &[],
};

/// Every table that moves with its slots, in the order in which a repartition copies them.
pub(crate) static MOVING: [&Table; 12] = [
    &ACCOUNT,
    &TOKEN,
    &ACCOUNT_CONVERSATION,
    &CONVERSATION,
    &MEMBER,
    &MESSAGE,
    &ACCOUNT_BLOCK,
    &ACCOUNT_DELETION,
    &TRIMMED,
    &ROOM,
    &ROOM_MEMBER,
    &OUTBOX,
];

/// The only lane as long as there is one data centre.
pub(crate) const LANE: i16 = 0;

impl Table {
    /// The table under a code; `None` for one this version does not know.
    pub(crate) fn of_code(code: i16) -> Option<&'static Table> {
        MOVING.into_iter().find(|table| table.code == code)
    }

    /// The columns of the primary key.
    pub(crate) fn key(&self) -> &'static [Column] {
        &self.columns[..self.key_columns]
    }

    /// All columns, as a list in SQL.
    pub(crate) fn column_list(&self) -> String {
        names(self.columns).join(", ")
    }

    /// `CREATE TABLE`, re-runnable.
    pub(crate) fn create(&self, engine: Engine) -> String {
        let columns: Vec<String> = self
            .columns
            .iter()
            .map(|column| format!("{} {}", column.name, column.kind.sql(engine)))
            .collect();
        let key = names(self.key()).join(", ");
        // Without a row id SQLite keeps one tree fewer per table: the rows stand in key order, as elsewhere.
        let suffix = match engine {
            Engine::Sqlite => " WITHOUT ROWID",
            Engine::Postgres => "",
            Engine::MySql => " ENGINE=InnoDB",
        };
        // MySQL knows no IF NOT EXISTS for an index, so there the indexes are made with the table.
        let indexes: String = match engine {
            Engine::MySql => self
                .unique
                .iter()
                .map(|index| format!(", UNIQUE KEY {} ({})", index.name, index.columns.join(", ")))
                .collect(),
            Engine::Sqlite | Engine::Postgres => String::new(),
        };
        format!(
            "CREATE TABLE IF NOT EXISTS {} ({}, PRIMARY KEY ({key}){indexes}){suffix}",
            self.name,
            columns.join(", "),
        )
    }

    /// `CREATE UNIQUE INDEX`, re-runnable, for the engines that make them apart from the table.
    pub(crate) fn create_indexes(&self, engine: Engine) -> Vec<String> {
        if engine == Engine::MySql {
            return Vec::new();
        }
        let create = |index: &UniqueIndex| {
            let only = if index.only_if_set.is_empty() {
                String::new()
            } else {
                format!(" WHERE {} IS NOT NULL", index.only_if_set)
            };
            format!(
                "CREATE UNIQUE INDEX IF NOT EXISTS {} ON {} ({}){only}",
                index.name,
                self.name,
                index.columns.join(", ")
            )
        };
        self.unique.iter().map(create).collect()
    }
}

fn names(columns: &[Column]) -> Vec<&'static str> {
    columns.iter().map(|column| column.name).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashSet;

    #[test]
    fn every_table_keeps_the_rules() {
        let mut codes = HashSet::new();
        for table in MOVING {
            assert_eq!(table.columns[0].name, "slot", "{}", table.name);
            assert_eq!(table.columns.last().unwrap().name, "version", "{}", table.name);
            assert!(
                codes.insert(table.code),
                "{} has a code that is taken",
                table.name
            );
            assert!(
                table
                    .key()
                    .iter()
                    .all(|column| column.kind != Kind::Sealed && column.kind != Kind::KeyOptional),
                "{}",
                table.name
            );
            assert!(std::ptr::eq(Table::of_code(table.code).unwrap(), table));
        }
    }
}
