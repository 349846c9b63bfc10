//! The cluster's own certificate authority.

use std::{fmt, net::IpAddr};

use jiff::Timestamp;
use rcgen::{
    BasicConstraints, CertificateParams, DistinguishedName, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer,
    KeyPair, KeyUsagePurpose, SanType,
};
use time::OffsetDateTime;
use x509_parser::{extensions::ParsedExtension, pem::Pem, prelude::X509Certificate};
use zeroize::Zeroizing;

use super::{AUTHORITY_VALIDITY, CLOCK_SKEW, LEAF_VALIDITY, TrustError, authority_renew_at};
use crate::observed::Certificate;

/// Longest common name that X.509 allows.
const COMMON_NAME_CHARACTERS_MAX: usize = 64;

/// An authority: its certificates, newest first, and the key of the newest.
pub struct Authority {
    bundle: String,
    key: Zeroizing<String>,
}

impl fmt::Debug for Authority {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Authority").finish_non_exhaustive()
    }
}

/// Whom a certificate is for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Holder {
    /// A node, by its name and the names and addresses under which it is reached.
    Node {
        /// Its name.
        name: String,
        /// DNS names.
        dns_names: Vec<String>,
        /// Addresses.
        addresses: Vec<IpAddr>,
    },
    /// The operator, or the supervisor on a laptop.
    Operator,
}

impl Holder {
    /// What the certificate calls its holder.
    pub fn uri(&self, cluster_id: &str) -> String {
        match self {
            Self::Node { name, .. } => format!("tim://{cluster_id}/node/{name}"),
            Self::Operator => format!("tim://{cluster_id}/operator"),
        }
    }

    fn common_name(&self) -> &str {
        match self {
            Self::Node { name, .. } => name,
            Self::Operator => "operator",
        }
    }
}

/// A certificate with its key.
pub struct Leaf {
    /// The certificate, PEM.
    pub certificate: String,
    /// Its key, PEM.
    pub key: Zeroizing<String>,
}

impl fmt::Debug for Leaf {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Leaf").finish_non_exhaustive()
    }
}

impl Authority {
    /// A new authority for a cluster.
    ///
    /// # Errors
    /// See [`TrustError`].
    pub fn new(cluster_id: &str, now: Timestamp) -> Result<Self, TrustError> {
        let mut params = CertificateParams::default();
        (params.not_before, params.not_after) = validity(now, AUTHORITY_VALIDITY);
        params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
        params.distinguished_name = name(&format!("tim {cluster_id}"));
        let key = KeyPair::generate()?;
        let certificate = params.self_signed(&key)?;
        Ok(Self {
            bundle: certificate.pem(),
            key: Zeroizing::new(key.serialize_pem()),
        })
    }

    /// A new authority that keeps the certificates of this one, so that both generations of leaves are believed.
    ///
    /// # Errors
    /// See [`TrustError`].
    pub fn renewed(&self, cluster_id: &str, now: Timestamp) -> Result<Self, TrustError> {
        let new = Self::new(cluster_id, now)?;
        let mut bundle = new.bundle;
        for block in Pem::iter_from_buffer(self.bundle.as_bytes()) {
            let block = block.map_err(|error| TrustError::Read(error.to_string()))?;
            let ended = parse(&block)?.validity().not_after.timestamp() < now.as_second();
            if !ended {
                bundle.push_str(&pem_text(&block.contents));
            }
        }
        Ok(Self { bundle, key: new.key })
    }

    /// The authority that was stored.
    ///
    /// # Errors
    /// The texts are not PEM, or certificate and key do not belong together.
    pub fn from_pem(bundle: &str, key: &str) -> Result<Self, TrustError> {
        let authority = Self {
            bundle: bundle.to_owned(),
            key: Zeroizing::new(key.to_owned()),
        };
        let pair = KeyPair::from_pem(key)?;
        let first = first_block(bundle)?;
        if parse(&first)?.public_key().subject_public_key.data.as_ref() != pair.public_key_raw() {
            return Err(TrustError::Read(
                "certificate and key of the authority do not belong together".into(),
            ));
        }
        Ok(authority)
    }

    /// The certificates, PEM: what nodes and operator trust.
    pub fn bundle(&self) -> &str {
        &self.bundle
    }

    /// The key, PEM.
    pub fn key(&self) -> &str {
        &self.key
    }

    /// When it ends.
    ///
    /// # Errors
    /// The text is not a certificate.
    pub fn not_after(&self) -> Result<Timestamp, TrustError> {
        Ok(inspect(&self.bundle)?.not_after)
    }

    /// Whether it is time for a new one.
    ///
    /// # Errors
    /// The text is not a certificate.
    pub fn needs_renewal(&self, now: Timestamp) -> Result<bool, TrustError> {
        Ok(authority_renew_at(self.not_after()?) <= now)
    }

    /// Makes a certificate.
    ///
    /// # Errors
    /// See [`TrustError`].
    pub fn issue(&self, cluster_id: &str, holder: &Holder, now: Timestamp) -> Result<Leaf, TrustError> {
        let mut params = CertificateParams::default();
        (params.not_before, params.not_after) = validity(now, LEAF_VALIDITY);
        params.distinguished_name = name(holder.common_name());
        params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
        params.extended_key_usages = vec![
            ExtendedKeyUsagePurpose::ServerAuth,
            ExtendedKeyUsagePurpose::ClientAuth,
        ];
        params.use_authority_key_identifier_extension = true;
        params.subject_alt_names = vec![SanType::URI(holder.uri(cluster_id).try_into()?)];
        if let Holder::Node {
            dns_names, addresses, ..
        } = holder
        {
            for dns_name in dns_names {
                params
                    .subject_alt_names
                    .push(SanType::DnsName(dns_name.as_str().try_into()?));
            }
            params
                .subject_alt_names
                .extend(addresses.iter().copied().map(SanType::IpAddress));
        }
        let issuer = Issuer::from_ca_cert_pem(&self.bundle, KeyPair::from_pem(&self.key)?)?;
        let key = KeyPair::generate()?;
        let certificate = params.signed_by(&key, &issuer)?;
        Ok(Leaf {
            certificate: certificate.pem(),
            key: Zeroizing::new(key.serialize_pem()),
        })
    }

    /// Whether a stored certificate is this authority's, for this holder; a false one is made anew.
    pub fn vouches_for(&self, cluster_id: &str, holder: &Holder, certificate: &str) -> bool {
        self.judge(cluster_id, holder, certificate).unwrap_or(false)
    }

    fn judge(&self, cluster_id: &str, holder: &Holder, certificate: &str) -> Result<bool, TrustError> {
        let (own, leaf) = (first_block(&self.bundle)?, first_block(certificate)?);
        let (own, leaf) = (parse(&own)?, parse(&leaf)?);
        let own_key = own
            .extensions()
            .iter()
            .find_map(|extension| match extension.parsed_extension() {
                ParsedExtension::SubjectKeyIdentifier(id) => Some(id.0),
                _ => None,
            });
        let issuer_key = leaf
            .extensions()
            .iter()
            .find_map(|extension| match extension.parsed_extension() {
                ParsedExtension::AuthorityKeyIdentifier(id) => id.key_identifier.as_ref().map(|id| id.0),
                _ => None,
            });
        let mut wanted = vec![holder.uri(cluster_id)];
        if let Holder::Node { dns_names, .. } = holder {
            wanted.extend(dns_names.iter().cloned());
        }
        let names = names_of(&leaf);
        Ok(own_key.is_some() && own_key == issuer_key && wanted.iter().all(|name| names.contains(name)))
    }
}

/// The times of the first certificate in a PEM text.
///
/// # Errors
/// The text is not a certificate.
pub fn inspect(certificate: &str) -> Result<Certificate, TrustError> {
    let block = first_block(certificate)?;
    let validity = parse(&block)?.validity().clone();
    let time = |seconds| Timestamp::from_second(seconds).map_err(|error| TrustError::Read(error.to_string()));
    Ok(Certificate {
        not_before: time(validity.not_before.timestamp())?,
        not_after: time(validity.not_after.timestamp())?,
    })
}

fn names_of(certificate: &X509Certificate<'_>) -> Vec<String> {
    use x509_parser::extensions::GeneralName;
    let Ok(Some(names)) = certificate.subject_alternative_name() else {
        return Vec::new();
    };
    names
        .value
        .general_names
        .iter()
        .filter_map(|name| match name {
            GeneralName::URI(text) | GeneralName::DNSName(text) => Some((*text).to_owned()),
            _ => None,
        })
        .collect()
}

fn name(common_name: &str) -> DistinguishedName {
    let mut name = DistinguishedName::new();
    let shortened: String = common_name.chars().take(COMMON_NAME_CHARACTERS_MAX).collect();
    name.push(DnType::CommonName, shortened);
    name
}

fn validity(now: Timestamp, length: jiff::SignedDuration) -> (OffsetDateTime, OffsetDateTime) {
    let at = |offset: jiff::SignedDuration| {
        OffsetDateTime::from_unix_timestamp(now.as_second() + offset.as_secs())
            .unwrap_or(OffsetDateTime::UNIX_EPOCH)
    };
    (at(-CLOCK_SKEW), at(length))
}

fn first_block(text: &str) -> Result<Pem, TrustError> {
    let first = Pem::iter_from_buffer(text.as_bytes()).next();
    first
        .ok_or_else(|| TrustError::Read("it is empty".into()))?
        .map_err(|error| TrustError::Read(error.to_string()))
}

fn parse(block: &Pem) -> Result<X509Certificate<'_>, TrustError> {
    block
        .parse_x509()
        .map_err(|error| TrustError::Read(error.to_string()))
}

fn pem_text(der: &[u8]) -> String {
    use base64::{Engine, engine::general_purpose::STANDARD};
    /// Columns of a PEM line.
    const LINE_CHARACTERS: usize = 64;
    let encoded = STANDARD.encode(der);
    let mut text = String::from("-----BEGIN CERTIFICATE-----\n");
    let mut rest = encoded.as_str();
    while !rest.is_empty() {
        let (line, remaining) = rest.split_at(rest.len().min(LINE_CHARACTERS));
        text.push_str(line);
        text.push('\n');
        rest = remaining;
    }
    text.push_str("-----END CERTIFICATE-----\n");
    text
}
