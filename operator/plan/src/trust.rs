//! Keys and certificates of a cluster: making them, judging them, and the form of the files that nodes read.
//!
//! Both substrates use this: the operator puts the texts into Secrets, the supervisor into files. Randomness comes from
//! the system's generator, time from the caller. Nothing here is ever displayed: private texts are wiped when dropped and
//! have no `Debug` output.

mod authority;
mod keys;
#[cfg(test)]
mod tests;

pub use authority::{Authority, Holder, Leaf, inspect};
pub use keys::{new_key_ring, new_storage_key};

use jiff::{SignedDuration, Timestamp};

use crate::observed::Certificate;

/// File with the key ring, in the Secret and at the node.
pub const KEY_RING_FILE: &str = "keyring.toml";
/// File with the storage key.
pub const STORAGE_KEY_FILE: &str = "storage.key";
/// File with the authority's certificates: the present one first, then those that leaves may still lean on.
pub const AUTHORITY_FILE: &str = "ca.crt";
/// File with the authority's key; nodes never get it.
pub const AUTHORITY_KEY_FILE: &str = "ca.key";
/// File with the operator's certificate.
pub const OPERATOR_CERTIFICATE_FILE: &str = "operator.crt";
/// File with the operator's key.
pub const OPERATOR_KEY_FILE: &str = "operator.key";

/// How long a node's certificate is valid.
const LEAF_VALIDITY: SignedDuration = SignedDuration::from_hours(90 * 24);
/// How long an authority is valid.
const AUTHORITY_VALIDITY: SignedDuration = SignedDuration::from_hours(10 * 365 * 24);
/// An authority with less time than this left is made anew.
const AUTHORITY_RENEWAL: SignedDuration = SignedDuration::from_hours(365 * 24);
/// Certificates begin a little before now: clocks differ.
const CLOCK_SKEW: SignedDuration = SignedDuration::from_mins(10);

/// Why a key or certificate could not be made or read. Nothing was changed.
#[derive(Debug, thiserror::Error)]
pub enum TrustError {
    /// The library refused to make one. Retrying helps only if the system's random numbers were missing.
    #[error("a certificate cannot be made: {0}")]
    Make(#[from] rcgen::Error),
    /// A text is not PEM, or not a certificate. It stays so until the Secret or file is mended.
    #[error("not a certificate: {0}")]
    Read(String),
    /// The system gives no random numbers. Retry.
    #[error("the system gives no random numbers")]
    Random,
}

/// The file of a node's certificate.
pub fn certificate_file(node: &str) -> String {
    format!("{node}.crt")
}

/// The file of a node's key.
pub fn key_file(node: &str) -> String {
    format!("{node}.key")
}

/// When a certificate is to be renewed: after two thirds of its time.
pub fn renew_at(certificate: Certificate) -> Timestamp {
    let lifetime = certificate.not_after.duration_since(certificate.not_before);
    certificate
        .not_before
        .checked_add(lifetime * 2 / 3)
        .unwrap_or(certificate.not_after)
}

/// When an authority is to be renewed.
pub fn authority_renew_at(not_after: Timestamp) -> Timestamp {
    not_after.checked_sub(AUTHORITY_RENEWAL).unwrap_or(not_after)
}
