//! Sealed gossip datagrams: only holders of the cluster secret can write or read one, and none counts twice.
//!
//! ```text
//! version 1 | key tag 8 | boot 8 | counter 8 | ciphertext … | AEAD tag 16
//! ```
//! The AEAD key is derived from the ring's gossip key and the sender's random boot number, so the counter alone is a nonce
//! that never repeats. Header and cluster id are authenticated with the content: a datagram of another cluster is a forgery
//! even where both share a secret. Pure: bytes in, bytes out.
//!
//! What a receiver remembers of a boot ends with its own restart; a datagram replayed to its next life is addressed to an
//! identity that is no more, and membership ignores it.

mod header;
mod opener;
mod replay;
mod sealer;

pub use header::{DATAGRAM_BYTES_MAX, OVERHEAD_BYTES, PAYLOAD_BYTES_MAX};
pub use opener::{BOOTS_MAX, Opener};
pub use sealer::Sealer;

/// Why a datagram was not let in. The state of the opener is as before; the sender's next datagram may be fine.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Rejection {
    /// Shorter than an empty sealed datagram, or longer than any we send.
    #[error("datagram of impossible length")]
    Length,
    /// Another format version.
    #[error("datagram of an unknown version")]
    Version,
    /// Sealed under a key that the ring does not hold: another cluster, or a ring that lags behind.
    #[error("datagram under an unknown key")]
    UnknownKey,
    /// Not what the holder of the key wrote, or meant for another cluster.
    #[error("datagram that is not authentic")]
    Forged,
    /// Seen before, or too old to know.
    #[error("datagram seen before")]
    Replayed,
    /// Authentic, but its content is not what membership says.
    #[error("datagram with a malformed content")]
    Malformed,
}

impl Rejection {
    /// `error.type` of the counter `tim.gossip.rejected`.
    pub fn error_type(self) -> &'static str {
        match self {
            Self::Length => "length",
            Self::Version => "version",
            Self::UnknownKey => "unknown_key",
            Self::Forged => "forged",
            Self::Replayed => "replayed",
            Self::Malformed => "malformed",
        }
    }
}

/// A payload that cannot be sealed. Nothing was sent; a smaller one, or a restart, helps.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum SealError {
    /// The payload is larger than [`PAYLOAD_BYTES_MAX`].
    #[error("payload of more than {PAYLOAD_BYTES_MAX} bytes")]
    TooLong,
    /// The cipher refused; never seen.
    #[error("the cipher refused to seal")]
    Cipher,
}

#[cfg(test)]
mod tests;
