//! Reading conversations: states for homes and rights, entries for delivery and history, positions for logins.
//!
//! Every call is one transaction under the fences of what it reads. What a fence refuses is answered so; the rest of
//! the call goes on.

use sea_orm::QueryResult;
use tim_core::conversation::{ConversationState, Entry, EntryKind, MemberCursor, Windows, starting_cursor};
use tim_core::id::{AccountId, ConversationId, DeviceClass, Epoch, Seq};
use tim_core::placement;

use crate::admit::{Admitted, BY_CONVERSATION, Wanted};
use crate::error::StoreError;
use crate::fence::Access;
use crate::keys::RowKey;
use crate::queries::Query;
use crate::read::{self, ENTRY_COLUMNS};
use crate::schema::{LANE, ROOM_RELATIONS};
use crate::statement::{KeyColumn, KeyRows, join, key_rows};
use crate::store::Database;
use crate::transaction::{Transaction, summary};

/// Most entries one call returns, whatever is asked.
pub const MAX_ENTRIES: u32 = 500;

/// Which entries of a conversation to read, oldest first.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct EntriesAfter {
    /// The conversation.
    pub conversation: ConversationId,
    /// Epoch of its range, as the caller believes.
    pub epoch: Epoch,
    /// Only what comes after this place.
    pub after: Seq,
    /// Most entries wanted; [`MAX_ENTRIES`] is the limit.
    pub limit: u32,
    /// The answer ends before the entry that would take the bodies over so many bytes; the first one always comes.
    pub max_bytes: usize,
}

/// Which messages of a conversation to read, newest first.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct HistoryQuery {
    /// The conversation.
    pub conversation: ConversationId,
    /// Epoch of its range, as the caller believes.
    pub epoch: Epoch,
    /// Only up to this place, itself included.
    pub up_to: Option<Seq>,
    /// Only what was stored at this time or before, in Unix nanoseconds.
    pub not_after_ns: Option<i64>,
    /// Most messages wanted; [`MAX_ENTRIES`] is the limit.
    pub limit: u32,
}

/// Whose position in which conversation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PositionQuery {
    /// The conversation.
    pub conversation: ConversationId,
    /// Epoch of its range, as the caller believes.
    pub epoch: Epoch,
    /// The account.
    pub account: AccountId,
}

/// How far a conversation goes and how far an account's devices have confirmed it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Position {
    /// Number of the newest entry; 0 for none. In a room: of the last that the account sees.
    pub head: Seq,
    /// The cursors of the account's device classes; see [`Position::cursor`].
    pub cursors: Vec<MemberCursor>,
    /// What the account sees, if the conversation is a room.
    pub windows: Option<Windows>,
}

impl Position {
    /// Where a class of devices of the account stands or begins: in a room not before the account came.
    #[must_use]
    pub fn cursor(&self, account: &AccountId, class: DeviceClass) -> Seq {
        let floor = self.windows.as_ref().map_or(Seq(0), Windows::floor);
        match self.cursors.is_empty() {
            true => floor,
            false => starting_cursor(&self.cursors, account, class),
        }
    }
}

impl Database {
    /// Head, version and relations of conversations; the default for those that have no row. For a home that begins a
    /// tenure, and for checks of rights.
    ///
    /// # Errors
    /// Any of the database; nothing was changed.
    pub async fn open_conversations(
        &self,
        conversations: &[(ConversationId, Epoch)],
    ) -> Result<Vec<Admitted<ConversationState>>, StoreError> {
        self.transact(Access::Read, &|mut transaction| {
            Box::pin(async move {
                let states = transaction.states(conversations).await?;
                Ok((transaction, states))
            })
        })
        .await
    }

    /// Entries in order, for delivery.
    ///
    /// # Errors
    /// [`StoreError::FenceRefused`], or any of the database.
    pub async fn entries_after(&self, query: EntriesAfter) -> Result<Vec<Entry>, StoreError> {
        self.transact(Access::Read, &move |mut transaction| {
            Box::pin(async move {
                let entries = transaction.entries_after(query).await?;
                Ok((transaction, entries))
            })
        })
        .await
    }

    /// Messages newest first; notices and what was revoked are left out.
    ///
    /// # Errors
    /// [`StoreError::FenceRefused`], or any of the database.
    pub async fn history(&self, query: HistoryQuery) -> Result<Vec<Entry>, StoreError> {
        self.transact(Access::Read, &move |mut transaction| {
            Box::pin(async move {
                let entries = transaction.history(query).await?;
                Ok((transaction, entries))
            })
        })
        .await
    }

    /// Heads and cursors for many sessions at once: one query, however many are asked.
    ///
    /// # Errors
    /// Any of the database.
    pub async fn positions(&self, queries: &[PositionQuery]) -> Result<Vec<Admitted<Position>>, StoreError> {
        self.transact(Access::Read, &|mut transaction| {
            Box::pin(async move {
                let positions = transaction.positions(queries).await?;
                Ok((transaction, positions))
            })
        })
        .await
    }
}

impl Transaction {
    async fn states(
        &mut self,
        conversations: &[(ConversationId, Epoch)],
    ) -> Result<Vec<Admitted<ConversationState>>, StoreError> {
        let wanted: Vec<_> = conversations
            .iter()
            .map(|(id, epoch)| Wanted {
                slot: placement::slot(&id.0),
                epoch: *epoch,
                keys: [self.database.keys().conversation(id)],
            })
            .collect();
        let query = |transaction: &Self, keys| {
            let engine = transaction.engine();
            Query::over(keys, summary("SELECT", "tim_conversation"), || {
                format!(
                    "SELECT k.place, c.head, c.version, c.last_timestamp_ns, c.relations FROM {keys} \
                     {join} tim_conversation c ON c.slot = k.slot AND c.conversation = k.conversation",
                    keys = key_rows(engine, &BY_CONVERSATION),
                    join = join(engine),
                )
            })
        };
        let (rows, mut states) = self.admit_each::<ConversationState, 1>(&wanted, query).await?;
        let mut rooms = KeyRows::new();
        for row in rows {
            let error = |error| self.database.error(error);
            let place = read::place(&row, 0).map_err(error)?;
            let (state, is_room) = read::conversation_state(&row, 1).map_err(error)?;
            states[place] = Ok(state);
            if is_room {
                let slot = i64::from(wanted[place].slot.0);
                rooms
                    .row()
                    .number(place as i64)
                    .number(slot)
                    .bytes(&wanted[place].keys[0]);
            }
        }
        let found = self.rooms_by(rooms, |place| wanted[place].keys[0]).await?;
        for (place, room) in found {
            if let Ok(state) = &mut states[place] {
                state.room = Some(room.into());
            }
        }
        Ok(states)
    }

    async fn entries_after(&mut self, query: EntriesAfter) -> Result<Vec<Entry>, StoreError> {
        self.admit_one(&query.conversation.0, query.epoch, Access::Read)
            .await?;
        let conversation = self.database.keys().conversation(&query.conversation);
        let text = format!(
            "SELECT {ENTRY_COLUMNS} FROM tim_message m \
             WHERE m.slot = ? AND m.conversation = ? AND m.lane = ? AND m.seq > ? ORDER BY m.seq LIMIT ?"
        );
        let values = vec![
            (placement::slot(&query.conversation.0).0 as i32).into(),
            conversation.to_vec().into(),
            LANE.into(),
            (query.after.0 as i64).into(),
            i64::from(query.limit.min(MAX_ENTRIES)).into(),
        ];
        let rows = self.rows(summary("SELECT", "tim_message"), &text, values).await?;
        let mut entries = Vec::with_capacity(rows.len());
        let mut bytes = 0;
        for row in &rows {
            let entry = self.database.entry(&conversation, row, 0)?;
            bytes += entry.body.len();
            if bytes > query.max_bytes && !entries.is_empty() {
                break;
            }
            entries.push(entry);
        }
        Ok(entries)
    }

    async fn history(&mut self, query: HistoryQuery) -> Result<Vec<Entry>, StoreError> {
        self.admit_one(&query.conversation.0, query.epoch, Access::Read)
            .await?;
        let conversation = self.database.keys().conversation(&query.conversation);
        let text = format!(
            "SELECT {ENTRY_COLUMNS} FROM tim_message m \
             WHERE m.slot = ? AND m.conversation = ? AND m.lane = ? AND m.seq <= ? AND m.timestamp_ns <= ? \
             AND m.kind IN (?, ?) ORDER BY m.seq DESC LIMIT ?"
        );
        let up_to = query
            .up_to
            .map_or(i64::MAX, |seq| i64::try_from(seq.0).unwrap_or(i64::MAX));
        let values = vec![
            (placement::slot(&query.conversation.0).0 as i32).into(),
            conversation.to_vec().into(),
            LANE.into(),
            up_to.into(),
            query.not_after_ns.unwrap_or(i64::MAX).into(),
            EntryKind::Message.to_code().into(),
            EntryKind::RoomMessage.to_code().into(),
            i64::from(query.limit.min(MAX_ENTRIES)).into(),
        ];
        let rows = self.rows(summary("SELECT", "tim_message"), &text, values).await?;
        rows.iter()
            .map(|row| self.database.entry(&conversation, row, 0))
            .collect()
    }

    async fn positions(&mut self, queries: &[PositionQuery]) -> Result<Vec<Admitted<Position>>, StoreError> {
        let wanted: Vec<_> = queries
            .iter()
            .map(|query| Wanted {
                slot: placement::slot(&query.conversation.0),
                epoch: query.epoch,
                keys: [
                    self.database.keys().conversation(&query.conversation),
                    self.database.keys().account(&query.account),
                ],
            })
            .collect();
        let (rows, mut positions) = self
            .admit_each::<Position, 2>(&wanted, Self::position_query)
            .await?;
        for row in rows {
            let error = |error| self.database.error(error);
            let place = read::place(&row, 0).map_err(error)?;
            let Ok(position) = &mut positions[place] else {
                continue;
            };
            position.head = Seq(read::number(&row, 1).map_err(error)?);
            if row.try_get_by_index::<i16>(4).map_err(error)? == ROOM_RELATIONS {
                let windows = self.windows(&wanted[place].keys, &row, 5)?;
                position.head = windows.last_shown(position.head);
                position.windows = Some(windows);
            }
            if row.try_get_by_index::<Option<i16>>(2).map_err(error)?.is_some() {
                position.cursors.push(MemberCursor {
                    account: queries[place].account.clone(),
                    class: DeviceClass(read::small(&row, 2).map_err(error)?),
                    cursor: Seq(read::number(&row, 3).map_err(error)?),
                });
            }
        }
        Ok(positions)
    }

    fn position_query(&self, keys: KeyRows) -> Option<Query> {
        let engine = self.engine();
        let columns = [
            KeyColumn::Number("place"),
            KeyColumn::Number("slot"),
            KeyColumn::Bytes("conversation"),
            KeyColumn::Bytes("account"),
        ];
        Query::over(keys, summary("SELECT", "tim_conversation"), || {
            format!(
                "SELECT k.place, c.head, m.class, m.position, c.relations, r.standing, r.sealed FROM {keys} \
                 {join} tim_conversation c ON c.slot = k.slot AND c.conversation = k.conversation \
                 LEFT JOIN tim_member m \
                 ON m.slot = c.slot AND m.conversation = c.conversation AND m.account = k.account \
                 LEFT JOIN tim_room_member r \
                 ON r.slot = c.slot AND r.conversation = c.conversation AND r.account = k.account",
                keys = key_rows(engine, &columns),
                join = join(engine),
            )
        })
    }

    /// What an account sees of a room, from its row, if it has one.
    fn windows(
        &self,
        [conversation, account]: &[RowKey; 2],
        row: &QueryResult,
        column: usize,
    ) -> Result<Windows, StoreError> {
        let standing = row.try_get_by_index::<Option<i16>>(column);
        if standing.map_err(|error| self.database.error(error))?.is_none() {
            return Ok(Windows::default());
        }
        Ok(self.database.member(conversation, account, row, column)?.windows)
    }
}
