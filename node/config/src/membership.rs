//! How a node finds the others and notices their end.

use crate::LoadError;
use serde::{Deserialize, Serialize};

/// Section `[membership]`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields, default)]
pub struct Membership {
    /// Where other nodes may be: `host:port`; a host name is resolved again and again, all its addresses are tried.
    pub seeds: Vec<String>,
    /// How often one other node is probed, in milliseconds.
    pub probe_interval_millis: u64,
    /// How long an answer to a probe may take before others are asked to probe too, in milliseconds.
    pub probe_timeout_millis: u64,
    /// How long a suspected node may defend itself, in milliseconds.
    pub suspicion_millis: u64,
    /// A clock tick later than this means that the node was stopped: it gives up homes and shards and joins anew.
    pub late_tick_millis: u64,
    /// How often seeds are tried while the node knows nobody, in milliseconds.
    pub announce_interval_millis: u64,
}

impl Default for Membership {
    fn default() -> Self {
        Self {
            seeds: Vec::new(),
            probe_interval_millis: 250,
            probe_timeout_millis: 100,
            suspicion_millis: 1_500,
            late_tick_millis: 2_000,
            announce_interval_millis: 500,
        }
    }
}

impl Membership {
    pub(crate) fn validate(&self) -> Result<(), LoadError> {
        for seed in &self.seeds {
            let port = seed.rsplit_once(':').map(|(_, port)| port.parse::<u16>());
            if !matches!(port, Some(Ok(_))) {
                return Err(LoadError::invalid("membership.seeds", seed, "host:port"));
            }
        }
        LoadError::in_range(
            "membership.probe_interval_millis",
            self.probe_interval_millis,
            50..=60_000,
        )?;
        LoadError::in_range(
            "membership.probe_timeout_millis",
            self.probe_timeout_millis,
            10..=self.probe_interval_millis,
        )?;
        LoadError::in_range(
            "membership.suspicion_millis",
            self.suspicion_millis,
            100..=120_000,
        )?;
        LoadError::in_range(
            "membership.late_tick_millis",
            self.late_tick_millis,
            500..=120_000,
        )?;
        LoadError::in_range(
            "membership.announce_interval_millis",
            self.announce_interval_millis,
            50..=60_000,
        )
    }
}
