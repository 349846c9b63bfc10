//! What `tim status` shows of a database beside how it goes: asked now and then, in a task of its own.

use super::Databases;
use parking_lot::RwLock;
use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;
use tim_core::id::DatabaseName;
use tim_store::StoreError;

/// How often a database is asked for its size.
const SIZE_INTERVAL: Duration = Duration::from_secs(60);

/// What is known of a database; nothing where it has not said so.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Figures {
    /// Bytes it takes.
    pub(crate) size_bytes: Option<u64>,
    /// Number of its schema.
    pub(crate) schema: Option<u64>,
    /// Messages it held when this node opened it.
    pub(crate) messages: Option<u64>,
}

/// Figures by database.
#[derive(Debug, Default)]
pub(super) struct KnownFigures(RwLock<HashMap<DatabaseName, Figures>>);

impl KnownFigures {
    fn of(&self, name: &DatabaseName) -> Figures {
        self.0.read().get(name).copied().unwrap_or_default()
    }

    fn change(&self, name: &DatabaseName, change: impl FnOnce(&mut Figures)) {
        change(self.0.write().entry(name.clone()).or_default());
    }
}

impl Databases {
    /// What is known of a database.
    pub(crate) fn figures(&self, name: &DatabaseName) -> Figures {
        self.figures.of(name)
    }
}

/// What a database answered; that it did not is no trouble of its own, the keeper tells of those.
fn told<T>(name: &DatabaseName, answer: Result<T, StoreError>) -> Option<T> {
    answer
        .inspect_err(|error| tracing::debug!(database = %name, %error, "a figure stays unknown"))
        .ok()
}

/// Asks a database that has been migrated for the number of its schema.
pub(super) async fn learn_schema(databases: &Databases, name: &DatabaseName) {
    if let Ok(database) = databases.store.database(name) {
        let schema = told(name, database.schema_number().await);
        databases.figures.change(name, |figures| figures.schema = schema);
    }
}

/// Asks an open database again and again for as long as the node runs.
pub(super) async fn follow(databases: Arc<Databases>, name: DatabaseName) {
    let known = &databases.figures;
    if let Ok(database) = databases.store.database(&name) {
        let messages = told(&name, database.message_count().await).flatten();
        known.change(&name, |figures| figures.messages = messages);
    }
    loop {
        let size_bytes = size(&databases, &name).await;
        known.change(&name, |figures| figures.size_bytes = size_bytes);
        tokio::time::sleep(SIZE_INTERVAL).await;
    }
}

async fn size(databases: &Databases, name: &DatabaseName) -> Option<u64> {
    if databases.trouble_at(name).is_some() {
        // It has other things to do.
        return None;
    }
    let database = databases.store.database(name).ok()?;
    told(name, database.size_bytes().await)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_not_told_is_not_known_and_one_answer_leaves_the_others() {
        let known = KnownFigures::default();
        let name = DatabaseName::new("d0").unwrap();
        assert_eq!(known.of(&name), Figures::default());
        known.change(&name, |figures| figures.schema = Some(1));
        known.change(&name, |figures| figures.size_bytes = Some(4_096));
        let expected = Figures {
            size_bytes: Some(4_096),
            schema: Some(1),
            messages: None,
        };
        assert_eq!(known.of(&name), expected);
    }
}
