//! What stands for a verified password: a keyed hash over account, stored form and password.
//!
//! All nodes have the key, so that one can ask another. Whoever changes a password changes the stored form, and with it the
//! tag: what was remembered before is never asked for again.

use aws_lc_rs::constant_time::verify_slices_are_equal;
use aws_lc_rs::hmac;
use tim_core::id::AccountId;
use tim_peer::passwords::{TAG_BYTES, TagBytes};

/// Bytes by which a tag is found; the others are compared in constant time.
const NAME_BYTES: usize = TAG_BYTES / 2;

/// The part by which a tag is found.
pub(super) type TagName = [u8; NAME_BYTES];

/// A tag. Not `PartialEq`: the time of a comparison must not tell how much of it was right.
#[derive(Clone, Copy)]
pub(crate) struct Tag(TagBytes);

impl std::fmt::Debug for Tag {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str("Tag")
    }
}

impl Tag {
    pub(super) fn new(key: &hmac::Key, account: &AccountId, stored: &str, password: &str) -> Self {
        let mut context = hmac::Context::with_key(key);
        for part in [account.as_bytes(), stored.as_bytes(), password.as_bytes()] {
            context.update(&(part.len() as u64).to_be_bytes());
            context.update(part);
        }
        let mut tag = [0; TAG_BYTES];
        tag.copy_from_slice(context.sign().as_ref());
        Self(tag)
    }

    /// As it came from another node.
    pub(super) fn from_bytes(bytes: TagBytes) -> Self {
        Self(bytes)
    }

    /// As it goes to another node.
    pub(super) fn bytes(&self) -> TagBytes {
        self.0
    }

    pub(super) fn name(&self) -> TagName {
        let mut name = [0; NAME_BYTES];
        name.copy_from_slice(&self.0[..NAME_BYTES]);
        name
    }

    /// Whether it is another one, in constant time.
    pub(super) fn is(&self, other: &Self) -> bool {
        verify_slices_are_equal(&self.0, &other.0).is_ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tim_store::StorageKeys;
    use zeroize::Zeroizing;

    fn tag(cluster: u8, account: &str, stored: &str, password: &str) -> Tag {
        let keys = StorageKeys::single(Zeroizing::new([cluster; 32])).unwrap();
        let account = AccountId::new(account).unwrap();
        Tag::new(keys.password_tags(), &account, stored, password)
    }

    #[test]
    fn everything_counts() {
        let one = tag(1, "alice", "$stored$1", "secret");
        assert!(one.is(&tag(1, "alice", "$stored$1", "secret")), "on any node");
        for (what, other) in [
            ("account", tag(1, "bob", "$stored$1", "secret")),
            ("stored form", tag(1, "alice", "$stored$2", "secret")),
            ("password", tag(1, "alice", "$stored$1", "other")),
            ("cluster", tag(2, "alice", "$stored$1", "secret")),
            ("where one part ends", tag(1, "alic", "e$stored$1", "secret")),
        ] {
            assert!(!one.is(&other), "another {what}");
            assert_ne!(one.name(), other.name(), "another {what}");
        }
    }

    #[test]
    fn nothing_of_it_is_printed() {
        assert_eq!(format!("{:?}", tag(1, "alice", "$stored$1", "secret")), "Tag");
    }
}
