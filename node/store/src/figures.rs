//! What people want to know of a database: its size, its schema, how much is in it. Asked rarely, never on the way of a
//! message.

use std::time::Duration;

use futures::future::BoxFuture;
use sea_orm::DbErr;

use crate::dsn::Engine;
use crate::error::StoreError;
use crate::fence::Access;
use crate::read::number;
use crate::store::Database;
use crate::transaction::{Transaction, summary};

/// Longest wait for one figure: a server that sums up thousands of files leaves it unknown.
pub const FIGURE_LIMIT: Duration = Duration::from_secs(1);

/// Most conversations whose heads are summed up: a file with more leaves the sum unknown, as reading them all takes long.
pub const COUNTED_CONVERSATIONS_MAX: u64 = 500_000;

impl Database {
    /// Bytes that the database takes, indexes included. MySQL and MariaDB estimate them.
    ///
    /// # Errors
    /// Any of the database; [`StoreError::Timeout`] after [`FIGURE_LIMIT`].
    pub async fn size_bytes(&self) -> Result<u64, StoreError> {
        let (table, text) = match self.engine() {
            Engine::Sqlite => (
                "",
                "SELECT page_count * page_size FROM pragma_page_count(), pragma_page_size()",
            ),
            Engine::Postgres => ("", "SELECT pg_database_size(current_database())"),
            Engine::MySql => (
                "tables",
                "SELECT CAST(COALESCE(SUM(data_length + index_length), 0) AS SIGNED) \
                 FROM information_schema.tables WHERE table_schema = DATABASE()",
            ),
        };
        let row = self.figures(table, text, 1).await?;
        Ok(row.first().copied().unwrap_or(0))
    }

    /// How many migrations the database has seen: the number of its schema.
    ///
    /// # Errors
    /// Any of the database; [`StoreError::Timeout`] after [`FIGURE_LIMIT`].
    pub async fn schema_number(&self) -> Result<u64, StoreError> {
        let row = self
            .figures("tim_migration", "SELECT COUNT(*) FROM tim_migration", 1)
            .await?;
        Ok(row.first().copied().unwrap_or(0))
    }

    /// How many messages its conversations hold, requests of friendship included; `None` where it would take long to
    /// find out: in a large file, and at a server, which all nodes would ask for the same.
    ///
    /// # Errors
    /// Any of the database; [`StoreError::Timeout`] after [`FIGURE_LIMIT`].
    pub async fn message_count(&self) -> Result<Option<u64>, StoreError> {
        if self.engine() != Engine::Sqlite {
            return Ok(None);
        }
        let text = format!(
            "SELECT COUNT(*), COALESCE(SUM(head), 0) \
             FROM (SELECT head FROM tim_conversation LIMIT {})",
            COUNTED_CONVERSATIONS_MAX + 1
        );
        let row = self.figures("tim_conversation", &text, 2).await?;
        Ok(match row[..] {
            [conversations, messages] if conversations <= COUNTED_CONVERSATIONS_MAX => Some(messages),
            _ => None,
        })
    }

    /// The first columns of the only row of an answer.
    async fn figures(&self, table: &'static str, text: &str, columns: usize) -> Result<Vec<u64>, StoreError> {
        let work = |transaction: Transaction| -> BoxFuture<'_, Result<(Transaction, Vec<u64>), StoreError>> {
            Box::pin(async move {
                let what = summary("SELECT", table);
                let rows = transaction.rows(what, text, Vec::new()).await?;
                let read: Result<Vec<u64>, DbErr> = match rows.first() {
                    Some(row) => (0..columns).map(|column| number(row, column)).collect(),
                    None => Ok(Vec::new()),
                };
                let read = read.map_err(|error| transaction.database.error(error))?;
                Ok((transaction, read))
            })
        };
        tokio::time::timeout(FIGURE_LIMIT, self.transact(Access::Read, &work))
            .await
            .unwrap_or_else(|_| {
                Err(StoreError::Timeout {
                    database: self.name().clone(),
                })
            })
    }
}
