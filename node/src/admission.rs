//! How many connections the node takes, as numbers that are given back by dropping a place.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use tim_config::Limits;

/// Counts connections against their limits.
#[derive(Debug)]
pub(crate) struct Admission {
    connections: Counted,
    /// Of those and of HTTP connections the ones that nobody has logged in on.
    unauthenticated: Counted,
}

#[derive(Debug)]
struct Counted {
    taken: Arc<AtomicUsize>,
    most: usize,
}

/// One place; dropping it gives it back.
#[derive(Debug)]
pub(crate) struct Place(Arc<AtomicUsize>);

impl Drop for Place {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

impl Counted {
    fn new(most: u32) -> Self {
        Self {
            taken: Arc::default(),
            most: most as usize,
        }
    }

    fn take(&self) -> Option<Place> {
        let place = Place(Arc::clone(&self.taken));
        // Counted first: two at once must not both take the last place.
        (self.taken.fetch_add(1, Ordering::Relaxed) < self.most).then_some(place)
    }
}

impl Admission {
    pub(crate) fn new(limits: &Limits) -> Self {
        Self {
            connections: Counted::new(limits.connections_max),
            unauthenticated: Counted::new(limits.unauthenticated_max),
        }
    }

    /// A place for one WebSocket connection, if there is one.
    pub(crate) fn connection(&self) -> Option<Place> {
        self.connections.take()
    }

    /// A place for a connection before its login, if there is one.
    pub(crate) fn unauthenticated(&self) -> Option<Place> {
        self.unauthenticated.take()
    }

    /// How many WebSocket connections there are.
    pub(crate) fn taken(&self) -> usize {
        self.connections.taken.load(Ordering::Relaxed)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_full_node_takes_nobody_until_somebody_leaves() {
        let admission = Admission::new(&Limits {
            connections_max: 2,
            unauthenticated_max: 1,
            ..Limits::default()
        });
        let (one, two) = (admission.connection(), admission.connection());
        assert!(one.is_some() && two.is_some());
        assert!(admission.connection().is_none());
        drop(one);
        assert_eq!(admission.taken(), 1);
        assert!(admission.connection().is_some());
        let stranger = admission.unauthenticated();
        assert!(stranger.is_some() && admission.unauthenticated().is_none());
    }
}
