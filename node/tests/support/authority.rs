//! Certificates and keys of a test cluster.

use base64::Engine;
use rcgen::{
    BasicConstraints, CertificateParams, CertifiedIssuer, ExtendedKeyUsagePurpose, IsCa, KeyPair, SanType,
    date_time_ymd,
};
use std::path::Path;

pub struct Authority {
    issuer: CertifiedIssuer<'static, KeyPair>,
}

pub fn base64_key(byte: u8) -> String {
    base64::engine::general_purpose::STANDARD.encode([byte; 32])
}

/// A key ring with one key.
pub fn write_keyring(path: &Path, byte: u8) {
    let text = format!(
        "primary = \"k{byte}\"\n[[key]]\nid = \"k{byte}\"\nsecret = \"{}\"\n",
        base64_key(byte)
    );
    std::fs::write(path, text).unwrap();
}

impl Authority {
    pub fn new() -> Self {
        let mut params = CertificateParams::new(Vec::new()).unwrap();
        params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
        let issuer = CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap();
        Self { issuer }
    }

    /// Writes what a node needs into the folder of all nodes.
    pub fn write_node(&self, directory: &Path, cluster: &str, name: &str) {
        self.write(directory, name, &format!("tim://{cluster}/node/{name}"), false);
    }

    /// As [`Authority::write_node`], with a certificate that ended long ago.
    pub fn write_expired_node(&self, directory: &Path, cluster: &str, name: &str) {
        self.write(directory, name, &format!("tim://{cluster}/node/{name}"), true);
    }

    /// The operator's.
    pub fn write_operator(&self, directory: &Path, cluster: &str) {
        self.write(directory, "operator", &format!("tim://{cluster}/operator"), false);
    }

    fn write(&self, directory: &Path, stem: &str, uri: &str, expired: bool) {
        let names = vec!["127.0.0.1".to_owned(), "localhost".to_owned()];
        let mut params = CertificateParams::new(names).unwrap();
        params
            .subject_alt_names
            .push(SanType::URI(uri.try_into().unwrap()));
        params.extended_key_usages = vec![
            ExtendedKeyUsagePurpose::ServerAuth,
            ExtendedKeyUsagePurpose::ClientAuth,
        ];
        if expired {
            params.not_before = date_time_ymd(2020, 1, 1);
            params.not_after = date_time_ymd(2020, 2, 1);
        }
        let key = KeyPair::generate().unwrap();
        let certificate = params.signed_by(&key, &self.issuer).unwrap();
        std::fs::write(directory.join("ca.crt"), self.issuer.pem()).unwrap();
        std::fs::write(directory.join(format!("{stem}.crt")), certificate.pem()).unwrap();
        std::fs::write(directory.join(format!("{stem}.key")), key.serialize_pem()).unwrap();
    }
}
