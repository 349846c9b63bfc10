//! Sealing of what people write and of who they are, before it reaches a database (invariant I8).
//!
//! AES-256-GCM under a key of its own for every row: HKDF-Expand over the storage key's seal secret, the table and the
//! row's key. A random 96-bit nonce is safe only for about 2^32 seals under one key; a row is sealed a few times in
//! its life, and message keys are random, so that limit is out of reach however much a cluster writes.
//! The additional data repeats table and row, so a sealed value that was moved to another row does not open.
//!
//! A sealed value: format (1 byte) ‖ key id (4) ‖ nonce (12) ‖ ciphertext ‖ tag (16).

use std::fmt;

use aws_lc_rs::{aead, hkdf};
use zeroize::Zeroizing;

use crate::keys::{BadStorageKeys, RowKey, STORAGE_KEY_BYTES, derive};
use crate::schema::Table;

const FORMAT: u8 = 1;
const KEY_ID_BYTES: usize = 4;
const NONCE_START: usize = 1 + KEY_ID_BYTES;
const BODY_START: usize = NONCE_START + aead::NONCE_LEN;

/// Bytes that sealing adds to a value.
pub const SEAL_OVERHEAD_BYTES: usize = BODY_START + 16;

/// Most bytes that are sealed into one value: every engine's column holds it, and a statement with it fits a packet.
pub const MAX_SEALED_BYTES: usize = 8 << 20;

const LABEL_SEAL: &[u8] = b"tim store seal v1";
const LABEL_KEY_ID: &[u8] = b"tim store key id v1";

/// A sealed value did not open: other key, other row, or damaged. Nothing changed; it fails again.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Unsealable {
    #[error("the form of the seal is not known")]
    Form,
    #[error("the key of the seal is not known")]
    Key,
    #[error("the seal does not open")]
    Broken,
}

impl Unsealable {
    pub(crate) fn reason(self) -> &'static str {
        match self {
            Self::Form => "the form of the seal is not known",
            Self::Key => "the key of the seal is not known",
            Self::Broken => "the seal does not open",
        }
    }
}

/// The row a sealed value belongs to: table, and the keys that make the row what it is.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Place<'a> {
    pub(crate) table: &'static Table,
    pub(crate) column: &'static str,
    pub(crate) keys: &'a [&'a RowKey],
}

impl Place<'_> {
    /// Table and column end with a zero byte, keys have one length: no two places give the same bytes.
    fn bytes(&self) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(64);
        bytes.extend_from_slice(self.table.name.as_bytes());
        bytes.push(0);
        bytes.extend_from_slice(self.column.as_bytes());
        bytes.push(0);
        for key in self.keys {
            bytes.extend_from_slice(key.as_slice());
        }
        bytes
    }
}

/// The generations of the seal secret.
pub(crate) struct SealKeys {
    generations: Vec<Generation>,
}

struct Generation {
    id: [u8; KEY_ID_BYTES],
    secret: hkdf::Prk,
}

impl fmt::Debug for SealKeys {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "SealKeys({} generations)", self.generations.len())
    }
}

impl SealKeys {
    pub(crate) fn new(keys: &[Zeroizing<[u8; STORAGE_KEY_BYTES]>]) -> Result<Self, BadStorageKeys> {
        let mut generations: Vec<Generation> = Vec::with_capacity(keys.len());
        for key in keys {
            let full = derive(key.as_slice(), LABEL_KEY_ID)?;
            let mut id = [0; KEY_ID_BYTES];
            id.copy_from_slice(&full[..KEY_ID_BYTES]);
            if generations.iter().any(|generation| generation.id == id) {
                return Err(BadStorageKeys::Twice);
            }
            let secret = derive(key.as_slice(), LABEL_SEAL)?;
            let secret = hkdf::Prk::new_less_safe(hkdf::HKDF_SHA256, secret.as_slice());
            generations.push(Generation { id, secret });
        }
        Ok(Self { generations })
    }

    /// Seals under the newest generation.
    pub(crate) fn seal(&self, place: Place<'_>, plain: &[u8]) -> Result<Vec<u8>, Unsealable> {
        let generation = self.generations.last().ok_or(Unsealable::Key)?;
        let place = place.bytes();
        let key = generation.row_key(&place)?;
        let nonce: [u8; aead::NONCE_LEN] = rand::random();
        let mut sealed = Vec::with_capacity(plain.len() + SEAL_OVERHEAD_BYTES);
        sealed.push(FORMAT);
        sealed.extend_from_slice(&generation.id);
        sealed.extend_from_slice(&nonce);
        sealed.extend_from_slice(plain);
        let tag = key
            .seal_in_place_separate_tag(
                aead::Nonce::assume_unique_for_key(nonce),
                aead::Aad::from(&place),
                &mut sealed[BODY_START..],
            )
            .map_err(|_| Unsealable::Broken)?;
        sealed.extend_from_slice(tag.as_ref());
        Ok(sealed)
    }

    /// Opens what any known generation has sealed for this very place.
    pub(crate) fn open(&self, place: Place<'_>, mut sealed: Vec<u8>) -> Result<Vec<u8>, Unsealable> {
        if sealed.len() < SEAL_OVERHEAD_BYTES || sealed[0] != FORMAT {
            return Err(Unsealable::Form);
        }
        let id = &sealed[1..NONCE_START];
        let generation = self
            .generations
            .iter()
            .find(|generation| generation.id == id)
            .ok_or(Unsealable::Key)?;
        let place = place.bytes();
        let key = generation.row_key(&place)?;
        let mut nonce = [0; aead::NONCE_LEN];
        nonce.copy_from_slice(&sealed[NONCE_START..BODY_START]);
        let length = key
            .open_in_place(
                aead::Nonce::assume_unique_for_key(nonce),
                aead::Aad::from(&place),
                &mut sealed[BODY_START..],
            )
            .map_err(|_| Unsealable::Broken)?
            .len();
        sealed.truncate(BODY_START + length);
        sealed.drain(..BODY_START);
        Ok(sealed)
    }
}

impl Generation {
    fn row_key(&self, place: &[u8]) -> Result<aead::LessSafeKey, Unsealable> {
        let mut key = Zeroizing::new([0; 32]);
        self.secret
            .expand(&[place], hkdf::HKDF_SHA256)
            .and_then(|material| material.fill(key.as_mut_slice()))
            .map_err(|_| Unsealable::Broken)?;
        aead::UnboundKey::new(&aead::AES_256_GCM, key.as_slice())
            .map(aead::LessSafeKey::new)
            .map_err(|_| Unsealable::Broken)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::schema::{ACCOUNT, MESSAGE};
    use proptest::prelude::*;

    fn keys(bytes: &[u8]) -> SealKeys {
        let keys: Vec<_> = bytes.iter().map(|byte| Zeroizing::new([*byte; 32])).collect();
        SealKeys::new(&keys).unwrap()
    }

    fn place<'a>(keys: &'a [&'a RowKey]) -> Place<'a> {
        Place {
            table: &MESSAGE,
            column: "sealed",
            keys,
        }
    }

    proptest! {
        #[test]
        fn what_was_sealed_opens_at_its_place_and_nowhere_else(
            plain: Vec<u8>, conversation: RowKey, message: RowKey, other: RowKey, flipped: prop::sample::Index,
        ) {
            prop_assume!(message != other);
            let sealer = keys(&[1]);
            let sealed = sealer.seal(place(&[&conversation, &message]), &plain).unwrap();
            prop_assert_eq!(sealed.len(), plain.len() + SEAL_OVERHEAD_BYTES);
            let opened = sealer.open(place(&[&conversation, &message]), sealed.clone());
            prop_assert_eq!(opened.as_ref(), Ok(&plain));
            prop_assert!(sealer.open(place(&[&conversation, &other]), sealed.clone()).is_err());
            let elsewhere = Place { table: &ACCOUNT, column: "sealed", keys: &[&conversation, &message] };
            prop_assert!(sealer.open(elsewhere, sealed.clone()).is_err());
            prop_assert!(keys(&[2]).open(place(&[&conversation, &message]), sealed.clone()).is_err());
            let mut damaged = sealed;
            let position = flipped.index(damaged.len());
            damaged[position] ^= 1;
            prop_assert!(sealer.open(place(&[&conversation, &message]), damaged).is_err());
        }
    }

    #[test]
    fn a_new_generation_seals_and_the_old_one_still_opens() {
        let row = [7; 16];
        let old = keys(&[1]).seal(place(&[&row]), b"text").unwrap();
        let both = keys(&[1, 2]);
        assert_eq!(both.open(place(&[&row]), old).unwrap(), b"text");
        let new = both.seal(place(&[&row]), b"text").unwrap();
        assert_eq!(keys(&[2]).open(place(&[&row]), new.clone()).unwrap(), b"text");
        assert_eq!(keys(&[1]).open(place(&[&row]), new), Err(Unsealable::Key));
        assert_eq!(both.open(place(&[&row]), vec![1; 8]), Err(Unsealable::Form));
    }
}
