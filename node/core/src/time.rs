//! Time as an argument: a point of a monotonic clock, in milliseconds.

use serde::{Deserialize, Serialize};

/// A point of some monotonic clock, in milliseconds since a start nobody needs to know.
///
/// Never compared between nodes and never written to a database; wall-clock time is passed separately, in
/// nanoseconds, where a message gets its timestamp.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize)]
pub struct Moment(pub u64);

impl Moment {
    /// The moment `milliseconds` later.
    #[must_use]
    pub fn plus_ms(self, milliseconds: u64) -> Self {
        Self(self.0.saturating_add(milliseconds))
    }

    /// Milliseconds from `earlier` to this moment, zero when it is not earlier.
    #[must_use]
    pub fn since_ms(self, earlier: Self) -> u64 {
        self.0.saturating_sub(earlier.0)
    }
}

/// The earlier of two optional deadlines.
#[must_use]
pub fn earliest(one: Option<Moment>, other: Option<Moment>) -> Option<Moment> {
    match (one, other) {
        (Some(a), Some(b)) => Some(a.min(b)),
        (a, None) => a,
        (None, b) => b,
    }
}
