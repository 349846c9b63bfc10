//! Reading conversations: states for homes and rights, entries for delivery and history, positions for logins.
//!
//! Every call is one transaction under the fences of what it reads. What a fence refuses is answered so; the rest of
//! the call goes on.

use tim_core::conversation::{ConversationState, Entry, EntryKind, FenceRefusal, MemberCursor};
use tim_core::id::{AccountId, ConversationId, DeviceClass, Epoch, Seq};
use tim_core::placement;

use crate::error::StoreError;
use crate::fence::Access;
use crate::read::{self, ENTRY_COLUMNS};
use crate::schema::LANE;
use crate::statement::{KeyColumn, KeyRows, join, key_rows};
use crate::store::Database;
use crate::transaction::{Transaction, summary};

/// Most entries one call returns, whatever is asked.
pub const MAX_ENTRIES: u32 = 500;

/// What one item of a call got: its answer, or the fence's refusal.
pub type Admitted<T> = Result<T, FenceRefusal>;

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
    /// Number of the newest entry; 0 for none.
    pub head: Seq,
    /// The cursors of the account's device classes; see [`tim_core::conversation::starting_cursor`].
    pub cursors: Vec<MemberCursor>,
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
                transaction
                    .admit_one(&query.conversation.0, query.epoch, Access::Read)
                    .await?;
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
                transaction
                    .admit_one(&query.conversation.0, query.epoch, Access::Read)
                    .await?;
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
    /// Takes the fence of one id; its refusal is an error.
    pub(crate) async fn admit_one(
        &mut self,
        id: &[u8],
        epoch: Epoch,
        access: Access,
    ) -> Result<(), StoreError> {
        let slot = placement::slot(id);
        let admitted = self.admit(&[(slot, epoch)], access).await?;
        match admitted.into_iter().next() {
            Some(Err(refused)) => Err(StoreError::FenceRefused {
                database: self.database.name().clone(),
                slot,
                refused,
            }),
            Some(Ok(())) | None => Ok(()),
        }
    }

    async fn states(
        &mut self,
        conversations: &[(ConversationId, Epoch)],
    ) -> Result<Vec<Admitted<ConversationState>>, StoreError> {
        let uses: Vec<_> = conversations
            .iter()
            .map(|(id, epoch)| (placement::slot(&id.0), *epoch))
            .collect();
        let admitted = self.admit(&uses, Access::Read).await?;
        let mut keys = KeyRows::new();
        for (place, (id, _)) in conversations
            .iter()
            .enumerate()
            .filter(|(place, _)| admitted[*place].is_ok())
        {
            let key = self.database.keys().conversation(id);
            keys.row()
                .number(place as i64)
                .number(i64::from(uses[place].0.0))
                .bytes(&key);
        }
        let mut states: Vec<Admitted<ConversationState>> = admitted
            .into_iter()
            .map(|admitted| admitted.map(|()| ConversationState::default()))
            .collect();
        if keys.is_empty() {
            return Ok(states);
        }
        let engine = self.engine();
        let columns = [
            KeyColumn::Number("place"),
            KeyColumn::Number("slot"),
            KeyColumn::Bytes("conversation"),
        ];
        let text = format!(
            "SELECT k.place, c.head, c.version, c.last_timestamp_ns, c.relations FROM {keys} \
             {join} tim_conversation c ON c.slot = k.slot AND c.conversation = k.conversation",
            keys = key_rows(engine, &columns),
            join = join(engine),
        );
        for row in self
            .rows(summary("SELECT", "tim_conversation"), &text, vec![keys.finish()])
            .await?
        {
            let error = |error| self.database.error(error);
            let place = read::place(&row, 0).map_err(error)?;
            states[place] = Ok(read::conversation_state(&row, 1).map_err(error)?);
        }
        Ok(states)
    }

    async fn entries_after(&mut self, query: EntriesAfter) -> Result<Vec<Entry>, StoreError> {
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
        let conversation = self.database.keys().conversation(&query.conversation);
        let text = format!(
            "SELECT {ENTRY_COLUMNS} FROM tim_message m \
             WHERE m.slot = ? AND m.conversation = ? AND m.lane = ? AND m.seq <= ? AND m.timestamp_ns <= ? \
             AND m.kind = ? ORDER BY m.seq DESC LIMIT ?"
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
            i64::from(query.limit.min(MAX_ENTRIES)).into(),
        ];
        let rows = self.rows(summary("SELECT", "tim_message"), &text, values).await?;
        rows.iter()
            .map(|row| self.database.entry(&conversation, row, 0))
            .collect()
    }

    async fn positions(&mut self, queries: &[PositionQuery]) -> Result<Vec<Admitted<Position>>, StoreError> {
        let uses: Vec<_> = queries
            .iter()
            .map(|query| (placement::slot(&query.conversation.0), query.epoch))
            .collect();
        let admitted = self.admit(&uses, Access::Read).await?;
        let mut keys = KeyRows::new();
        for (place, query) in queries
            .iter()
            .enumerate()
            .filter(|(place, _)| admitted[*place].is_ok())
        {
            keys.row()
                .number(place as i64)
                .number(i64::from(uses[place].0.0))
                .bytes(&self.database.keys().conversation(&query.conversation))
                .bytes(&self.database.keys().account(&query.account));
        }
        let mut positions: Vec<Admitted<Position>> = admitted
            .into_iter()
            .map(|admitted| admitted.map(|()| Position::default()))
            .collect();
        if keys.is_empty() {
            return Ok(positions);
        }
        let engine = self.engine();
        let columns = [
            KeyColumn::Number("place"),
            KeyColumn::Number("slot"),
            KeyColumn::Bytes("conversation"),
            KeyColumn::Bytes("account"),
        ];
        let text = format!(
            "SELECT k.place, c.head, m.class, m.position FROM {keys} \
             {join} tim_conversation c ON c.slot = k.slot AND c.conversation = k.conversation \
             LEFT JOIN tim_member m \
             ON m.slot = c.slot AND m.conversation = c.conversation AND m.account = k.account",
            keys = key_rows(engine, &columns),
            join = join(engine),
        );
        for row in self
            .rows(summary("SELECT", "tim_conversation"), &text, vec![keys.finish()])
            .await?
        {
            let error = |error| self.database.error(error);
            let place = read::place(&row, 0).map_err(error)?;
            let Ok(position) = &mut positions[place] else {
                continue;
            };
            position.head = Seq(read::number(&row, 1).map_err(error)?);
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
}
