//! What is wrong with which database, from what operations at it have met.

use crate::board::{Board, Effect, Place};
use parking_lot::{Mutex, RwLock};
use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use tim_catalogue::{Report, storage as causes};
use tim_core::id::DatabaseName;
use tim_core::time::Moment;
use tim_store::StoreError;

/// While a disk is full one message in this time is let through: only a write can tell that there is room again.
const PROBE_INTERVAL_MS: u64 = 1_000;

/// A database that is slow, or loses connections, for less keeps messages waiting in their homes, which try again, and
/// refuses none.
const REFUSE_AFTER_MS: u64 = 5_000;

/// What is known of a trouble.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Evidence {
    /// The server refuses connections, or what it holds cannot be used: it stays so until something is done.
    Certain,
    /// One operation met it; the next one may succeed.
    MayPass,
    /// Reads go on, only a write can show that it is over.
    OnlyWrites,
}

#[derive(Debug)]
struct Trouble {
    report: Report,
    /// Nothing has succeeded since.
    since: Moment,
    evidence: Evidence,
    last_probe: Moment,
}

/// Troubles by database.
#[derive(Debug)]
pub(super) struct Troubles {
    board: Arc<Board>,
    troubles: Mutex<HashMap<DatabaseName, Trouble>>,
    /// How many there are, so that nobody takes the lock while all is well.
    count: AtomicUsize,
    /// Operations that succeeded, by database.
    answers: RwLock<HashMap<DatabaseName, AtomicU64>>,
}

impl Troubles {
    pub(super) fn new(board: Arc<Board>) -> Self {
        Self {
            board,
            troubles: Mutex::default(),
            count: AtomicUsize::new(0),
            answers: RwLock::default(),
        }
    }

    /// Whether all databases are well.
    pub(super) fn is_quiet(&self) -> bool {
        self.count.load(Ordering::Relaxed) == 0
    }

    /// An operation failed.
    pub(super) fn failed(&self, database: &DatabaseName, error: &StoreError) {
        let evidence = match error {
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
            StoreError::DiskFull { .. } => Evidence::OnlyWrites,
            // One connection of many may be broken, or waited for too long.
            StoreError::Unreachable { .. }
            | StoreError::Timeout { .. }
            | StoreError::CommitInDoubt { .. } => Evidence::MayPass,
            _ => Evidence::Certain,
        };
        let known_better = |known: &Trouble| {
            let exact = *known.report.cause() == causes::UNREACHABLE;
            let certain = known.evidence == Evidence::Certain;
            (*error.cause() == causes::TIMEOUT && exact) || (certain && evidence == Evidence::MayPass)
        };
        // That a server refuses connections also shows as operations that time out.
        if !self.troubles.lock().get(database).is_some_and(known_better) {
            self.told(database, error.report(), evidence);
        }
    }

    /// A database is in trouble, as somebody found out who looked for it.
    pub(super) fn told(&self, database: &DatabaseName, report: Report, evidence: Evidence) {
        let mut troubles = self.troubles.lock();
        let known = troubles.get(database);
        let effect = if evidence == Evidence::OnlyWrites {
            Effect::Told
        } else {
            Effect::Partial
        };
        let now = crate::clock::now();
        let trouble = Trouble {
            report: report.clone(),
            since: known.map_or(now, |known| known.since),
            evidence,
            last_probe: now,
        };
        troubles.insert(database.clone(), trouble);
        self.count.store(troubles.len(), Ordering::Relaxed);
        // Under the lock, so that the board says what is known here.
        self.board
            .raise(Place::Database(database.as_str().to_owned()), effect, report);
    }

    /// An operation succeeded.
    pub(super) fn answered(&self, database: &DatabaseName, wrote: bool) {
        self.count_answer(database);
        if self.is_quiet() {
            return;
        }
        let mut troubles = self.troubles.lock();
        let healed = troubles
            .get(database)
            .is_some_and(|trouble| wrote || trouble.evidence != Evidence::OnlyWrites);
        if healed {
            troubles.remove(database);
            self.count.store(troubles.len(), Ordering::Relaxed);
            self.board.clear(&Place::Database(database.as_str().to_owned()));
        }
    }

    fn count_answer(&self, database: &DatabaseName) {
        if let Some(count) = self.answers.read().get(database) {
            count.fetch_add(1, Ordering::Relaxed);
            return;
        }
        let mut answers = self.answers.write();
        let count = answers.entry(database.clone()).or_default();
        count.fetch_add(1, Ordering::Relaxed);
    }

    /// How many operations have succeeded so far: while it grows a database is not silent.
    pub(super) fn answers(&self, database: &DatabaseName) -> u64 {
        self.answers
            .read()
            .get(database)
            .map_or(0, |count| count.load(Ordering::Relaxed))
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
        let refuses = match trouble.evidence {
            Evidence::Certain => true,
            Evidence::MayPass => now.since_ms(trouble.since) >= REFUSE_AFTER_MS,
            Evidence::OnlyWrites if now.since_ms(trouble.last_probe) >= PROBE_INTERVAL_MS => {
                trouble.last_probe = now;
                false
            }
            Evidence::OnlyWrites => true,
        };
        refuses.then(|| trouble.report.clone())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn database() -> DatabaseName {
        DatabaseName::new("d0").unwrap()
    }

    #[test]
    fn a_full_disk_is_over_only_when_a_write_succeeds() {
        let board = Arc::new(Board::default());
        let troubles = Troubles::new(board.clone());
        let full = StoreError::DiskFull {
            database: database(),
            place: "/data/d0.db".to_owned(),
        };
        troubles.failed(&database(), &full);
        assert!(board.is_ready(), "reads go on");
        assert!(
            troubles
                .refuses_writes(&database(), crate::clock::now())
                .is_some()
        );
        troubles.answered(&database(), false);
        assert!(troubles.at(&database()).is_some());
        troubles.answered(&database(), true);
        assert!(troubles.at(&database()).is_none() && troubles.is_quiet());
        assert!(board.reports().is_empty());
    }

    #[test]
    fn a_hiccup_makes_the_node_unready_but_refuses_nothing_until_it_lasts() {
        let board = Arc::new(Board::default());
        let troubles = Troubles::new(board.clone());
        let silent = StoreError::Timeout { database: database() };
        let broken = Report::new(&causes::UNREACHABLE, "database d0 (db1:5432) does not answer");
        let meet: [&dyn Fn(); 2] = [&|| troubles.failed(&database(), &silent), &|| {
            troubles.told(&database(), broken.clone(), Evidence::MayPass);
        }];
        for hiccup in meet {
            hiccup();
            assert!(!board.is_ready());
            let now = crate::clock::now();
            assert!(
                troubles.refuses_writes(&database(), now).is_none(),
                "it may be over at once"
            );
            hiccup();
            let later = now.plus_ms(REFUSE_AFTER_MS);
            assert!(troubles.refuses_writes(&database(), later).is_some());
            troubles.answered(&database(), false);
            assert!(board.is_ready());
        }
    }

    #[test]
    fn a_server_that_refuses_connections_refuses_at_once_whatever_operations_meet() {
        let troubles = Troubles::new(Arc::default());
        let refused = Report::new(&causes::UNREACHABLE, "database d0 (db1:5432) refuses connections");
        troubles.told(&database(), refused.clone(), Evidence::Certain);
        let silent = StoreError::Timeout { database: database() };
        troubles.failed(&database(), &silent);
        assert_eq!(
            troubles.refuses_writes(&database(), crate::clock::now()),
            Some(refused)
        );
    }
}
