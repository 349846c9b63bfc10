//! What is in use just now, and its replacement.

use super::identity::PeerIdentity;
use super::material::{Material, MaterialError, provider};
use super::verifier::{ClusterVerifier, ExpectedPeerVerifier};
use crate::metrics::CertificateMetrics;
use arc_swap::ArcSwap;
use rustls::client::{ClientConfig, Resumption};
use rustls::server::{ServerConfig, WebPkiClientVerifier};
use rustls::sign::SingleCertAndKey;
use rustls::version::TLS13;
use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

const ALPN_HTTP2: &[u8] = b"h2";
const ALPN_HTTP1: &[u8] = b"http/1.1";

/// Certificate, key and roots in use; clones share them.
#[derive(Clone)]
pub struct Trust {
    current: Arc<ArcSwap<Current>>,
    metrics: Arc<CertificateMetrics>,
}

struct Current {
    material: Material,
    server: Arc<ServerConfig>,
    /// For those who have no certificate: clients and people.
    public: Arc<ServerConfig>,
}

/// How the certificate in use stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TrustStatus {
    /// Whom it names.
    pub identity: PeerIdentity,
    /// When it ends, in seconds since 1970.
    pub not_after: i64,
    /// It has ended: links that stand stay, new ones fail.
    pub expired: bool,
}

impl Trust {
    /// Begins with this material.
    ///
    /// # Errors
    /// The TLS library refuses it.
    pub fn new(material: Material) -> Result<Self, MaterialError> {
        let metrics = Arc::new(CertificateMetrics::default());
        metrics.not_after(material.not_after());
        Ok(Self {
            current: Arc::new(ArcSwap::from_pointee(Current::build(material)?)),
            metrics,
        })
    }

    /// Uses this material for every connection from now on.
    ///
    /// # Errors
    /// The TLS library refuses it; the former stays in use.
    pub fn replace(&self, material: Material) -> Result<(), MaterialError> {
        let not_after = material.not_after();
        self.current.store(Arc::new(Current::build(material)?));
        self.metrics.not_after(not_after);
        Ok(())
    }

    /// How the certificate in use stands now.
    pub fn status(&self) -> TrustStatus {
        let current = self.current.load();
        let now = SystemTime::now()
            .duration_since(UNIX_EPOCH)
            .map_or(0, |elapsed| elapsed.as_secs());
        TrustStatus {
            identity: current.material.identity.clone(),
            not_after: current.material.not_after,
            expired: i64::try_from(now).is_ok_and(|now| now > current.material.not_after),
        }
    }

    /// For one accepted connection.
    pub fn server_config(&self) -> Arc<ServerConfig> {
        self.current.load().server.clone()
    }

    /// For one accepted connection of a client or a person, who has no certificate: HTTP/1.1 over TLS 1.2 or newer.
    pub fn public_server_config(&self) -> Arc<ServerConfig> {
        self.current.load().public.clone()
    }

    /// For one connection to that party.
    ///
    /// # Errors
    /// The TLS library refuses the combination; it would have refused at [`Trust::replace`] already.
    pub fn client_config(&self, expected: PeerIdentity) -> Result<ClientConfig, MaterialError> {
        let material = &self.current.load().material;
        let verifier = ExpectedPeerVerifier::new(material.roots.clone(), expected);
        let mut config = ClientConfig::builder_with_provider(provider())
            .with_protocol_versions(&[&TLS13])
            .map_err(|error| MaterialError::Tls(error.to_string()))?
            .dangerous() // rustls' word for a verifier of one's own; ours checks the chain and the exact name
            .with_custom_certificate_verifier(Arc::new(verifier))
            .with_client_cert_resolver(Arc::new(SingleCertAndKey::from(material.certified.clone())));
        config.alpn_protocols = vec![ALPN_HTTP2.to_vec()];
        config.resumption = Resumption::disabled();
        // The name in the hello would only tell a listener who talks to whom.
        config.enable_sni = false;
        Ok(config)
    }
}

impl Current {
    fn build(material: Material) -> Result<Self, MaterialError> {
        let chain = WebPkiClientVerifier::builder_with_provider(material.roots.clone(), provider())
            .build()
            .map_err(|error| MaterialError::Tls(error.to_string()))?;
        let verifier = ClusterVerifier {
            chain,
            cluster_id: material.identity.cluster_id().to_owned(),
        };
        let mut server = ServerConfig::builder_with_provider(provider())
            .with_protocol_versions(&[&TLS13])
            .map_err(|error| MaterialError::Tls(error.to_string()))?
            .with_client_cert_verifier(Arc::new(verifier))
            .with_cert_resolver(Arc::new(SingleCertAndKey::from(material.certified.clone())));
        server.alpn_protocols = vec![ALPN_HTTP2.to_vec()];
        server.send_tls13_tickets = 0;
        let mut public = ServerConfig::builder_with_provider(provider())
            .with_safe_default_protocol_versions()
            .map_err(|error| MaterialError::Tls(error.to_string()))?
            .with_no_client_auth()
            .with_cert_resolver(Arc::new(SingleCertAndKey::from(material.certified.clone())));
        public.alpn_protocols = vec![ALPN_HTTP1.to_vec()];
        Ok(Self {
            material,
            server: Arc::new(server),
            public: Arc::new(public),
        })
    }
}
