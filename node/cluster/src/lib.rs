//! Membership, trust and agreement: gossip, peer links, control group.
//!
//! * [`keyring`], [`seal`]: the cluster secret, and datagrams that only its holders read or write.
//! * [`membership`]: who is alive and serves.
//! * [`tls`]: mutual TLS with the cluster's certificates, replaced while in use.
//! * [`links`]: connections between nodes.
//! * [`control`]: the agreement on the partition map.

pub mod control;
pub mod links;
pub mod membership;
mod metrics;
pub mod tls;

pub use tim_gossip::{keyring, seal};
