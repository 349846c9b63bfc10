//! The sender's side.

use super::SealError;
use super::header::{HEADER_BYTES, Header, PAYLOAD_BYTES_MAX, associated, boot_key};
use crate::keyring::{KeyRing, KeyTag};
use aws_lc_rs::aead::LessSafeKey;

/// Seals what one life of a node sends.
#[derive(Debug)]
pub struct Sealer {
    cluster_id: String,
    boot: u64,
    counter: u64,
    key: Option<(KeyTag, LessSafeKey)>,
}

impl Sealer {
    /// A sealer for a life whose number was drawn at random; the same number must never be used for two lives.
    pub fn new(cluster_id: &str, boot: u64) -> Self {
        Self {
            cluster_id: cluster_id.to_owned(),
            boot,
            counter: 0,
            key: None,
        }
    }

    /// Seals a payload under the ring's primary key.
    ///
    /// # Errors
    /// The payload is too long; the sealer can be used further.
    pub fn seal(&mut self, ring: &KeyRing, payload: &[u8]) -> Result<Vec<u8>, SealError> {
        if payload.len() > PAYLOAD_BYTES_MAX {
            return Err(SealError::TooLong);
        }
        self.counter += 1;
        let header = Header {
            tag: ring.primary().tag(),
            boot: self.boot,
            counter: self.counter,
        };
        if self.key.as_ref().is_none_or(|(tag, _)| *tag != header.tag) {
            let key = boot_key(ring.primary(), self.boot).ok_or(SealError::Cipher)?;
            self.key = Some((header.tag, key));
        }
        let (_, key) = self.key.as_ref().ok_or(SealError::Cipher)?;
        let bytes = header.write();
        let mut datagram = bytes.to_vec();
        datagram.extend_from_slice(payload);
        let tag = key
            .seal_in_place_separate_tag(
                header.nonce(),
                associated(&bytes, &self.cluster_id),
                &mut datagram[HEADER_BYTES..],
            )
            .map_err(|_| SealError::Cipher)?;
        datagram.extend_from_slice(tag.as_ref());
        Ok(datagram)
    }
}
