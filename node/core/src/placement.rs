//! Who holds what: the hash of an id, its slot and presence shard, and rendezvous hashing over the nodes.
//!
//! All of this is a contract between nodes, versions and databases; the golden vectors in the tests pin it.

use sha2::{Digest, Sha256};
use smallvec::SmallVec;
use xxhash_rust::xxh3::{Xxh3, xxh3_64};

use crate::id::{AccountId, ConversationId, NodeName, RoomId, ShardId, Slot, VirtualRoomId};
use crate::view::{NodeInfo, View};

/// Number of slots; a slot is 20 bits.
pub const SLOT_COUNT: u32 = 1 << 20;

/// Number of presence shards; a shard is 12 bits.
pub const SHARD_COUNT: u16 = 1 << 12;

/// How many nodes hold a presence shard.
pub const SHARD_REPLICAS: usize = 2;

/// The stable hash of an id: XXH3-64 with seed 0 over its bytes.
#[must_use]
pub fn hash(id: &[u8]) -> u64 {
    xxh3_64(id)
}

/// The slot of an id: bits 63…44 of its hash.
#[must_use]
pub fn slot(id: &[u8]) -> Slot {
    Slot((hash(id) >> 44) as u32)
}

/// Where an account is in presence.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct AccountPlace {
    /// Its shard: bits 43…32 of its hash.
    pub shard: ShardId,
    /// Which of the shard's two owners is written and asked for it: bit 0 of its hash.
    pub writer: usize,
}

/// Where an account is in presence.
#[must_use]
pub fn of_account(account: &AccountId) -> AccountPlace {
    let hash = hash(account.as_bytes());
    AccountPlace {
        shard: ShardId(((hash >> 32) & u64::from(SHARD_COUNT - 1)) as u16),
        writer: (hash & 1) as usize,
    }
}

/// The presence shard of an account.
#[must_use]
pub fn shard(account: &AccountId) -> ShardId {
    of_account(account).shard
}

/// Which of a shard's two owners is written and asked for an account.
#[must_use]
pub fn writer(account: &AccountId) -> usize {
    of_account(account).writer
}

/// The rendezvous score of a node for a key: XXH3-64(key ‖ 0 ‖ node name).
#[must_use]
pub fn score(key: &[u8], node: &NodeName) -> u64 {
    let mut hasher = Xxh3::new();
    hasher.update(key);
    hasher.update(&[0]);
    hasher.update(node.as_bytes());
    hasher.digest()
}

/// The node with the highest score; `None` only for an empty view.
#[must_use]
pub fn best<'a>(key: &[u8], view: &'a View) -> Option<&'a NodeInfo> {
    highest(key, view.nodes().iter())
}

/// The two nodes of a presence shard, best first: the two best scores, and in different zones where there are
/// several. Fewer when the view is smaller.
#[must_use]
pub fn shard_owners(shard: ShardId, view: &View) -> SmallVec<[NodeName; SHARD_REPLICAS]> {
    two_best(&shard.to_bytes(), view)
}

/// The relay of a virtual room and its backup, chosen as the owners of a presence shard are.
#[must_use]
pub fn virtual_room_owners(room: &VirtualRoomId, view: &View) -> SmallVec<[NodeName; SHARD_REPLICAS]> {
    two_best(room.as_bytes(), view)
}

fn two_best(key: &[u8], view: &View) -> SmallVec<[NodeName; SHARD_REPLICAS]> {
    let mut owners = SmallVec::new();
    let Some(first) = best(key, view) else {
        return owners;
    };
    owners.push(first.name.clone());
    let others = || view.nodes().iter().filter(|node| node.name != first.name);
    let elsewhere = highest(key, others().filter(|node| node.zone != first.zone));
    if let Some(second) = elsewhere.or_else(|| highest(key, others())) {
        owners.push(second.name.clone());
    }
    owners
}

/// The two owners of an account's presence shard, by what they are for this account.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct AccountOwners<'a> {
    /// Is written and asked; `None` only for an empty view.
    pub primary: Option<&'a NodeName>,
    /// Follows and stands in; `None` when the view has one node.
    pub follower: Option<&'a NodeName>,
}

/// The owners of an account's presence shard; read from the view's table, so cheap.
#[must_use]
pub fn shard_owners_of<'a>(account: &AccountId, view: &'a View) -> AccountOwners<'a> {
    owners_at(of_account(account), view)
}

/// The same for an account of which only the place matters.
#[must_use]
pub fn owners_at(place: AccountPlace, view: &View) -> AccountOwners<'_> {
    match view.owners(place.shard) {
        [first, Some(second)] if place.writer == 1 => AccountOwners {
            primary: Some(second),
            follower: first,
        },
        [first, second] => AccountOwners {
            primary: first,
            follower: second,
        },
    }
}

/// The conversation of two accounts: the first 16 bytes of SHA-256 of "d" ‖ 0 ‖ smaller id ‖ 0 ‖ larger id.
#[must_use]
pub fn direct_conversation(one: &AccountId, other: &AccountId) -> ConversationId {
    let (smaller, larger) = if one <= other { (one, other) } else { (other, one) };
    digest(&[b"d", smaller.as_bytes(), larger.as_bytes()])
}

/// The conversation of a room: the first 16 bytes of SHA-256 of "r" ‖ 0 ‖ room id.
#[must_use]
pub fn room_conversation(room: &RoomId) -> ConversationId {
    digest(&[b"r", room.as_bytes()])
}

/// The conversation of an account with the system: the first 16 bytes of SHA-256 of "s" ‖ 0 ‖ account id.
#[must_use]
pub fn system_conversation(account: &AccountId) -> ConversationId {
    digest(&[b"s", account.as_bytes()])
}

/// Joins the parts by a zero byte and keeps the first half of their SHA-256.
fn digest(parts: &[&[u8]]) -> ConversationId {
    let mut hasher = Sha256::new();
    for (place, part) in parts.iter().enumerate() {
        if place > 0 {
            hasher.update([0]);
        }
        hasher.update(part);
    }
    let whole: [u8; 32] = hasher.finalize().into();
    let mut half = [0; 16];
    half.copy_from_slice(&whole[..16]);
    ConversationId(half)
}

/// Ties go to the smaller name, so that every node decides alike.
fn highest<'a>(key: &[u8], nodes: impl Iterator<Item = &'a NodeInfo>) -> Option<&'a NodeInfo> {
    nodes
        .map(|node| (score(key, &node.name), node))
        .max_by(|(a, one), (b, other)| a.cmp(b).then_with(|| other.name.cmp(&one.name)))
        .map(|(_, node)| node)
}

#[cfg(test)]
mod tests;
