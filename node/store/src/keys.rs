//! Keys derived from the storage key, and the keyed forms of ids that stand in the databases.
//!
//! The storage key comes from a Secret and never changes its first generation: ids are keyed under it, so that the
//! same account is found again. Everything is derived by HKDF-SHA-256 under a label of its own.

use aws_lc_rs::{hkdf, hmac};
use tim_core::id::{AccountId, ContentHash, ConversationId};
use zeroize::Zeroizing;

use crate::schema::KEY_BYTES;
use crate::seal::SealKeys;

/// Bytes of a storage key.
pub const STORAGE_KEY_BYTES: usize = 32;

/// Most generations of the storage key that may be in use at once.
pub const MAX_STORAGE_KEYS: usize = 16;

/// A keyed id as it stands in a database.
pub(crate) type RowKey = [u8; KEY_BYTES];

const LABEL_IDS: &[u8] = b"tim store ids v1";
const LABEL_CHECK: &[u8] = b"tim store check v1";
const LABEL_PASSWORD_TAGS: &[u8] = b"tim password tags v1";

/// Why the given storage keys cannot be used. Nothing was changed; the same ones fail again.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum BadStorageKeys {
    /// None was given, or more than [`MAX_STORAGE_KEYS`].
    #[error("1 to {MAX_STORAGE_KEYS} storage keys are needed, there are {count}")]
    Count {
        /// How many were given.
        count: usize,
    },
    /// One key twice.
    #[error("a storage key is given twice")]
    Twice,
    /// The library refused to derive a key.
    #[error("keys could not be derived from the storage key")]
    Derivation,
}

/// Everything that is derived from the storage key.
#[derive(Debug)]
pub struct StorageKeys {
    ids: hmac::Key,
    check: RowKey,
    password_tags: hmac::Key,
    pub(crate) seal: SealKeys,
}

impl StorageKeys {
    /// Derives from the generations of the storage key, oldest first; the newest seals, all of them open.
    ///
    /// # Errors
    /// [`BadStorageKeys`] for none, too many, or one twice.
    pub fn new(generations: &[Zeroizing<[u8; STORAGE_KEY_BYTES]>]) -> Result<Self, BadStorageKeys> {
        let count = generations.len();
        let first = generations.first().filter(|_| count <= MAX_STORAGE_KEYS);
        let Some(first) = first else {
            return Err(BadStorageKeys::Count { count });
        };
        let ids = derive(first.as_slice(), LABEL_IDS)?;
        let check = derive(first.as_slice(), LABEL_CHECK)?;
        let password_tags = derive(first.as_slice(), LABEL_PASSWORD_TAGS)?;
        let mut check_half = [0; KEY_BYTES];
        check_half.copy_from_slice(&check[..KEY_BYTES]);
        Ok(Self {
            ids: hmac::Key::new(hmac::HMAC_SHA256, ids.as_slice()),
            check: check_half,
            password_tags: hmac::Key::new(hmac::HMAC_SHA256, password_tags.as_slice()),
            seal: SealKeys::new(generations)?,
        })
    }

    /// One generation, as every cluster begins.
    ///
    /// # Errors
    /// [`BadStorageKeys::Derivation`] when the library fails.
    pub fn single(key: Zeroizing<[u8; STORAGE_KEY_BYTES]>) -> Result<Self, BadStorageKeys> {
        Self::new(&[key])
    }

    /// Under which nodes tag passwords that they have verified: the same on every node, and used for nothing that is stored.
    pub fn password_tags(&self) -> &hmac::Key {
        &self.password_tags
    }

    /// Stands in the binding row, so that a wrong key is seen before anything is written.
    pub(crate) fn check_value(&self) -> &RowKey {
        &self.check
    }

    /// The key of an account.
    pub(crate) fn account(&self, account: &AccountId) -> RowKey {
        self.keyed(b"account", &[account.as_bytes()])
    }

    /// The key of a conversation.
    pub(crate) fn conversation(&self, conversation: &ConversationId) -> RowKey {
        self.keyed(b"conversation", &[&conversation.0])
    }

    /// The key of a login token.
    pub(crate) fn token(&self, token: &[u8]) -> RowKey {
        self.keyed(b"token", &[token])
    }

    /// What recognises a client's own retry: conversation, sender, client id and content together. The client id stands in
    /// front: clients count upwards, and an index over what grows is written at one place instead of everywhere.
    pub(crate) fn client(
        &self,
        conversation: &ConversationId,
        sender: &AccountId,
        client_id: i64,
        content: &ContentHash,
    ) -> RowKey {
        let id = client_id.to_be_bytes();
        let parts = [&conversation.0[..], sender.as_bytes(), &id, &content.0];
        let mut key = self.keyed(b"client", &parts);
        key[..id.len()].copy_from_slice(&id);
        key
    }

    /// HMAC-SHA-256 over the label and the parts, each with its length, cut to [`KEY_BYTES`].
    fn keyed(&self, label: &[u8], parts: &[&[u8]]) -> RowKey {
        let mut context = hmac::Context::with_key(&self.ids);
        context.update(label);
        for part in parts {
            // Ids have at most 64 bytes; the length keeps ("ab", "c") and ("a", "bc") apart.
            context.update(&(part.len() as u64).to_be_bytes());
            context.update(part);
        }
        let mut key = [0; KEY_BYTES];
        key.copy_from_slice(&context.sign().as_ref()[..KEY_BYTES]);
        key
    }
}

/// HKDF-SHA-256 without salt under a label: 32 bytes.
pub(crate) fn derive(secret: &[u8], label: &[u8]) -> Result<Zeroizing<[u8; 32]>, BadStorageKeys> {
    let key = hkdf::Salt::new(hkdf::HKDF_SHA256, &[]).extract(secret);
    let mut bytes = Zeroizing::new([0; 32]);
    key.expand(&[label], hkdf::HKDF_SHA256)
        .and_then(|material| material.fill(bytes.as_mut_slice()))
        .map_err(|_| BadStorageKeys::Derivation)?;
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn keys(byte: u8) -> StorageKeys {
        StorageKeys::single(Zeroizing::new([byte; 32])).unwrap()
    }

    #[test]
    fn ids_are_keyed_and_kept_apart() {
        let alice = AccountId::new("alice").unwrap();
        assert_eq!(keys(1).account(&alice), keys(1).account(&alice));
        assert_ne!(keys(1).account(&alice), keys(2).account(&alice));
        assert_ne!(keys(1).account(&alice), keys(1).token(b"alice"));
        let (ab, a) = (AccountId::new("ab").unwrap(), AccountId::new("a").unwrap());
        let conversation = ConversationId([1; 16]);
        let hash = ContentHash([2; 16]);
        assert_ne!(
            keys(1).client(&conversation, &ab, 1, &hash),
            keys(1).client(&conversation, &a, 1, &hash)
        );
        let of = |id| keys(1).client(&conversation, &a, id, &hash);
        assert!(
            of(1) < of(2) && of(2) < of(1 << 60),
            "they grow with the client's ids"
        );
    }

    #[test]
    fn ids_stay_the_same_when_a_generation_is_added() {
        let alice = AccountId::new("alice").unwrap();
        let (old, new) = (Zeroizing::new([1; 32]), Zeroizing::new([2; 32]));
        let both = StorageKeys::new(&[old.clone(), new]).unwrap();
        assert_eq!(both.account(&alice), keys(1).account(&alice));
        assert_eq!(both.check_value(), keys(1).check_value());
        assert_eq!(
            StorageKeys::new(&[old.clone(), old]).unwrap_err(),
            BadStorageKeys::Twice
        );
        assert_eq!(
            StorageKeys::new(&[]).unwrap_err(),
            BadStorageKeys::Count { count: 0 }
        );
    }

    #[test]
    fn tags_of_passwords_are_under_a_key_of_their_own_that_stays() {
        let sign = |keys: &StorageKeys| hmac::sign(keys.password_tags(), b"x").as_ref().to_vec();
        let both = StorageKeys::new(&[Zeroizing::new([1; 32]), Zeroizing::new([2; 32])]).unwrap();
        assert_eq!(sign(&keys(1)), sign(&both));
        assert_ne!(sign(&keys(1)), sign(&keys(2)));
        assert_ne!(sign(&keys(1)), hmac::sign(&keys(1).ids, b"x").as_ref());
    }

    #[test]
    fn nothing_of_a_key_is_printed() {
        let shown = format!("{:?}", keys(0xab));
        assert!(
            !shown.contains("171") && !shown.to_lowercase().contains("abab"),
            "{shown}"
        );
    }
}
