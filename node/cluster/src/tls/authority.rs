//! A certificate authority for tests.

use super::identity::PeerIdentity;
use super::material::Material;
use super::trust::Trust;
use rcgen::{
    BasicConstraints, CertificateParams, CertifiedIssuer, DnType, ExtendedKeyUsagePurpose, IsCa, KeyPair,
    SanType, date_time_ymd,
};

pub(crate) struct Authority {
    issuer: CertifiedIssuer<'static, KeyPair>,
}

/// PEM texts of one party.
pub(crate) struct Issued {
    pub(crate) roots: String,
    pub(crate) chain: String,
    pub(crate) key: String,
}

impl Authority {
    pub(crate) fn new() -> Self {
        let mut params = CertificateParams::new(Vec::new()).unwrap();
        params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
        params
            .distinguished_name
            .push(DnType::CommonName, "test authority");
        let issuer = CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap();
        Self { issuer }
    }

    pub(crate) fn issue(&self, uri: &str) -> Issued {
        self.issue_with(uri, |_| {})
    }

    pub(crate) fn issue_expired(&self, uri: &str) -> Issued {
        self.issue_with(uri, |params| {
            params.not_before = date_time_ymd(2020, 1, 1);
            params.not_after = date_time_ymd(2020, 2, 1);
        })
    }

    fn issue_with(&self, uri: &str, change: impl FnOnce(&mut CertificateParams)) -> Issued {
        let mut params = CertificateParams::new(vec!["127.0.0.1".to_owned()]).unwrap();
        params
            .subject_alt_names
            .push(SanType::URI(uri.try_into().unwrap()));
        params.extended_key_usages = vec![
            ExtendedKeyUsagePurpose::ServerAuth,
            ExtendedKeyUsagePurpose::ClientAuth,
        ];
        change(&mut params);
        let key = KeyPair::generate().unwrap();
        let certificate = params.signed_by(&key, &self.issuer).unwrap();
        Issued {
            roots: self.issuer.pem(),
            chain: certificate.pem(),
            key: key.serialize_pem(),
        }
    }

    pub(crate) fn trust(&self, uri: &str) -> Trust {
        Trust::new(self.issue(uri).material(uri)).unwrap()
    }
}

impl Issued {
    pub(crate) fn material(&self, uri: &str) -> Material {
        let expected: PeerIdentity = uri.parse().unwrap();
        Material::from_pem(
            self.roots.as_bytes(),
            self.chain.as_bytes(),
            self.key.as_bytes(),
            &expected,
        )
        .unwrap()
    }
}
