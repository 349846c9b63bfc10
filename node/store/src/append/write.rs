//! What a group commit writes.

use tim_core::conversation::{ConversationState, Verdict};

use super::Prepared;
use crate::error::StoreError;
use crate::schema::{CONVERSATION, LANE, MESSAGE};
use crate::statement::{Cell, Row};
use crate::transaction::Transaction;

/// Rows of all conversations of a batch, by the statement they go into.
#[derive(Default)]
pub(super) struct Writes {
    first: Vec<Row>,
    again: Vec<Row>,
    entries: Vec<Row>,
}

impl Writes {
    pub(super) fn is_empty(&self) -> bool {
        self.first.is_empty() && self.again.is_empty()
    }

    /// Takes down what was decided for one conversation; `first` when it had no row.
    pub(super) fn add(
        &mut self,
        one: &Prepared<'_>,
        verdicts: &[Verdict],
        state: &ConversationState,
        first: bool,
    ) {
        let slot = Cell::Number(i64::from(one.slot.0));
        let version = Cell::Number(state.version.0 as i64);
        let rows = if first { &mut self.first } else { &mut self.again };
        rows.push(vec![
            slot.clone(),
            Cell::bytes(&one.conversation),
            Cell::Number(state.head.0 as i64),
            Cell::Number(state.last_timestamp_ns),
            Cell::Number(i64::from(state.relations.to_byte())),
            version.clone(),
        ]);
        for (verdict, message) in verdicts.iter().zip(&one.messages) {
            let Verdict::Store { entry, .. } = verdict else {
                continue;
            };
            self.entries.push(vec![
                slot.clone(),
                Cell::bytes(&one.conversation),
                Cell::Number(i64::from(LANE)),
                Cell::Number(entry.seq.0 as i64),
                Cell::bytes(&entry.key.0),
                message.client_key.map_or(Cell::Nothing, |key| Cell::bytes(&key)),
                Cell::Number(i64::from(entry.kind.to_code())),
                Cell::Number(entry.timestamp_ns),
                Cell::Bytes(message.sealed.clone()),
                version.clone(),
            ]);
        }
    }
}

impl Transaction {
    pub(super) async fn write_appended(&mut self, writes: Writes) -> Result<(), StoreError> {
        let first = writes.first.len() as u64;
        if first > 0 && self.insert_absent(&CONVERSATION, writes.first).await? != first {
            // Somebody made one of the rows since we looked: decide anew, seeing it.
            return Err(StoreError::Contention {
                database: self.database.name().clone(),
                attempts: 1,
            });
        }
        if !writes.again.is_empty() {
            self.upsert(&CONVERSATION, writes.again).await?;
        }
        let entries = writes.entries.len() as u64;
        if entries > 0 && self.insert_absent(&MESSAGE, writes.entries).await? != entries {
            // The second net has caught something. No statement may abort the transaction, so it is given up here.
            return Err(StoreError::Contention {
                database: self.database.name().clone(),
                attempts: 1,
            });
        }
        Ok(())
    }
}
