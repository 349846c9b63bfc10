//! Erasing what a deleted account has sent, a bounded piece of a conversation at a time.

use sea_orm::QueryResult;
use tim_core::id::{ConversationId, Epoch, Seq};
use tim_core::placement;

use super::Deletion;
use crate::error::StoreError;
use crate::fence::Access;
use crate::read::{ENTRY_COLUMN_COUNT, ENTRY_COLUMNS};
use crate::schema::{LANE, MESSAGE};
use crate::statement::{Cell, Row};
use crate::store::Database;
use crate::transaction::{Transaction, summary};

/// Most entries that one step looks at.
const PAGE_ENTRIES: u32 = 256;

/// Most sealed bytes that one step looks at; a single larger entry still makes a step.
const PAGE_BYTES: i64 = 4 << 20;

impl Database {
    /// Takes an account out of the entries behind a place: the next piece of them. The last place it has looked at;
    /// nothing when none is left.
    ///
    /// # Errors
    /// [`StoreError::FenceRefused`], or any of the database. After [`StoreError::CommitInDoubt`] it is done again.
    pub async fn erase_entries(
        &self,
        epoch: Epoch,
        conversation: &ConversationId,
        deletion: &Deletion,
        behind: Seq,
    ) -> Result<Option<Seq>, StoreError> {
        self.transact(Access::Write, &move |mut transaction| {
            Box::pin(async move {
                transaction
                    .admit_one(&conversation.0, epoch, Access::Write)
                    .await?;
                let last = transaction.erase_entries(conversation, deletion, behind).await?;
                Ok((transaction, last))
            })
        })
        .await
    }
}

impl Transaction {
    async fn erase_entries(
        &mut self,
        conversation: &ConversationId,
        deletion: &Deletion,
        behind: Seq,
    ) -> Result<Option<Seq>, StoreError> {
        // Under this lock nobody takes an entry back meanwhile.
        let Some((state, is_room)) = self.lock_conversation(conversation).await? else {
            return Ok(None);
        };
        let Some(until) = self.end_of_piece(conversation, behind).await? else {
            return Ok(None);
        };
        let text = format!(
            "SELECT {ENTRY_COLUMNS}, m.client_key, m.version FROM tim_message m \
             WHERE m.slot = ? AND m.conversation = ? AND m.lane = ? AND m.seq > ? AND m.seq <= ? ORDER BY m.seq"
        );
        let mut values = self.piece(conversation, behind);
        values.push((until.0 as i64).into());
        let rows = self.rows(summary("SELECT", MESSAGE.name), &text, values).await?;
        let mut changed = Vec::new();
        for row in &rows {
            changed.extend(self.erased_row(
                conversation,
                deletion,
                row,
                (state.version.0 as i64, is_room),
            )?);
        }
        if !changed.is_empty() {
            self.upsert(&MESSAGE, changed).await?;
        }
        Ok(Some(until))
    }

    /// The parameters of "of the conversation and behind the place".
    fn piece(&self, conversation: &ConversationId, behind: Seq) -> Vec<sea_orm::Value> {
        let mut values = self.conversation_key(conversation);
        values.push(LANE.into());
        values.push((behind.0 as i64).into());
        values
    }

    /// The last place of the next piece; only lengths travel for that.
    async fn end_of_piece(
        &self,
        conversation: &ConversationId,
        behind: Seq,
    ) -> Result<Option<Seq>, StoreError> {
        let text = format!(
            "SELECT seq, LENGTH(sealed) FROM tim_message \
             WHERE slot = ? AND conversation = ? AND lane = ? AND seq > ? ORDER BY seq LIMIT {PAGE_ENTRIES}"
        );
        let rows = self
            .rows(
                summary("SELECT", MESSAGE.name),
                &text,
                self.piece(conversation, behind),
            )
            .await?;
        let mut bytes = 0;
        let mut last = None;
        for row in &rows {
            bytes += self.length(row, 1)?;
            if bytes > PAGE_BYTES && last.is_some() {
                break;
            }
            let seq = crate::read::number(row, 0).map_err(|error| self.database.error(error))?;
            last = Some(Seq(seq));
        }
        Ok(last)
    }

    fn erased_row(
        &self,
        id: &ConversationId,
        deletion: &Deletion,
        row: &QueryResult,
        (conversation_version, is_room): (i64, bool),
    ) -> Result<Option<Row>, StoreError> {
        let conversation = self.database.keys().conversation(id);
        let (entry, content_hash) = self.database.hashed_entry(&conversation, row, 0)?;
        let Some(left) = entry.without_account(&deletion.account, deletion.sent, is_room) else {
            return Ok(None);
        };
        // What recognises a retry holds its sender.
        let is_nobodys = left.sender != entry.sender;
        let error = |error| self.database.error(error);
        let client_key = row
            .try_get_by_index::<Option<Vec<u8>>>(ENTRY_COLUMN_COUNT)
            .map_err(error)?
            .filter(|_| !is_nobodys);
        let version = row
            .try_get_by_index::<i64>(ENTRY_COLUMN_COUNT + 1)
            .map_err(error)?;
        let hash = if is_nobodys {
            Default::default()
        } else {
            content_hash
        };
        let sealed = self.database.seal_decided(&conversation, &left, hash)?;
        Ok(Some(vec![
            Cell::Number(i64::from(placement::slot(&id.0).0)),
            Cell::bytes(&conversation),
            Cell::Number(i64::from(LANE)),
            Cell::Number(left.seq.0 as i64),
            Cell::bytes(&left.key.0),
            client_key.map_or(Cell::Nothing, Cell::Bytes),
            Cell::Number(i64::from(left.kind.to_code())),
            Cell::Number(left.timestamp_ns),
            Cell::Bytes(sealed),
            Cell::Number(conversation_version.max(version + 1)),
        ]))
    }
}
