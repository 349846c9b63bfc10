//! One shard as one owner has it.

use std::collections::BTreeMap;

use smallvec::SmallVec;

use crate::id::{AccountId, NodeName, SessionId, ShardId};
use crate::placement;
use crate::presence::{Registration, SessionEntry, Snapshot};
use crate::time::Moment;

/// An entry and when it was last renewed.
#[derive(Debug, Clone)]
struct Held {
    entry: SessionEntry,
    renewed: Moment,
}

/// The sessions of a shard's accounts, and for which half of them this owner can be certain.
///
/// The halves are those of [`placement::writer`]: each owner is the primary of one.
#[derive(Debug, Default)]
pub struct Shard {
    accounts: BTreeMap<AccountId, SmallVec<[Held; 1]>>,
    /// Per half: has been its primary without interruption and heard of everything.
    certain: [bool; placement::SHARD_REPLICAS],
}

impl Shard {
    /// Whether this owner is certain about a half.
    #[must_use]
    pub fn is_certain(&self, half: usize) -> bool {
        self.certain.get(half).copied().unwrap_or_default()
    }

    pub(super) fn set_certain(&mut self, half: usize, certain: bool) {
        if let Some(place) = self.certain.get_mut(half) {
            *place = certain;
        }
    }

    /// Adds or replaces an entry; an entry of a lower generation than the one held changes nothing.
    pub fn upsert(&mut self, registration: Registration, renewed: Moment) -> bool {
        let Registration { account, entry } = registration;
        let entries = self.accounts.entry(account).or_default();
        match entries
            .iter_mut()
            .find(|held| held.entry.session == entry.session)
        {
            Some(held) if held.entry.generation > entry.generation => false,
            Some(held) => {
                held.renewed = held.renewed.max(renewed);
                held.entry = entry;
                true
            }
            None => {
                entries.push(Held { entry, renewed });
                true
            }
        }
    }

    /// Takes an entry away, unless a higher generation of the session is here.
    pub fn remove(&mut self, registration: &Registration) -> bool {
        let Some(entries) = self.accounts.get_mut(&registration.account) else {
            return false;
        };
        let before = entries.len();
        entries.retain(|held| {
            held.entry.session != registration.entry.session
                || held.entry.generation > registration.entry.generation
        });
        let removed = entries.len() < before;
        if entries.is_empty() {
            self.accounts.remove(&registration.account);
        }
        removed
    }

    /// A session's node says that it lives; `false` when it is not here or has expired.
    pub fn renew(&mut self, account: &AccountId, session: SessionId, now: Moment, expiry_ms: u64) -> bool {
        let entries = self.accounts.get_mut(account);
        let mut entries = entries.into_iter().flat_map(|entries| entries.iter_mut());
        match entries.find(|held| held.entry.session == session) {
            Some(held) if now.since_ms(held.renewed) < expiry_ms => {
                held.renewed = now;
                true
            }
            _ => false,
        }
    }

    /// The live entries of an account.
    #[must_use]
    pub fn get(&self, account: &AccountId, now: Moment, expiry_ms: u64) -> Vec<SessionEntry> {
        let entries = self.accounts.get(account).into_iter().flatten();
        let live = entries.filter(|held| now.since_ms(held.renewed) < expiry_ms);
        live.map(|held| held.entry.clone()).collect()
    }

    /// Drops entries that fail the test (given the entry and the milliseconds since it was renewed) and tells of
    /// each.
    pub(super) fn sweep(
        &mut self,
        now: Moment,
        keep: impl Fn(&SessionEntry, u64) -> bool,
        mut dropped: impl FnMut(SessionId),
    ) {
        self.accounts.retain(|_, entries| {
            entries.retain(|held| {
                let stays = keep(&held.entry, now.since_ms(held.renewed));
                if !stays {
                    dropped(held.entry.session);
                }
                stays
            });
            !entries.is_empty()
        });
    }

    /// Everything here, for an owner that will be the primary of `half`.
    pub(super) fn snapshot(&self, shard: ShardId, half: usize, now: Moment) -> Snapshot {
        let entries = self.accounts.iter().flat_map(|(account, entries)| {
            entries.iter().map(|held| {
                let registration = Registration {
                    account: account.clone(),
                    entry: held.entry.clone(),
                };
                (registration, now.since_ms(held.renewed))
            })
        });
        Snapshot {
            shard,
            complete: self.is_certain(half),
            entries: entries.collect(),
        }
    }

    /// All sessions.
    pub(super) fn sessions(&self) -> impl Iterator<Item = (&AccountId, &NodeName, SessionId)> {
        self.accounts.iter().flat_map(|(account, entries)| {
            entries
                .iter()
                .map(move |held| (account, &held.entry.node, held.entry.session))
        })
    }
}
