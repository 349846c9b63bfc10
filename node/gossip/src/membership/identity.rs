//! How a node is known to the others.

use foca::Identity;
use serde::{Deserialize, Serialize};
use std::net::SocketAddr;
use tim_core::id::{Generation, NodeName};

/// What a node says of itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum MemberState {
    /// Alive, not yet ready to hold anything.
    Joining,
    /// In the view.
    Serving,
    /// On its way out: holds nothing new.
    Draining,
}

/// One life of a node, and what it says of itself in it.
///
/// Two identities of one name are the same node. The later one wins: first by generation, which grows with every life, then
/// by revision, which grows with every change of state within one.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct MemberIdentity {
    /// The node; empty only where an announcement goes to an address whose node is not known yet.
    pub(crate) name: String,
    /// Its life.
    pub(crate) generation: u64,
    /// Counts changes of `state` within the life.
    pub(crate) revision: u32,
    /// What it says of itself.
    pub(crate) state: MemberState,
    /// Where it is reached, by gossip (UDP) and peers (TCP) alike.
    pub(crate) address: SocketAddr,
    /// Failure zone; may be empty.
    pub(crate) zone: String,
}

impl MemberIdentity {
    /// The first state of a life.
    pub fn new(name: &NodeName, generation: Generation, address: SocketAddr, zone: &str) -> Self {
        Self {
            name: name.as_str().to_owned(),
            generation: generation.0,
            revision: 0,
            state: MemberState::Joining,
            address,
            zone: zone.to_owned(),
        }
    }

    /// The same life in another state; only the node itself may say so of itself.
    pub fn in_state(self, state: MemberState) -> Self {
        Self { state, ..self }
    }

    /// Which life of its node it is.
    pub fn generation(&self) -> Generation {
        Generation(self.generation)
    }

    /// Whoever is at that address.
    pub(crate) fn whoever(address: SocketAddr) -> Self {
        Self {
            name: String::new(),
            generation: 0,
            revision: 0,
            state: MemberState::Joining,
            address,
            zone: String::new(),
        }
    }
}

/// A node's name as foca compares it; the empty one stands for any.
///
/// Only the destination of an announcement may be empty (the decoder sees to that), so the comparison never has to be
/// transitive among members.
#[derive(Debug, Clone)]
pub struct NameOrAny(String);

impl PartialEq for NameOrAny {
    fn eq(&self, other: &Self) -> bool {
        self.0 == other.0 || self.0.is_empty() || other.0.is_empty()
    }
}

impl Identity for MemberIdentity {
    type Addr = NameOrAny;

    /// Never by itself: a node that was declared dead gives up what it holds before it comes back.
    fn renew(&self) -> Option<Self> {
        None
    }

    fn addr(&self) -> NameOrAny {
        NameOrAny(self.name.clone())
    }

    fn win_addr_conflict(&self, adversary: &Self) -> bool {
        let order = |identity: &Self| {
            (
                identity.generation,
                identity.revision,
                identity.state,
                identity.address,
            )
        };
        order(self) > order(adversary)
    }
}
