//! Whom a client believes at `wss` addresses.

use std::sync::Arc;

use rustls::{ClientConfig, RootCertStore};
use rustls_pki_types::CertificateDer;
use rustls_pki_types::pem::PemObject as _;

/// Certificates of authorities that cannot be used. Trying again does not help.
#[derive(Debug, thiserror::Error)]
pub enum TrustError {
    /// There is no certificate in the text.
    #[error("no certificate in PEM form")]
    Empty,
    /// The text is not PEM.
    #[error("not certificates in PEM form: {0}")]
    Pem(#[from] rustls_pki_types::pem::Error),
    /// A certificate is not one.
    #[error("a certificate cannot be used: {0}")]
    Certificate(#[from] rustls::Error),
}

/// Trust in those authorities, given in PEM, and nobody else.
pub(crate) fn trusting(authorities: &[u8]) -> Result<Arc<ClientConfig>, TrustError> {
    let mut roots = RootCertStore::empty();
    for certificate in CertificateDer::pem_slice_iter(authorities) {
        roots.add(certificate?)?;
    }
    if roots.is_empty() {
        return Err(TrustError::Empty);
    }
    // Given explicitly, so that nothing depends on a default of the process.
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let builder = ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions()?;
    Ok(Arc::new(
        builder.with_root_certificates(roots).with_no_client_auth(),
    ))
}
