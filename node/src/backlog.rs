//! A bound, in bytes, of content that waits somewhere.

use std::sync::atomic::{AtomicUsize, Ordering};

/// Bytes that wait, and how many may.
#[derive(Debug)]
pub(crate) struct Backlog {
    bytes: AtomicUsize,
    bytes_max: usize,
}

impl Backlog {
    pub(crate) fn new(bytes_max: usize) -> Self {
        Self {
            bytes: AtomicUsize::new(0),
            bytes_max,
        }
    }

    /// Takes room for content; what has none always finds room.
    pub(crate) fn take(&self, bytes: usize) -> bool {
        if bytes == 0 {
            return true;
        }
        let before = self.bytes.fetch_add(bytes, Ordering::Relaxed);
        // One piece of any size is let through.
        let fits = before == 0 || before.saturating_add(bytes) <= self.bytes_max;
        if !fits {
            self.give_back(bytes);
        }
        fits
    }

    /// The content waits no longer.
    pub(crate) fn give_back(&self, bytes: usize) {
        self.bytes.fetch_sub(bytes, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn content_is_bounded_and_news_are_not() {
        let backlog = Backlog::new(10);
        assert!(backlog.take(100), "one piece may be of any size");
        assert!(!backlog.take(1));
        assert!(backlog.take(0));
        backlog.give_back(100);
        assert!(backlog.take(5) && backlog.take(5) && !backlog.take(1));
    }
}
