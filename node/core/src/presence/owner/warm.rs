//! Becoming an owner: a snapshot of the other one, the writes since, or the word of every node.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use crate::id::{NodeName, ShardId};
use crate::placement::{SHARD_COUNT, SHARD_REPLICAS};
use crate::presence::owner::Owner;
use crate::presence::{OwnerEffect, Shard, Snapshot};
use crate::time::Moment;
use crate::view::View;

impl Owner {
    /// Drops the shards that are not this node's any more, takes up new ones, and asks the other owner for those.
    pub(super) fn change_view(&mut self, now: Moment, view: Arc<View>, effects: &mut Vec<OwnerEffect>) {
        let before = std::mem::replace(&mut self.view, view);
        self.heard.clear();
        self.missed.clear();
        let mut to_ask: BTreeMap<NodeName, Vec<ShardId>> = BTreeMap::new();
        for shard in (0..SHARD_COUNT).map(ShardId) {
            let owners = self.view.owners(shard);
            if !owners.contains(&Some(&self.name)) {
                if let Some(dropped) = self.shards.remove(&shard) {
                    for (_, _, session) in dropped.sessions() {
                        self.accounts.remove(&session);
                    }
                }
                continue;
            }
            let partner = owners.into_iter().flatten().find(|owner| **owner != self.name);
            let held = self.shards.contains_key(&shard);
            let state = self.shards.entry(shard).or_default();
            let mut newly_primary = false;
            for half in 0..SHARD_REPLICAS {
                let was = held && primary_of(&before, shard, half) == Some(&self.name);
                let is = primary_of(&self.view, shard, half) == Some(&self.name);
                if is && !was {
                    state.set_certain(half, false);
                    newly_primary = true;
                }
            }
            if let Some(partner) = partner.filter(|_| newly_primary || !held) {
                to_ask.entry(partner.clone()).or_default().push(shard);
            }
        }
        self.sweep(now);
        for (to, shards) in to_ask {
            effects.push(OwnerEffect::AskSnapshot { to, shards });
        }
    }

    /// Every node of the view has named all its sessions: nothing can be missing here.
    pub(super) fn complete_if_all_heard(&mut self) {
        if self
            .view
            .nodes()
            .iter()
            .all(|node| self.heard.contains(&node.name))
        {
            let view = &self.view;
            for (shard, state) in &mut self.shards {
                for half in 0..SHARD_REPLICAS {
                    if primary_of(view, *shard, half) == Some(&self.name) {
                        state.set_certain(half, true);
                    }
                }
            }
        }
    }

    /// All shards shared with another owner are asked for.
    pub(super) fn ask_snapshot(&self, other: &NodeName, effects: &mut Vec<OwnerEffect>) {
        let shared = |shard: &ShardId| self.view.owners(*shard).contains(&Some(other));
        let shards: Vec<ShardId> = self.shards.keys().copied().filter(shared).collect();
        if !shards.is_empty() {
            effects.push(OwnerEffect::AskSnapshot {
                to: other.clone(),
                shards,
            });
        }
    }

    pub(super) fn snapshots(&self, now: Moment, asker: &NodeName, shards: &[ShardId]) -> Vec<Snapshot> {
        let mut wanted: BTreeSet<ShardId> = shards.iter().copied().collect();
        wanted.retain(|shard| self.shards.contains_key(shard));
        let half =
            |shard| (0..SHARD_REPLICAS).find(|half| primary_of(&self.view, shard, *half) == Some(asker));
        wanted
            .into_iter()
            .filter_map(|shard| {
                let state: &Shard = self.shards.get(&shard)?;
                // An asker that is no primary by this view gets the entries, and no certainty.
                let mut snapshot = state.snapshot(shard, half(shard).unwrap_or_default(), now);
                snapshot.complete &= half(shard).is_some();
                Some(snapshot)
            })
            .collect()
    }

    pub(super) fn snapshot_arrived(&mut self, now: Moment, from: &NodeName, snapshots: Vec<Snapshot>) {
        let expiry_ms = self.config.expiry_ms();
        for snapshot in snapshots {
            for (registration, age_ms) in snapshot.entries {
                let session = registration.entry.session;
                if age_ms < expiry_ms && !self.removed.contains(&session) {
                    self.insert(registration, Moment(now.0.saturating_sub(age_ms)));
                }
            }
            let shared = self.view.owners(snapshot.shard).contains(&Some(from));
            let halves = (0..SHARD_REPLICAS)
                .find(|half| primary_of(&self.view, snapshot.shard, *half) == Some(&self.name));
            if let (true, Some(half), Some(state)) = (
                snapshot.complete && shared,
                halves,
                self.shards.get_mut(&snapshot.shard),
            ) {
                state.set_certain(half, true);
            }
        }
    }
}

/// Who is written and asked for the accounts of one half of a shard.
fn primary_of(view: &View, shard: ShardId, half: usize) -> Option<&NodeName> {
    let owners = view.owners(shard);
    owners
        .get(half)
        .copied()
        .flatten()
        .or(owners.first().copied().flatten())
}
