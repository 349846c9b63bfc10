//! Databases with locks, commits that fail, and outcomes nobody learns.

mod statement;
mod transaction;

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;

use tim_core::conversation::{
    ConversationBatch, ConversationState, Entry, KnownEntry, MemberCursor, Relations, RoomMember, Windows,
    concerned, starting_cursor,
};
use tim_core::id::{AccountId, ContentHash, ConversationId, DeviceClass, MessageKey, Seq};

use crate::database::transaction::Transaction;
use crate::event::{Asker, DatabaseEvent, DatabaseIndex, Event, Member, NodeIndex, Statement};
use crate::world::World;
use tim_core::home::RequestId;

/// A conversation as committed.
#[derive(Debug, Default)]
pub(crate) struct Row {
    pub(crate) state: ConversationState,
    entries: Vec<Arc<Entry>>,
    hashes: Vec<ContentHash>,
    by_key: BTreeMap<MessageKey, usize>,
    by_client: BTreeMap<(AccountId, i64), Vec<usize>>,
    members: BTreeMap<Member, Seq>,
    /// What accounts are to it, if it is a room.
    pub(crate) standings: BTreeMap<AccountId, RoomMember>,
}

impl Row {
    fn insert(&mut self, entry: Arc<Entry>, hash: ContentHash) {
        let place = self.entries.len();
        self.by_key.insert(entry.key, place);
        if let Some(client_id) = entry.client_id {
            self.by_client
                .entry((entry.sender.clone(), client_id))
                .or_default()
                .push(place);
        }
        self.entries.push(entry);
        self.hashes.push(hash);
    }

    /// The stored entries that submissions might be.
    fn known(&self, batch: &ConversationBatch) -> Vec<KnownEntry> {
        let mut places: BTreeSet<usize> = BTreeSet::new();
        for submission in &batch.submissions {
            places.extend(self.by_key.get(&submission.key));
            if let Some(client_id) = submission.client_id {
                let same = self.by_client.get(&(submission.sender.clone(), client_id));
                places.extend(same.into_iter().flatten());
            }
        }
        places.into_iter().map(|place| self.known_at(place)).collect()
    }

    /// The stored entries that submissions erase.
    fn targets(&self, batch: &ConversationBatch) -> Vec<KnownEntry> {
        let targets = batch
            .submissions
            .iter()
            .filter_map(|submission| submission.operation.target());
        targets
            .filter_map(|seq| usize::try_from(seq.0).ok()?.checked_sub(1))
            .filter(|place| *place < self.entries.len())
            .map(|place| self.known_at(place))
            .collect()
    }

    fn known_at(&self, place: usize) -> KnownEntry {
        KnownEntry::of(&self.entries[place], self.hashes[place])
    }

    /// The rows of the accounts that what is asked of a room concerns.
    fn concerned(&self, batch: &ConversationBatch) -> Vec<RoomMember> {
        let accounts: BTreeSet<AccountId> = batch
            .submissions
            .iter()
            .flat_map(|submission| concerned(submission))
            .collect();
        accounts
            .iter()
            .filter_map(|account| self.standings.get(account).cloned())
            .collect()
    }

    /// What an account sees of it, if it is a room.
    fn windows(&self, account: &AccountId) -> Option<Windows> {
        self.state.room.as_ref()?;
        let row = self.standings.get(account);
        Some(row.map_or_else(Windows::default, |row| row.windows.clone()))
    }

    /// The last entry that an account sees.
    fn head_for(&self, account: &AccountId) -> Seq {
        match self.windows(account) {
            Some(windows) => windows.last_shown(self.state.head),
            None => self.state.head,
        }
    }

    /// Its body is gone, what a retry is recognised by stays.
    fn erase(&mut self, seq: Seq) {
        let place = usize::try_from(seq.0)
            .ok()
            .and_then(|number| number.checked_sub(1));
        if let Some(entry) = place.and_then(|place| self.entries.get_mut(place)) {
            *entry = Arc::new(entry.erased());
        }
    }

    fn cursors(&self, accounts: &[AccountId]) -> Vec<MemberCursor> {
        self.members
            .iter()
            .filter_map(|(member, cursor)| {
                Some(MemberCursor {
                    account: accounts.get(member.account)?.clone(),
                    class: DeviceClass(member.class),
                    cursor: *cursor,
                })
            })
            .collect()
    }

    /// A member's cursor, and whether its row has just been made.
    fn cursor(&mut self, member: Member, accounts: &[AccountId]) -> (Seq, bool) {
        if let Some(cursor) = self.members.get(&member) {
            return (*cursor, false);
        }
        let cursors = self.cursors(accounts);
        let cursor = starting_cursor(&cursors, &accounts[member.account], DeviceClass(member.class));
        self.members.insert(member, cursor);
        (cursor, true)
    }
}

/// A transaction that waits for locks.
pub(crate) struct Waiting {
    asker: Asker,
    request: RequestId,
    batches: Vec<ConversationBatch>,
}

pub(crate) struct Database {
    /// One writer at a time, as SQLite; else locks per conversation.
    one_writer: bool,
    rows: BTreeMap<ConversationId, Row>,
    lists: BTreeMap<usize, BTreeSet<ConversationId>>,
    transactions: BTreeMap<u64, Transaction>,
    waiting: VecDeque<Waiting>,
    locked: BTreeSet<ConversationId>,
    last_transaction: u64,
    pub(crate) down: bool,
    pub(crate) slowness: u64,
}

impl Database {
    pub(crate) fn new(one_writer: bool) -> Self {
        Self {
            one_writer,
            rows: BTreeMap::new(),
            lists: BTreeMap::new(),
            transactions: BTreeMap::new(),
            waiting: VecDeque::new(),
            locked: BTreeSet::new(),
            last_transaction: 0,
            down: false,
            slowness: 1,
        }
    }

    pub(crate) fn set_relations(&mut self, conversation: ConversationId, relations: Relations) {
        self.rows.entry(conversation).or_default().state.relations = relations;
    }

    pub(crate) fn relations(&self, conversation: &ConversationId) -> Relations {
        self.rows
            .get(conversation)
            .map(|row| row.state.relations)
            .unwrap_or_default()
    }

    pub(crate) fn row(&mut self, conversation: ConversationId) -> &mut Row {
        self.rows.entry(conversation).or_default()
    }

    pub(crate) fn enlist(&mut self, account: usize, conversation: ConversationId) {
        self.lists.entry(account).or_default().insert(conversation);
    }

    fn may_lock(&self, batches: &[ConversationBatch]) -> bool {
        if self.one_writer {
            self.transactions.is_empty()
        } else {
            batches
                .iter()
                .all(|batch| !self.locked.contains(&batch.conversation))
        }
    }
}

impl World {
    pub(crate) fn database_latency(&mut self, database: DatabaseIndex) -> u64 {
        let slowness = self.databases[database].slowness;
        self.between(100, 1_500) * slowness
    }

    pub(crate) fn ask_database(&mut self, node: NodeIndex, database: DatabaseIndex, statement: Statement) {
        let asker = Asker {
            node,
            boot: self.nodes[node].boot,
        };
        let after = self.database_latency(database);
        let event = DatabaseEvent::Statement { asker, statement };
        self.later(after, Event::Database { database, event });
    }

    pub(crate) fn database_event(&mut self, database: DatabaseIndex, event: DatabaseEvent) {
        self.trace.note(&[7, self.now, database as u64]);
        self.trace.line(self.now, || format!("d{database} {event:?}"));
        match event {
            DatabaseEvent::Begin {
                asker,
                request,
                batches,
            } => self.begin(database, asker, request, batches),
            DatabaseEvent::Commit { transaction, tries } => self.commit(database, transaction, tries),
            DatabaseEvent::Abort { transaction } => self.abort(database, transaction),
            DatabaseEvent::LateCommit { transaction } => self.late_commit(database, transaction),
            DatabaseEvent::Statement { asker, statement } => self.execute(database, asker, statement),
        }
    }
}
