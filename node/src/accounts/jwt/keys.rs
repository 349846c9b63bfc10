//! The keys of an issuer: which are known, how old they are, and when they are to be read again. No I/O.

use jsonwebtoken::DecodingKey;
use jsonwebtoken::jwk::{AlgorithmParameters, Jwk, JwkSet, PublicKeyUse};
use std::fmt;
use std::sync::Arc;
use tim_config::JsonWebTokens;
use tim_core::time::Moment;

/// Most keys of an issuer.
const KEYS_MAX: usize = 100;
/// Keys are read at most this often, whatever tokens name.
const READ_INTERVAL_MS: u64 = 10_000;
/// And so long after they could not be read.
const RETRY_INTERVAL_MS: u64 = 1_000;

/// One key.
pub(super) struct Key {
    pub(super) id: Option<String>,
    /// The only algorithm it is for, as text, where it says so.
    pub(super) algorithm: Option<String>,
    pub(super) key: DecodingKey,
}

/// The keys as they were read.
pub(super) struct Known {
    pub(super) keys: Vec<Key>,
}

/// Shows no key: one kind of them is a secret.
impl fmt::Debug for Known {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{} keys", self.keys.len())
    }
}

impl Known {
    /// One key that both sides know.
    pub(super) fn secret(secret: &[u8]) -> Self {
        Self {
            keys: vec![Key {
                id: None,
                algorithm: None,
                key: DecodingKey::from_secret(secret),
            }],
        }
    }

    /// The public keys of a set that verify signatures; nothing when there are none, or far too many.
    pub(super) fn published(set: &JwkSet) -> Option<Self> {
        let keys: Vec<Key> = set.keys.iter().filter_map(public).collect();
        (!keys.is_empty() && set.keys.len() <= KEYS_MAX).then_some(Self { keys })
    }

    fn has(&self, id: &str) -> bool {
        // A secret has no name, and is meant whatever a token says.
        self.keys
            .iter()
            .any(|key| key.id.as_deref().is_none_or(|own| own == id))
    }
}

fn public(jwk: &Jwk) -> Option<Key> {
    let verifies = matches!(jwk.common.public_key_use, None | Some(PublicKeyUse::Signature));
    // A secret that is published is none.
    let symmetric = matches!(jwk.algorithm, AlgorithmParameters::OctetKey(_));
    if !verifies || symmetric {
        return None;
    }
    Some(Key {
        id: jwk.common.key_id.clone(),
        algorithm: jwk.common.key_algorithm.map(|algorithm| algorithm.to_string()),
        key: DecodingKey::from_jwk(jwk).ok()?,
    })
}

/// Whether keys have to be read.
#[derive(Debug)]
pub(super) enum Need {
    /// No.
    Nothing(Arc<Known>),
    /// It is time, and these serve until then.
    Soon(Arc<Known>),
    /// Nothing can be said without.
    Now,
    /// There are none, and it was tried a moment ago.
    InVain,
}

/// What is known, and since when.
#[derive(Debug)]
pub(super) struct Store {
    known: Option<(Arc<Known>, Moment)>,
    /// From when on they may be read again.
    again_at: Option<Moment>,
    refresh_ms: u64,
    age_max_ms: u64,
}

impl Store {
    pub(super) fn new(config: &JsonWebTokens) -> Self {
        Self {
            known: None,
            again_at: None,
            refresh_ms: config.refresh_seconds * 1_000,
            age_max_ms: config.keys_max_age_seconds * 1_000,
        }
    }

    /// Keys that are not too old.
    pub(super) fn usable(&self, now: Moment) -> Option<Arc<Known>> {
        let (keys, read) = self.known.as_ref()?;
        (now.since_ms(*read) < self.age_max_ms).then(|| Arc::clone(keys))
    }

    /// What a token that names a key needs.
    pub(super) fn need(&self, key_id: Option<&str>, now: Moment) -> Need {
        let may_read = self.again_at.is_none_or(|at| at <= now);
        let keys = match self.usable(now) {
            Some(keys) => keys,
            None if may_read => return Need::Now,
            None => return Need::InVain,
        };
        let fresh = self
            .known
            .as_ref()
            .is_some_and(|(_, read)| now.since_ms(*read) < self.refresh_ms);
        let has = key_id.is_none_or(|id| keys.has(id));
        match (has, fresh || !may_read) {
            (true, true) => Need::Nothing(keys),
            (true, false) => Need::Soon(keys),
            // Somebody may invent names of keys: the issuer is not asked for each of them.
            (false, _) if !may_read => Need::Nothing(keys),
            (false, _) => Need::Now,
        }
    }

    pub(super) fn read(&mut self, keys: Known, now: Moment) {
        self.known = Some((Arc::new(keys), now));
        self.again_at = Some(now.plus_ms(READ_INTERVAL_MS));
    }

    pub(super) fn failed(&mut self, now: Moment) {
        self.again_at = Some(now.plus_ms(RETRY_INTERVAL_MS));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn store() -> Store {
        Store::new(&JsonWebTokens::default())
    }

    fn named(id: &str) -> Known {
        let mut known = Known::secret(b"secret");
        known.keys[0].id = Some(id.to_owned());
        known
    }

    #[test]
    fn keys_are_read_when_due_when_unknown_and_never_too_often() {
        let (mut store, begin) = (store(), Moment(1_000_000));
        assert!(matches!(store.need(Some("a"), begin), Need::Now));
        store.read(named("a"), begin);
        assert!(matches!(store.need(Some("a"), begin), Need::Nothing(_)));
        assert!(
            matches!(store.need(Some("b"), begin), Need::Nothing(_)),
            "read a moment ago"
        );
        let later = begin.plus_ms(READ_INTERVAL_MS);
        assert!(matches!(store.need(Some("b"), later), Need::Now));
        assert!(matches!(store.need(None, later), Need::Nothing(_)));
        let due = begin.plus_ms(600_000);
        assert!(matches!(store.need(Some("a"), due), Need::Soon(_)));
        store.failed(due);
        assert!(matches!(store.need(Some("a"), due), Need::Nothing(_)));
        let too_old = begin.plus_ms(86_400_000);
        assert!(store.usable(too_old).is_none());
        assert!(matches!(store.need(Some("a"), too_old), Need::Now));
        store.failed(too_old);
        assert!(matches!(store.need(Some("a"), too_old), Need::InVain));
    }

    #[test]
    fn a_set_without_a_public_key_is_none() {
        let set = |text: &str| serde_json::from_str::<JwkSet>(text).unwrap();
        assert!(Known::published(&set(r#"{"keys": []}"#)).is_none());
        let published_secret = r#"{"keys": [{"kty": "oct", "k": "c2VjcmV0", "kid": "a"}]}"#;
        assert!(Known::published(&set(published_secret)).is_none());
    }
}
