//! The sessions of this node by their number, in parts so that posting to one does not wait for another.

use super::Input;
use crate::mailbox::Mailbox;
use parking_lot::RwLock;
use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use tim_core::id::SessionId;

/// Parts of the table; ids are random, so any bits of them spread evenly.
const PARTS: usize = 64;

/// All logged-in sessions.
#[derive(Debug)]
pub(crate) struct SessionTable {
    parts: Vec<RwLock<HashMap<SessionId, Arc<Mailbox>>>>,
    count: AtomicUsize,
    /// Those that are no sessions of clients, and count as none: connections of administrators that push into streams.
    guests: RwLock<HashMap<SessionId, Arc<Mailbox>>>,
}

impl Default for SessionTable {
    fn default() -> Self {
        Self {
            parts: (0..PARTS).map(|_| RwLock::default()).collect(),
            count: AtomicUsize::new(0),
            guests: RwLock::default(),
        }
    }
}

impl SessionTable {
    fn part(&self, session: SessionId) -> &RwLock<HashMap<SessionId, Arc<Mailbox>>> {
        // The modulus keeps the index inside.
        &self.parts[usize::try_from(session.0 % PARTS as u64).unwrap_or(0)]
    }

    /// Adds a session.
    pub(crate) fn insert(&self, session: SessionId, mailbox: Arc<Mailbox>) {
        if self.part(session).write().insert(session, mailbox).is_none() {
            self.count.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// Removes a session.
    pub(crate) fn remove(&self, session: SessionId) {
        if self.part(session).write().remove(&session).is_some() {
            self.count.fetch_sub(1, Ordering::Relaxed);
        }
    }

    /// Adds somebody who is posted to as a session is, and is none.
    pub(crate) fn insert_guest(&self, guest: SessionId, mailbox: Arc<Mailbox>) {
        self.guests.write().insert(guest, mailbox);
    }

    /// Removes a guest.
    pub(crate) fn remove_guest(&self, guest: SessionId) {
        self.guests.write().remove(&guest);
    }

    /// Posts to a session; gives the input back when it is not here (any more).
    pub(crate) fn post(&self, session: SessionId, input: Input) -> Result<(), Input> {
        let mailbox = self.part(session).read().get(&session).cloned();
        match mailbox.or_else(|| self.guests.read().get(&session).cloned()) {
            Some(mailbox) => mailbox.post(input),
            None => Err(input),
        }
    }

    /// Whether a session is here.
    pub(crate) fn contains(&self, session: SessionId) -> bool {
        self.part(session).read().contains_key(&session)
    }

    /// How many there are.
    pub(crate) fn count(&self) -> usize {
        self.count.load(Ordering::Relaxed)
    }

    /// The ids of all sessions.
    pub(crate) fn ids(&self) -> Vec<SessionId> {
        self.parts
            .iter()
            .flat_map(|part| part.read().keys().copied().collect::<Vec<_>>())
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::session::CloseReason;

    #[test]
    fn what_is_posted_to_nobody_comes_back() {
        let table = SessionTable::default();
        let mailbox = Arc::new(Mailbox::default());
        table.insert(SessionId(5), Arc::clone(&mailbox));
        assert!(
            table
                .post(SessionId(5), Input::Close(CloseReason::Restart))
                .is_ok()
        );
        assert!(
            table
                .post(SessionId(6), Input::Close(CloseReason::Restart))
                .is_err()
        );
        assert_eq!((mailbox.length(), table.count()), (1, 1));
        mailbox.close();
        assert!(
            table
                .post(SessionId(5), Input::Close(CloseReason::Restart))
                .is_err()
        );
        table.remove(SessionId(5));
        table.remove(SessionId(5));
        assert_eq!(table.count(), 0);
    }

    #[test]
    fn guests_are_posted_to_and_not_counted() {
        let table = SessionTable::default();
        let mailbox = Arc::new(Mailbox::default());
        table.insert_guest(SessionId(7), Arc::clone(&mailbox));
        assert!(table.post(SessionId(7), Input::Resume).is_ok());
        assert_eq!((mailbox.length(), table.count(), table.ids().len()), (1, 0, 0));
        assert!(!table.contains(SessionId(7)));
        table.remove_guest(SessionId(7));
        assert!(table.post(SessionId(7), Input::Resume).is_err());
    }
}
