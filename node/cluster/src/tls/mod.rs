//! Mutual TLS 1.3 between nodes, and from the operator to a node.
//!
//! A certificate names cluster and role in a URI ([`PeerIdentity`]); both sides check chain and name inside the TLS
//! handshake, so that a process of another cluster gets no further. [`Trust`] holds certificate, key and roots together and
//! replaces all three at once when their files change; links that stand are not touched, whatever happens to the files.
//! Nothing is resumed: every connection proves anew who it is.

mod identity;
mod material;
mod reload;
mod trust;
mod verifier;

pub use identity::{IdentityError, PeerIdentity};
pub use material::{Material, MaterialError};
pub use reload::{Looked, TrustFiles, TrustFilesError, TrustReloader, watch_files};
pub use trust::{Trust, TrustStatus};

#[cfg(test)]
pub(crate) mod authority;
#[cfg(test)]
mod tests;
