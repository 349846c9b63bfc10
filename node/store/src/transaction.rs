//! One transaction at one database: statements with limits and spans, fences, change notes, and an end whose outcome
//! is known or honestly unknown.

use std::sync::atomic::Ordering;
use std::time::Duration;

use futures::future::BoxFuture;
use sea_orm::{
    ConnectionTrait, DatabaseTransaction, DbErr, QueryResult, SqliteTransactionMode, Statement,
    TransactionOptions, TransactionTrait, Value,
};
use tim_core::id::Slot;
use tokio::time::{Instant, sleep, timeout};
use tracing::Instrument;

use crate::connection::STATEMENT_LIMIT;
use crate::dsn::Engine;
use crate::error::StoreError;
use crate::fence::{Access, Fence};
use crate::schema::{CHANGE, Table};
use crate::statement::{Cell, Row, piece};
use crate::store::Database;

/// Added to the server's own limit before we stop waiting for its answer.
const ANSWER_MARGIN: Duration = Duration::from_secs(2);

/// How often a transaction that met other writers is repeated at a database server.
pub(crate) const MAX_ATTEMPTS: u32 = 6;

/// How long a transaction that found a SQLite file busy is repeated: other processes write it, too.
pub(crate) const MAX_BUSY: Duration = Duration::from_secs(5);

/// Shortest and longest wait before a repetition; the wait grows between them, with jitter.
const RETRY_WAIT_MIN: Duration = Duration::from_micros(300);
const RETRY_WAIT_MAX: Duration = Duration::from_millis(12);

/// What a statement is called in spans: `db.query.summary` of the OpenTelemetry conventions.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Summary {
    pub(crate) operation: &'static str,
    pub(crate) table: &'static str,
}

/// A statement on `table`.
pub(crate) const fn summary(operation: &'static str, table: &'static str) -> Summary {
    Summary { operation, table }
}

/// A transaction under way.
pub(crate) struct Transaction {
    inner: DatabaseTransaction,
    pub(crate) database: Database,
    /// The fences taken so far.
    pub(crate) fences: Vec<Fence>,
    changes: Vec<Row>,
}

impl Transaction {
    pub(crate) fn engine(&self) -> Engine {
        self.database.engine()
    }

    /// Runs a query; `?` are the parameters.
    pub(crate) async fn rows(
        &self,
        summary: Summary,
        text: &str,
        values: Vec<Value>,
    ) -> Result<Vec<QueryResult>, StoreError> {
        self.explain(summary, text, &values).await?;
        self.rows_unexplained(summary, text, values).await
    }

    /// [`Self::rows`] of a text whose parts were explained.
    pub(crate) async fn rows_unexplained(
        &self,
        summary: Summary,
        text: &str,
        values: Vec<Value>,
    ) -> Result<Vec<QueryResult>, StoreError> {
        let statement = self.statement(text, values);
        self.limited(summary, self.inner.query_all_raw(statement)).await
    }

    /// Notes the plan of a statement where that was asked for.
    #[cfg_attr(
        not(feature = "explain"),
        allow(
            clippy::unused_async,
            unused_variables,
            reason = "without the feature there is nothing to ask"
        )
    )]
    pub(crate) async fn explain(
        &self,
        summary: Summary,
        text: &str,
        values: &[Value],
    ) -> Result<(), StoreError> {
        #[cfg(feature = "explain")]
        self.database.explain(&self.inner, summary, text, values).await?;
        Ok(())
    }

    /// Runs a statement; the number of rows it touched.
    pub(crate) async fn run(
        &self,
        summary: Summary,
        text: &str,
        values: Vec<Value>,
    ) -> Result<u64, StoreError> {
        self.explain(summary, text, &values).await?;
        let statement = self.statement(text, values);
        let result = self.limited(summary, self.inner.execute_raw(statement)).await?;
        Ok(result.rows_affected())
    }

    /// Runs a statement that cannot be prepared.
    pub(crate) async fn run_plain(&self, summary: Summary, text: &str) -> Result<(), StoreError> {
        self.limited(summary, self.inner.execute_unprepared(text)).await?;
        Ok(())
    }

    /// The transaction as the migrations see it.
    pub(crate) fn raw(&self) -> &DatabaseTransaction {
        &self.inner
    }

    /// Writes rows; those that are there with the same or a higher version stay. Notes the changes where a copy is
    /// under way.
    pub(crate) async fn upsert(&mut self, table: &'static Table, rows: Vec<Row>) -> Result<(), StoreError> {
        self.note_changes(table, &rows);
        self.write(table, "INSERT", rows, Table::upsert).await?;
        Ok(())
    }

    /// Writes rows that are not there yet; how many were not.
    pub(crate) async fn insert_absent(
        &mut self,
        table: &'static Table,
        rows: Vec<Row>,
    ) -> Result<u64, StoreError> {
        self.note_changes(table, &rows);
        self.write(table, "INSERT", rows, Table::insert_absent).await
    }

    /// Writes rows without noting them: copies, and the notes themselves.
    pub(crate) async fn upsert_quietly(
        &self,
        table: &'static Table,
        rows: Vec<Row>,
    ) -> Result<(), StoreError> {
        self.write(table, "INSERT", rows, Table::upsert).await?;
        Ok(())
    }

    async fn write(
        &self,
        table: &'static Table,
        operation: &'static str,
        mut rows: Vec<Row>,
        text: fn(&Table, Engine, usize) -> String,
    ) -> Result<u64, StoreError> {
        // One order for all writers, so that two batches cannot wait for each other.
        rows.sort_unstable_by(|one, other| one[..table.key_columns].cmp(&other[..table.key_columns]));
        let mut touched = 0;
        while !rows.is_empty() {
            let piece = piece(&rows);
            let rest = rows.split_off(piece);
            let values = table.values(std::mem::replace(&mut rows, rest).into_iter());
            let text = text(table, self.engine(), piece);
            touched += self.run(summary(operation, table.name), &text, values).await?;
        }
        Ok(touched)
    }

    /// Notes a row that was written by a statement of its own; `row` holds at least the key.
    pub(crate) fn note_change(&mut self, table: &'static Table, row: &[Cell], version: i64) {
        let mut noted = row.to_vec();
        noted.push(Cell::Number(version));
        self.note_changes(table, &[noted]);
    }

    fn note_changes(&mut self, table: &'static Table, rows: &[Row]) {
        if !self.fences.iter().any(|fence| fence.copying) {
            return;
        }
        for row in rows {
            let slot = row.first().map_or(0, Cell::as_number);
            let noted = u32::try_from(slot)
                .is_ok_and(|slot| self.fences.iter().any(|fence| fence.notes_changes(Slot(slot))));
            if noted {
                self.changes.push(vec![
                    Cell::Number(slot),
                    Cell::Number(i64::from(table.code)),
                    Cell::Bytes(table.row_key(row)),
                    row.last().cloned().unwrap_or(Cell::Nothing),
                ]);
            }
        }
    }

    /// Commits.
    ///
    /// # Errors
    /// [`StoreError::CommitInDoubt`] when the answer was lost; anything else means that nothing was changed.
    pub(crate) async fn commit(mut self) -> Result<(), StoreError> {
        let changes = std::mem::take(&mut self.changes);
        if !changes.is_empty() {
            // A row may have been written twice; the engines refuse one key twice in one upsert.
            let mut changes = changes;
            changes.sort_by(|one, other| {
                (
                    one[0].as_number(),
                    one[1].as_number(),
                    one[2].as_bytes(),
                    -one[3].as_number(),
                )
                    .cmp(&(
                        other[0].as_number(),
                        other[1].as_number(),
                        other[2].as_bytes(),
                        -other[3].as_number(),
                    ))
            });
            changes.dedup_by(|later, first| later[..3] == first[..3]);
            self.upsert_quietly(&CHANGE, changes).await?;
        }
        let Self { inner, database, .. } = self;
        let span = database.statement_span(summary("COMMIT", ""));
        database.count_statement();
        match timeout(STATEMENT_LIMIT + ANSWER_MARGIN, inner.commit().instrument(span)).await {
            Err(_) => Err(StoreError::CommitInDoubt {
                database: database.name().clone(),
                source: None,
            }),
            Ok(Ok(())) => Ok(()),
            Ok(Err(error)) => Err(database.commit_error(error)),
        }
    }

    /// Gives the transaction up. Its outcome is certain: nothing.
    pub(crate) async fn rollback(self) {
        let Self { inner, database, .. } = self;
        // A failure here changes nothing: what was not committed goes with the connection.
        if timeout(STATEMENT_LIMIT, inner.rollback()).await.is_err() {
            tracing::debug!(database = %database.name(), "a rollback was not answered in time");
        }
    }

    fn statement(&self, text: &str, values: Vec<Value>) -> Statement {
        self.database.count_statement();
        self.database.statement(text, values)
    }

    async fn limited<T>(
        &self,
        summary: Summary,
        work: impl Future<Output = Result<T, DbErr>>,
    ) -> Result<T, StoreError> {
        let span = self.database.statement_span(summary);
        match timeout(STATEMENT_LIMIT + ANSWER_MARGIN, work.instrument(span)).await {
            Err(_) => Err(StoreError::Timeout {
                database: self.database.name().clone(),
            }),
            Ok(result) => result.map_err(|error| self.database.error(error)),
        }
    }
}

/// Work inside a transaction; called again with a fresh one when the first met other writers.
pub(crate) type Work<'a, T> =
    dyn Fn(Transaction) -> BoxFuture<'a, Result<(Transaction, T), StoreError>> + Sync + 'a;

impl Database {
    /// Begins a transaction: for writing with SQLite's file held at once, for reading as one snapshot there.
    pub(crate) async fn begin(&self, access: Access) -> Result<Transaction, StoreError> {
        self.begin_with(access, TransactionOptions::default()).await
    }

    /// [`Self::begin`] at another isolation level.
    pub(crate) async fn begin_with(
        &self,
        access: Access,
        options: TransactionOptions,
    ) -> Result<Transaction, StoreError> {
        let pools = self.pools();
        let (pool, mode) = match access {
            Access::Write => (pools.writer, SqliteTransactionMode::Immediate),
            Access::Read => (pools.reader, SqliteTransactionMode::Deferred),
        };
        let options = TransactionOptions {
            sqlite_transaction_mode: (self.engine() == Engine::Sqlite).then_some(mode),
            ..options
        };
        self.count_statement();
        let span = self.statement_span(summary("BEGIN", ""));
        let begin = pool.begin_with_options(options).instrument(span);
        let inner = match timeout(STATEMENT_LIMIT + ANSWER_MARGIN, begin).await {
            Err(_) => {
                return Err(StoreError::Timeout {
                    database: self.name().clone(),
                });
            }
            Ok(result) => result.map_err(|error| self.error(error))?,
        };
        Ok(Transaction {
            inner,
            database: self.clone(),
            fences: Vec::new(),
            changes: Vec::new(),
        })
    }

    /// Runs `work` in a transaction and commits; repeats it while it meets other writers or a connection that died
    /// before the commit.
    pub(crate) async fn transact<'a, T: Send>(
        &'a self,
        access: Access,
        work: &Work<'a, T>,
    ) -> Result<T, StoreError> {
        let mut backoff = Backoff::new(self.engine());
        loop {
            let error = match self.attempt(access, work).await {
                Ok(value) => return Ok(value),
                Err(error) => error,
            };
            backoff.next(self, error).await?;
        }
    }

    async fn attempt<'a, T: Send>(&'a self, access: Access, work: &Work<'a, T>) -> Result<T, StoreError> {
        let transaction = self.begin(access).await?;
        // On an error the transaction is dropped inside, which rolls it back before the connection is used again.
        let (transaction, value) = work(transaction).await?;
        match access {
            Access::Write => transaction.commit().await?,
            Access::Read => transaction.rollback().await,
        }
        Ok(value)
    }
}

/// Decides whether a failed transaction is repeated, and waits.
pub(crate) struct Backoff {
    engine: Engine,
    started: Instant,
    attempts: u32,
    lost_connections: u32,
}

impl Backoff {
    pub(crate) fn new(engine: Engine) -> Self {
        Self {
            engine,
            started: Instant::now(),
            attempts: 0,
            lost_connections: 0,
        }
    }

    /// Returns when the next attempt may begin, or the error when there is to be none.
    pub(crate) async fn next(&mut self, database: &Database, error: StoreError) -> Result<(), StoreError> {
        self.attempts += 1;
        match error {
            StoreError::Contention { .. } => {
                let spent = match self.engine {
                    Engine::Sqlite => self.started.elapsed() >= MAX_BUSY,
                    Engine::Postgres | Engine::MySql => self.attempts >= MAX_ATTEMPTS,
                };
                if spent {
                    return Err(StoreError::Contention {
                        database: database.name().clone(),
                        attempts: self.attempts,
                    });
                }
            }
            // A pool hands out connections that died while they were idle; the next one is new.
            StoreError::Unreachable { .. } if self.lost_connections == 0 => self.lost_connections += 1,
            // Rights that are granted later count for new connections only.
            denied @ StoreError::AccessDenied { .. } => {
                database.reconnect();
                return Err(denied);
            }
            other => return Err(other),
        }
        let growth = RETRY_WAIT_MIN.saturating_mul(1 << self.attempts.min(6));
        let wait = growth.min(RETRY_WAIT_MAX).mul_f64(rand::random_range(0.25..1.0));
        sleep(wait).await;
        Ok(())
    }
}

/// Shared by the handles of one database.
pub(crate) fn count(counter: &std::sync::atomic::AtomicU64) {
    counter.fetch_add(1, Ordering::Relaxed);
}
