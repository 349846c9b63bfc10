//! Reading rooms: who is in them, what an account is to them.

use sea_orm::QueryResult;
use tim_core::conversation::{QuietRuns, Room, RoomMember, Standing};
use tim_core::id::{AccountId, ConversationId, Epoch};
use tim_core::placement;

use crate::admit::{Admitted, BY_CONVERSATION, Wanted};
use crate::error::StoreError;
use crate::fence::Access;
use crate::keys::RowKey;
use crate::queries::Query;
use crate::read;
use crate::schema::{ROOM, ROOM_MEMBER};
use crate::statement::{KeyColumn, KeyRows, join, key_rows};
use crate::store::Database;
use crate::transaction::{Transaction, summary};

/// Rows that one query of a room's accounts reads.
const PAGE_ROWS: usize = 5_000;

/// What an account is to a room.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StandingQuery {
    /// The room's conversation.
    pub conversation: ConversationId,
    /// Epoch of its range, as the caller believes.
    pub epoch: Epoch,
    /// The account.
    pub account: AccountId,
}

/// The columns of key rows that look for accounts of rooms.
const BY_MEMBER: [KeyColumn; 4] = [
    KeyColumn::Number("place"),
    KeyColumn::Number("slot"),
    KeyColumn::Bytes("conversation"),
    KeyColumn::Bytes("account"),
];

impl Database {
    /// The accounts that are one of `standings` to a room, page by page: as many as there are.
    ///
    /// # Errors
    /// [`StoreError::FenceRefused`], or any of the database.
    pub async fn room_accounts(
        &self,
        conversation: &ConversationId,
        epoch: Epoch,
        standings: &[Standing],
    ) -> Result<Vec<AccountId>, StoreError> {
        let mut accounts = Vec::new();
        let mut behind: Option<RowKey> = None;
        loop {
            let page = self
                .transact(Access::Read, &move |mut transaction| {
                    Box::pin(async move {
                        let page = transaction
                            .room_page(conversation, epoch, standings, behind)
                            .await?;
                        Ok((transaction, page))
                    })
                })
                .await?;
            let is_last = page.len() < PAGE_ROWS;
            behind = page.last().map(|(key, _)| *key);
            accounts.extend(page.into_iter().map(|(_, account)| account));
            if is_last {
                return Ok(accounts);
            }
        }
    }

    /// Where the entries of a room are news to few; nothing is known of a conversation that is no room.
    ///
    /// # Errors
    /// [`StoreError::FenceRefused`], or any of the database.
    pub async fn quiet_runs(
        &self,
        conversation: &ConversationId,
        epoch: Epoch,
    ) -> Result<QuietRuns, StoreError> {
        self.transact(Access::Read, &move |mut transaction| {
            Box::pin(async move {
                let runs = transaction.quiet_runs(conversation, epoch).await?;
                Ok((transaction, runs))
            })
        })
        .await
    }

    /// What accounts are to rooms, for many at once; nothing where they have nothing to do with each other.
    ///
    /// # Errors
    /// Any of the database.
    pub async fn standings(
        &self,
        queries: &[StandingQuery],
    ) -> Result<Vec<Admitted<Option<RoomMember>>>, StoreError> {
        self.transact(Access::Read, &|mut transaction| {
            Box::pin(async move {
                let found = transaction.standings(queries).await?;
                Ok((transaction, found))
            })
        })
        .await
    }
}

impl Transaction {
    async fn room_page(
        &mut self,
        id: &ConversationId,
        epoch: Epoch,
        standings: &[Standing],
        behind: Option<RowKey>,
    ) -> Result<Vec<(RowKey, AccountId)>, StoreError> {
        self.admit_one(&id.0, epoch, Access::Read).await?;
        let conversation = self.database.keys().conversation(id);
        let codes: Vec<String> = standings
            .iter()
            .map(|standing| standing.to_byte().to_string())
            .collect();
        let text = format!(
            "SELECT r.account, r.standing, r.sealed FROM tim_room_member r \
             WHERE r.slot = ? AND r.conversation = ? AND r.account > ? AND r.standing IN ({}) \
             ORDER BY r.account LIMIT {PAGE_ROWS}",
            codes.join(", ")
        );
        let values = vec![
            (placement::slot(&id.0).0 as i32).into(),
            conversation.to_vec().into(),
            // Before the first: no key is empty.
            behind.map_or_else(Vec::new, |key| key.to_vec()).into(),
        ];
        let what = summary("SELECT", ROOM_MEMBER.name);
        let rows = self.rows(what, &text, values).await?;
        rows.iter()
            .map(|row| {
                let key = read::key(row, 0).map_err(|error| self.database.error(error))?;
                let member = self.database.member(&conversation, &key, row, 1)?;
                Ok((key, member.account))
            })
            .collect()
    }

    async fn quiet_runs(&mut self, id: &ConversationId, epoch: Epoch) -> Result<QuietRuns, StoreError> {
        self.admit_one(&id.0, epoch, Access::Read).await?;
        let conversation = self.database.keys().conversation(id);
        let mut keys = KeyRows::new();
        let slot = i64::from(placement::slot(&id.0).0);
        keys.row().number(0).number(slot).bytes(&conversation);
        let rooms = self.rooms_by(keys, |_| conversation).await?;
        Ok(rooms
            .into_iter()
            .next()
            .map(|(_, room)| room.quiet)
            .unwrap_or_default())
    }

    async fn standings(
        &mut self,
        queries: &[StandingQuery],
    ) -> Result<Vec<Admitted<Option<RoomMember>>>, StoreError> {
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
        let (rows, mut found) = self
            .admit_each::<Option<RoomMember>, 2>(&wanted, Self::member_rows)
            .await?;
        for (place, member) in self.members_found(&rows, |place| wanted[place].keys[0])? {
            found[place] = Ok(Some(member));
        }
        Ok(found)
    }

    /// The rows of accounts of rooms by key rows of place, slot, conversation and account.
    pub(crate) async fn members_by(
        &self,
        keys: KeyRows,
        conversation_of: impl Fn(usize) -> RowKey,
    ) -> Result<Vec<(usize, RoomMember)>, StoreError> {
        let rows = self.rows_found(self.member_rows(keys)).await?;
        self.members_found(&rows, conversation_of)
    }

    fn member_rows(&self, keys: KeyRows) -> Option<Query> {
        let engine = self.engine();
        Query::over(keys, summary("SELECT", ROOM_MEMBER.name), || {
            format!(
                "SELECT k.place, r.account, r.standing, r.sealed FROM {keys} {join} tim_room_member r \
                 ON r.slot = k.slot AND r.conversation = k.conversation AND r.account = k.account",
                keys = key_rows(engine, &BY_MEMBER),
                join = join(engine),
            )
        })
    }

    fn members_found(
        &self,
        rows: &[QueryResult],
        conversation_of: impl Fn(usize) -> RowKey,
    ) -> Result<Vec<(usize, RoomMember)>, StoreError> {
        rows.iter()
            .map(|row| {
                let place = read::place(row, 0).map_err(|error| self.database.error(error))?;
                let member = self.database.keyed_member(&conversation_of(place), row, 1)?;
                Ok((place, member))
            })
            .collect()
    }

    /// The rooms of conversations, by key rows of [`BY_CONVERSATION`].
    pub(crate) async fn rooms_by(
        &self,
        keys: KeyRows,
        conversation_of: impl Fn(usize) -> RowKey,
    ) -> Result<Vec<(usize, Room)>, StoreError> {
        if keys.is_empty() {
            return Ok(Vec::new());
        }
        let engine = self.engine();
        let text = format!(
            "SELECT k.place, r.sealed FROM {keys} {join} tim_room r \
             ON r.slot = k.slot AND r.conversation = k.conversation",
            keys = key_rows(engine, &BY_CONVERSATION),
            join = join(engine),
        );
        let what = summary("SELECT", ROOM.name);
        let rows = self.rows(what, &text, vec![keys.finish()]).await?;
        rows.iter()
            .map(|row| {
                let error = |error| self.database.error(error);
                let place = read::place(row, 0).map_err(error)?;
                let sealed: Vec<u8> = row.try_get_by_index(1).map_err(error)?;
                Ok((place, self.database.room(&conversation_of(place), sealed)?))
            })
            .collect()
    }
}
