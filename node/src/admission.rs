//! How many connections the node takes, as a number that is given back by dropping a place.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

/// Counts connections against their limit.
#[derive(Debug)]
pub(crate) struct Admission {
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

impl Admission {
    pub(crate) fn new(most: usize) -> Self {
        Self {
            taken: Arc::default(),
            most,
        }
    }

    /// A place for one connection, if there is one.
    pub(crate) fn connection(&self) -> Option<Place> {
        let place = Place(Arc::clone(&self.taken));
        // Counted first: two at once must not both take the last place.
        (self.taken.fetch_add(1, Ordering::Relaxed) < self.most).then_some(place)
    }

    /// How many are taken.
    pub(crate) fn taken(&self) -> usize {
        self.taken.load(Ordering::Relaxed)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_full_node_takes_nobody_until_somebody_leaves() {
        let admission = Admission::new(2);
        let (one, two) = (admission.connection(), admission.connection());
        assert!(one.is_some() && two.is_some());
        assert!(admission.connection().is_none());
        drop(one);
        assert_eq!(admission.taken(), 1);
        assert!(admission.connection().is_some());
    }
}
