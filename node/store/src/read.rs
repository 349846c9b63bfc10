//! Reading columns of results into the types of the protocol.

use sea_orm::{DbErr, QueryResult};
use tim_core::conversation::{ConversationState, Relations};
use tim_core::id::{Seq, Version};

use crate::keys::RowKey;
use crate::schema::ROOM_RELATIONS;

/// The columns of an entry, in the order that [`crate::entry`] reads.
pub(crate) const ENTRY_COLUMNS: &str = "m.seq, m.message, m.kind, m.timestamp_ns, m.sealed";

/// How many those are.
pub(crate) const ENTRY_COLUMN_COUNT: usize = 5;

fn damaged(what: &'static str) -> DbErr {
    DbErr::Type(what.to_owned())
}

/// A number that is never negative.
pub(crate) fn number(row: &QueryResult, column: usize) -> Result<u64, DbErr> {
    u64::try_from(row.try_get_by_index::<i64>(column)?).map_err(|_| damaged("a number is negative"))
}

/// The place of a key row in the call, as it came back from the statement.
pub(crate) fn place(row: &QueryResult, column: usize) -> Result<usize, DbErr> {
    usize::try_from(row.try_get_by_index::<i64>(column)?).map_err(|_| damaged("a place is negative"))
}

/// A number of one byte in a small column.
pub(crate) fn small(row: &QueryResult, column: usize) -> Result<i8, DbErr> {
    i8::try_from(row.try_get_by_index::<i16>(column)?).map_err(|_| damaged("a number has more than one byte"))
}

/// A keyed id.
pub(crate) fn key(row: &QueryResult, column: usize) -> Result<RowKey, DbErr> {
    RowKey::try_from(row.try_get_by_index::<Vec<u8>>(column)?)
        .map_err(|_| damaged("a key has not its fixed length"))
}

/// Head, version, timestamp and relations, from `column` on; and whether it is a room, which stands elsewhere.
pub(crate) fn conversation_state(
    row: &QueryResult,
    column: usize,
) -> Result<(ConversationState, bool), DbErr> {
    let stored = row.try_get_by_index::<i16>(column + 3)?;
    let is_room = stored == ROOM_RELATIONS;
    let relations = if is_room {
        Some(Relations::default())
    } else {
        u8::try_from(stored).ok().and_then(Relations::from_byte)
    };
    let state = ConversationState {
        head: Seq(number(row, column)?),
        version: Version(number(row, column + 1)?),
        last_timestamp_ns: row.try_get_by_index::<i64>(column + 2)?,
        relations: relations.ok_or_else(|| damaged("unknown relations"))?,
        room: None,
    };
    Ok((state, is_room))
}
