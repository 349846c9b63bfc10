//! The list of conversations of an account, in the account's own partition.
//!
//! A superset of what the account takes part in: an entry is durable before a relation commits, and goes only after it
//! has ended. Whether two accounts are friends, and whether an account is in a room, is asked of the conversation.

use std::collections::HashSet;

use serde::{Deserialize, Serialize};
use tim_core::id::{AccountId, ConversationId, Epoch, RoomId};
use tim_core::placement;

use crate::admit::{Admitted, BY_ACCOUNT};
use crate::error::StoreError;
use crate::fence::Access;
use crate::queries::Query;
use crate::read;
use crate::schema::{ACCOUNT, ACCOUNT_CONVERSATION};
use crate::seal::Place;
use crate::statement::{Cell, KeyRows, Row, join, key_rows};
use crate::store::Database;
use crate::transaction::{Transaction, summary};

/// One entry of an account's list.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct ListedConversation {
    /// The conversation.
    pub conversation: ConversationId,
    /// What it is.
    pub what: Listed,
}

/// What a listed conversation is.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum Listed {
    /// A chat with another account.
    Direct(AccountId),
    /// A room.
    Room(RoomId),
}

/// An entry that is to be in an account's list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ListEntry {
    /// Whose list.
    pub account: AccountId,
    /// Epoch of the account's range, as the caller believes.
    pub epoch: Epoch,
    /// What is to be in it.
    pub listed: ListedConversation,
}

/// What became of an entry.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Listing {
    /// It is in the list.
    Listed,
    /// The account was deleted, or is just being: nothing begins for it any more.
    Deleted,
}

impl Database {
    /// Puts conversations into lists; those that are in them already stay.
    ///
    /// # Errors
    /// Any of the database. After [`StoreError::CommitInDoubt`] it is done again.
    pub async fn list_conversations(
        &self,
        entries: &[ListEntry],
    ) -> Result<Vec<Admitted<Listing>>, StoreError> {
        let rows: &Vec<Row> = &entries
            .iter()
            .map(|entry| self.list_row(entry))
            .collect::<Result<_, StoreError>>()?;
        self.transact(Access::Write, &move |mut transaction| {
            Box::pin(async move {
                let uses: Vec<_> = entries
                    .iter()
                    .map(|entry| (placement::slot(entry.account.as_bytes()), entry.epoch))
                    .collect();
                let admitted = transaction.admit(&uses, Access::Write).await?;
                let deleted = transaction.deleted_among(rows, &admitted).await?;
                let answers: Vec<Admitted<Listing>> = admitted
                    .into_iter()
                    .enumerate()
                    .map(|(place, admitted)| {
                        admitted.map(|()| match deleted.contains(&place) {
                            true => Listing::Deleted,
                            false => Listing::Listed,
                        })
                    })
                    .collect();
                let mut admitted_rows: Vec<Row> = rows
                    .iter()
                    .zip(&answers)
                    .filter(|(_, answer)| **answer == Ok(Listing::Listed))
                    .map(|(row, _)| row.clone())
                    .collect();
                admitted_rows.sort_by_key(|row| (row[0].as_number(), ACCOUNT_CONVERSATION.row_key(row)));
                admitted_rows.dedup_by(|one, other| one[..3] == other[..3]);
                transaction
                    .insert_absent(&ACCOUNT_CONVERSATION, admitted_rows)
                    .await?;
                Ok((transaction, answers))
            })
        })
        .await
    }

    /// The lists of accounts, in one query however many are asked.
    ///
    /// # Errors
    /// Any of the database.
    pub async fn conversations_of(
        &self,
        accounts: &[(AccountId, Epoch)],
    ) -> Result<Vec<Admitted<Vec<ListedConversation>>>, StoreError> {
        self.transact(Access::Read, &|mut transaction| {
            Box::pin(async move {
                let lists = transaction.conversations_of(accounts).await?;
                Ok((transaction, lists))
            })
        })
        .await
    }

    fn list_row(&self, entry: &ListEntry) -> Result<Row, StoreError> {
        let account = self.keys().account(&entry.account);
        let conversation = self.keys().conversation(&entry.listed.conversation);
        let plain =
            postcard::to_stdvec(&entry.listed).map_err(|_| self.damaged_list("it cannot be encoded"))?;
        let place = Place {
            table: &ACCOUNT_CONVERSATION,
            column: "sealed",
            keys: &[&account, &conversation],
        };
        let sealed = self.seal(place, &plain)?;
        Ok(vec![
            Cell::Number(i64::from(placement::slot(entry.account.as_bytes()).0)),
            Cell::bytes(&account),
            Cell::bytes(&conversation),
            Cell::Number(1),
            Cell::Bytes(sealed),
            Cell::Number(1),
        ])
    }

    fn damaged_list(&self, reason: &'static str) -> StoreError {
        StoreError::DamagedRow {
            database: self.name().clone(),
            table: ACCOUNT_CONVERSATION.name,
            reason,
        }
    }
}

impl Transaction {
    /// Which of the admitted rows are of accounts that were deleted.
    async fn deleted_among(
        &self,
        rows: &[Row],
        admitted: &[Admitted<()>],
    ) -> Result<HashSet<usize>, StoreError> {
        let mut keys = KeyRows::new();
        for (place, row) in rows
            .iter()
            .enumerate()
            .filter(|(place, _)| admitted[*place].is_ok())
        {
            keys.row()
                .number(place as i64)
                .number(row[0].as_number())
                .bytes(row[1].as_bytes());
        }
        if keys.is_empty() {
            return Ok(HashSet::new());
        }
        let engine = self.engine();
        let text = format!(
            "SELECT k.place FROM {keys} {join} tim_account a \
             ON a.slot = k.slot AND a.account = k.account AND LENGTH(a.credential) = 0",
            keys = key_rows(engine, &BY_ACCOUNT),
            join = join(engine),
        );
        let found = self
            .rows(summary("SELECT", ACCOUNT.name), &text, vec![keys.finish()])
            .await?;
        let places = found.iter().map(|row| read::place(row, 0));
        places
            .collect::<Result<_, _>>()
            .map_err(|error| self.database.error(error))
    }

    async fn conversations_of(
        &mut self,
        accounts: &[(AccountId, Epoch)],
    ) -> Result<Vec<Admitted<Vec<ListedConversation>>>, StoreError> {
        let wanted = self.database.wanted_accounts(accounts);
        let query = |transaction: &Self, keys| {
            let engine = transaction.engine();
            Query::over(keys, summary("SELECT", ACCOUNT_CONVERSATION.name), || {
                format!(
                    "SELECT k.place, l.conversation, l.sealed FROM {keys} {join} tim_account_conversation l \
                     ON l.slot = k.slot AND l.account = k.account AND l.listed = 1",
                    keys = key_rows(engine, &BY_ACCOUNT),
                    join = join(engine),
                )
            })
        };
        let (rows, mut lists) = self
            .admit_each::<Vec<ListedConversation>, 1>(&wanted, query)
            .await?;
        for row in rows {
            let error = |error| self.database.error(error);
            let place = read::place(&row, 0).map_err(error)?;
            let conversation = read::key(&row, 1).map_err(error)?;
            let sealed = row.try_get_by_index::<Vec<u8>>(2).map_err(error)?;
            let seal_place = Place {
                table: &ACCOUNT_CONVERSATION,
                column: "sealed",
                keys: &[&wanted[place].keys[0], &conversation],
            };
            let plain = self.database.open_sealed(seal_place, sealed)?;
            let listed = postcard::from_bytes(&plain)
                .map_err(|_| self.database.damaged_list("its sealed part is not understood"))?;
            if let Ok(list) = &mut lists[place] {
                list.push(listed);
            }
        }
        for list in lists.iter_mut().flatten() {
            list.sort();
        }
        Ok(lists)
    }
}
