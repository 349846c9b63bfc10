//! What a group commit writes.

use tim_core::conversation::{ConversationState, EntryKind, RoomMember, Verdict};
use tim_core::id::{MessageKey, Seq};

use super::Prepared;
use super::load::Target;
use crate::error::StoreError;
use crate::keys::RowKey;
use crate::outbox::Stored;
use crate::schema::{CONVERSATION, LANE, MESSAGE, OUTBOX, ROOM, ROOM_MEMBER, ROOM_RELATIONS};
use crate::statement::{Cell, Row};
use crate::store::Database;
use crate::transaction::Transaction;

/// Rows of all conversations of a batch, by the statement they go into.
#[derive(Default)]
pub(super) struct Writes {
    first: Vec<Row>,
    again: Vec<Row>,
    entries: Vec<Row>,
    tombstones: Vec<Row>,
    rooms: Vec<Row>,
    members: Vec<Row>,
    events: Vec<Row>,
}

impl Writes {
    pub(super) fn is_empty(&self) -> bool {
        self.first.is_empty() && self.again.is_empty()
    }

    /// Takes down what was decided for one conversation; `before` is what its row says, if it has one.
    pub(super) fn add(
        &mut self,
        database: &Database,
        one: &Prepared<'_>,
        verdicts: &[Verdict],
        state: &ConversationState,
        before: Option<&ConversationState>,
    ) -> Result<(), StoreError> {
        let slot = Cell::Number(i64::from(one.slot.0));
        let version = Cell::Number(state.version.0 as i64);
        let relations = match state.room {
            Some(_) => ROOM_RELATIONS,
            None => i16::from(state.relations.to_byte()),
        };
        let rows = match before {
            None => &mut self.first,
            Some(_) => &mut self.again,
        };
        rows.push(vec![
            slot.clone(),
            Cell::bytes(&one.conversation),
            Cell::Number(state.head.0 as i64),
            Cell::Number(state.last_timestamp_ns),
            Cell::Number(i64::from(relations)),
            version.clone(),
        ]);
        let room_before = before.and_then(|before| before.room.as_ref());
        if let Some(room) = state.room.as_ref().filter(|room| room_before != Some(*room)) {
            let version = state.version.0 as i64;
            self.rooms
                .push(database.room_row(one.slot, &one.conversation, room, version)?);
        }
        for (place, (verdict, message)) in verdicts.iter().zip(&one.messages).enumerate() {
            let Verdict::Store { entry, .. } = verdict else {
                continue;
            };
            let sealed = match &message.sealed {
                Some(sealed) => sealed.clone(),
                None => {
                    let hash = one.batch.submissions[place].content_hash;
                    database.seal_decided(&one.conversation, entry, hash)?
                }
            };
            self.entries.push(entry_row(
                one,
                Columns {
                    seq: entry.seq,
                    key: entry.key,
                    client_key: message.client_key,
                    kind: entry.kind,
                    timestamp_ns: entry.timestamp_ns,
                    sealed,
                },
                state,
            ));
        }
        Ok(())
    }

    /// Takes down the rows of accounts of a room.
    pub(super) fn add_members(
        &mut self,
        database: &Database,
        one: &Prepared<'_>,
        state: &ConversationState,
        members: &[RoomMember],
    ) -> Result<(), StoreError> {
        let version = state.version.0 as i64;
        for member in members {
            let row = database.member_row(one.slot, &one.conversation, member, version)?;
            self.members.push(row);
        }
        Ok(())
    }

    /// Takes down who outside is owed news of what is stored.
    pub(super) fn announce(
        &mut self,
        database: &Database,
        one: &Prepared<'_>,
        verdicts: &[Verdict],
        state: &ConversationState,
    ) -> Result<(), StoreError> {
        for (verdict, submission) in verdicts.iter().zip(&one.batch.submissions) {
            if let Verdict::Store { entry, moves, .. } = verdict {
                let stored = Stored {
                    submission,
                    entry,
                    moves: moves.as_ref(),
                    room: state.room.as_deref(),
                };
                self.events
                    .extend(database.event_of(&one.batch.conversation, &stored)?);
            }
        }
        Ok(())
    }

    /// Takes down which entries lose their content: they are written again whole, so that a repartition notices.
    pub(super) fn erase(
        &mut self,
        one: &Prepared<'_>,
        verdicts: &[Verdict],
        state: &ConversationState,
        targets: &[Target],
    ) {
        for verdict in verdicts {
            let Verdict::Store {
                erases: Some(erased), ..
            } = verdict
            else {
                continue;
            };
            let Some(target) = targets.iter().find(|target| target.known.seq == *erased) else {
                continue;
            };
            self.tombstones.push(entry_row(
                one,
                Columns {
                    seq: *erased,
                    key: target.known.key,
                    client_key: target.client_key,
                    kind: EntryKind::Tombstone,
                    timestamp_ns: target.known.timestamp_ns,
                    sealed: target.tombstone.clone(),
                },
                state,
            ));
        }
    }
}

/// What differs between the rows of a conversation's entries.
struct Columns {
    seq: Seq,
    key: MessageKey,
    client_key: Option<RowKey>,
    kind: EntryKind,
    timestamp_ns: i64,
    sealed: Vec<u8>,
}

fn entry_row(one: &Prepared<'_>, columns: Columns, state: &ConversationState) -> Row {
    vec![
        Cell::Number(i64::from(one.slot.0)),
        Cell::bytes(&one.conversation),
        Cell::Number(i64::from(LANE)),
        Cell::Number(columns.seq.0 as i64),
        Cell::bytes(&columns.key.0),
        columns.client_key.map_or(Cell::Nothing, |key| Cell::bytes(&key)),
        Cell::Number(i64::from(columns.kind.to_code())),
        Cell::Number(columns.timestamp_ns),
        Cell::Bytes(columns.sealed),
        Cell::Number(state.version.0 as i64),
    ]
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
        if !writes.rooms.is_empty() {
            self.upsert(&ROOM, writes.rooms).await?;
        }
        if !writes.members.is_empty() {
            self.upsert(&ROOM_MEMBER, writes.members).await?;
        }
        if !writes.events.is_empty() {
            self.insert_absent(&OUTBOX, writes.events).await?;
        }
        if !writes.tombstones.is_empty() {
            self.upsert(&MESSAGE, writes.tombstones).await?;
        }
        Ok(())
    }
}
