//! A database of somebody else, in which statements of theirs are asked: a pool with limits, parameters bound as text, answers
//! of a few columns read as text. Nothing of ours is in it, so nothing is migrated, sealed or fenced.

use std::time::Duration;

use sea_orm::{
    ConnectionTrait, DatabaseBackend, DatabaseConnection, DbErr, QueryResult, SqlxMySqlConnector,
    SqlxPostgresConnector, SqlxSqliteConnector, Statement, Value,
};
use sqlx::mysql::MySqlPoolOptions;
use sqlx::pool::PoolOptions;
use sqlx::postgres::PgPoolOptions;
use sqlx::sqlite::{SqliteConnectOptions, SqlitePoolOptions};
use sqlx::{
    Column, ConnectOptions, Database, Executor, Pool, SqlSafeStr as _, Statement as _, Type, TypeInfo as _,
};

use crate::dsn::{BadDsn, Dsn, Engine, Target};
use crate::statement::placeholders;

/// Why there is no answer. The texts hold no parameter.
#[derive(Debug, thiserror::Error)]
pub enum ForeignError {
    /// No answer in time.
    #[error("no answer within {} ms", .0.as_millis())]
    Timeout(Duration),
    /// The database, or the driver, said no.
    #[error("{0}")]
    Refused(#[from] DbErr),
    /// A column is missing, or holds something that is neither text nor a number.
    #[error("column {0} of the answer is missing, or neither text nor a number")]
    Column(usize),
    /// More rows than are taken.
    #[error("more than {0} rows")]
    TooMany(usize),
}

/// Why a statement cannot be used, found out without running it. The texts hold no parameter.
#[derive(Debug, thiserror::Error)]
pub enum StatementError {
    /// Nobody could be asked; nothing is known about the statement. Trying again may help.
    #[error("{0}")]
    Unreachable(String),
    /// The database does not take it. It will not until the statement or the tables are changed.
    #[error("{0}")]
    Refused(String),
    /// Its answers have too few columns; so many they have.
    #[error("its answers have {0} columns")]
    Columns(usize),
    /// The column that should be a number is of another type, by the database's name of it.
    #[error("its answers begin with a column of the type {0}, which is no whole number")]
    NoNumber(String),
}

/// What is read of the rows of an answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reads {
    /// So many columns, whatever they hold.
    Columns(usize),
    /// A number in the first column, 1 for true.
    Number,
}

impl Reads {
    fn columns(self) -> usize {
        match self {
            Self::Columns(count) => count,
            Self::Number => 1,
        }
    }
}

impl From<sqlx::Error> for StatementError {
    fn from(error: sqlx::Error) -> Self {
        match error {
            sqlx::Error::Database(error) => Self::Refused(error.message().to_owned()),
            other => Self::Unreachable(other.to_string()),
        }
    }
}

/// A pool of connections to it. Cloning is cheap.
#[derive(Debug, Clone)]
pub struct Foreign {
    pool: DatabaseConnection,
    engine: Engine,
    timeout: Duration,
    rows_max: usize,
}

impl Foreign {
    /// Makes a pool without connecting. Must be called inside a tokio runtime.
    ///
    /// # Errors
    /// A DSN that is not understood.
    pub fn open(dsn: &str, connections: u32, timeout: Duration, rows_max: usize) -> Result<Self, BadDsn> {
        let dsn: Dsn = dsn.parse()?;
        let pool = match &dsn.target {
            Target::Sqlite(path) => {
                let options = SqliteConnectOptions::new()
                    .filename(path)
                    .busy_timeout(timeout)
                    .disable_statement_logging();
                let pool = limits::<sqlx::Sqlite>(SqlitePoolOptions::new(), connections, timeout);
                SqlxSqliteConnector::from_sqlx_sqlite_pool(pool.connect_lazy_with(options))
            }
            Target::Postgres(options) => {
                let options = options
                    .as_ref()
                    .clone()
                    .application_name("tim-node")
                    .disable_statement_logging();
                let pool = limits::<sqlx::Postgres>(PgPoolOptions::new(), connections, timeout);
                SqlxPostgresConnector::from_sqlx_postgres_pool(pool.connect_lazy_with(options))
            }
            Target::MySql(options) => {
                let options = options.as_ref().clone().disable_statement_logging();
                let pool = limits::<sqlx::MySql>(MySqlPoolOptions::new(), connections, timeout);
                SqlxMySqlConnector::from_sqlx_mysql_pool(pool.connect_lazy_with(options))
            }
        };
        Ok(Self {
            pool,
            engine: dsn.engine(),
            timeout,
            rows_max,
        })
    }

    /// The rows of an answer, each with so many columns as text; parameters are bound, never spliced.
    ///
    /// # Errors
    /// See [`ForeignError`].
    pub async fn rows(
        &self,
        text: &str,
        parameters: &[&str],
        columns: usize,
    ) -> Result<Vec<Vec<String>>, ForeignError> {
        let backend = match self.engine {
            Engine::Sqlite => DatabaseBackend::Sqlite,
            Engine::Postgres => DatabaseBackend::Postgres,
            Engine::MySql => DatabaseBackend::MySql,
        };
        let values: Vec<Value> = parameters.iter().map(|text| Value::from(*text)).collect();
        let statement = Statement::from_sql_and_values(backend, placeholders(self.engine, text), values);
        // The future is dropped when its time is up, and with it the connection.
        let asked = tokio::time::timeout(self.timeout, self.pool.query_all_raw(statement));
        let rows = asked.await.map_err(|_| ForeignError::Timeout(self.timeout))??;
        if rows.len() > self.rows_max {
            return Err(ForeignError::TooMany(self.rows_max));
        }
        let read = |row: &QueryResult| (0..columns).map(|column| text_of(row, column)).collect();
        rows.iter().map(read).collect()
    }

    /// Whether a statement with so many parameters is taken, and gives the columns that are read. It is prepared, not run.
    /// What the database does not know before (SQLite, the type of what is computed) is not judged.
    ///
    /// # Errors
    /// See [`StatementError`].
    pub async fn check(&self, text: &str, parameters: usize, reads: Reads) -> Result<(), StatementError> {
        let text = placeholders(self.engine, text);
        let prepared = async {
            match self.engine {
                Engine::Sqlite => prepare(self.pool.get_sqlite_connection_pool(), text, parameters).await,
                Engine::Postgres => prepare(self.pool.get_postgres_connection_pool(), text, parameters).await,
                Engine::MySql => prepare(self.pool.get_mysql_connection_pool(), text, parameters).await,
            }
        };
        let late = || StatementError::Unreachable(ForeignError::Timeout(self.timeout).to_string());
        let found = tokio::time::timeout(self.timeout, prepared)
            .await
            .map_err(|_| late())??;
        if found.columns < reads.columns() {
            return Err(StatementError::Columns(found.columns));
        }
        match (reads, found.no_number) {
            (Reads::Number, Some(of_type)) => Err(StatementError::NoNumber(of_type)),
            _ => Ok(()),
        }
    }

    /// Closes every connection.
    pub async fn close(&self) {
        if let Err(error) = self.pool.close_by_ref().await {
            tracing::debug!(%error, "closing connections to a database of users");
        }
    }
}

/// What a database says of the answers of a statement.
struct Prepared {
    columns: usize,
    /// The type of the first column, if that is known to be none that [`text_of`] reads a number from.
    no_number: Option<String>,
}

/// What the answers of a statement are whose parameters are texts.
async fn prepare<D>(pool: &Pool<D>, text: String, parameters: usize) -> Result<Prepared, StatementError>
where
    D: Database,
    String: Type<D>,
    i64: Type<D>,
    i32: Type<D>,
    i16: Type<D>,
    bool: Type<D>,
    for<'c> &'c mut D::Connection: Executor<'c, Database = D>,
{
    // A failure before that says nothing about the statement.
    let unreachable = |error: sqlx::Error| StatementError::Unreachable(error.to_string());
    let mut connection = pool.acquire().await.map_err(unreachable)?;
    let types = vec![<String as Type<D>>::type_info(); parameters];
    let text = sqlx::AssertSqlSafe(text).into_sql_str();
    let connection: &mut D::Connection = &mut connection;
    let statement = connection.prepare_with(text, &types).await?;
    let columns = statement.columns();
    let is_number = |of: &D::TypeInfo| {
        <i64 as Type<D>>::compatible(of)
            || <i32 as Type<D>>::compatible(of)
            || <i16 as Type<D>>::compatible(of)
            || <bool as Type<D>>::compatible(of)
    };
    let first = columns.first().map(Column::type_info);
    let known = first.filter(|of| !of.is_null() && !is_number(of));
    Ok(Prepared {
        columns: columns.len(),
        no_number: known.map(|of| of.name().to_owned()),
    })
}

/// A column as text, whatever the engine calls its type.
fn text_of(row: &QueryResult, column: usize) -> Result<String, ForeignError> {
    if let Ok(text) = row.try_get_by_index::<String>(column) {
        return Ok(text);
    }
    let number = row
        .try_get_by_index::<i64>(column)
        .or_else(|_| row.try_get_by_index::<i32>(column).map(i64::from))
        .or_else(|_| row.try_get_by_index::<i16>(column).map(i64::from))
        .or_else(|_| row.try_get_by_index::<bool>(column).map(i64::from));
    if let Ok(number) = number {
        return Ok(number.to_string());
    }
    let bytes = row.try_get_by_index::<Vec<u8>>(column).ok();
    bytes
        .and_then(|bytes| String::from_utf8(bytes).ok())
        .ok_or(ForeignError::Column(column + 1))
}

/// As for our own pools: without the task that closes idle connections.
fn limits<D: Database>(options: PoolOptions<D>, connections: u32, timeout: Duration) -> PoolOptions<D> {
    options
        .max_connections(connections)
        .acquire_timeout(timeout)
        .idle_timeout(None)
        .max_lifetime(None)
}
