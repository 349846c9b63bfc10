//! The user's files, watched: an edit is an apply of the whole file, or a refusal that leaves everything as it was.

use crate::documents::{Source, SourceError};
use crate::event::Event;
use crate::objects::ObjectStore;
use std::time::{Duration, Instant, SystemTime};

/// A file that has just changed is read after this time, so that an editor can finish with it.
const SETTLE: Duration = Duration::from_millis(100);

/// Watches the files.
#[derive(Debug)]
pub(super) struct SourceWatcher {
    source: Source,
    seen: Vec<Option<(SystemTime, u64)>>,
    changed: Option<Instant>,
    applied: bool,
}

impl SourceWatcher {
    /// Begins with the files as they are: they have been applied.
    pub(super) fn new(source: Source) -> Self {
        let seen = source.fingerprint();
        Self {
            source,
            seen,
            changed: None,
            applied: false,
        }
    }

    /// Whether the last change of the object came from here; asked once per change.
    pub(super) fn take_applied(&mut self) -> bool {
        std::mem::take(&mut self.applied)
    }

    /// Applies the files if they have changed: nothing to do, done (with what to tell), or refused.
    pub(super) fn look(&mut self, store: &ObjectStore) -> Option<Result<Option<Event>, SourceError>> {
        let now = self.source.fingerprint();
        if now != self.seen {
            self.seen = now;
            self.changed = Some(Instant::now());
            return None;
        }
        self.changed.filter(|changed| changed.elapsed() >= SETTLE)?;
        self.changed = None;
        Some(self.apply(store))
    }

    fn apply(&mut self, store: &ObjectStore) -> Result<Option<Event>, SourceError> {
        let applied = self.source.load()?.apply(store, &self.source)?;
        if applied.cluster.changes.is_empty() {
            return Ok(None);
        }
        self.applied = true;
        Ok(Some(Event::Changed {
            file: self.source.files.first().cloned(),
            changes: applied.cluster.changes,
            reverted: applied.cluster.reverted,
        }))
    }
}
