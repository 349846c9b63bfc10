//! Leaving without loss.

use crate::LoadError;
use serde::{Deserialize, Serialize};

/// Section `[drain]`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields, default)]
pub struct Drain {
    /// How long a drain may take before what is left is closed all the same, in seconds.
    pub timeout_seconds: u64,
    /// How long the node waits after it has left the view, so that load balancers notice, in seconds.
    pub settle_seconds: u64,
    /// Sessions closed per second.
    pub connections_per_second: u32,
    /// How long outstanding confirmations of one session are awaited, in milliseconds.
    pub confirmation_wait_millis: u64,
}

impl Default for Drain {
    fn default() -> Self {
        Self {
            timeout_seconds: 300,
            settle_seconds: 5,
            connections_per_second: 500,
            confirmation_wait_millis: 2_000,
        }
    }
}

impl Drain {
    pub(crate) fn validate(&self) -> Result<(), LoadError> {
        LoadError::in_range("drain.timeout_seconds", self.timeout_seconds, 1..=86_400)?;
        LoadError::in_range("drain.settle_seconds", self.settle_seconds, 0..=600)?;
        LoadError::in_range(
            "drain.connections_per_second",
            u64::from(self.connections_per_second),
            1..=1_000_000,
        )?;
        LoadError::in_range(
            "drain.confirmation_wait_millis",
            self.confirmation_wait_millis,
            0..=60_000,
        )
    }
}
