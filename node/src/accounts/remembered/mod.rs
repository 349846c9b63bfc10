//! Passwords that were verified lately, so that a reconnect costs no new hash, at whichever node.
//!
//! A node remembers what it has verified itself, and keeps for others the tags of accounts whose presence shards it owns.
//! Both are in memory alone, and bounded by number and age. See `docs/adr/2026-11-22-the-cluster-remembers-passwords.md`.

mod owners;
mod tag;

pub(crate) use owners::run;
pub(super) use owners::{knows, tell};

use aws_lc_rs::hmac;
use moka::policy::EvictionPolicy;
use moka::sync::Cache;
use owners::Waiting;
use std::hash::Hash;
use std::time::Duration;
use tag::{Tag, TagName};
use tim_config::Passwords;
use tim_core::id::AccountId;
use tim_core::placement::SHARD_REPLICAS;
use tim_peer::passwords::TagBytes;
use tokio::sync::Semaphore;

/// Logins that ask other nodes at once; more are hashed without asking.
const ASKING_MAX: usize = 1_024;

/// What this node remembers.
#[derive(Debug)]
pub(crate) struct Remembered {
    key: hmac::Key,
    kept_for: Duration,
    /// What this node has verified, or an owner has vouched for.
    own: Cache<AccountId, Tag>,
    /// What other nodes have verified.
    others: Cache<TagName, Tag>,
    is_off: bool,
    waiting: Waiting,
    asking: Semaphore,
}

fn cache<K: Hash + Eq + Send + Sync + 'static>(count_max: u64, kept_for: Duration) -> Cache<K, Tag> {
    Cache::builder()
        .max_capacity(count_max)
        .time_to_live(kept_for)
        // What came last is what a reconnect asks for.
        .eviction_policy(EvictionPolicy::lru())
        .build()
}

impl Remembered {
    pub(crate) fn new(config: &Passwords, key: hmac::Key) -> Self {
        let count_max = u64::from(config.remembered_max);
        let kept_for = Duration::from_secs(config.remembered_seconds);
        Self {
            key,
            kept_for,
            own: cache(count_max, kept_for),
            // Each node's tags are kept by so many owners: as many as that fall to each node.
            others: cache(count_max * SHARD_REPLICAS as u64, kept_for),
            is_off: count_max == 0,
            waiting: Waiting::default(),
            asking: Semaphore::new(ASKING_MAX),
        }
    }

    /// What stands for a password of an account.
    pub(super) fn tag(&self, account: &AccountId, stored: &str, password: &str) -> Tag {
        Tag::new(&self.key, account, stored, password)
    }

    /// Whether this very password was verified here lately.
    pub(super) fn knows(&self, account: &AccountId, tag: &Tag) -> bool {
        self.own.get(account).is_some_and(|known| known.is(tag))
    }

    fn remember(&self, account: &AccountId, tag: Tag) {
        self.own.insert(account.clone(), tag);
    }

    /// Begins the time of an account's tag anew; nothing where it has none any more.
    fn renew(&self, account: &AccountId) -> Option<Tag> {
        let tag = self.own.get(account)?;
        self.remember(account, tag);
        Some(tag)
    }

    /// Keeps tags for others.
    pub(crate) fn keep(&self, tags: impl IntoIterator<Item = TagBytes>) {
        for tag in tags.into_iter().map(Tag::from_bytes) {
            self.others.insert(tag.name(), tag);
        }
    }

    /// How many tags there are: its own, and kept for others.
    pub(crate) fn counts(&self) -> (u64, u64) {
        // Without that the cache counts what is over until something else happens to it.
        self.own.run_pending_tasks();
        self.others.run_pending_tasks();
        (self.own.entry_count(), self.others.entry_count())
    }

    /// Whether a tag is kept for others.
    pub(crate) fn keeps(&self, tag: &TagBytes) -> bool {
        let tag = Tag::from_bytes(*tag);
        self.others.get(&tag.name()).is_some_and(|kept| kept.is(&tag))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn remembered(config: &Passwords) -> Remembered {
        Remembered::new(config, hmac::Key::new(hmac::HMAC_SHA256, &[7; 32]))
    }

    #[test]
    fn only_exactly_what_was_verified_is_known() {
        let remembered = remembered(&Passwords::default());
        let (alice, bob) = (AccountId::new("alice").unwrap(), AccountId::new("bob").unwrap());
        let tag = remembered.tag(&alice, "$stored$1", "secret");
        remembered.remember(&alice, tag);
        assert!(remembered.knows(&alice, &tag));
        let knows =
            |account, stored, password| remembered.knows(account, &remembered.tag(account, stored, password));
        assert!(!knows(&alice, "$stored$1", "other"));
        assert!(!knows(&alice, "$stored$2", "secret"), "the password was changed");
        assert!(!knows(&bob, "$stored$1", "secret"));
        assert!(!remembered.keeps(&tag.bytes()), "nobody gave it to keep");
    }

    #[test]
    fn what_is_kept_for_others_is_told_by_the_whole_tag() {
        let remembered = remembered(&Passwords::default());
        let mut tag: TagBytes = [3; 32];
        remembered.keep([tag]);
        assert!(remembered.keeps(&tag));
        tag[31] ^= 1;
        assert!(!remembered.keeps(&tag));
    }

    #[test]
    fn it_is_bounded_and_can_be_switched_off() {
        let bounded = remembered(&Passwords {
            remembered_max: 10,
            ..Passwords::default()
        });
        let tag = |number: u8| [number; 32];
        bounded.keep((0..100).map(tag));
        bounded.others.run_pending_tasks();
        assert_eq!(bounded.others.entry_count(), 20);
        assert!(bounded.keeps(&tag(99)), "the last ones stay");
        let off = remembered(&Passwords {
            remembered_max: 0,
            ..Passwords::default()
        });
        off.keep([tag(1)]);
        off.others.run_pending_tasks();
        assert!(!off.keeps(&tag(1)));
    }
}
