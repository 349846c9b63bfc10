//! Gossip without clock and socket: what turns bytes from the network into members, and back.
//!
//! * [`keyring`]: the cluster secret, and what is derived from it.
//! * [`seal`]: datagrams that only its holders read or write, each of which counts once.
//! * [`membership`]: the protocol, events in and effects out.
//!
//! `tim-cluster` runs it over UDP. It is a crate of its own so that its decoders are fuzzed without building the rest.

pub mod keyring;
pub mod membership;
pub mod seal;
