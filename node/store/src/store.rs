//! The databases of a cluster as one node sees them: named, opened lazily, shared by cheap handles.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, RwLock};

use sea_orm::{DatabaseBackend, DbErr, Statement, Value};
use tim_core::id::{DatabaseName, Slot};
use tim_core::map::HomePlacement;
use tracing::Span;

use crate::connection::{self, Pools};
use crate::dsn::{Dsn, Engine};
use crate::error::{Fault, StoreError, fault_of};
use crate::keys::StorageKeys;
use crate::outbox::Announce;
use crate::seal::{MAX_SEALED_BYTES, Place};
use crate::statement::placeholders;
use crate::transaction::{Summary, count};

/// The ranges of a database as last seen, `[from, to)` in order: a guess that tells which fence to take.
pub(crate) type Layout = Arc<Vec<(Slot, Slot)>>;

/// What a store is opened with.
#[derive(Debug)]
pub struct StoreConfig {
    /// The cluster's id; a database is bound to the first one that uses it.
    pub cluster: String,
    /// The derived keys.
    pub keys: StorageKeys,
}

/// All databases of the cluster. Cloning is cheap.
#[derive(Clone)]
pub struct Store {
    shared: Arc<Shared>,
    databases: Arc<RwLock<BTreeMap<DatabaseName, Database>>>,
}

pub(crate) struct Shared {
    pub(crate) cluster: String,
    pub(crate) keys: StorageKeys,
    pub(crate) announce: Announce,
}

/// One database. Cloning is cheap.
#[derive(Clone)]
pub struct Database {
    pub(crate) inner: Arc<Inner>,
}

pub(crate) struct Inner {
    name: DatabaseName,
    dsn: Dsn,
    pools: RwLock<Pools>,
    pub(crate) shared: Arc<Shared>,
    layout: RwLock<Layout>,
    statements: Arc<AtomicU64>,
    #[cfg(feature = "explain")]
    plans: crate::explain::Plans,
}

impl fmt::Debug for Store {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("Store")
            .field("databases", &self.databases())
            .finish_non_exhaustive()
    }
}

impl fmt::Debug for Database {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            formatter,
            "Database({} at {})",
            self.inner.name,
            self.inner.dsn.shown()
        )
    }
}

impl Store {
    /// Makes a store without connecting to anything.
    #[must_use]
    pub fn new(config: StoreConfig) -> Self {
        Self::announcing(config, Announce::default())
    }

    /// [`Self::new`], and messages leave events in the outbox.
    #[must_use]
    pub fn announcing(config: StoreConfig, announce: Announce) -> Self {
        Self {
            shared: Arc::new(Shared {
                cluster: config.cluster,
                keys: config.keys,
                announce,
            }),
            databases: Arc::default(),
        }
    }

    /// Adds databases, or replaces those whose DSN has changed. Connects to none of them: see [`Database::prepare`].
    ///
    /// Must be called inside a tokio runtime, on which the pools live.
    ///
    /// # Errors
    /// [`StoreError::BadDsn`] for the first DSN that cannot be used; those before it are added.
    pub fn configure<N: AsRef<str>>(
        &self,
        databases: impl IntoIterator<Item = (DatabaseName, N)>,
    ) -> Result<(), StoreError> {
        for (name, dsn) in databases {
            let dsn: Dsn = dsn.as_ref().parse().map_err(|source| StoreError::BadDsn {
                database: name.clone(),
                source,
            })?;
            self.add(name, dsn);
        }
        Ok(())
    }

    /// Adds a database, or gives it another DSN. Handles that were given out before go on with the old one.
    pub fn add(&self, name: DatabaseName, dsn: Dsn) -> Database {
        let database = Database {
            inner: Arc::new(Inner {
                pools: RwLock::new(connection::open(&dsn.target)),
                name: name.clone(),
                dsn,
                shared: self.shared.clone(),
                layout: RwLock::default(),
                statements: Arc::default(),
                #[cfg(feature = "explain")]
                plans: crate::explain::Plans::default(),
            }),
        };
        if let Ok(mut databases) = self.databases.write() {
            databases.insert(name, database.clone());
        }
        database
    }

    /// A database by its name.
    ///
    /// # Errors
    /// [`StoreError::UnknownDatabase`] when none of that name was added.
    pub fn database(&self, name: &DatabaseName) -> Result<Database, StoreError> {
        self.databases
            .read()
            .ok()
            .and_then(|databases| databases.get(name).cloned())
            .ok_or_else(|| StoreError::UnknownDatabase {
                database: name.clone(),
            })
    }

    /// The names of all databases, in order.
    #[must_use]
    pub fn databases(&self) -> Vec<DatabaseName> {
        self.databases
            .read()
            .map(|databases| databases.keys().cloned().collect())
            .unwrap_or_default()
    }

    /// Closes every connection; a SQLite file is checkpointed by that.
    pub async fn close(&self) {
        let databases: Vec<Database> = self
            .databases
            .read()
            .map(|databases| databases.values().cloned().collect())
            .unwrap_or_default();
        for database in databases {
            database.close().await;
        }
    }
}

impl Database {
    /// The name in the specification.
    #[must_use]
    pub fn name(&self) -> &DatabaseName {
        &self.inner.name
    }

    /// The family of engines.
    #[must_use]
    pub fn engine(&self) -> Engine {
        self.inner.dsn.engine()
    }

    /// Where it is, without any secret.
    #[must_use]
    pub fn place(&self) -> &str {
        self.inner.dsn.place()
    }

    /// How homes are chosen in its ranges: SQLite has one writer.
    #[must_use]
    pub fn home_placement(&self) -> HomePlacement {
        match self.engine() {
            Engine::Sqlite => HomePlacement::PerDatabase,
            Engine::Postgres | Engine::MySql => HomePlacement::PerConversation,
        }
    }

    /// Statements sent since it was opened; tests count by it what a batch costs.
    #[must_use]
    pub fn statements_sent(&self) -> u64 {
        self.inner.statements.load(Ordering::Relaxed)
    }

    /// Closes every connection.
    pub async fn close(&self) {
        close(self.name(), self.pools()).await;
    }

    /// Seals a value for its place.
    pub(crate) fn seal(&self, place: Place<'_>, plain: &[u8]) -> Result<Vec<u8>, StoreError> {
        let database = || self.name().clone();
        let table = place.table.name;
        if plain.len() > MAX_SEALED_BYTES {
            let (bytes, limit) = (plain.len(), MAX_SEALED_BYTES);
            return Err(StoreError::TooLarge {
                database: database(),
                table,
                bytes,
                limit,
            });
        }
        self.keys()
            .seal
            .seal(place, plain)
            .map_err(|error| StoreError::DamagedRow {
                database: database(),
                table,
                reason: error.reason(),
            })
    }

    /// Opens a value that was sealed for its place.
    pub(crate) fn open_sealed(&self, place: Place<'_>, sealed: Vec<u8>) -> Result<Vec<u8>, StoreError> {
        let table = place.table.name;
        self.keys()
            .seal
            .open(place, sealed)
            .map_err(|error| StoreError::DamagedRow {
                database: self.name().clone(),
                table,
                reason: error.reason(),
            })
    }

    /// The pools in use just now.
    pub(crate) fn pools(&self) -> Pools {
        match self.inner.pools.read() {
            Ok(pools) => pools.clone(),
            Err(poisoned) => poisoned.into_inner().clone(),
        }
    }

    /// Uses new connections from now on: a server looks at a user's rights when a connection begins.
    pub(crate) fn reconnect(&self) {
        let fresh = connection::open(&self.inner.dsn.target);
        let old = match self.inner.pools.write() {
            Ok(mut pools) => std::mem::replace(&mut *pools, fresh),
            Err(poisoned) => std::mem::replace(&mut *poisoned.into_inner(), fresh),
        };
        let name = self.name().clone();
        // What still runs on the old ones ends first.
        tokio::spawn(async move { close(&name, old).await });
    }

    pub(crate) fn keys(&self) -> &StorageKeys {
        &self.inner.shared.keys
    }

    pub(crate) fn backend(&self) -> DatabaseBackend {
        match self.engine() {
            Engine::Sqlite => DatabaseBackend::Sqlite,
            Engine::Postgres => DatabaseBackend::Postgres,
            Engine::MySql => DatabaseBackend::MySql,
        }
    }

    pub(crate) fn layout(&self) -> Layout {
        self.inner
            .layout
            .read()
            .map(|layout| layout.clone())
            .unwrap_or_default()
    }

    pub(crate) fn set_layout(&self, layout: Vec<(Slot, Slot)>) -> Layout {
        let layout = Arc::new(layout);
        if let Ok(mut known) = self.inner.layout.write() {
            *known = layout.clone();
        }
        layout
    }

    #[cfg(feature = "explain")]
    pub(crate) fn plans(&self) -> &crate::explain::Plans {
        &self.inner.plans
    }

    /// A statement as the engine takes it.
    pub(crate) fn statement(&self, text: &str, values: Vec<Value>) -> Statement {
        Statement::from_sql_and_values(self.backend(), placeholders(self.engine(), text), values)
    }

    pub(crate) fn count_statement(&self) {
        count(&self.inner.statements);
    }

    /// The span of one statement, named as the OpenTelemetry conventions ask; never with values.
    pub(crate) fn statement_span(&self, summary: Summary) -> Span {
        tracing::debug_span!(
            "statement",
            otel.name = format_args!(
                "{}{}{}",
                summary.operation,
                if summary.table.is_empty() { "" } else { " " },
                summary.table
            ),
            otel.kind = "client",
            db.system.name = self.engine().system_name(),
            db.namespace = self.name().as_str(),
            db.operation.name = summary.operation,
            db.collection.name = summary.table,
        )
    }

    /// What a driver's error before the commit means.
    pub(crate) fn error(&self, source: DbErr) -> StoreError {
        let database = self.name().clone();
        let place = || self.place().to_owned();
        match fault_of(&source) {
            // The pool repeats refused connections until its own limit and then says no more than that.
            Fault::Timeout if self.pools().is_empty() => StoreError::Unreachable {
                database,
                place: place(),
                source,
            },
            Fault::Contention => StoreError::Contention {
                database,
                attempts: 1,
            },
            Fault::Connection => StoreError::Unreachable {
                database,
                place: place(),
                source,
            },
            Fault::Timeout => StoreError::Timeout { database },
            Fault::Denied => StoreError::AccessDenied {
                database,
                place: place(),
                source,
            },
            Fault::Full => StoreError::DiskFull {
                database,
                place: place(),
            },
            Fault::Other => StoreError::Engine { database, source },
        }
    }

    /// What a driver's error during the commit means: a server that answers has rolled back, a broken connection
    /// leaves it open.
    pub(crate) fn commit_error(&self, source: DbErr) -> StoreError {
        match fault_of(&source) {
            Fault::Contention | Fault::Full | Fault::Denied => self.error(source),
            Fault::Connection | Fault::Timeout | Fault::Other => StoreError::CommitInDoubt {
                database: self.name().clone(),
                source: Some(source),
            },
        }
    }
}

async fn close(name: &DatabaseName, pools: Pools) {
    for pool in [pools.reader, pools.writer] {
        if let Err(error) = pool.close().await {
            tracing::debug!(database = %name, %error, "closing connections");
        }
    }
}
