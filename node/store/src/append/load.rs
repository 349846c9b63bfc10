//! What a group commit reads, under the locks it takes.

use std::collections::HashMap;

use sea_orm::QueryResult;
use tim_core::conversation::{ConversationState, KnownEntry, MemberCursor, Operation, RoomMember, concerned};
use tim_core::id::{AccountId, DeviceClass, Seq};

use super::Prepared;
use crate::admit::{Admitted, BY_CONVERSATION};
use crate::dsn::Engine;
use crate::error::StoreError;
use crate::fence::Access;
use crate::keys::RowKey;
use crate::queries::Query;
use crate::read;
use crate::schema::LANE;
use crate::statement::{KeyColumn, KeyRows, join, key_rows};
use crate::transaction::{Transaction, summary};

/// Values of conversations by their place in the call.
type ByPlace<T> = HashMap<usize, T>;

/// A message that may be erased, and the row it would become.
pub(super) struct Target {
    pub(super) known: KnownEntry,
    pub(super) client_key: Option<RowKey>,
    /// Its sealed part without the body.
    pub(super) tombstone: Vec<u8>,
}

/// What every group commit reads.
pub(super) struct Loaded {
    /// By place, the fence's answer.
    pub(super) admitted: Vec<Admitted<()>>,
    /// The conversations that have a row.
    pub(super) states: ByPlace<ConversationState>,
    /// The stored entries that submissions might be.
    pub(super) known: ByPlace<Vec<KnownEntry>>,
    /// The cursors of the accounts that submissions name.
    pub(super) cursors: ByPlace<Vec<MemberCursor>>,
}

impl Transaction {
    /// Takes the fences, locks the rows of conversations in key order, and reads what nearly every decision needs.
    pub(super) async fn load(&mut self, prepared: &[Prepared<'_>]) -> Result<Loaded, StoreError> {
        let uses: Vec<_> = prepared.iter().map(|one| (one.slot, one.batch.epoch)).collect();
        let (admitted, [conversations, by_message, by_client, cursors]) = self
            .admit_and_read(&uses, Access::Write, |transaction, is_read| {
                let (by_message, by_client) = transaction.known_queries(prepared, is_read);
                let conversations = transaction.conversation_query(prepared, is_read);
                let cursors = transaction.cursor_query(prepared, is_read);
                [conversations, by_message, by_client, cursors]
            })
            .await?;
        let known: Vec<QueryResult> = by_message.into_iter().chain(by_client).collect();
        Ok(Loaded {
            admitted,
            states: self.states_of(prepared, &conversations).await?,
            known: self.known_entries(prepared, &known)?,
            cursors: self.cursors(prepared, &cursors)?,
        })
    }

    fn conversation_query(
        &self,
        prepared: &[Prepared<'_>],
        is_read: &dyn Fn(usize) -> bool,
    ) -> Option<Query> {
        let mut order: Vec<usize> = (0..prepared.len()).filter(|place| is_read(*place)).collect();
        order.sort_unstable_by_key(|place| (prepared[*place].slot, prepared[*place].conversation));
        let engine = self.engine();
        // MySQL reads, and so locks, in the order of the key rows; PostgreSQL sorts before it locks.
        let suffix = match engine {
            Engine::Sqlite => "",
            Engine::Postgres => " ORDER BY c.slot, c.conversation FOR UPDATE OF c",
            Engine::MySql => " FOR UPDATE",
        };
        let keys = conversation_keys(prepared, order);
        Query::over(keys, summary("SELECT", "tim_conversation"), || {
            format!(
                "SELECT k.place, c.head, c.version, c.last_timestamp_ns, c.relations FROM {keys} \
                 {join} tim_conversation c ON c.slot = k.slot AND c.conversation = k.conversation{suffix}",
                keys = key_rows(engine, &BY_CONVERSATION),
                join = join(engine),
            )
        })
    }

    /// Conversations without a row are left out.
    async fn states_of(
        &self,
        prepared: &[Prepared<'_>],
        rows: &[QueryResult],
    ) -> Result<ByPlace<ConversationState>, StoreError> {
        let mut states = HashMap::with_capacity(rows.len());
        let mut rooms = Vec::new();
        for row in rows {
            let error = |error| self.database.error(error);
            let place = read::place(row, 0).map_err(error)?;
            let (state, is_room) = read::conversation_state(row, 1).map_err(error)?;
            states.insert(place, state);
            if is_room {
                rooms.push(place);
            }
        }
        let keys = conversation_keys(prepared, rooms);
        let found = self.rooms_by(keys, |place| prepared[place].conversation).await?;
        for (place, room) in found {
            if let Some(state) = states.get_mut(&place) {
                state.room = Some(room.into());
            }
        }
        Ok(states)
    }

    /// The rows of the accounts that what is asked of rooms concerns: not of everybody in them.
    pub(super) async fn members_of(
        &self,
        prepared: &[Prepared<'_>],
        states: &ByPlace<ConversationState>,
    ) -> Result<ByPlace<Vec<RoomMember>>, StoreError> {
        let mut keys = KeyRows::new();
        let with_room = |place: &usize| states.get(place).is_some_and(|state| state.room.is_some());
        for (place, one) in prepared.iter().enumerate().filter(|(place, _)| with_room(place)) {
            let mut accounts: Vec<AccountId> = one
                .batch
                .submissions
                .iter()
                .flat_map(|submission| concerned(submission))
                .collect();
            accounts.sort_unstable();
            accounts.dedup();
            for account in accounts {
                keys.row()
                    .number(place as i64)
                    .number(i64::from(one.slot.0))
                    .bytes(&one.conversation)
                    .bytes(&self.database.keys().account(&account));
            }
        }
        let mut members: ByPlace<Vec<RoomMember>> = HashMap::new();
        let found = self
            .members_by(keys, |place| prepared[place].conversation)
            .await?;
        for (place, member) in found {
            members.entry(place).or_default().push(member);
        }
        Ok(members)
    }

    /// Looks for the stored entries that submissions might be: by message key, and by the client's own id.
    fn known_queries(
        &self,
        prepared: &[Prepared<'_>],
        is_read: &dyn Fn(usize) -> bool,
    ) -> (Option<Query>, Option<Query>) {
        let mut by_message = KeyRows::new();
        let mut by_client = KeyRows::new();
        for (place, one) in prepared.iter().enumerate().filter(|(place, _)| is_read(*place)) {
            for (submission, message) in one.batch.submissions.iter().zip(&one.messages) {
                by_message
                    .row()
                    .number(place as i64)
                    .bytes(&one.conversation)
                    .bytes(&submission.key.0);
                if let Some(client) = &message.client_key {
                    by_client
                        .row()
                        .number(place as i64)
                        .bytes(&one.conversation)
                        .bytes(client);
                }
            }
        }
        (
            self.entries_by("message", by_message),
            self.entries_by("client_key", by_client),
        )
    }

    /// Leaves the slot out, so that only the index of that column serves (see [`crate::schema::MESSAGE`]).
    fn entries_by(&self, column: &'static str, keys: KeyRows) -> Option<Query> {
        let engine = self.engine();
        let columns = [
            KeyColumn::Number("place"),
            KeyColumn::Bytes("conversation"),
            KeyColumn::Bytes("wanted"),
        ];
        Query::over(keys, summary("SELECT", "tim_message"), || {
            format!(
                "SELECT k.place, {entry} FROM {keys} {join} tim_message m \
                 ON m.conversation = k.conversation AND m.{column} = k.wanted",
                entry = read::ENTRY_COLUMNS,
                keys = key_rows(engine, &columns),
                join = join(engine),
            )
        })
    }

    fn known_entries(
        &self,
        prepared: &[Prepared<'_>],
        rows: &[QueryResult],
    ) -> Result<ByPlace<Vec<KnownEntry>>, StoreError> {
        let mut known: ByPlace<Vec<KnownEntry>> = HashMap::new();
        for row in rows {
            let place = read::place(row, 0).map_err(|error| self.database.error(error))?;
            let entry = self.database.known_entry(&prepared[place].conversation, row, 1)?;
            let of_conversation = known.entry(place).or_default();
            if !of_conversation.contains(&entry) {
                of_conversation.push(entry);
            }
        }
        Ok(known)
    }

    /// The messages that submissions erase; rare, and so a statement of its own that is not run without them.
    pub(super) async fn targets_of(
        &self,
        prepared: &[Prepared<'_>],
        states: &ByPlace<ConversationState>,
    ) -> Result<ByPlace<Vec<Target>>, StoreError> {
        let mut keys = KeyRows::new();
        for (place, one) in prepared
            .iter()
            .enumerate()
            .filter(|(place, _)| states.contains_key(place))
        {
            let targets = one
                .batch
                .submissions
                .iter()
                .map(|submission| submission.operation.target());
            for seq in targets.flatten() {
                keys.row()
                    .number(place as i64)
                    .number(i64::from(one.slot.0))
                    .bytes(&one.conversation)
                    .number(seq.0.min(i64::MAX as u64) as i64);
            }
        }
        if keys.is_empty() {
            return Ok(HashMap::new());
        }
        let engine = self.engine();
        let columns = [
            KeyColumn::Number("place"),
            KeyColumn::Number("slot"),
            KeyColumn::Bytes("conversation"),
            KeyColumn::Number("seq"),
        ];
        let text = format!(
            "SELECT k.place, {entry}, m.client_key FROM {keys} {join} tim_message m ON m.slot = k.slot \
             AND m.conversation = k.conversation AND m.lane = {LANE} AND m.seq = k.seq",
            entry = read::ENTRY_COLUMNS,
            keys = key_rows(engine, &columns),
            join = join(engine),
        );
        let rows = self
            .rows(summary("SELECT", "tim_message"), &text, vec![keys.finish()])
            .await?;
        let mut targets: ByPlace<Vec<Target>> = HashMap::new();
        for row in &rows {
            let place = read::place(row, 0).map_err(|error| self.database.error(error))?;
            let target = self.target(&prepared[place].conversation, row)?;
            targets.entry(place).or_default().push(target);
        }
        Ok(targets)
    }

    fn target(&self, conversation: &RowKey, row: &QueryResult) -> Result<Target, StoreError> {
        let client_key: Option<Vec<u8>> = row
            .try_get_by_index(1 + read::ENTRY_COLUMN_COUNT)
            .map_err(|error| self.database.error(error))?;
        let (known, tombstone) = self.database.erasable(conversation, row, 1)?;
        Ok(Target {
            known,
            client_key: client_key.and_then(|key| RowKey::try_from(key).ok()),
            tombstone,
        })
    }

    /// Looks for the cursors of the accounts that submissions name; not in rooms, which may have any number of them.
    fn cursor_query(&self, prepared: &[Prepared<'_>], is_read: &dyn Fn(usize) -> bool) -> Option<Query> {
        let is_of_room = |one: &Prepared<'_>| {
            let mut operations = one.batch.submissions.iter().map(|one| &one.operation);
            operations.any(|operation| matches!(operation, Operation::Room(_)))
        };
        let of_two = (0..prepared.len()).filter(|place| is_read(*place) && !is_of_room(&prepared[*place]));
        let engine = self.engine();
        let keys = conversation_keys(prepared, of_two);
        Query::over(keys, summary("SELECT", "tim_member"), || {
            format!(
                "SELECT k.place, m.account, m.class, m.position FROM {keys} {join} tim_member m \
                 ON m.slot = k.slot AND m.conversation = k.conversation",
                keys = key_rows(engine, &BY_CONVERSATION),
                join = join(engine),
            )
        })
    }

    fn cursors(
        &self,
        prepared: &[Prepared<'_>],
        rows: &[QueryResult],
    ) -> Result<ByPlace<Vec<MemberCursor>>, StoreError> {
        let mut names: ByPlace<HashMap<RowKey, AccountId>> = HashMap::new();
        let mut cursors: ByPlace<Vec<MemberCursor>> = HashMap::new();
        for row in rows {
            let error = |error| self.database.error(error);
            let place = read::place(row, 0).map_err(error)?;
            let names = names
                .entry(place)
                .or_insert_with(|| self.names_in(&prepared[place]));
            let Some(account) = names.get(&read::key(row, 1).map_err(error)?) else {
                continue;
            };
            cursors.entry(place).or_default().push(MemberCursor {
                account: account.clone(),
                class: DeviceClass(read::small(row, 2).map_err(error)?),
                cursor: Seq(read::number(row, 3).map_err(error)?),
            });
        }
        Ok(cursors)
    }

    /// Accounts stand in the rows as keys; who they are is known from the submissions.
    fn names_in(&self, one: &Prepared<'_>) -> HashMap<RowKey, AccountId> {
        let mut names = HashMap::new();
        for submission in &one.batch.submissions {
            for account in [&submission.sender, &submission.peer] {
                if !names.values().any(|known| known == account) {
                    names.insert(self.database.keys().account(account), account.clone());
                }
            }
        }
        names
    }
}

/// Key rows of [`BY_CONVERSATION`], in the given order.
fn conversation_keys(prepared: &[Prepared<'_>], places: impl IntoIterator<Item = usize>) -> KeyRows {
    let mut keys = KeyRows::new();
    for place in places {
        let one = &prepared[place];
        keys.row()
            .number(place as i64)
            .number(i64::from(one.slot.0))
            .bytes(&one.conversation);
    }
    keys
}
