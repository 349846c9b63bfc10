//! Rows that go for good, where no repartition copies their range.

use tim_core::id::{AccountId, ConversationId, Epoch, Slot};
use tim_core::placement;

use crate::erase::DeletedId;
use crate::error::StoreError;
use crate::fence::{Access, FenceState};
use crate::schema::{
    ACCOUNT, ACCOUNT_BLOCK, ACCOUNT_CONVERSATION, ACCOUNT_DELETION, CONVERSATION, LANE, MEMBER, MESSAGE,
    ROOM_MEMBER, TRIMMED,
};
use crate::store::Database;
use crate::transaction::{Transaction, summary};

/// Most entries that one step removes.
const PAGE_ENTRIES: u32 = 500;

/// What became of rows that were to go.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Removal {
    /// They are gone.
    Done,
    /// A piece of them; there may be more.
    Some,
    /// A repartition copies the range: later.
    Copying,
}

impl Database {
    /// Removes cursors and the row in a room that an account has in a conversation.
    ///
    /// # Errors
    /// [`StoreError::FenceRefused`], or any of the database. After [`StoreError::CommitInDoubt`] it is done again.
    pub async fn remove_traces(
        &self,
        epoch: Epoch,
        conversation: &ConversationId,
        account: &AccountId,
    ) -> Result<Removal, StoreError> {
        let key = &self.keys().account(account);
        self.transact(Access::Write, &move |mut transaction| {
            Box::pin(async move {
                if !transaction.may_remove(&conversation.0, epoch).await? {
                    return Ok((transaction, Removal::Copying));
                }
                for table in [&MEMBER, &ROOM_MEMBER] {
                    let text = format!(
                        "DELETE FROM {} WHERE slot = ? AND conversation = ? AND account = ?",
                        table.name
                    );
                    let mut values = transaction.conversation_key(conversation);
                    values.push(key.to_vec().into());
                    transaction
                        .run(summary("DELETE", table.name), &text, values)
                        .await?;
                }
                Ok((transaction, Removal::Done))
            })
        })
        .await
    }

    /// Removes a conversation from an account's list.
    ///
    /// # Errors
    /// [`StoreError::FenceRefused`], or any of the database. After [`StoreError::CommitInDoubt`] it is done again.
    pub async fn remove_listing(
        &self,
        epoch: Epoch,
        account: &AccountId,
        conversation: &ConversationId,
    ) -> Result<Removal, StoreError> {
        let keys = self.keys();
        let (owner, listed) = (&keys.account(account), &keys.conversation(conversation));
        self.transact(Access::Write, &move |mut transaction| {
            Box::pin(async move {
                if !transaction.may_remove(account.as_bytes(), epoch).await? {
                    return Ok((transaction, Removal::Copying));
                }
                let text =
                    "DELETE FROM tim_account_conversation WHERE slot = ? AND account = ? AND conversation = ?";
                let values = vec![
                    slot_of(account.as_bytes()).into(),
                    owner.to_vec().into(),
                    listed.to_vec().into(),
                ];
                transaction
                    .run(summary("DELETE", ACCOUNT_CONVERSATION.name), text, values)
                    .await?;
                Ok((transaction, Removal::Done))
            })
        })
        .await
    }

    /// Removes a whole conversation, a piece at a time.
    ///
    /// # Errors
    /// [`StoreError::FenceRefused`], or any of the database. After [`StoreError::CommitInDoubt`] it is done again.
    pub async fn remove_conversation(
        &self,
        epoch: Epoch,
        conversation: &ConversationId,
    ) -> Result<Removal, StoreError> {
        self.transact(Access::Write, &move |mut transaction| {
            Box::pin(async move {
                if !transaction.may_remove(&conversation.0, epoch).await? {
                    return Ok((transaction, Removal::Copying));
                }
                let removed = transaction.remove_conversation(conversation).await?;
                Ok((transaction, removed))
            })
        })
        .await
    }

    /// Removes what else is beside an account, and with it the task of its deletion.
    ///
    /// # Errors
    /// [`StoreError::FenceRefused`], or any of the database. After [`StoreError::CommitInDoubt`] it is done again.
    pub async fn finish_deletion(
        &self,
        epoch: Epoch,
        account: &AccountId,
        id: DeletedId,
    ) -> Result<Removal, StoreError> {
        let key = &self.keys().account(account);
        self.transact(Access::Write, &move |mut transaction| {
            Box::pin(async move {
                if !transaction.may_remove(account.as_bytes(), epoch).await? {
                    return Ok((transaction, Removal::Copying));
                }
                for table in [&ACCOUNT_CONVERSATION, &ACCOUNT_BLOCK, &ACCOUNT_DELETION] {
                    let text = format!("DELETE FROM {} WHERE slot = ? AND account = ?", table.name);
                    let values = vec![slot_of(account.as_bytes()).into(), key.to_vec().into()];
                    transaction
                        .run(summary("DELETE", table.name), &text, values)
                        .await?;
                }
                if id == DeletedId::Free {
                    let text =
                        "DELETE FROM tim_account WHERE slot = ? AND account = ? AND LENGTH(credential) = 0";
                    let values = vec![slot_of(account.as_bytes()).into(), key.to_vec().into()];
                    transaction
                        .run(summary("DELETE", ACCOUNT.name), text, values)
                        .await?;
                }
                Ok((transaction, Removal::Done))
            })
        })
        .await
    }
}

fn slot_of(id: &[u8]) -> i32 {
    placement::slot(id).0 as i32
}

impl Transaction {
    /// Takes the fence of an id for writing; whether rows of its range may go.
    pub(crate) async fn may_remove(&mut self, id: &[u8], epoch: Epoch) -> Result<bool, StoreError> {
        self.admit_one(id, epoch, Access::Write).await?;
        Ok(self.is_quiet(placement::slot(id)))
    }

    /// Whether no repartition is under way in the range of a slot whose fence is held.
    pub(crate) fn is_quiet(&self, slot: Slot) -> bool {
        let fence = self.fences.iter().find(|fence| fence.covers(slot));
        fence.is_some_and(|fence| fence.state == FenceState::Open && !fence.copying)
    }

    async fn remove_conversation(&self, conversation: &ConversationId) -> Result<Removal, StoreError> {
        // Whoever would write to it waits, and finds it gone.
        if self.lock_conversation(conversation).await?.is_none() {
            return Ok(Removal::Done);
        }
        let key = || self.conversation_key(conversation);
        let text = format!(
            "SELECT MAX(seq) FROM (SELECT seq FROM tim_message WHERE slot = ? AND conversation = ? AND lane = {LANE} \
             ORDER BY seq LIMIT {PAGE_ENTRIES}) oldest"
        );
        let rows = self.rows(summary("SELECT", MESSAGE.name), &text, key()).await?;
        let last = rows.first().map(|row| row.try_get_by_index::<Option<i64>>(0));
        let last = last.transpose().map_err(|error| self.database.error(error))?;
        if let Some(last) = last.flatten() {
            self.delete_entries(conversation, last).await?;
            return Ok(Removal::Some);
        }
        for table in [&MEMBER, &TRIMMED, &CONVERSATION] {
            let text = format!("DELETE FROM {} WHERE slot = ? AND conversation = ?", table.name);
            self.run(summary("DELETE", table.name), &text, key()).await?;
        }
        Ok(Removal::Done)
    }

    /// Deletes the entries up to a place; how many.
    pub(crate) async fn delete_entries(
        &self,
        conversation: &ConversationId,
        up_to: i64,
    ) -> Result<u64, StoreError> {
        let text = format!(
            "DELETE FROM tim_message WHERE slot = ? AND conversation = ? AND lane = {LANE} AND seq <= ?"
        );
        let mut values = self.conversation_key(conversation);
        values.push(up_to.into());
        self.run(summary("DELETE", MESSAGE.name), &text, values).await
    }
}
