//! Certificate, key and roots, read and checked together.

use super::identity::{IdentityError, PeerIdentity};
use rustls::RootCertStore;
use rustls::crypto::CryptoProvider;
use rustls::sign::CertifiedKey;
use rustls_pki_types::pem::PemObject;
use rustls_pki_types::{CertificateDer, PrivateKeyDer};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use tim_catalogue::{Cause, node};
use x509_parser::parse_x509_certificate;
use zeroize::Zeroizing;

/// Why certificate, key and roots cannot be used. What was in use before stays in use; heals when the files do.
#[derive(Debug, thiserror::Error)]
pub enum MaterialError {
    /// A file cannot be read.
    #[error("{path}: {source}")]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// A part is not PEM of the expected kind.
    #[error("{part} is not valid PEM")]
    Pem {
        /// Which part.
        part: &'static str,
    },
    /// Key and certificate do not belong together, or one of them is of an unknown kind.
    #[error("certificate and key do not belong together: {0}")]
    Pair(rustls::Error),
    /// The root certificates cannot be used.
    #[error("the certificate authority cannot be used: {0}")]
    Roots(rustls::Error),
    /// The certificate names nobody.
    #[error(transparent)]
    Name(#[from] IdentityError),
    /// The certificate is somebody else's.
    #[error("the certificate is for {found}, not for {expected}")]
    OtherName {
        /// Whom it should name.
        expected: Box<PeerIdentity>,
        /// Whom it names.
        found: Box<PeerIdentity>,
    },
    /// The TLS library refused the combination.
    #[error("TLS configuration: {0}")]
    Tls(String),
}

impl MaterialError {
    /// The catalogue's entry.
    pub fn cause(&self) -> &'static Cause {
        match self {
            Self::OtherName { expected, found } if expected.cluster_id() != found.cluster_id() => {
                &node::WRONG_CLUSTER
            }
            _ => &node::CERTIFICATE_UNREADABLE,
        }
    }
}

/// One party's certificate with its key, and whom it trusts.
#[derive(Debug, Clone)]
pub struct Material {
    pub(super) roots: Arc<RootCertStore>,
    pub(super) certified: Arc<CertifiedKey>,
    pub(super) identity: PeerIdentity,
    pub(super) not_after: i64,
}

impl Material {
    /// Reads `ca.crt`, `STEM.crt` and `STEM.key` from a folder.
    ///
    /// # Errors
    /// Says what is wrong with which of them.
    pub fn load(directory: &Path, stem: &str, expected: &PeerIdentity) -> Result<Self, MaterialError> {
        let read = |name: String| {
            let path = directory.join(name);
            std::fs::read(&path).map_err(|source| MaterialError::Unreadable { path, source })
        };
        let (roots, chain) = (read("ca.crt".to_owned())?, read(format!("{stem}.crt"))?);
        let key = Zeroizing::new(read(format!("{stem}.key"))?);
        Self::from_pem(&roots, &chain, &key, expected)
    }

    /// Checks PEM texts: they are readable, belong together, and name the expected party.
    ///
    /// A certificate that has ended is accepted: the links that stand need none, and the peers refuse it by themselves.
    ///
    /// # Errors
    /// Says what is wrong with which of them.
    pub fn from_pem(
        roots: &[u8],
        chain: &[u8],
        key: &[u8],
        expected: &PeerIdentity,
    ) -> Result<Self, MaterialError> {
        let provider = provider();
        let chain = certificates(chain, "the certificate")?;
        let key = PrivateKeyDer::from_pem_slice(key).map_err(|_| MaterialError::Pem { part: "the key" })?;
        let identity = PeerIdentity::of_certificate(&chain[0])?;
        if identity != *expected {
            return Err(MaterialError::OtherName {
                expected: Box::new(expected.clone()),
                found: Box::new(identity),
            });
        }
        let not_after = not_after(&chain[0])?;
        let certified = CertifiedKey::from_der(chain, key, &provider).map_err(MaterialError::Pair)?;
        certified.keys_match().map_err(MaterialError::Pair)?;
        let mut store = RootCertStore::empty();
        for root in certificates(roots, "ca.crt")? {
            store.add(root).map_err(MaterialError::Roots)?;
        }
        Ok(Self {
            roots: Arc::new(store),
            certified: Arc::new(certified),
            identity,
            not_after,
        })
    }

    /// Whom the certificate names.
    pub fn identity(&self) -> &PeerIdentity {
        &self.identity
    }

    /// When the certificate ends, in seconds since 1970.
    pub fn not_after(&self) -> i64 {
        self.not_after
    }
}

/// The one provider of the whole program; given explicitly, so that nothing depends on a process-wide default.
pub(super) fn provider() -> Arc<CryptoProvider> {
    Arc::new(rustls::crypto::aws_lc_rs::default_provider())
}

fn certificates(pem: &[u8], part: &'static str) -> Result<Vec<CertificateDer<'static>>, MaterialError> {
    let found: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(pem).collect();
    match found {
        Ok(found) if !found.is_empty() => Ok(found),
        _ => Err(MaterialError::Pem { part }),
    }
}

fn not_after(der: &[u8]) -> Result<i64, MaterialError> {
    let (_, certificate) = parse_x509_certificate(der).map_err(|_| IdentityError::NotACertificate)?;
    Ok(certificate.validity().not_after.timestamp())
}
