//! Connections to a database: pools with limits, and the session settings that our transactions rely on.
//!
//! Pools are made without connecting, so a database that is down stops nobody from starting.

use std::path::Path;
use std::time::Duration;

use sea_orm::{
    DatabaseBackend, DatabaseConnection, SqlxMySqlConnector, SqlxPostgresConnector, SqlxSqliteConnector,
};
use sqlx::mysql::{MySqlConnection, MySqlPoolOptions};
use sqlx::pool::{PoolConnectionMetadata, PoolOptions};
use sqlx::postgres::PgPoolOptions;
use sqlx::sqlite::{
    SqliteConnectOptions, SqliteConnection, SqliteJournalMode, SqlitePoolOptions, SqliteSynchronous,
};
use sqlx::{ConnectOptions, Connection, Database, Executor, Row};

use crate::dsn::Target;

/// Most connections of one node to one database server.
pub const MAX_SERVER_CONNECTIONS: u32 = 8;

/// Connections that read a SQLite file; one more writes. Each is a thread.
pub const MAX_SQLITE_READERS: u32 = 4;

/// Longest wait for a connection, making one included.
pub const CONNECT_LIMIT: Duration = Duration::from_secs(3);

/// Longest wait for the turn at a SQLite file's only writing connection; what waits there is this node's own.
pub const SQLITE_TURN_LIMIT: Duration = Duration::from_secs(10);

/// A connection that was idle for longer is tried before it is used.
const TRY_AFTER_IDLE: Duration = Duration::from_secs(2);

/// A connection that is older is replaced when it is next asked for: what a server keeps for it only grows.
const REPLACE_AFTER: Duration = Duration::from_secs(30 * 60);

/// Longest time a server spends on one statement.
pub const STATEMENT_LIMIT: Duration = Duration::from_secs(5);

/// Longest time a server waits for a lock before it gives up.
pub const LOCK_LIMIT: Duration = Duration::from_secs(2);

/// After so long without a statement a server ends a transaction: a node that was stopped blocks nobody for longer.
pub const IDLE_TRANSACTION_LIMIT: Duration = Duration::from_secs(3);

/// SQLite's own waiting for a busy file, short, since we wait ourselves with jitter and without holding a thread.
const SQLITE_BUSY_WAIT: Duration = Duration::from_millis(2);

/// Prepared statements kept per connection: twenty sizes for seven tables, and a hundred others.
const STATEMENT_CACHE: usize = 256;

/// Size to which SQLite cuts its write-ahead log after a checkpoint.
const SQLITE_LOG_BYTES: &str = "67108864";

/// Rows of an answer that SQLite's thread makes before it waits for whoever reads them: each wait is two switches of threads.
const SQLITE_ROWS_BUFFERED: usize = 1_024;

/// Page cache of the connection that writes, in KiB, negative as SQLite wants it; taken as it is needed. With its
/// default of 2 MiB, a busy file's index pages are read again for every batch.
const SQLITE_WRITER_CACHE: &str = "-16384";

/// Page cache of each connection that reads: small, as what it holds the system's cache holds, too.
const SQLITE_READER_CACHE: &str = "-512";

/// Pages of the write-ahead log after which SQLite copies them into the file. Larger than its default of 1,000: a
/// checkpoint under load costs syncs of its own.
const SQLITE_CHECKPOINT_PAGES: &str = "4000";

/// Connections for writing and for reading; the same pool where the engine makes no difference.
#[derive(Clone, Debug)]
pub(crate) struct Pools {
    pub(crate) writer: DatabaseConnection,
    pub(crate) reader: DatabaseConnection,
}

impl Pools {
    /// Whether there is no connection at all, neither in use nor idle.
    pub(crate) fn is_empty(&self) -> bool {
        [&self.writer, &self.reader]
            .into_iter()
            .all(|pool| match pool.get_database_backend() {
                DatabaseBackend::Postgres => pool.get_postgres_connection_pool().size() == 0,
                DatabaseBackend::MySql => pool.get_mysql_connection_pool().size() == 0,
                _ => pool.get_sqlite_connection_pool().size() == 0,
            })
    }
}

pub(crate) fn open(target: &Target) -> Pools {
    match target {
        Target::Sqlite(path) => Pools {
            writer: sqlite(path, true),
            reader: sqlite(path, false),
        },
        Target::Postgres(options) => {
            let options = options
                .as_ref()
                .clone()
                .application_name("tim-node")
                .statement_cache_capacity(STATEMENT_CACHE)
                .disable_statement_logging();
            let settings = postgres_settings();
            let pool = limits::<sqlx::Postgres>(PgPoolOptions::new(), MAX_SERVER_CONNECTIONS)
                .after_connect(move |connection, _| {
                    let settings = settings.clone();
                    Box::pin(async move {
                        connection.execute(sqlx::AssertSqlSafe(settings)).await?;
                        Ok(())
                    })
                })
                .connect_lazy_with(options);
            let pool = SqlxPostgresConnector::from_sqlx_postgres_pool(pool);
            Pools {
                writer: pool.clone(),
                reader: pool,
            }
        }
        Target::MySql(options) => {
            let options = options
                .as_ref()
                .clone()
                .statement_cache_capacity(STATEMENT_CACHE)
                .disable_statement_logging();
            let pool = limits::<sqlx::MySql>(MySqlPoolOptions::new(), MAX_SERVER_CONNECTIONS)
                .after_connect(|connection, _| Box::pin(mysql_settings(connection)))
                .connect_lazy_with(options);
            let pool = SqlxMySqlConnector::from_sqlx_mysql_pool(pool);
            Pools {
                writer: pool.clone(),
                reader: pool,
            }
        }
    }
}

/// Connections that nobody uses stay: the task of sqlx 0.9.0 that would close them can miscount, and then spins for ever on
/// a thread that other tasks wait for (transact-rs/sqlx#3645, mended behind that version). Without idle time and life time
/// there is no such task.
fn limits<D: Database>(options: PoolOptions<D>, connections: u32) -> PoolOptions<D> {
    options
        .max_connections(connections)
        .acquire_timeout(CONNECT_LIMIT)
        .idle_timeout(None)
        .max_lifetime(None)
        .test_before_acquire(false)
        .before_acquire(|connection, metadata: PoolConnectionMetadata| {
            Box::pin(async move {
                if metadata.age > REPLACE_AFTER {
                    return Ok(false);
                }
                if metadata.idle_for < TRY_AFTER_IDLE {
                    return Ok(true);
                }
                Ok(connection.ping().await.is_ok())
            })
        })
}

fn sqlite(path: &Path, writes: bool) -> DatabaseConnection {
    let options = SqliteConnectOptions::new()
        .filename(path)
        .create_if_missing(writes)
        .journal_mode(SqliteJournalMode::Wal)
        .synchronous(SqliteSynchronous::Full)
        .busy_timeout(SQLITE_BUSY_WAIT)
        .statement_cache_capacity(STATEMENT_CACHE)
        .pragma("journal_size_limit", SQLITE_LOG_BYTES)
        .pragma("wal_autocheckpoint", SQLITE_CHECKPOINT_PAGES)
        .pragma(
            "cache_size",
            if writes {
                SQLITE_WRITER_CACHE
            } else {
                SQLITE_READER_CACHE
            },
        )
        // What a statement may have to undo stays in memory: it went through a file of its own in every commit.
        .pragma("temp_store", "MEMORY")
        .row_buffer_size(SQLITE_ROWS_BUFFERED)
        .pragma("query_only", if writes { "OFF" } else { "ON" })
        .disable_statement_logging();
    let connections = if writes { 1 } else { MAX_SQLITE_READERS };
    let pool = limits::<sqlx::Sqlite>(SqlitePoolOptions::new(), connections)
        .acquire_timeout(SQLITE_TURN_LIMIT)
        .after_release(|connection, _| Box::pin(is_out_of_transactions(connection)))
        .connect_lazy_with(options);
    SqlxSqliteConnector::from_sqlx_sqlite_pool(pool)
}

/// Whether a connection may be used again: not while a transaction is open on it.
///
/// SQLite ends a transaction by itself when the disk is full or fails. The driver's own rollback then fails and is not
/// repeated, and what comes next would be a savepoint inside of something that nobody ever commits.
async fn is_out_of_transactions(connection: &mut SqliteConnection) -> Result<bool, sqlx::Error> {
    if !connection.is_in_transaction() {
        return Ok(true);
    }
    // A rollback that was begun by a drop is done when this has been answered.
    connection.ping().await?;
    Ok(!connection.is_in_transaction())
}

/// One text, so that it costs one round trip. A commit that is acknowledged before it is durable is switched off.
///
/// All our statements come with their keys, so a nested loop over an index is always the right plan. Without this
/// PostgreSQL keeps, for as long as a connection lives, the plans it made when the tables were empty: those read whole
/// tables.
fn postgres_settings() -> String {
    format!(
        "SET idle_in_transaction_session_timeout = {idle}; SET statement_timeout = {statement}; \
         SET lock_timeout = {lock}; SET default_transaction_isolation = 'read committed'; \
         SET enable_seqscan = off; SET enable_hashjoin = off; SET enable_mergejoin = off; \
         SELECT set_config('synchronous_commit', 'on', false) \
         WHERE current_setting('synchronous_commit') = 'off'",
        idle = IDLE_TRANSACTION_LIMIT.as_millis(),
        statement = STATEMENT_LIMIT.as_millis(),
        lock = LOCK_LIMIT.as_millis(),
    )
}

/// MariaDB ends idle transactions; MySQL can only end idle connections, so there the pool makes new ones more often.
async fn mysql_settings(connection: &mut MySqlConnection) -> Result<(), sqlx::Error> {
    let version: String = connection.fetch_one("SELECT VERSION()").await?.try_get(0)?;
    let idle = IDLE_TRANSACTION_LIMIT.as_secs();
    let own = if version.contains("MariaDB") {
        format!(
            "idle_transaction_timeout = {idle}, max_statement_time = {}",
            STATEMENT_LIMIT.as_secs()
        )
    } else {
        format!(
            "wait_timeout = {idle}, max_execution_time = {}",
            STATEMENT_LIMIT.as_millis()
        )
    };
    let settings = format!(
        "SET SESSION {own}, innodb_lock_wait_timeout = {}, sql_mode = 'STRICT_ALL_TABLES,NO_ENGINE_SUBSTITUTION'",
        LOCK_LIMIT.as_secs()
    );
    connection.execute(sqlx::AssertSqlSafe(settings)).await?;
    connection
        .execute("SET SESSION TRANSACTION ISOLATION LEVEL READ COMMITTED")
        .await?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_pool_has_the_task_that_may_never_end() {
        let options = limits::<sqlx::Sqlite>(SqlitePoolOptions::new(), 1);
        assert_eq!(
            (options.get_idle_timeout(), options.get_max_lifetime()),
            (None, None)
        );
    }
}
