//! Whom a certificate is for.

use std::fmt;
use std::str::FromStr;
use tim_core::id::NodeName;
use x509_parser::extensions::GeneralName;
use x509_parser::parse_x509_certificate;

const SCHEME: &str = "tim://";

/// The holder of a certificate.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PeerIdentity {
    /// `tim://CLUSTER/node/NAME`
    Node {
        /// Its cluster.
        cluster_id: String,
        /// Its name.
        name: NodeName,
    },
    /// `tim://CLUSTER/operator`: the operator, or the supervisor on a laptop.
    Operator {
        /// The cluster it may operate with this certificate.
        cluster_id: String,
    },
}

/// Why a certificate names nobody. It stays so.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum IdentityError {
    /// Not a certificate.
    #[error("not an X.509 certificate")]
    NotACertificate,
    /// It has no URI of ours, or more than one.
    #[error("the certificate has not exactly one tim:// name")]
    NotOne,
    /// The URI is of no known form.
    #[error("\"{0}\" is neither tim://CLUSTER/node/NAME nor tim://CLUSTER/operator")]
    Form(String),
}

impl PeerIdentity {
    /// The cluster that the certificate is for.
    pub fn cluster_id(&self) -> &str {
        match self {
            Self::Node { cluster_id, .. } | Self::Operator { cluster_id } => cluster_id,
        }
    }

    /// Reads the identity out of a DER certificate.
    ///
    /// # Errors
    /// It is none, or has not exactly one name of ours.
    pub fn of_certificate(der: &[u8]) -> Result<Self, IdentityError> {
        let (_, certificate) = parse_x509_certificate(der).map_err(|_| IdentityError::NotACertificate)?;
        let names = certificate
            .subject_alternative_name()
            .map_err(|_| IdentityError::NotACertificate)?;
        let mut uris = names
            .iter()
            .flat_map(|names| &names.value.general_names)
            .filter_map(|name| match name {
                GeneralName::URI(uri) if uri.starts_with(SCHEME) => Some(*uri),
                _ => None,
            });
        match (uris.next(), uris.next()) {
            (Some(uri), None) => uri.parse(),
            _ => Err(IdentityError::NotOne),
        }
    }
}

impl FromStr for PeerIdentity {
    type Err = IdentityError;

    fn from_str(uri: &str) -> Result<Self, IdentityError> {
        let wrong = || IdentityError::Form(uri.to_owned());
        let mut parts = uri.strip_prefix(SCHEME).ok_or_else(wrong)?.split('/');
        let cluster_id = parts
            .next()
            .filter(|cluster| !cluster.is_empty())
            .ok_or_else(wrong)?
            .to_owned();
        match (parts.next(), parts.next(), parts.next()) {
            (Some("node"), Some(name), None) => Ok(Self::Node {
                cluster_id,
                name: NodeName::new(name).map_err(|_| wrong())?,
            }),
            (Some("operator"), None, None) => Ok(Self::Operator { cluster_id }),
            _ => Err(wrong()),
        }
    }
}

impl fmt::Display for PeerIdentity {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Node { cluster_id, name } => write!(formatter, "{SCHEME}{cluster_id}/node/{name}"),
            Self::Operator { cluster_id } => write!(formatter, "{SCHEME}{cluster_id}/operator"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_read_as_they_are_written() {
        for uri in ["tim://chat-eu/node/chat-0", "tim://chat-eu/operator"] {
            assert_eq!(uri.parse::<PeerIdentity>().unwrap().to_string(), uri);
        }
    }

    #[test]
    fn what_is_almost_a_name_is_none() {
        for uri in [
            "tim://",
            "tim:///operator",
            "tim://chat",
            "tim://chat/node",
            "tim://chat/node/",
            "tim://chat/node/a/b",
            "tim://chat/operator/",
            "tim://chat/admin",
            "spiffe://chat/operator",
        ] {
            assert!(uri.parse::<PeerIdentity>().is_err(), "{uri}");
        }
    }
}
