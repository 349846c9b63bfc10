//! Which databases the configuration names, and one keeper for each: also for those that are named while the node runs.

use super::Databases;
use super::keeper::{Keeper, keep};
use parking_lot::RwLock;
use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;
use tim_config::Storage;
use tim_core::id::DatabaseName;
use tokio::sync::watch;

/// The databases by what the configuration says of them, and how far they are.
#[derive(Debug, Default)]
pub(super) struct Declared {
    names: RwLock<Vec<DatabaseName>>,
    opened: watch::Sender<BTreeSet<DatabaseName>>,
}

impl Databases {
    /// Takes up every database that is named and was not before. One that is not named any more stays open: it may
    /// hold data, and nobody writes to it who is not told to by the map.
    pub(crate) fn declare(self: &Arc<Self>, storage: &Storage) {
        let mut names = self.declared.names.write();
        for name in &storage.databases {
            // Checked when the configuration was read.
            let Ok(name) = DatabaseName::new(name) else {
                continue;
            };
            if names.contains(&name) {
                continue;
            }
            let keeper = Keeper {
                dsn_file: storage.dsn_directory.join(name.as_str()),
                name: name.clone(),
                retry_interval: Duration::from_millis(storage.retry_interval_millis),
                connect_timeout: Duration::from_millis(storage.connect_timeout_millis),
                databases: Arc::clone(self),
            };
            names.push(name);
            tokio::spawn(keep(keeper));
        }
        self.board.set_parts(names.len());
    }

    /// All databases that are or were named.
    pub(crate) fn declared(&self) -> Vec<DatabaseName> {
        self.declared.names.read().clone()
    }

    /// Those that have been opened and migrated since the node started, and every change.
    pub(crate) fn opened(&self) -> watch::Receiver<BTreeSet<DatabaseName>> {
        self.declared.opened.subscribe()
    }

    /// A database is open, and migrated.
    pub(super) fn is_open_now(&self, name: &DatabaseName) {
        self.troubles.answered(name, true);
        self.board
            .clear(&crate::board::Place::Database(name.as_str().to_owned()));
        let is_new = self
            .declared
            .opened
            .send_if_modified(|opened| opened.insert(name.clone()));
        if is_new {
            // Its fences may say what was only guessed.
            self.need_map.notify_one();
        }
    }
}
