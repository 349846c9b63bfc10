//! What is wrong with which database, from what operations at it have met.

use crate::board::{Board, Effect, Place};
use parking_lot::Mutex;
use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use tim_catalogue::{Report, storage as causes};
use tim_core::id::DatabaseName;
use tim_core::time::Moment;
use tim_store::StoreError;

/// While a disk is full one message in this time is let through: only a write can tell that there is room again.
const PROBE_INTERVAL_MS: u64 = 1_000;

/// A database that is slow for less keeps messages waiting in their homes, which try again, and refuses none. One that
/// takes no connections refuses at once.
const REFUSE_AFTER_MS: u64 = 3_000;

#[derive(Debug)]
struct Trouble {
    report: Report,
    /// Nothing has succeeded since.
    since: Moment,
    /// Reads go on, only a write can show that it is over.
    only_writes: bool,
    last_probe: Moment,
}

/// Troubles by database.
#[derive(Debug)]
pub(super) struct Troubles {
    board: Arc<Board>,
    troubles: Mutex<HashMap<DatabaseName, Trouble>>,
    /// How many there are, so that nobody takes the lock while all is well.
    count: AtomicUsize,
}

impl Troubles {
    pub(super) fn new(board: Arc<Board>) -> Self {
        Self {
            board,
            troubles: Mutex::default(),
            count: AtomicUsize::new(0),
        }
    }

    /// Whether all databases are well.
    pub(super) fn is_quiet(&self) -> bool {
        self.count.load(Ordering::Relaxed) == 0
    }

    /// An operation failed.
    pub(super) fn failed(&self, database: &DatabaseName, error: &StoreError) {
        let only_writes = match error {
            // Other writers, or one row: the database itself is well.
            StoreError::Contention { .. }
            | StoreError::DamagedRow { .. }
            | StoreError::StaleTerm { .. }
            | StoreError::StepRefused { .. }
            | StoreError::FenceRefused { .. }
            | StoreError::Engine { .. } => {
                tracing::warn!(code = error.cause().code, database = %database, "{}", error.report());
                return;
            }
            StoreError::DiskFull { .. } => true,
            _ => false,
        };
        self.told(database, error.report(), only_writes);
    }

    /// A database is in trouble. What is known more exactly stays: that it refuses connections also shows as operations
    /// that time out.
    pub(super) fn told(&self, database: &DatabaseName, report: Report, only_writes: bool) {
        let vague = *report.cause() == causes::TIMEOUT;
        let known = self.at(database);
        if vague && known.is_some_and(|known| *known.cause() == causes::UNREACHABLE) {
            return;
        }
        let effect = if only_writes {
            Effect::Told
        } else {
            Effect::Partial
        };
        self.board.raise(
            Place::Database(database.as_str().to_owned()),
            effect,
            report.clone(),
        );
        let mut troubles = self.troubles.lock();
        let now = crate::clock::now();
        let trouble = Trouble {
            report,
            since: troubles.get(database).map_or(now, |known| known.since),
            only_writes,
            last_probe: now,
        };
        troubles.insert(database.clone(), trouble);
        self.count.store(troubles.len(), Ordering::Relaxed);
    }

    /// An operation succeeded.
    pub(super) fn answered(&self, database: &DatabaseName, wrote: bool) {
        if self.is_quiet() {
            return;
        }
        let mut troubles = self.troubles.lock();
        let healed = troubles
            .get(database)
            .is_some_and(|trouble| wrote || !trouble.only_writes);
        if healed {
            troubles.remove(database);
            self.count.store(troubles.len(), Ordering::Relaxed);
            self.board.clear(&Place::Database(database.as_str().to_owned()));
        }
    }

    /// What is wrong with a database.
    pub(super) fn at(&self, database: &DatabaseName) -> Option<Report> {
        self.troubles
            .lock()
            .get(database)
            .map(|trouble| trouble.report.clone())
    }

    /// Why a write is better not tried, except now and then.
    pub(super) fn refuses_writes(&self, database: &DatabaseName, now: Moment) -> Option<Report> {
        let mut troubles = self.troubles.lock();
        let trouble = troubles.get_mut(database)?;
        if trouble.only_writes && now.since_ms(trouble.last_probe) >= PROBE_INTERVAL_MS {
            trouble.last_probe = now;
            return None;
        }
        let cause = trouble.report.cause();
        let hiccup = *cause == causes::TIMEOUT || *cause == causes::COMMIT_IN_DOUBT;
        let refuses = !hiccup || now.since_ms(trouble.since) >= REFUSE_AFTER_MS;
        refuses.then(|| trouble.report.clone())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_full_disk_is_over_only_when_a_write_succeeds() {
        let board = Arc::new(Board::default());
        let troubles = Troubles::new(board.clone());
        let database = DatabaseName::new("d0").unwrap();
        let full = StoreError::DiskFull {
            database: database.clone(),
            place: "/data/d0.db".to_owned(),
        };
        troubles.failed(&database, &full);
        assert!(board.is_ready(), "reads go on");
        assert!(troubles.refuses_writes(&database, crate::clock::now()).is_some());
        troubles.answered(&database, false);
        assert!(troubles.at(&database).is_some());
        troubles.answered(&database, true);
        assert!(troubles.at(&database).is_none() && troubles.is_quiet());
        assert!(board.reports().is_empty());
    }

    #[test]
    fn a_silent_database_makes_the_node_unready_until_it_answers() {
        let board = Arc::new(Board::default());
        let troubles = Troubles::new(board.clone());
        let database = DatabaseName::new("d0").unwrap();
        let silent = StoreError::Timeout {
            database: database.clone(),
        };
        troubles.failed(&database, &silent);
        assert!(!board.is_ready());
        let now = crate::clock::now();
        assert!(
            troubles.refuses_writes(&database, now).is_none(),
            "it may be over at once"
        );
        troubles.failed(&database, &silent);
        let later = now.plus_ms(REFUSE_AFTER_MS);
        assert!(troubles.refuses_writes(&database, later).is_some());
        troubles.answered(&database, false);
        assert!(board.is_ready());
    }
}
