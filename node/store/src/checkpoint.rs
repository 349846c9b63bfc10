//! Copying SQLite's write-ahead log into the file beside the commits, instead of inside of one of them.
//!
//! SQLite does it after a commit when the log is long enough, and everybody who waits for the next commit waits for
//! thousands of pages and a flush. A passive checkpoint on a connection of its own disturbs nobody; the commit's own is the
//! exception then, when the log has grown without a pause, and finds little left to copy.

use std::sync::atomic::Ordering;
use std::time::Duration;

use tracing::Instrument;

use crate::error::StoreError;
use crate::store::Database;
use crate::transaction::summary;

/// Commits after which it is worth while.
const COMMITS_MIN: u64 = 32;

/// Longest wait for the copying of a log; what is left is copied by the next.
const CHECKPOINT_LIMIT: Duration = Duration::from_secs(30);

impl Database {
    /// Copies what the write-ahead log of a SQLite file holds into the file, if that is worth while; whether it was. Other
    /// engines see to it themselves.
    ///
    /// # Errors
    /// Any of the database; nothing is lost by one.
    pub async fn checkpoint(&self) -> Result<bool, StoreError> {
        let Some(pool) = self.pools().checkpointer else {
            return Ok(false);
        };
        let commits = self.inner.commits.load(Ordering::Relaxed);
        if commits < COMMITS_MIN {
            return Ok(false);
        }
        self.inner.commits.fetch_sub(commits, Ordering::Relaxed);
        let statement = self.statement("PRAGMA wal_checkpoint(PASSIVE)", Vec::new());
        self.count_statement();
        let span = self.statement_span(summary("CHECKPOINT", ""));
        let copied = sea_orm::ConnectionTrait::query_all_raw(&pool, statement).instrument(span);
        match tokio::time::timeout(CHECKPOINT_LIMIT, copied).await {
            Ok(result) => result.map(|_| true).map_err(|error| self.error(error)),
            Err(_) => Err(StoreError::Timeout {
                database: self.name().clone(),
            }),
        }
    }
}
