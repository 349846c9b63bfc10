//! SQLite's write-ahead logs are copied into their files in a task of its own, so that no commit has to.

use super::Databases;
use std::sync::Arc;
use std::time::Duration;
use tim_core::id::DatabaseName;

/// How often a file is looked at. A log grows by some megabytes meanwhile under load.
const INTERVAL: Duration = Duration::from_millis(500);

/// Looks after an open database for as long as the node runs; at once done with one that is no file.
pub(super) async fn follow(databases: Arc<Databases>, name: DatabaseName) {
    let is_file = |database: &tim_store::Database| database.engine() == tim_store::Engine::Sqlite;
    while let Some(database) = databases.store.database(&name).ok().filter(is_file) {
        if let Err(error) = database.checkpoint().await {
            // The keeper tells of troubles; a commit copies the log when it has grown too long.
            tracing::debug!(database = %name, %error, "the write-ahead log was not copied");
        }
        tokio::time::sleep(INTERVAL).await;
    }
}
