//! Credentials that were verified lately, so that a reconnect costs no new hash.
//!
//! What is kept is a keyed hash over account, stored credential and password, under a key of this process: without
//! the process it is worth nothing, and a changed password changes the stored credential and thereby the entry.

use aws_lc_rs::hmac;
use moka::sync::Cache;
use std::time::Duration;
use tim_config::Passwords;
use tim_core::id::AccountId;

type Mark = [u8; 32];

/// Bounded by number and age.
#[derive(Debug)]
pub(crate) struct Remembered {
    key: hmac::Key,
    marks: Cache<Mark, ()>,
}

impl Remembered {
    pub(crate) fn new(config: &Passwords) -> Self {
        Self {
            key: hmac::Key::new(hmac::HMAC_SHA256, &crate::random::bytes::<32>()),
            marks: Cache::builder()
                .max_capacity(u64::from(config.remembered_max))
                .time_to_live(Duration::from_secs(config.remembered_seconds))
                .build(),
        }
    }

    fn mark(&self, account: &AccountId, stored: &str, password: &str) -> Mark {
        let mut context = hmac::Context::with_key(&self.key);
        for part in [account.as_bytes(), stored.as_bytes(), password.as_bytes()] {
            context.update(&(part.len() as u64).to_be_bytes());
            context.update(part);
        }
        let mut mark = [0; 32];
        mark.copy_from_slice(context.sign().as_ref());
        mark
    }

    /// Whether this very credential was verified lately.
    pub(crate) fn knows(&self, account: &AccountId, stored: &str, password: &str) -> bool {
        self.marks.get(&self.mark(account, stored, password)).is_some()
    }

    /// Remembers a verified credential.
    pub(crate) fn remember(&self, account: &AccountId, stored: &str, password: &str) {
        self.marks.insert(self.mark(account, stored, password), ());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_exactly_what_was_verified_is_known() {
        let remembered = Remembered::new(&Passwords::default());
        let (alice, bob) = (AccountId::new("alice").unwrap(), AccountId::new("bob").unwrap());
        remembered.remember(&alice, "$stored$1", "secret");
        assert!(remembered.knows(&alice, "$stored$1", "secret"));
        assert!(!remembered.knows(&alice, "$stored$1", "other"));
        assert!(
            !remembered.knows(&alice, "$stored$2", "secret"),
            "the password was changed"
        );
        assert!(!remembered.knows(&bob, "$stored$1", "secret"));
    }
}
