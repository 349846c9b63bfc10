//! A node's part as owner of shards.

mod change;
mod warm;

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;

use crate::id::{AccountId, NodeName, SessionId, ShardId};
use crate::placement;
use crate::presence::{
    Config, Lookup, OwnerEffect, OwnerEvent, Registration, Replication, SessionEntry, Shard,
};
use crate::time::Moment;
use crate::view::View;

/// All shards that a node owns.
#[derive(Debug)]
pub struct Owner {
    config: Config,
    name: NodeName,
    view: Arc<View>,
    shards: BTreeMap<ShardId, Shard>,
    /// Whose session it is, for renewals.
    accounts: HashMap<SessionId, AccountId>,
    /// Nodes that named all their sessions under the present view, all of which are here.
    heard: BTreeSet<NodeName>,
    /// Nodes of whose running list something was missing here.
    missed: BTreeSet<NodeName>,
    /// Sessions that ended while a snapshot was under way: it must not bring them back.
    removed: BTreeSet<SessionId>,
    /// Owners that renewed sessions which are not here: something of theirs was lost.
    behind: BTreeSet<NodeName>,
    sweep_at: Moment,
}

impl Owner {
    /// The owner on node `name`, empty and certain of nothing.
    #[must_use]
    pub fn new(config: Config, name: NodeName, view: Arc<View>, now: Moment) -> Self {
        let mut owner = Self {
            config,
            name,
            view: Arc::new(View::default()),
            shards: BTreeMap::new(),
            accounts: HashMap::new(),
            heard: BTreeSet::new(),
            missed: BTreeSet::new(),
            removed: BTreeSet::new(),
            behind: BTreeSet::new(),
            sweep_at: now.plus_ms(config.heartbeat_ms),
        };
        // Nobody to ask for a snapshot yet: the first heartbeats of all nodes make it complete.
        owner.change_view(now, view, &mut Vec::new());
        owner
    }

    /// Takes one event and appends what is to be done.
    pub fn handle(&mut self, now: Moment, event: OwnerEvent, effects: &mut Vec<OwnerEffect>) {
        match event {
            OwnerEvent::Register {
                from,
                request,
                registrations,
            } => {
                self.register(now, from, request, registrations, effects);
            }
            OwnerEvent::Unregister { registrations } => self.unregister(registrations, effects),
            OwnerEvent::Heartbeat {
                from,
                request,
                view,
                whole,
                sessions,
            } => {
                let same_view = view == self.view.hash();
                let missing = self.heartbeat(now, &from, whole && same_view, sessions, effects);
                effects.push(OwnerEffect::HeartbeatAnswer {
                    to: from,
                    request,
                    missing,
                });
            }
            OwnerEvent::Lookup {
                from,
                request,
                accounts,
            } => {
                let lookups = accounts.iter().map(|account| self.lookup(now, account)).collect();
                effects.push(OwnerEffect::LookupAnswer {
                    to: from,
                    request,
                    lookups,
                });
            }
            OwnerEvent::Replicate { from, changes } => self.replicated(now, from, changes),
            OwnerEvent::SnapshotAsked { from, shards } => {
                let snapshots = self.snapshots(now, &from, &shards);
                effects.push(OwnerEffect::SendSnapshot { to: from, snapshots });
            }
            OwnerEvent::SnapshotArrived { from, snapshots } => self.snapshot_arrived(now, &from, snapshots),
            OwnerEvent::ViewChanged(view) => self.change_view(now, view, effects),
            OwnerEvent::GiveUp => {
                self.shards.clear();
                self.accounts.clear();
                let view = std::mem::take(&mut self.view);
                self.change_view(now, view, effects);
            }
            OwnerEvent::Timer => self.timer(now, effects),
        }
    }

    /// When [`OwnerEvent::Timer`] is due.
    #[must_use]
    pub fn deadline(&self) -> Option<Moment> {
        Some(self.sweep_at)
    }

    /// What this owner says about an account.
    #[must_use]
    pub fn lookup(&self, now: Moment, account: &AccountId) -> Lookup {
        // A large room asks for all its members: each is hashed once.
        let place = placement::of_account(account);
        let Some(shard) = self.shards.get(&place.shard) else {
            return Lookup::Unknown { seen: Vec::new() };
        };
        let entries = self.live(now, shard, account);
        let is_primary = placement::owners_at(place, &self.view).primary == Some(&self.name);
        if !is_primary || !shard.is_certain(place.writer) {
            Lookup::Unknown { seen: entries }
        } else if entries.is_empty() {
            Lookup::Nobody
        } else {
            Lookup::Found(entries)
        }
    }

    /// The account's sessions that live on nodes of the view.
    fn live(&self, now: Moment, shard: &Shard, account: &AccountId) -> Vec<SessionEntry> {
        let mut entries = shard.get(account, now, self.config.expiry_ms());
        entries.retain(|entry| self.view.contains(&entry.node));
        entries
    }

    /// Sessions held, expired ones included.
    #[must_use]
    pub fn len(&self) -> usize {
        self.accounts.len()
    }

    /// Whether no session is held.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.accounts.is_empty()
    }

    /// Live entries held, whatever they are worth; for status and for the simulator's checker.
    pub fn entries(&self, now: Moment) -> impl Iterator<Item = (&AccountId, SessionEntry)> {
        let expiry_ms = self.config.expiry_ms();
        self.shards.values().flat_map(move |shard| {
            let mut accounts: Vec<&AccountId> = shard.sessions().map(|(account, _, _)| account).collect();
            accounts.dedup();
            accounts.into_iter().flat_map(move |account| {
                shard
                    .get(account, now, expiry_ms)
                    .into_iter()
                    .map(move |entry| (account, entry))
            })
        })
    }

    fn is_primary(&self, account: &AccountId) -> bool {
        placement::shard_owners_of(account, &self.view).primary == Some(&self.name)
    }

    fn follower_of(&self, account: &AccountId) -> Option<&NodeName> {
        placement::shard_owners_of(account, &self.view).follower
    }

    fn timer(&mut self, now: Moment, effects: &mut Vec<OwnerEffect>) {
        if self.sweep_at > now {
            return;
        }
        self.sweep_at = now.plus_ms(self.config.heartbeat_ms);
        self.sweep(now);
        self.removed.clear();
        for other in std::mem::take(&mut self.behind) {
            self.ask_snapshot(&other, effects);
        }
    }

    /// Entries that expired or whose node left the view are gone.
    fn sweep(&mut self, now: Moment) {
        let expiry_ms = self.config.expiry_ms();
        let (view, accounts) = (&self.view, &mut self.accounts);
        let keep = |entry: &SessionEntry, age: u64| age < expiry_ms && view.contains(&entry.node);
        for shard in self.shards.values_mut() {
            shard.sweep(now, keep, |session| {
                accounts.remove(&session);
            });
        }
    }

    fn insert(&mut self, registration: Registration, renewed: Moment) -> bool {
        let Some(shard) = self.shards.get_mut(&placement::shard(&registration.account)) else {
            return false;
        };
        let (account, session) = (registration.account.clone(), registration.entry.session);
        let inserted = shard.upsert(registration, renewed);
        if inserted {
            self.accounts.insert(session, account);
        }
        inserted
    }
}

/// Writes to pass on, by owner.
#[derive(Debug, Default)]
struct Outgoing(BTreeMap<NodeName, Replication>);

impl Outgoing {
    fn to(&mut self, owner: Option<&NodeName>) -> Option<&mut Replication> {
        owner.map(|owner| self.0.entry(owner.clone()).or_default())
    }

    fn send(self, effects: &mut Vec<OwnerEffect>) {
        effects.extend(
            self.0
                .into_iter()
                .map(|(to, changes)| OwnerEffect::Replicate { to, changes }),
        );
    }
}
