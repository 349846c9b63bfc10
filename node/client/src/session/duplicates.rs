//! Remembers which messages were shown: a delivery may come again, with the same id, until its
//! confirmation is durable at the server.

use std::collections::{HashSet, VecDeque};
use std::hash::{BuildHasher as _, RandomState};

use tim_wire::TimMessage;

/// The last messages shown, as keyed hashes: small, and not to be provoked into collisions.
#[derive(Debug)]
pub(crate) struct Duplicates {
    capacity: usize,
    hasher: RandomState,
    seen: HashSet<u64>,
    order: VecDeque<u64>,
}

impl Duplicates {
    /// Remembers up to `capacity` messages; with 0 everything is news.
    pub(crate) fn new(capacity: usize) -> Self {
        Self {
            capacity,
            hasher: RandomState::new(),
            seen: HashSet::new(),
            order: VecDeque::new(),
        }
    }

    /// Whether the message was not shown before; from now on it was. A message without an id is always news.
    pub(crate) fn is_news(&mut self, message: &TimMessage, own_node: &str) -> bool {
        let Some(id) = message.id.filter(|_| self.capacity > 0) else {
            return true;
        };
        let from = message.from_node().unwrap_or_default();
        // The other side of the conversation: the room, or the account that is not this one.
        let peer = match (&message.room_tid, from == own_node) {
            (Some(room), _) => room.node.as_str(),
            (None, false) => from,
            (None, true) => message.to_node().unwrap_or_default(),
        };
        let key = self.hasher.hash_one((peer, from, id));
        if !self.seen.insert(key) {
            return false;
        }
        self.order.push_back(key);
        if self.order.len() > self.capacity
            && let Some(oldest) = self.order.pop_front()
        {
            self.seen.remove(&oldest);
        }
        true
    }
}

#[cfg(test)]
mod tests {
    use tim_wire::Tid;

    use super::*;

    fn message(from: &str, id: i64) -> TimMessage {
        TimMessage {
            from_tid: Some(Tid::of(from)),
            id: Some(id),
            ..TimMessage::direct("me", 1)
        }
    }

    #[test]
    fn a_repetition_is_no_news_but_another_peers_same_id_is() {
        let mut duplicates = Duplicates::new(10);
        assert!(duplicates.is_news(&message("bob", 1), "me"));
        assert!(!duplicates.is_news(&message("bob", 1), "me"));
        assert!(duplicates.is_news(&message("carol", 1), "me"));
        assert!(duplicates.is_news(&message("bob", 2), "me"));
    }

    #[test]
    fn memory_is_bounded_and_the_oldest_is_forgotten() {
        let mut duplicates = Duplicates::new(3);
        for id in 0..100 {
            assert!(duplicates.is_news(&message("bob", id), "me"));
        }
        assert_eq!((duplicates.seen.len(), duplicates.order.len()), (3, 3));
        assert!(!duplicates.is_news(&message("bob", 97), "me"));
        assert!(duplicates.is_news(&message("bob", 96), "me"));
    }

    #[test]
    fn switched_off_everything_is_news() {
        let mut duplicates = Duplicates::new(0);
        assert!(duplicates.is_news(&message("bob", 1), "me"));
        assert!(duplicates.is_news(&message("bob", 1), "me"));
        assert!(duplicates.seen.is_empty());
    }
}
