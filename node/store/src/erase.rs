//! Deleting an account: the steps, each one transaction at one database, each of which may be done again.
//!
//! ```text
//! begin_deletion          the account's partition: the durable task, and from then on nobody logs in
//! detach_from_chat,       each conversation of its list: no relation, no membership, no rank
//!   detach_from_room
//! erase_entries           what it has sent, page by page
//! remove_traces           its cursors and its row in the room
//! remove_listing          the entry in its own list, and in that of the other account
//! remove_conversation     its conversation with the system
//! finish_deletion         its block, and the task itself
//! ```
//!
//! What remains of the account is one row: its keyed id with an empty credential, so that nobody else gets the id. Of
//! users of another system nothing remains ([`DeletedId::Free`]).
//!
//! Rows cannot simply go while a repartition copies their range: the other side would keep them. Steps that remove rows
//! say [`Removal::Copying`] there and are done again later; what hides or overwrites content is done at once.

mod entries;
mod removal;
mod room;

use sea_orm::QueryResult;
use serde::{Deserialize, Serialize};
use tim_core::conversation::{ConversationState, Relations, SentMessages};
use tim_core::id::{AccountId, ConversationId, Epoch};
use tim_core::placement;

use crate::dsn::Engine;
use crate::error::StoreError;
use crate::fence::{Access, FenceState};
use crate::keys::RowKey;
use crate::read;
use crate::schema::{ACCOUNT, ACCOUNT_DELETION, CONVERSATION};
use crate::seal::Place;
use crate::statement::Cell;
use crate::store::Database;
use crate::transaction::{Transaction, summary};

pub use removal::Removal;
pub use room::Detached;

/// Most deletions that one list names; the others come when those are done.
pub const MAX_LISTED_DELETIONS: u32 = 1_000;

/// What becomes of the id of an account when the deletion ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DeletedId {
    /// Nobody gets it again: its row stays, with an empty credential.
    Taken,
    /// It is not ours to keep: the row goes, and whoever it belongs to may come back as somebody new.
    Free,
}

/// An account that is being deleted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Deletion {
    /// Which account.
    pub account: AccountId,
    /// Since when, in Unix milliseconds by the clock of whoever has begun it.
    pub begun_ms: i64,
    /// What becomes of what it has sent.
    pub sent: SentMessages,
}

/// The sealed part of the task. New fields go to the end of a new version of it.
#[derive(Serialize, Deserialize)]
struct Task {
    account: AccountId,
    sent: SentMessages,
}

fn place<'a>(keys: &'a [&'a RowKey]) -> Place<'a> {
    Place {
        table: &ACCOUNT_DELETION,
        column: "sealed",
        keys,
    }
}

impl Database {
    /// Begins to delete an account: what is needed to log in and the profile go, the task is written. Of one that is
    /// begun already, the task as it stands; to erase what was to be kept counts. Nothing where there is no such account
    /// (any more), unless `unknown_too`: of users of another system, only what they left is here.
    ///
    /// # Errors
    /// [`StoreError::FenceRefused`], or any of the database. After [`StoreError::CommitInDoubt`] it is done again.
    pub async fn begin_deletion(
        &self,
        epoch: Epoch,
        wanted: &Deletion,
        unknown_too: bool,
    ) -> Result<Option<Deletion>, StoreError> {
        self.transact(Access::Write, &move |mut transaction| {
            Box::pin(async move {
                let id = &wanted.account;
                transaction.admit_one(id.as_bytes(), epoch, Access::Write).await?;
                let begun = transaction.begin_deletion(wanted, unknown_too).await?;
                Ok((transaction, begun))
            })
        })
        .await
    }

    /// The accounts of this database that are being deleted, at most [`MAX_LISTED_DELETIONS`].
    ///
    /// # Errors
    /// Any of the database.
    pub async fn deletions(&self) -> Result<Vec<Deletion>, StoreError> {
        self.transact(Access::Read, &|transaction| {
            Box::pin(async move {
                let listed = transaction.deletions().await?;
                Ok((transaction, listed))
            })
        })
        .await
    }

    /// Ends what two accounts are to each other, blocks included.
    ///
    /// # Errors
    /// [`StoreError::FenceRefused`], or any of the database. After [`StoreError::CommitInDoubt`] it is done again.
    pub async fn detach_from_chat(
        &self,
        epoch: Epoch,
        conversation: &ConversationId,
    ) -> Result<(), StoreError> {
        self.transact(Access::Write, &move |mut transaction| {
            Box::pin(async move {
                transaction
                    .admit_one(&conversation.0, epoch, Access::Write)
                    .await?;
                let found = transaction.lock_conversation(conversation).await?;
                if let Some((state, false)) = found
                    && state.relations != Relations::default()
                {
                    let row = transaction.conversation_row(conversation, &state, 0);
                    transaction.upsert(&CONVERSATION, vec![row]).await?;
                }
                Ok((transaction, ()))
            })
        })
        .await
    }

    fn deletion(&self, row: &QueryResult, column: usize) -> Result<Deletion, StoreError> {
        let error = |error| self.error(error);
        let key = read::key(row, column).map_err(error)?;
        let begun_ms = row.try_get_by_index::<i64>(column + 1).map_err(error)?;
        let sealed = row.try_get_by_index::<Vec<u8>>(column + 2).map_err(error)?;
        let plain = self.open_sealed(place(&[&key]), sealed)?;
        let task: Task = postcard::from_bytes(&plain).map_err(|_| self.damaged_deletion())?;
        Ok(Deletion {
            account: task.account,
            begun_ms,
            sent: task.sent,
        })
    }

    fn damaged_deletion(&self) -> StoreError {
        StoreError::DamagedRow {
            database: self.name().clone(),
            table: ACCOUNT_DELETION.name,
            reason: "its sealed part is not understood",
        }
    }
}

impl Transaction {
    async fn begin_deletion(
        &mut self,
        wanted: &Deletion,
        unknown_too: bool,
    ) -> Result<Option<Deletion>, StoreError> {
        let key = self.database.keys().account(&wanted.account);
        let slot = placement::slot(wanted.account.as_bytes()).0 as i32;
        let lock = self.row_lock();
        let text = format!(
            "SELECT version, LENGTH(credential) FROM tim_account WHERE slot = ? AND account = ?{lock}"
        );
        let values = vec![slot.into(), key.to_vec().into()];
        let rows = self
            .rows(summary("SELECT", ACCOUNT.name), &text, values.clone())
            .await?;
        let error = |error| self.database.error(error);
        let account = match rows.first() {
            None => None,
            Some(row) => {
                let version = row.try_get_by_index::<i64>(0).map_err(error)?;
                Some((version, self.length(row, 1)?))
            }
        };
        let text = format!(
            "SELECT account, begun_ms, sealed, version FROM tim_account_deletion WHERE slot = ? AND account = ?{lock}"
        );
        let rows = self
            .rows(summary("SELECT", ACCOUNT_DELETION.name), &text, values)
            .await?;
        if let Some(row) = rows.first() {
            let mut begun = self.database.deletion(row, 0)?;
            let version = row.try_get_by_index::<i64>(3).map_err(error)?;
            if wanted.sent > begun.sent {
                begun.sent = wanted.sent;
                self.write_deletion(slot, &key, &begun, version + 1).await?;
            }
            return Ok(Some(begun));
        }
        let version = match account {
            Some((_, 0)) if !unknown_too => return Ok(None),
            None if !unknown_too => return Ok(None),
            None => 1,
            Some((version, _)) => version + 1,
        };
        let left = vec![
            Cell::Number(i64::from(slot)),
            Cell::bytes(&key),
            Cell::Bytes(Vec::new()),
            Cell::Bytes(Vec::new()),
            Cell::Number(version),
        ];
        self.upsert(&ACCOUNT, vec![left]).await?;
        self.write_deletion(slot, &key, wanted, 1).await?;
        Ok(Some(wanted.clone()))
    }

    async fn write_deletion(
        &mut self,
        slot: i32,
        key: &RowKey,
        deletion: &Deletion,
        version: i64,
    ) -> Result<(), StoreError> {
        let task = Task {
            account: deletion.account.clone(),
            sent: deletion.sent,
        };
        let plain = postcard::to_stdvec(&task).map_err(|_| self.database.damaged_deletion())?;
        let sealed = self.database.seal(place(&[key]), &plain)?;
        let row = vec![
            Cell::Number(i64::from(slot)),
            Cell::bytes(key),
            Cell::Number(deletion.begun_ms),
            Cell::Bytes(sealed),
            Cell::Number(version),
        ];
        self.upsert(&ACCOUNT_DELETION, vec![row]).await
    }

    async fn deletions(&self) -> Result<Vec<Deletion>, StoreError> {
        // Rows of a range that is elsewhere, or on its way here, are told by the database that has it.
        let fences = self.all_fences().await?;
        let is_here = |slot: i32| {
            let covers = |from: i32, to: i32| from <= slot && slot < to;
            let fence = fences
                .iter()
                .find(|fence| covers(fence.from.0 as i32, fence.to.0 as i32));
            fence.is_some_and(|fence| matches!(fence.state, FenceState::Open | FenceState::Closing(_)))
        };
        let text = format!(
            "SELECT slot, account, begun_ms, sealed FROM tim_account_deletion \
             ORDER BY slot, account LIMIT {MAX_LISTED_DELETIONS}"
        );
        let rows = self
            .rows(summary("SELECT", ACCOUNT_DELETION.name), &text, Vec::new())
            .await?;
        let mut listed = Vec::with_capacity(rows.len());
        for row in &rows {
            let slot = row.try_get_by_index::<i32>(0);
            if is_here(slot.map_err(|error| self.database.error(error))?) {
                listed.push(self.database.deletion(row, 1)?);
            }
        }
        Ok(listed)
    }

    /// What a SELECT of rows that are about to be written ends with.
    pub(crate) fn row_lock(&self) -> &'static str {
        match self.engine() {
            Engine::Sqlite => "",
            Engine::Postgres | Engine::MySql => " FOR UPDATE",
        }
    }

    /// A length; the engines disagree about the width of its type.
    fn length(&self, row: &QueryResult, column: usize) -> Result<i64, StoreError> {
        let wide = row.try_get_by_index::<i64>(column);
        let length = wide.or_else(|_| row.try_get_by_index::<i32>(column).map(i64::from));
        length.map_err(|error| self.database.error(error))
    }

    /// Locks the row of a conversation and reads it, without its room; whether it is one.
    pub(crate) async fn lock_conversation(
        &self,
        conversation: &ConversationId,
    ) -> Result<Option<(ConversationState, bool)>, StoreError> {
        let text = format!(
            "SELECT head, version, last_timestamp_ns, relations FROM tim_conversation \
             WHERE slot = ? AND conversation = ?{}",
            self.row_lock()
        );
        let values = self.conversation_key(conversation);
        let rows = self
            .rows(summary("SELECT", CONVERSATION.name), &text, values)
            .await?;
        let state = rows.first().map(|row| read::conversation_state(row, 0));
        state.transpose().map_err(|error| self.database.error(error))
    }

    /// The parameters of `slot = ? AND conversation = ?`.
    pub(crate) fn conversation_key(&self, conversation: &ConversationId) -> Vec<sea_orm::Value> {
        let key = self.database.keys().conversation(conversation);
        vec![
            (placement::slot(&conversation.0).0 as i32).into(),
            key.to_vec().into(),
        ]
    }

    /// The next row of a conversation, with other relations: whoever is its home meets a conflict and reads it anew.
    fn conversation_row(
        &self,
        conversation: &ConversationId,
        state: &ConversationState,
        relations: i16,
    ) -> Vec<Cell> {
        vec![
            Cell::Number(i64::from(placement::slot(&conversation.0).0)),
            Cell::bytes(&self.database.keys().conversation(conversation)),
            Cell::Number(state.head.0 as i64),
            Cell::Number(state.last_timestamp_ns),
            Cell::Number(i64::from(relations)),
            Cell::Number(state.version.next().0 as i64),
        ]
    }
}
