//! One task per database: reads its DSN, opens and migrates it until that works, and looks after it while it does not
//! answer.

use super::Databases;
use crate::board::{Board, Effect, Place};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;
use tim_catalogue::{Report, storage as causes};
use tim_core::id::DatabaseName;
use tim_store::{Database, Engine, Store, StoreError};
use tokio::net::TcpStream;
use tokio::sync::watch;

/// How often the file with the DSN is looked at while all is well.
const DSN_INTERVAL: Duration = Duration::from_secs(5);

/// What a keeper needs.
#[derive(Debug, Clone)]
pub(crate) struct Keeper {
    pub(crate) name: DatabaseName,
    pub(crate) dsn_file: PathBuf,
    pub(crate) retry_interval: Duration,
    pub(crate) connect_timeout: Duration,
    pub(crate) board: Arc<Board>,
}

impl Keeper {
    fn place(&self) -> Place {
        Place::Database(self.name.as_str().to_owned())
    }

    fn read_dsn(&self) -> Result<String, Report> {
        let text = std::fs::read_to_string(&self.dsn_file).map_err(|error| {
            let observed = format!(
                "database {}: its DSN, {}: {error}",
                self.name,
                self.dsn_file.display()
            );
            Report::new(&causes::SECRET_MISSING, observed)
        })?;
        if text.trim().is_empty() {
            let observed = format!("database {}: {} is empty", self.name, self.dsn_file.display());
            return Err(Report::new(&causes::SECRET_MISSING, observed));
        }
        Ok(text.trim().to_owned())
    }

    /// Opens the database once.
    async fn open(&self, store: &Store, used: &mut Option<String>) -> Result<(), Report> {
        let dsn = self.read_dsn()?;
        if used.as_ref() != Some(&dsn) {
            store
                .configure([(self.name.clone(), dsn.clone())])
                .map_err(|error| error.report())?;
            *used = Some(dsn);
        }
        let database = store.database(&self.name).map_err(|error| error.report())?;
        self.reach(&database).await?;
        database
            .prepare()
            .await
            .map_err(|error: StoreError| error.report())
    }

    /// Whether a server's port answers at all: the pool says no more than that it waited in vain.
    async fn reach(&self, database: &Database) -> Result<(), Report> {
        if database.engine() == Engine::Sqlite {
            return Ok(());
        }
        let unreachable = |reason: String| {
            let observed = format!("database {} ({}) {reason}", self.name, database.place());
            Report::new(&causes::UNREACHABLE, observed)
        };
        match tokio::time::timeout(self.connect_timeout, TcpStream::connect(database.place())).await {
            Ok(Ok(_)) => Ok(()),
            Ok(Err(error)) if error.kind() == std::io::ErrorKind::ConnectionRefused => {
                Err(unreachable("refuses connections".to_owned()))
            }
            Ok(Err(error)) => Err(unreachable(format!("cannot be reached: {error}"))),
            Err(_) => Err(unreachable("does not answer".to_owned())),
        }
    }
}

/// Opens a database and keeps it open until the process ends; `ready` turns true when it is open for the first time.
pub(crate) async fn keep(
    keeper: Keeper,
    store: Store,
    ready: watch::Sender<bool>,
    databases: watch::Receiver<Option<Arc<Databases>>>,
) {
    let mut used = None;
    loop {
        match Box::pin(keeper.open(&store, &mut used)).await {
            Ok(()) => {
                keeper.board.clear(&keeper.place());
                ready.send_replace(true);
                break;
            }
            Err(report) => keeper.board.raise(keeper.place(), Effect::NotReady, report),
        }
        tokio::time::sleep(keeper.retry_interval).await;
    }
    look_after(&keeper, &store, used, databases).await;
}

async fn look_after(
    keeper: &Keeper,
    store: &Store,
    mut used: Option<String>,
    databases: watch::Receiver<Option<Arc<Databases>>>,
) {
    loop {
        let known = databases.borrow().clone();
        let troubled = known
            .as_ref()
            .is_some_and(|databases| databases.trouble_at(&keeper.name).is_some());
        let wait = if troubled {
            keeper.retry_interval
        } else {
            DSN_INTERVAL
        };
        tokio::time::sleep(wait).await;
        let changed = keeper.read_dsn().is_ok_and(|dsn| used.as_ref() != Some(&dsn));
        if changed {
            match Box::pin(keeper.open(store, &mut used)).await {
                Ok(()) => tracing::info!(database = %keeper.name, "opened with its new DSN"),
                Err(report) => keeper.board.raise(keeper.place(), Effect::NotReady, report),
            }
        }
        if let (Some(databases), Ok(database)) = (known, store.database(&keeper.name)) {
            match keeper.reach(&database).await {
                Err(report) => databases.unreachable(&keeper.name, report),
                Ok(()) => {
                    let result = database.ping().await;
                    databases.note(&keeper.name, &result, false);
                }
            }
        }
    }
}
