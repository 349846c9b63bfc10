//! Getting a database ready: its tables, and whose it is.
//!
//! One process at a time, under a lock: an advisory lock on PostgreSQL, a named lock on MySQL and MariaDB,
//! `BEGIN IMMEDIATE` on SQLite. Before anything is changed it is looked up whether the database belongs to this
//! cluster, to this name, and to this storage key.
//!
//! MySQL commits every DDL statement by itself, so each one is written to be re-runnable. Later migrations only add:
//! nodes of the version before go on working with the new schema, unless `tim_binding.schema_minimum` is
//! raised.

mod bind;
mod deletion;
mod first;
mod outbox;

use sea_orm_migration::sea_orm::DatabaseBackend;
use sea_orm_migration::{MigrationTrait, MigratorTrait, SchemaManager};
use tim_core::map::PartitionMap;

use crate::dsn::Engine;
use crate::error::StoreError;
use crate::fence::{Access, Fence};
use crate::store::Database;
use crate::transaction::{Backoff, Transaction, summary};

pub use bind::Bootstrap;

/// Version of the newest migration below; raised with each one.
pub const SCHEMA_VERSION: i64 = 3;

/// Key of the advisory lock that one migrating process holds on PostgreSQL: "TIMMIGR8".
const MIGRATION_LOCK: i64 = 0x5449_4d4d_4947_5238;

/// Longest wait for the named lock on MySQL in seconds.
const MIGRATION_LOCK_SECONDS: i64 = 30;

fn engine_of(backend: DatabaseBackend) -> Engine {
    match backend {
        DatabaseBackend::Postgres => Engine::Postgres,
        DatabaseBackend::MySql => Engine::MySql,
        _ => Engine::Sqlite,
    }
}

struct Migrator;

impl MigratorTrait for Migrator {
    fn migrations() -> Vec<Box<dyn MigrationTrait>> {
        vec![
            Box::new(first::FirstTables),
            Box::new(outbox::Outbox),
            Box::new(deletion::Deletion),
        ]
    }

    fn migration_table_name() -> sea_orm::DynIden {
        sea_orm::sea_query::IntoIden::into_iden(sea_orm::sea_query::Alias::new("tim_migration"))
    }
}

impl Database {
    /// Connects, migrates and binds. Called until it succeeds; running it again on a ready database changes nothing.
    ///
    /// # Errors
    /// [`StoreError::Unreachable`] and its like heal; [`StoreError::ForeignCluster`], [`StoreError::ForeignName`],
    /// [`StoreError::WrongStorageKey`] and [`StoreError::SchemaTooNew`] stay. Nothing was changed by any of them.
    pub async fn prepare(&self) -> Result<(), StoreError> {
        let mut backoff = Backoff::new(self.engine());
        loop {
            match self.prepare_once().await {
                Ok(()) => return Ok(()),
                Err(error) => backoff.next(self, error).await?,
            }
        }
    }

    async fn prepare_once(&self) -> Result<(), StoreError> {
        if self.is_ready().await? {
            return Ok(());
        }
        let transaction = self.begin(Access::Write).await?;
        transaction.lock_migrations().await?;
        let result = transaction.migrate_and_bind().await;
        if self.engine() == Engine::MySql {
            // The named lock belongs to the connection, not to the transaction.
            let text = "SELECT RELEASE_LOCK('tim migration')";
            transaction
                .rows(summary("SELECT", "tim_migration"), text, Vec::new())
                .await?;
        }
        result?;
        transaction.commit().await
    }

    /// Whether nothing is left to do: the usual case, found out by reading alone.
    async fn is_ready(&self) -> Result<bool, StoreError> {
        let transaction = self.begin(Access::Write).await?;
        let ready = if transaction.has_table("tim_binding").await? {
            transaction.check_binding().await? && transaction.nothing_pending().await?
        } else {
            false
        };
        transaction.rollback().await;
        Ok(ready)
    }

    /// Makes the fences of the ranges this database holds in `map`, if it has none at all; a founded cluster keeps
    /// what its fences say.
    ///
    /// # Errors
    /// Any of the database.
    pub async fn create_fences(&self, map: &PartitionMap) -> Result<(), StoreError> {
        let first: Vec<Fence> = map
            .ranges_of(self.name())
            .map(|range| Fence::first(range, map.end_of(range.from)))
            .collect();
        let first = &first;
        self.transact(Access::Write, &move |mut transaction| {
            Box::pin(async move {
                transaction.lock_migrations().await?;
                if transaction.all_fences().await?.is_empty() {
                    for fence in first {
                        transaction.write_fence(fence).await?;
                    }
                }
                transaction.unlock_migrations().await?;
                Ok((transaction, ()))
            })
        })
        .await
    }

    /// All fences, from which a lost map can be put together again.
    ///
    /// # Errors
    /// Any of the database.
    pub async fn fences(&self) -> Result<Vec<Fence>, StoreError> {
        self.transact(Access::Read, &|transaction| {
            Box::pin(async move {
                let fences = transaction.all_fences().await?;
                Ok((transaction, fences))
            })
        })
        .await
    }

    /// Asks the database for an answer.
    ///
    /// # Errors
    /// [`StoreError::Unreachable`] and its like.
    pub async fn ping(&self) -> Result<(), StoreError> {
        self.transact(Access::Read, &|transaction| {
            Box::pin(async move {
                transaction
                    .rows(summary("SELECT", ""), "SELECT 1", Vec::new())
                    .await?;
                Ok((transaction, ()))
            })
        })
        .await
    }
}

impl Transaction {
    async fn lock_migrations(&self) -> Result<(), StoreError> {
        let what = summary("SELECT", "tim_migration");
        match self.engine() {
            // BEGIN IMMEDIATE has the whole file.
            Engine::Sqlite => {}
            Engine::Postgres => {
                self.rows(
                    what,
                    "SELECT pg_advisory_xact_lock(?)",
                    vec![MIGRATION_LOCK.into()],
                )
                .await?;
            }
            Engine::MySql => {
                let text = "SELECT GET_LOCK('tim migration', ?)";
                let rows = self.rows(what, text, vec![MIGRATION_LOCK_SECONDS.into()]).await?;
                let held = rows
                    .first()
                    .and_then(|row| row.try_get_by_index::<Option<i64>>(0).ok().flatten());
                if held != Some(1) {
                    return Err(StoreError::Contention {
                        database: self.database.name().clone(),
                        attempts: 1,
                    });
                }
            }
        }
        Ok(())
    }

    /// The other engines release with the end of the transaction.
    async fn unlock_migrations(&self) -> Result<(), StoreError> {
        if self.engine() == Engine::MySql {
            let text = "SELECT RELEASE_LOCK('tim migration')";
            self.rows(summary("SELECT", "tim_migration"), text, Vec::new())
                .await?;
        }
        Ok(())
    }

    async fn has_table(&self, table: &str) -> Result<bool, StoreError> {
        SchemaManager::new(self.raw())
            .has_table(table)
            .await
            .map_err(|error| self.database.error(error))
    }

    async fn nothing_pending(&self) -> Result<bool, StoreError> {
        if !self.has_table("tim_migration").await? {
            return Ok(false);
        }
        let text = "SELECT version FROM tim_migration";
        let rows = self
            .rows(summary("SELECT", "tim_migration"), text, Vec::new())
            .await?;
        let applied: Vec<String> = rows
            .iter()
            .filter_map(|row| row.try_get_by_index::<String>(0).ok())
            .collect();
        // Versions of newer nodes are fine: theirs only added something.
        Ok(Migrator::migrations()
            .iter()
            .all(|known| applied.iter().any(|name| name == known.name())))
    }

    async fn migrate_and_bind(&self) -> Result<(), StoreError> {
        if self.has_table("tim_binding").await? {
            self.check_binding().await?;
        }
        if !self.nothing_pending().await? {
            Migrator::up(self.raw(), None)
                .await
                .map_err(|error| self.database.error(error))?;
        }
        self.bind().await
    }
}
