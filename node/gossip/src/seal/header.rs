//! The readable part of a datagram, and the key that belongs to it.

use super::Rejection;
use crate::keyring::{ClusterKey, KEY_TAG_BYTES, KeyTag, expand};
use aws_lc_rs::aead::{AES_256_GCM, Aad, LessSafeKey, Nonce, UnboundKey};

/// Largest datagram: the smallest MTU of IPv6 (1,280) less its headers, so that none is ever fragmented.
pub const DATAGRAM_BYTES_MAX: usize = 1_232;
/// What sealing adds to a payload.
pub const OVERHEAD_BYTES: usize = HEADER_BYTES + AEAD_TAG_BYTES;
/// Largest payload.
pub const PAYLOAD_BYTES_MAX: usize = DATAGRAM_BYTES_MAX - OVERHEAD_BYTES;

pub(super) const VERSION: u8 = 1;
pub(super) const HEADER_BYTES: usize = 1 + KEY_TAG_BYTES + 8 + 8;
const AEAD_TAG_BYTES: usize = 16;

/// What stands before the ciphertext.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Header {
    pub(super) tag: KeyTag,
    pub(super) boot: u64,
    pub(super) counter: u64,
}

impl Header {
    pub(super) fn write(self) -> [u8; HEADER_BYTES] {
        let mut bytes = [0; HEADER_BYTES];
        bytes[0] = VERSION;
        bytes[1..9].copy_from_slice(&self.tag);
        bytes[9..17].copy_from_slice(&self.boot.to_be_bytes());
        bytes[17..25].copy_from_slice(&self.counter.to_be_bytes());
        bytes
    }

    pub(super) fn read(datagram: &[u8]) -> Result<Self, Rejection> {
        if datagram.len() < OVERHEAD_BYTES || datagram.len() > DATAGRAM_BYTES_MAX {
            return Err(Rejection::Length);
        }
        if datagram[0] != VERSION {
            return Err(Rejection::Version);
        }
        Ok(Self {
            tag: array(&datagram[1..9]),
            boot: u64::from_be_bytes(array(&datagram[9..17])),
            counter: u64::from_be_bytes(array(&datagram[17..25])),
        })
    }

    pub(super) fn nonce(self) -> Nonce {
        let mut nonce = [0; 12];
        nonce[4..].copy_from_slice(&self.counter.to_be_bytes());
        Nonce::assume_unique_for_key(nonce)
    }
}

/// Additional data: the header and whom it is for.
pub(super) fn associated(header: &[u8; HEADER_BYTES], cluster_id: &str) -> Aad<Vec<u8>> {
    Aad::from([header.as_slice(), cluster_id.as_bytes()].concat())
}

/// The key of one sender's life.
pub(super) fn boot_key(key: &ClusterKey, boot: u64) -> Option<LessSafeKey> {
    let bytes = expand::<32>(key.gossip(), &[b"tim gossip boot v1", &boot.to_be_bytes()])?;
    UnboundKey::new(&AES_256_GCM, bytes.as_slice())
        .ok()
        .map(LessSafeKey::new)
}

fn array<const N: usize>(bytes: &[u8]) -> [u8; N] {
    let mut copy = [0; N];
    copy.copy_from_slice(bytes);
    copy
}
