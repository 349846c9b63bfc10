//! The accounts that have sessions on this node: which, and how much of its rate all of them together have used.

use parking_lot::Mutex;
use std::collections::HashMap;
use std::sync::Arc;
use tim_core::id::{AccountId, SessionId};
use tim_core::rate::Meter;

/// Parts of the table, so that one login does not wait for another.
const PARTS: u64 = 64;

/// What the sessions of one account share.
pub(crate) type SharedMeter = Arc<Mutex<Meter>>;

#[derive(Debug, Default)]
struct Held {
    sessions: Vec<SessionId>,
    meter: SharedMeter,
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
        let hash = tim_core::placement::hash(account.as_bytes());
        // The modulus keeps the index inside.
        &self.0[usize::try_from(hash % PARTS).unwrap_or(0)]
    }

    /// A session begins; the meter that it shares with the account's others.
    pub(crate) fn join(&self, account: &AccountId, session: SessionId) -> SharedMeter {
        let mut part = self.part(account).lock();
        let held = part.entry(account.clone()).or_default();
        held.sessions.push(session);
        Arc::clone(&held.meter)
    }

    /// A session has ended.
    pub(crate) fn leave(&self, account: &AccountId, session: SessionId) {
        let mut part = self.part(account).lock();
        if let Some(held) = part.get_mut(account) {
            held.sessions.retain(|other| *other != session);
            if held.sessions.is_empty() {
                part.remove(account);
            }
        }
    }

    /// The sessions of an account.
    pub(crate) fn sessions_of(&self, account: &AccountId) -> Vec<SessionId> {
        let part = self.part(account).lock();
        part.get(account)
            .map_or_else(Vec::new, |held| held.sessions.clone())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sessions_of_an_account_share_a_meter_until_the_last_has_ended() {
        let accounts = LocalAccounts::default();
        let alice = AccountId::new("alice").unwrap();
        let one = accounts.join(&alice, SessionId(1));
        let other = accounts.join(&alice, SessionId(2));
        assert!(Arc::ptr_eq(&one, &other));
        accounts.leave(&alice, SessionId(1));
        assert_eq!(accounts.sessions_of(&alice), [SessionId(2)]);
        accounts.leave(&alice, SessionId(2));
        assert!(accounts.sessions_of(&alice).is_empty());
        let anew = accounts.join(&alice, SessionId(3));
        assert!(!Arc::ptr_eq(&one, &anew), "nothing is kept of who is not here");
    }
}
