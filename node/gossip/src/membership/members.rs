//! What membership gives to the rest of the node.

use super::identity::{MemberIdentity, MemberState};
use std::collections::BTreeMap;
use std::net::SocketAddr;
use tim_core::id::{Generation, NodeName};
use tim_core::view::{NodeInfo, View};

/// One live node.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Member {
    /// Its present life.
    pub generation: Generation,
    /// What it says of itself.
    pub state: MemberState,
    /// Where peers reach it.
    pub address: SocketAddr,
    /// Failure zone; may be empty.
    pub zone: String,
}

/// All live nodes, this one included unless it is out.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Members {
    nodes: BTreeMap<NodeName, Member>,
    view: View,
}

impl Members {
    pub(super) fn collect<'a>(identities: impl Iterator<Item = &'a MemberIdentity>) -> Self {
        let mut nodes = BTreeMap::new();
        let mut serving = Vec::new();
        for identity in identities {
            let Ok(name) = NodeName::new(&identity.name) else {
                continue;
            };
            let generation = Generation(identity.generation);
            if identity.state == MemberState::Serving {
                serving.push(NodeInfo {
                    name: name.clone(),
                    zone: identity.zone.clone(),
                    boot_generation: generation,
                });
            }
            let member = Member {
                generation,
                state: identity.state,
                address: identity.address,
                zone: identity.zone.clone(),
            };
            nodes.insert(name, member);
        }
        Self {
            nodes,
            view: View::new(serving),
        }
    }

    /// Members as membership would show them; for tests, and for a node that is alone.
    pub fn of(identities: &[MemberIdentity]) -> Self {
        Self::collect(identities.iter())
    }

    /// Every live node by name, whatever its state.
    pub fn nodes(&self) -> &BTreeMap<NodeName, Member> {
        &self.nodes
    }

    /// One live node.
    pub fn get(&self, name: &NodeName) -> Option<&Member> {
        self.nodes.get(name)
    }

    /// Those that serve.
    pub fn view(&self) -> &View {
        &self.view
    }
}
