//! Writes: registrations, ends, heartbeats, and what the other owner passes on.

use std::collections::{BTreeMap, BTreeSet};

use crate::id::{AccountId, NodeName, SessionId};
use crate::placement;
use crate::presence::owner::{Outgoing, Owner};
use crate::presence::{OwnerEffect, Registration, Replication};
use crate::time::Moment;

impl Owner {
    pub(super) fn register(
        &mut self,
        now: Moment,
        from: NodeName,
        request: u64,
        registrations: Vec<Registration>,
        effects: &mut Vec<OwnerEffect>,
    ) {
        let mut refused = Vec::new();
        let mut outgoing = Outgoing::default();
        let mut touched = BTreeSet::new();
        for registration in registrations {
            // A node this view does not have (yet) would be looked up as absent: refused until views agree.
            let known = self.view.contains(&registration.entry.node);
            if !known || !self.is_primary(&registration.account) {
                refused.push(registration.entry.session);
                continue;
            }
            self.insert(registration.clone(), now);
            touched.insert(registration.account.clone());
            if let Some(other) = outgoing.to(self.follower_of(&registration.account)) {
                other.upserts.push(registration);
            }
        }
        outgoing.send(effects);
        effects.push(OwnerEffect::Registered {
            to: from,
            request,
            refused,
        });
        self.keep_device_limits(now, &touched, effects);
    }

    /// Who is too many yields; its entry goes when its node says that it has ended.
    fn keep_device_limits(
        &self,
        now: Moment,
        accounts: &BTreeSet<AccountId>,
        effects: &mut Vec<OwnerEffect>,
    ) {
        let Some(limits) = self.config.devices else {
            return;
        };
        let mut yielding: BTreeMap<NodeName, Vec<SessionId>> = BTreeMap::new();
        for account in accounts {
            let Some(shard) = self.shards.get(&placement::shard(account)) else {
                continue;
            };
            for entry in limits.excess(self.live(now, shard, account)) {
                yielding.entry(entry.node).or_default().push(entry.session);
            }
        }
        effects.extend(
            yielding
                .into_iter()
                .map(|(to, sessions)| OwnerEffect::Yield { to, sessions }),
        );
    }

    pub(super) fn unregister(&mut self, registrations: Vec<Registration>, effects: &mut Vec<OwnerEffect>) {
        let mut outgoing = Outgoing::default();
        for registration in registrations {
            self.remove(&registration);
            if self.is_primary(&registration.account)
                && let Some(other) = outgoing.to(self.follower_of(&registration.account))
            {
                other.removals.push(registration);
            }
        }
        outgoing.send(effects);
    }

    /// Renews what is here; returns what is not. `whole`: the last part of a list under the present view.
    pub(super) fn heartbeat(
        &mut self,
        now: Moment,
        from: &NodeName,
        whole: bool,
        sessions: Vec<SessionId>,
        effects: &mut Vec<OwnerEffect>,
    ) -> Vec<SessionId> {
        let mut missing = Vec::new();
        let mut outgoing = Outgoing::default();
        for session in sessions {
            if !self.renew(now, session) {
                missing.push(session);
                continue;
            }
            let follower = self
                .accounts
                .get(&session)
                .and_then(|account| self.follower_of(account));
            if let Some(other) = outgoing.to(follower.cloned().as_ref()) {
                other.renewals.push(session);
            }
        }
        outgoing.send(effects);
        if !missing.is_empty() {
            self.missed.insert(from.clone());
        }
        if whole && !self.missed.remove(from) && self.view.contains(from) && self.heard.insert(from.clone()) {
            self.complete_if_all_heard();
        }
        missing
    }

    pub(super) fn replicated(&mut self, now: Moment, from: NodeName, changes: Replication) {
        for registration in changes.upserts {
            self.insert(registration, now);
        }
        for registration in changes.removals {
            self.remove(&registration);
        }
        let mut lost = false;
        for session in changes.renewals {
            lost |= !self.renew(now, session);
        }
        if lost {
            self.behind.insert(from);
        }
    }

    fn renew(&mut self, now: Moment, session: SessionId) -> bool {
        let expiry_ms = self.config.expiry_ms();
        let Some(account) = self.accounts.get(&session) else {
            return false;
        };
        self.shards
            .get_mut(&placement::shard(account))
            .is_some_and(|shard| shard.renew(account, session, now, expiry_ms))
    }

    fn remove(&mut self, registration: &Registration) {
        let session = registration.entry.session;
        self.removed.insert(session);
        if let Some(shard) = self.shards.get_mut(&placement::shard(&registration.account))
            && shard.remove(registration)
        {
            self.accounts.remove(&session);
        }
    }
}
