//! How fast membership works.

use crate::seal::PAYLOAD_BYTES_MAX;
use foca::PeriodicParams;
use std::num::{NonZeroU8, NonZeroUsize};
use std::time::Duration;

/// Others asked to probe too when a probe gets no answer, and others told each time there is news.
const HELPERS: NonZeroUsize = nonzero(3);
/// How often one piece of news is sent on by each node. High, since a suspected node must hear of it and its defence must
/// come back before it is declared dead, at 30 % loss, thousands of times in a row.
const TRANSMISSIONS: NonZeroU8 = match NonZeroU8::new(40) {
    Some(number) => number,
    None => NonZeroU8::MIN,
};
/// News is sent on this often while there is any; a cluster at rest sends none.
const GOSSIP_INTERVAL: Duration = Duration::from_millis(100);
/// A member asked for all members, in case news was missed.
const ANNOUNCE_INTERVAL: Duration = Duration::from_secs(15);
/// Nodes held for dead are spoken to, so that a cut network heals by itself.
const ANNOUNCE_TO_DOWN_INTERVAL: Duration = Duration::from_secs(5);
/// How long a dead node's last life is remembered.
const FORGET_AFTER: Duration = Duration::from_secs(24 * 3_600);

const fn nonzero(number: usize) -> NonZeroUsize {
    match NonZeroUsize::new(number) {
        Some(number) => number,
        None => NonZeroUsize::MIN,
    }
}

/// Times of the protocol.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Settings {
    /// How often one other node is probed.
    pub probe_interval: Duration,
    /// How long an answer may take before others are asked to probe too.
    pub probe_timeout: Duration,
    /// How long a suspected node may defend itself.
    pub suspicion: Duration,
    /// A clock tick later than this means that the node was stopped.
    pub late_tick: Duration,
    /// How often seeds are tried while nobody is known.
    pub announce_interval: Duration,
}

impl Settings {
    /// The times of the node's configuration.
    pub fn from_config(config: &tim_config::Membership) -> Self {
        Self {
            probe_interval: Duration::from_millis(config.probe_interval_millis),
            probe_timeout: Duration::from_millis(config.probe_timeout_millis),
            suspicion: Duration::from_millis(config.suspicion_millis),
            late_tick: Duration::from_millis(config.late_tick_millis),
            announce_interval: Duration::from_millis(config.announce_interval_millis),
        }
    }

    pub(super) fn foca(&self) -> foca::Config {
        let periodic = |frequency, num_members| {
            Some(PeriodicParams {
                frequency,
                num_members,
            })
        };
        foca::Config {
            probe_period: self.probe_interval,
            // Must be below the period, else the protocol asserts.
            probe_rtt: self.probe_timeout.min(self.probe_interval / 2),
            num_indirect_probes: HELPERS,
            max_transmissions: TRANSMISSIONS,
            suspect_to_down_after: self.suspicion,
            remove_down_after: Some(FORGET_AFTER),
            max_packet_size: nonzero(PAYLOAD_BYTES_MAX),
            notify_down_members: true,
            periodic_announce: periodic(ANNOUNCE_INTERVAL, NonZeroUsize::MIN),
            periodic_announce_to_down_members: periodic(ANNOUNCE_TO_DOWN_INTERVAL, NonZeroUsize::MIN),
            periodic_gossip: periodic(GOSSIP_INTERVAL, HELPERS),
        }
    }
}

impl Default for Settings {
    fn default() -> Self {
        Self::from_config(&tim_config::Membership::default())
    }
}
