//! One shard as one owner has it.

use std::ops::Range;

use crate::id::{AccountId, NodeName, SessionId, ShardId};
use crate::placement;
use crate::presence::{Registration, SessionEntry, Snapshot};
use crate::time::Moment;

/// Room for more than so many times what is held is given back.
const SPARE_FACTOR: usize = 4;

/// An entry and when it was last renewed.
#[derive(Debug, Clone)]
struct Held {
    account: AccountId,
    entry: SessionEntry,
    renewed: Moment,
}

/// The sessions of a shard's accounts, and for which half of them this owner can be certain.
///
/// The halves are those of [`placement::writer`]: each owner is the primary of one.
#[derive(Debug, Default)]
pub struct Shard {
    /// By account, and for one account in the order in which they came. A shard has few: in a tree each would cost several
    /// times its size.
    held: Vec<Held>,
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

    /// Where the entries of an account stand, or would stand.
    fn places(&self, account: &AccountId) -> Range<usize> {
        let begin = self.held.partition_point(|held| held.account < *account);
        let behind = self.held[begin..]
            .iter()
            .take_while(|held| held.account == *account);
        begin..begin + behind.count()
    }

    fn find(&self, account: &AccountId, session: SessionId) -> Option<usize> {
        let mut places = self.places(account);
        places.find(|place| self.held[*place].entry.session == session)
    }

    /// Adds or replaces an entry; an entry of a lower generation than the one held changes nothing.
    pub fn upsert(&mut self, registration: Registration, renewed: Moment) -> bool {
        let Registration { account, entry } = registration;
        let Some(place) = self.find(&account, entry.session) else {
            let end = self.places(&account).end;
            self.held.insert(
                end,
                Held {
                    account,
                    entry,
                    renewed,
                },
            );
            return true;
        };
        let held = &mut self.held[place];
        if held.entry.generation > entry.generation {
            return false;
        }
        held.renewed = held.renewed.max(renewed);
        held.entry = entry;
        true
    }

    /// Takes an entry away, unless a higher generation of the session is here.
    pub fn remove(&mut self, registration: &Registration) -> bool {
        let entry = &registration.entry;
        let found = self
            .find(&registration.account, entry.session)
            .filter(|place| self.held[*place].entry.generation <= entry.generation);
        if let Some(place) = found {
            self.held.remove(place);
        }
        found.is_some()
    }

    /// A session's node says that it lives; `false` when it is not here or has expired.
    pub fn renew(&mut self, account: &AccountId, session: SessionId, now: Moment, expiry_ms: u64) -> bool {
        let found = self.find(account, session);
        match found.and_then(|place| self.held.get_mut(place)) {
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
        let entries = self.held[self.places(account)].iter();
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
        self.held.retain(|held| {
            let stays = keep(&held.entry, now.since_ms(held.renewed));
            if !stays {
                dropped(held.entry.session);
            }
            stays
        });
        if self.held.len() * SPARE_FACTOR < self.held.capacity() {
            self.held.shrink_to_fit();
        }
    }

    /// Everything here, for an owner that will be the primary of `half`.
    pub(super) fn snapshot(&self, shard: ShardId, half: usize, now: Moment) -> Snapshot {
        let entries = self.held.iter().map(|held| {
            let registration = Registration {
                account: held.account.clone(),
                entry: held.entry.clone(),
            };
            (registration, now.since_ms(held.renewed))
        });
        Snapshot {
            shard,
            complete: self.is_certain(half),
            entries: entries.collect(),
        }
    }

    /// All sessions.
    pub(super) fn sessions(&self) -> impl Iterator<Item = (&AccountId, &NodeName, SessionId)> {
        let held = self.held.iter();
        held.map(|held| (&held.account, &held.entry.node, held.entry.session))
    }
}
