//! The cluster's key ring: who holds one of these secrets is trusted as a member.
//!
//! From each secret three things are derived by labelled HKDF-SHA-256, so that none of them tells anything about the
//! secret or about another one: the gossip key, the handshake key, and a tag that names the key on the wire. A ring holds
//! several keys while one replaces another: everything is sealed under the primary and opened under any.

use aws_lc_rs::{hkdf, hmac};
use base64::Engine;
use serde::Deserialize;
use std::fmt;
use std::path::{Path, PathBuf};
use zeroize::{Zeroize, Zeroizing};

/// Bytes of a secret, and of what is derived from it.
pub const SECRET_BYTES: usize = 32;
/// Bytes of the tag that names a key on the wire.
pub const KEY_TAG_BYTES: usize = 8;
/// Most keys of one ring: one in use, one coming, some slack for a forgotten one.
pub const KEYS_MAX: usize = 8;

const LABEL_GOSSIP: &[u8] = b"tim gossip v1";
const LABEL_HANDSHAKE: &[u8] = b"tim handshake v1";
const LABEL_TAG: &[u8] = b"tim key tag v1";

/// The name of a key on the wire.
pub type KeyTag = [u8; KEY_TAG_BYTES];

/// A key ring that cannot be used. Nothing was changed; it heals when the file does.
#[derive(Debug, thiserror::Error)]
pub enum KeyRingError {
    /// The file cannot be read; try again.
    #[error("key ring {path}: {source}")]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// The text is no TOML of the expected form.
    #[error("key ring is not of the expected form: {0}")]
    Malformed(String),
    /// A secret is not 32 bytes in base64.
    #[error("key \"{id}\" is not {SECRET_BYTES} bytes in base64")]
    Secret {
        /// The key.
        id: String,
    },
    /// The primary names no key, or an id is there twice, or there are too many keys.
    #[error("key ring is inconsistent: {0}")]
    Inconsistent(String),
}

/// One key with what is derived from it.
pub struct ClusterKey {
    id: String,
    tag: KeyTag,
    gossip: Zeroizing<[u8; SECRET_BYTES]>,
    handshake: hmac::Key,
}

impl ClusterKey {
    fn derive(id: String, secret: &[u8; SECRET_BYTES]) -> Result<Self, KeyRingError> {
        let failed = || KeyRingError::Secret { id: id.clone() };
        let gossip: Zeroizing<[u8; SECRET_BYTES]> = expand(secret, &[LABEL_GOSSIP]).ok_or_else(failed)?;
        let handshake: Zeroizing<[u8; SECRET_BYTES]> =
            expand(secret, &[LABEL_HANDSHAKE]).ok_or_else(failed)?;
        let tag: Zeroizing<KeyTag> = expand(secret, &[LABEL_TAG]).ok_or_else(failed)?;
        Ok(Self {
            tag: *tag,
            gossip,
            handshake: hmac::Key::new(hmac::HMAC_SHA256, handshake.as_slice()),
            id,
        })
    }

    /// The name the ring's file gives it; not a secret.
    pub fn id(&self) -> &str {
        &self.id
    }

    /// Its name on the wire.
    pub fn tag(&self) -> KeyTag {
        self.tag
    }

    pub(crate) fn gossip(&self) -> &[u8; SECRET_BYTES] {
        &self.gossip
    }

    /// The key that proves membership when two nodes connect.
    pub fn handshake(&self) -> &hmac::Key {
        &self.handshake
    }
}

impl fmt::Debug for ClusterKey {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("ClusterKey")
            .field("id", &self.id)
            .finish_non_exhaustive()
    }
}

/// HKDF-SHA-256 without salt, into `N` bytes; `None` only if `N` were beyond what HKDF gives.
pub(crate) fn expand<const N: usize>(secret: &[u8], info: &[&[u8]]) -> Option<Zeroizing<[u8; N]>> {
    struct Length(usize);
    impl hkdf::KeyType for Length {
        fn len(&self) -> usize {
            self.0
        }
    }
    let mut output = Zeroizing::new([0; N]);
    hkdf::Salt::new(hkdf::HKDF_SHA256, &[])
        .extract(secret)
        .expand(info, Length(N))
        .and_then(|material| material.fill(output.as_mut_slice()))
        .ok()?;
    Some(output)
}

/// All keys of the cluster.
#[derive(Debug)]
pub struct KeyRing {
    primary: usize,
    keys: Vec<ClusterKey>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RingFile {
    primary: String,
    key: Vec<KeyEntry>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct KeyEntry {
    id: String,
    secret: String,
}

impl KeyRing {
    /// Reads a ring from the text of its file.
    ///
    /// # Errors
    /// Says what is wrong with the text, never a secret of it.
    pub fn parse(text: &str) -> Result<Self, KeyRingError> {
        // The parser's own message may quote the line, and with it a secret: only its place is passed on.
        let file: RingFile = toml::from_str(text).map_err(|error| {
            let line = error.span().map_or(1, |span| {
                text.get(..span.start)
                    .map_or(1, |before| before.lines().count().max(1))
            });
            KeyRingError::Malformed(format!(
                "line {line}: expected `primary` and [[key]] with `id`, `secret`"
            ))
        })?;
        if file.key.len() > KEYS_MAX {
            return Err(KeyRingError::Inconsistent(format!("more than {KEYS_MAX} keys")));
        }
        let mut keys: Vec<ClusterKey> = Vec::with_capacity(file.key.len());
        for mut entry in file.key {
            if keys.iter().any(|key| key.id == entry.id) {
                return Err(KeyRingError::Inconsistent(format!(
                    "key \"{}\" is there twice",
                    entry.id
                )));
            }
            let secret = decode(&entry);
            entry.secret.zeroize();
            let secret = secret?;
            keys.push(ClusterKey::derive(entry.id, &secret)?);
        }
        let primary = keys
            .iter()
            .position(|key| key.id == file.primary)
            .ok_or_else(|| {
                KeyRingError::Inconsistent(format!("primary \"{}\" is none of the keys", file.primary))
            })?;
        Ok(Self { primary, keys })
    }

    /// Reads the ring's file.
    ///
    /// # Errors
    /// As [`KeyRing::parse`], or the file cannot be read.
    pub fn load(path: &Path) -> Result<Self, KeyRingError> {
        let text = std::fs::read_to_string(path).map_err(|source| KeyRingError::Unreadable {
            path: path.to_owned(),
            source,
        })?;
        Self::parse(&Zeroizing::new(text))
    }

    /// The key that everything new is sealed and proved with.
    pub fn primary(&self) -> &ClusterKey {
        &self.keys[self.primary]
    }

    /// The key of that tag, if the ring holds it.
    pub fn find(&self, tag: &[u8]) -> Option<&ClusterKey> {
        self.keys.iter().find(|key| key.tag == tag)
    }
}

fn decode(entry: &KeyEntry) -> Result<Zeroizing<[u8; SECRET_BYTES]>, KeyRingError> {
    let wrong = || KeyRingError::Secret { id: entry.id.clone() };
    let bytes = Zeroizing::new(
        base64::engine::general_purpose::STANDARD
            .decode(entry.secret.trim())
            .map_err(|_| wrong())?,
    );
    let secret: [u8; SECRET_BYTES] = bytes.as_slice().try_into().map_err(|_| wrong())?;
    Ok(Zeroizing::new(secret))
}

#[cfg(test)]
mod tests {
    use super::*;

    const ONE: &str = "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=";
    const TWO: &str = "AQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQE=";

    fn ring(primary: &str, keys: &[(&str, &str)]) -> Result<KeyRing, KeyRingError> {
        let mut text = format!("primary = \"{primary}\"\n");
        for (id, secret) in keys {
            text += &format!("[[key]]\nid = \"{id}\"\nsecret = \"{secret}\"\n");
        }
        KeyRing::parse(&text)
    }

    #[test]
    fn all_keys_are_found_by_tag_and_the_primary_is_the_named_one() {
        let ring = ring("k2", &[("k1", ONE), ("k2", TWO)]).unwrap();
        assert_eq!(ring.primary().id(), "k2");
        for key in &ring.keys {
            assert_eq!(ring.find(&key.tag()).unwrap().id(), key.id());
        }
        assert!(ring.find(b"whatever").is_none());
    }

    #[test]
    fn what_is_derived_differs_by_secret_and_by_purpose() {
        let ring = ring("k1", &[("k1", ONE), ("k2", TWO)]).unwrap();
        let (one, two) = (&ring.keys[0], &ring.keys[1]);
        assert_ne!(one.gossip(), two.gossip());
        assert_ne!(one.tag(), two.tag());
        assert_ne!(one.gossip()[..KEY_TAG_BYTES], one.tag());
    }

    #[test]
    fn the_derivation_is_fixed_for_ever() {
        // Computed with another implementation of HKDF (RFC 5869).
        let key = ring("k1", &[("k1", ONE)]).unwrap();
        let hex: String = key
            .primary()
            .tag()
            .iter()
            .map(|byte| format!("{byte:02x}"))
            .collect();
        assert_eq!(hex, "74ffd9c1c0d18346");
    }

    #[test]
    fn a_bad_ring_is_refused_and_no_secret_is_in_the_message() {
        for (text, part) in [
            (ring("k3", &[("k1", ONE)]), "primary \"k3\""),
            (ring("k1", &[("k1", ONE), ("k1", TWO)]), "twice"),
            (ring("k1", &[("k1", "c2hvcnQ=")]), "32 bytes"),
            (ring("k1", &[("k1", "%%%")]), "32 bytes"),
            (
                KeyRing::parse("primary = \"k1\"\n[[key]]\nid = \"k1\"\nsecret = 5_555"),
                "line",
            ),
            (KeyRing::parse("primary = \"k1\"\nkey = \"topsecret\""), "line"),
        ] {
            let message = text.unwrap_err().to_string();
            assert!(message.contains(part), "{message}");
            assert!(
                !message.contains("topsecret") && !message.contains("5_555"),
                "{message}"
            );
        }
    }
}
