//! One task per database: reads its DSN, opens and migrates it until that works, and looks after it while it does not
//! answer.

use super::troubles::Evidence;
use super::{Databases, figures};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tim_catalogue::{Report, storage as causes};
use tim_core::id::DatabaseName;
use tim_store::{Database, Engine, StoreError};
use tokio::net::TcpStream;

/// How often the file with the DSN is looked at and the database asked while all is well: often enough for `tim status` to
/// tell of a database that is down within five seconds though nobody writes to it.
const CALM_INTERVAL: Duration = Duration::from_secs(2);

/// A database that answers neither the keeper nor anybody else for this long is told as silent.
const SILENCE_MAX: Duration = Duration::from_secs(2);

/// Why a database cannot be used, and how sure that is.
type Finding = (Report, Evidence);

/// What a keeper needs.
#[derive(Debug)]
pub(super) struct Keeper {
    pub(super) name: DatabaseName,
    pub(super) dsn_file: PathBuf,
    pub(super) retry_interval: Duration,
    pub(super) connect_timeout: Duration,
    pub(super) databases: Arc<Databases>,
}

impl Keeper {
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
    async fn open(&self, used: &mut Option<String>) -> Result<(), Finding> {
        let certain = |report: Report| (report, Evidence::Certain);
        let dsn = self.read_dsn().map_err(certain)?;
        let store = self.databases.store();
        if used.as_ref() != Some(&dsn) {
            store
                .configure([(self.name.clone(), dsn.clone())])
                .map_err(|error| certain(error.report()))?;
            *used = Some(dsn);
        }
        let database = store
            .database(&self.name)
            .map_err(|error| certain(error.report()))?;
        self.reach(&database, self.connect_timeout).await?;
        // A database that was never opened has nothing to go on with.
        database
            .prepare()
            .await
            .map_err(|error: StoreError| certain(error.report()))
    }

    /// Whether a server's port answers at all: the pool says no more than that it waited in vain.
    async fn reach(&self, database: &Database, limit: Duration) -> Result<(), Finding> {
        if database.engine() == Engine::Sqlite {
            return Ok(());
        }
        let unreachable = |reason: String, evidence: Evidence| {
            let observed = format!("database {} ({}) {reason}", self.name, database.place());
            (Report::new(&causes::UNREACHABLE, observed), evidence)
        };
        match tokio::time::timeout(limit, TcpStream::connect(database.place())).await {
            Ok(Ok(_)) => Ok(()),
            Ok(Err(error)) if error.kind() == std::io::ErrorKind::ConnectionRefused => {
                Err(unreachable("refuses connections".to_owned(), Evidence::Certain))
            }
            Ok(Err(error)) => Err(unreachable(
                format!("cannot be reached: {error}"),
                Evidence::MayPass,
            )),
            Err(_) => Err(unreachable("does not answer".to_owned(), Evidence::MayPass)),
        }
    }

    /// Follows a changed DSN, and tells of a database that has stopped answering, or answers again.
    async fn look_after(&self, mut used: Option<String>) {
        loop {
            let troubled = self.databases.trouble_at(&self.name).is_some();
            let wait = if troubled {
                self.retry_interval
            } else {
                CALM_INTERVAL
            };
            tokio::time::sleep(wait).await;
            if self.read_dsn().is_ok_and(|dsn| used.as_ref() != Some(&dsn)) {
                match Box::pin(self.open(&mut used)).await {
                    Ok(()) => tracing::info!(database = %self.name, "opened with its new DSN"),
                    Err((report, evidence)) => self.databases.told(&self.name, report, evidence),
                }
            }
            let Ok(database) = self.databases.store().database(&self.name) else {
                continue;
            };
            self.ask(&database).await;
        }
    }

    /// Asks a database for a sign of life; that anybody else got an answer meanwhile is one too.
    async fn ask(&self, database: &Database) {
        let begun = Instant::now();
        let answers = self.databases.troubles.answers(&self.name);
        let finding = match self.reach(database, self.connect_timeout.min(SILENCE_MAX)).await {
            Err(finding) => finding,
            Ok(()) => {
                let left = SILENCE_MAX.saturating_sub(begun.elapsed());
                if let Ok(result) = tokio::time::timeout(left, database.ping()).await {
                    return self.databases.note(&self.name, &result, false);
                }
                let (name, seconds) = (&self.name, SILENCE_MAX.as_secs());
                let observed = format!("database {name} takes connections, but says nothing for {seconds} s");
                (Report::new(&causes::TIMEOUT, observed), Evidence::MayPass)
            }
        };
        let others_were_answered = self.databases.troubles.answers(&self.name) != answers;
        if finding.1 == Evidence::Certain || !others_were_answered {
            self.databases.told(&self.name, finding.0, finding.1);
        }
    }
}

/// Opens a database and keeps it open until the process ends.
pub(super) async fn keep(keeper: Keeper) {
    let mut used = None;
    while let Err((report, evidence)) = Box::pin(keeper.open(&mut used)).await {
        keeper.databases.told(&keeper.name, report, evidence);
        tokio::time::sleep(keeper.retry_interval).await;
    }
    // Before it counts as open: whoever hears that it is also hears which schema it has.
    figures::learn_schema(&keeper.databases, &keeper.name).await;
    keeper.databases.is_open_now(&keeper.name);
    tokio::spawn(figures::follow(
        Arc::clone(&keeper.databases),
        keeper.name.clone(),
    ));
    keeper.look_after(used).await;
}
