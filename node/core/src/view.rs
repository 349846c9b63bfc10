//! The view: which nodes serve just now, as gossip shows it.
//!
//! Gossip has no total order, so two views are compared by a hash of the set and by nothing else.

use std::sync::OnceLock;

use serde::{Deserialize, Serialize};
use xxhash_rust::xxh3::Xxh3;

use crate::id::{Generation, NodeName, ShardId, ViewHash};
use crate::placement::{self, SHARD_COUNT, SHARD_REPLICAS};

/// One serving node.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct NodeInfo {
    /// Stable name; placement is computed over it.
    pub name: NodeName,
    /// Failure domain; empty when unknown.
    pub zone: String,
    /// Changes with every start of the process, so that a restart is a change of the view.
    pub boot_generation: Generation,
}

/// The set of serving nodes, sorted by name, one entry per name.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct View {
    nodes: Vec<NodeInfo>,
    hash: ViewHash,
    /// Owners of every presence shard, as places in `nodes`; made when first asked for.
    #[serde(skip)]
    owners: OnceLock<Vec<[Option<u16>; SHARD_REPLICAS]>>,
}

impl PartialEq for View {
    fn eq(&self, other: &Self) -> bool {
        self.nodes == other.nodes
    }
}

impl Eq for View {}

impl View {
    /// Builds a view. Of two entries with one name the higher boot generation stays.
    #[must_use]
    pub fn new(mut nodes: Vec<NodeInfo>) -> Self {
        nodes.sort_by(|a, b| {
            a.name
                .cmp(&b.name)
                .then(b.boot_generation.cmp(&a.boot_generation))
        });
        nodes.dedup_by(|later, earlier| later.name == earlier.name);
        let hash = hash_of(&nodes);
        Self {
            nodes,
            hash,
            owners: OnceLock::new(),
        }
    }

    /// The nodes, sorted by name.
    #[must_use]
    pub fn nodes(&self) -> &[NodeInfo] {
        &self.nodes
    }

    /// The identity of this set.
    #[must_use]
    pub fn hash(&self) -> ViewHash {
        self.hash
    }

    /// The entry of a node.
    #[must_use]
    pub fn get(&self, name: &NodeName) -> Option<&NodeInfo> {
        let place = self.nodes.binary_search_by(|node| node.name.cmp(name)).ok()?;
        self.nodes.get(place)
    }

    /// Whether a node of this name serves.
    #[must_use]
    pub fn contains(&self, name: &NodeName) -> bool {
        self.get(name).is_some()
    }

    /// The owners of a presence shard, best first ([`placement::shard_owners`], remembered).
    #[must_use]
    pub fn owners(&self, shard: ShardId) -> [Option<&NodeName>; SHARD_REPLICAS] {
        let table = self
            .owners
            .get_or_init(|| (0..SHARD_COUNT).map(|shard| self.places(shard)).collect());
        let places = table.get(usize::from(shard.0)).copied().unwrap_or_default();
        places.map(|place| {
            place
                .and_then(|place| self.nodes.get(usize::from(place)))
                .map(|node| &node.name)
        })
    }

    fn places(&self, shard: u16) -> [Option<u16>; SHARD_REPLICAS] {
        let mut places = [None; SHARD_REPLICAS];
        for (place, owner) in places
            .iter_mut()
            .zip(placement::shard_owners(ShardId(shard), self))
        {
            let found = self.nodes.binary_search_by(|node| node.name.cmp(&owner));
            *place = found.ok().and_then(|found| u16::try_from(found).ok());
        }
        places
    }

    /// Whether nobody serves.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.nodes.is_empty()
    }
}

impl Default for View {
    fn default() -> Self {
        Self::new(Vec::new())
    }
}

/// Lengths are hashed in front of names, so that no two sets read the same.
fn hash_of(nodes: &[NodeInfo]) -> ViewHash {
    let mut hasher = Xxh3::new();
    for node in nodes {
        for part in [node.name.as_bytes(), node.zone.as_bytes()] {
            hasher.update(&(part.len() as u64).to_be_bytes());
            hasher.update(part);
        }
        hasher.update(&node.boot_generation.0.to_be_bytes());
    }
    ViewHash(hasher.digest())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn node(name: &str, boot: u64) -> NodeInfo {
        NodeInfo {
            name: NodeName::new(name).unwrap(),
            zone: String::new(),
            boot_generation: Generation(boot),
        }
    }

    #[test]
    fn order_of_discovery_does_not_matter() {
        let one = View::new(vec![node("a", 1), node("b", 2)]);
        let other = View::new(vec![node("b", 2), node("a", 1)]);
        assert_eq!(one, other);
        assert!(one.contains(&NodeName::new("b").unwrap()));
    }

    #[test]
    fn a_restart_changes_the_hash_and_the_newest_life_wins() {
        let before = View::new(vec![node("a", 1)]);
        let both = View::new(vec![node("a", 1), node("a", 2)]);
        assert_ne!(before.hash(), both.hash());
        assert_eq!(both, View::new(vec![node("a", 2)]));
    }
}
