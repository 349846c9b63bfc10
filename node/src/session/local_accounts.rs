//! The accounts that have sessions on this node: which, and how much of its rate all of them together have used.

use parking_lot::Mutex;
use smallvec::SmallVec;
use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;
use tim_core::id::{AccountId, DeviceClass, SessionId};
use tim_core::rate::Meter;

/// Parts of the table, so that one login does not wait for another. All nodes have the same number: the order of a list
/// of who is online follows from it.
const PARTS: u64 = 64;

/// What the sessions of one account share.
pub(crate) type SharedMeter = Arc<Mutex<Meter>>;

#[derive(Debug, Default)]
struct Held {
    sessions: SmallVec<[(SessionId, DeviceClass); 1]>,
    meter: SharedMeter,
}

/// An account that has sessions here, with the class of each of its devices.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct OnlineAccount {
    pub(crate) account: AccountId,
    pub(crate) classes: Vec<DeviceClass>,
}

/// Number of the part that an account belongs to. Accounts are listed by part, then by id, so that a page looks through
/// one part and not through all accounts.
pub(crate) fn part_of(account: &AccountId) -> u64 {
    tim_core::placement::hash(account.as_bytes()) % PARTS
}

/// All accounts with a session here.
#[derive(Debug)]
pub(crate) struct LocalAccounts(Vec<Mutex<HashMap<AccountId, Held>>>);

impl Default for LocalAccounts {
    fn default() -> Self {
        Self((0..PARTS).map(|_| Mutex::default()).collect())
    }
}

impl LocalAccounts {
    fn part(&self, account: &AccountId) -> &Mutex<HashMap<AccountId, Held>> {
        // The modulus keeps the index inside.
        &self.0[usize::try_from(part_of(account)).unwrap_or(0)]
    }

    /// A session begins; the meter that it shares with the account's others.
    pub(crate) fn join(&self, account: &AccountId, session: SessionId, class: DeviceClass) -> SharedMeter {
        let mut part = self.part(account).lock();
        let held = part.entry(account.clone()).or_default();
        held.sessions.push((session, class));
        Arc::clone(&held.meter)
    }

    /// A session has ended.
    pub(crate) fn leave(&self, account: &AccountId, session: SessionId) {
        let mut part = self.part(account).lock();
        if let Some(held) = part.get_mut(account) {
            held.sessions.retain(|(other, _)| *other != session);
            if held.sessions.is_empty() {
                part.remove(account);
            }
        }
    }

    /// The sessions of an account.
    pub(crate) fn sessions_of(&self, account: &AccountId) -> Vec<SessionId> {
        let part = self.part(account).lock();
        let sessions = part.get(account).map(|held| held.sessions.iter());
        sessions.map_or_else(Vec::new, |sessions| {
            sessions.map(|(session, _)| *session).collect()
        })
    }

    /// The accounts that come after another one, at most so many.
    pub(crate) fn list(&self, after: Option<&AccountId>, limit: usize) -> Vec<OnlineAccount> {
        let first = after.map_or(0, part_of);
        let mut listed = Vec::new();
        for number in first..PARTS {
            let after = after.filter(|_| number == first);
            self.list_part(number, after, limit - listed.len(), &mut listed);
            if listed.len() >= limit {
                break;
            }
        }
        listed
    }

    fn list_part(
        &self,
        number: u64,
        after: Option<&AccountId>,
        limit: usize,
        listed: &mut Vec<OnlineAccount>,
    ) {
        let Some(part) = usize::try_from(number).ok().and_then(|index| self.0.get(index)) else {
            return;
        };
        let part = part.lock();
        let mut smallest: BTreeMap<&AccountId, &Held> = BTreeMap::new();
        for (account, held) in part.iter() {
            if after.is_some_and(|after| account <= after) {
                continue;
            }
            smallest.insert(account, held);
            if smallest.len() > limit {
                smallest.pop_last();
            }
        }
        listed.extend(smallest.into_iter().map(|(account, held)| OnlineAccount {
            account: account.clone(),
            classes: held.sessions.iter().map(|(_, class)| *class).collect(),
        }));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PHONE: DeviceClass = DeviceClass(1);

    #[test]
    fn pages_hold_everybody_once() {
        let accounts = LocalAccounts::default();
        for number in 0..500 {
            let account = AccountId::new(format!("account{number}")).unwrap();
            let _meter = accounts.join(&account, SessionId(number), PHONE);
            let _meter = accounts.join(&account, SessionId(1_000 + number), DeviceClass(2));
        }
        let mut all: Vec<OnlineAccount> = Vec::new();
        loop {
            let page = accounts.list(all.last().map(|last| &last.account), 7);
            if page.is_empty() {
                break;
            }
            all.extend(page);
        }
        let key = |online: &OnlineAccount| (part_of(&online.account), online.account.clone());
        assert!(all.is_sorted_by(|one, other| key(one) < key(other)));
        assert_eq!(all.len(), 500);
        assert!(all.iter().all(|online| online.classes == [PHONE, DeviceClass(2)]));
    }

    #[test]
    fn sessions_of_an_account_share_a_meter_until_the_last_has_ended() {
        let accounts = LocalAccounts::default();
        let alice = AccountId::new("alice").unwrap();
        let one = accounts.join(&alice, SessionId(1), PHONE);
        let other = accounts.join(&alice, SessionId(2), PHONE);
        assert!(Arc::ptr_eq(&one, &other));
        accounts.leave(&alice, SessionId(1));
        assert_eq!(accounts.sessions_of(&alice), [SessionId(2)]);
        accounts.leave(&alice, SessionId(2));
        assert!(accounts.sessions_of(&alice).is_empty());
        let anew = accounts.join(&alice, SessionId(3), PHONE);
        assert!(!Arc::ptr_eq(&one, &anew), "nothing is kept of who is not here");
    }
}
