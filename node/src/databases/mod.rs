//! The databases as the node's other parts use them: by conversation and account, through the map, with their troubles
//! kept in one place.
//!
//! Questions of many sessions are gathered: one query per database answers all that came while the last one ran
//! ([`batcher`]). What a fence refuses asks for a newer map ([`map`]) and is answered as a failure, which every
//! caller repeats.

mod accounts;
mod append;
mod batcher;
mod blocks;
mod cursors;
mod declared;
mod deletion;
mod figures;
mod keeper;
mod many;
mod map;
mod reads;
mod rooms;
mod roster;
mod shown;
mod tokens;
mod troubles;
mod waiting;

pub(crate) use map::{follow, founding_map};
pub(crate) use roster::Acquaintance;
pub(crate) use waiting::Waiting;

use crate::board::Board;
use arc_swap::ArcSwap;
use batcher::Batcher;
use cursors::MoveJob;
use declared::Declared;
use figures::KnownFigures;
use reads::{FetchJob, UndeliveredJob};
use std::collections::HashMap;
use std::sync::Arc;
use tim_catalogue::Report;
use tim_core::id::{ConversationId, DatabaseName, Epoch};
use tim_core::map::PartitionMap;
use tim_store::{Database, Store, StoreError};
use tokio::sync::Notify;
use troubles::{Evidence, Troubles};

/// Most sessions whose lists or positions are read by one query.
const SESSIONS_PER_QUERY_MAX: usize = 256;

/// All databases of the cluster, by the map.
#[derive(Debug)]
pub(crate) struct Databases {
    store: Store,
    map: ArcSwap<PartitionMap>,
    /// Rung when a fence knows of a change that this node does not.
    pub(crate) need_map: Arc<Notify>,
    declared: Declared,
    board: Arc<Board>,
    troubles: Troubles,
    figures: KnownFigures,
    queues: parking_lot::RwLock<HashMap<DatabaseName, Arc<Queues>>>,
}

/// What waits for one database.
#[derive(Debug)]
struct Queues {
    undelivered: Arc<Batcher<UndeliveredJob>>,
    checks: Arc<Batcher<UndeliveredJob>>,
    fetches: Arc<Batcher<FetchJob>>,
    cursors: Arc<Batcher<MoveJob>>,
}

impl Default for Queues {
    fn default() -> Self {
        Self {
            undelivered: Arc::new(Batcher::new(reads::UNDELIVERED_WORKERS)),
            checks: Arc::new(Batcher::new(1)),
            fetches: Arc::new(Batcher::new(reads::FETCH_WORKERS)),
            // One at a time: each transaction carries everything that was confirmed meanwhile.
            cursors: Arc::new(Batcher::new(1)),
        }
    }
}

impl Databases {
    pub(crate) fn new(store: Store, map: Arc<PartitionMap>, board: Arc<Board>) -> Self {
        Self {
            store,
            map: ArcSwap::new(map),
            need_map: Arc::default(),
            declared: Declared::default(),
            troubles: Troubles::new(Arc::clone(&board)),
            board,
            figures: KnownFigures::default(),
            queues: parking_lot::RwLock::default(),
        }
    }

    /// The databases themselves, for the steps of a repartition.
    pub(crate) fn store(&self) -> &Store {
        &self.store
    }

    /// The map in use.
    pub(crate) fn map(&self) -> Arc<PartitionMap> {
        self.map.load_full()
    }

    /// Takes the map that the fences or the others say, in place of the guess from the configuration.
    pub(crate) fn begin_with(&self, map: Arc<PartitionMap>) {
        self.map.store(map);
    }

    fn database(&self, name: &DatabaseName) -> Result<Database, Report> {
        self.store.database(name).map_err(|error| error.report())
    }

    fn queues(&self, name: &DatabaseName) -> Arc<Queues> {
        if let Some(queues) = self.queues.read().get(name) {
            return Arc::clone(queues);
        }
        Arc::clone(self.queues.write().entry(name.clone()).or_default())
    }

    /// Where an id is, and the epoch of its range.
    fn place(&self, id: &[u8]) -> (DatabaseName, Epoch) {
        let map = self.map.load();
        let range = map.range_of_id(id);
        (range.database.clone(), range.epoch)
    }

    /// What keeps the database of a conversation from taking messages just now.
    pub(crate) fn trouble_of(&self, conversation: &ConversationId) -> Option<Report> {
        if self.troubles.is_quiet() {
            return None;
        }
        let (database, _) = self.place(&conversation.0);
        self.troubles.refuses_writes(&database, crate::clock::now())
    }

    /// Whether a database answers, and what is wrong with it.
    pub(crate) fn trouble_at(&self, database: &DatabaseName) -> Option<Report> {
        self.troubles.at(database)
    }

    /// A database cannot be opened, or its server does not even take connections.
    fn told(&self, database: &DatabaseName, report: Report, evidence: Evidence) {
        self.troubles.told(database, report, evidence);
    }

    /// Keeps in mind how an operation went; a fence's refusal is no trouble of the database.
    fn note<T>(&self, database: &DatabaseName, result: &Result<T, StoreError>, wrote: bool) {
        match result {
            Ok(_) => self.troubles.answered(database, wrote),
            Err(StoreError::FenceRefused { .. }) => self.need_map.notify_one(),
            Err(error) => self.troubles.failed(database, error),
        }
    }
}
