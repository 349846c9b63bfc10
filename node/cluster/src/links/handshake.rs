//! The proof that both ends hold the cluster secret, bound to one connection.
//!
//! Each side authenticates, under a key of the ring, who it is, what it speaks, the nonces, and a value that the TLS session
//! of this connection and no other yields. A proof that is passed on, or replayed, proves nothing. The caller proves first;
//! who fails is told "refused" and nothing else.

use super::stream::{EXPORTER_BYTES, PeerConnection};
use crate::keyring::KeyRing;
use crate::tls::PeerIdentity;
use arc_swap::ArcSwap;
use aws_lc_rs::hmac;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use tim_catalogue::node;
use tim_core::id::{Generation, NodeName};
use tim_proto::peer::v1::link_server::Link;
use tim_proto::peer::v1::{HandshakeReply, HandshakeRequest};
use tim_proto::{PROTOCOL_VERSION_MAX, PROTOCOL_VERSION_MIN};
use tonic::{Request, Response, Status};

const NONCE_BYTES: usize = 16;
const CALLER: &[u8] = b"tim link caller v1";
const SERVER: &[u8] = b"tim link server v1";

/// A node that has proved itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct VerifiedPeer {
    /// Its name.
    pub node: NodeName,
    /// Its life when it connected.
    pub generation: Generation,
    /// The protocol version both speak on this connection.
    pub version: u32,
}

/// This node's part in handshakes, as caller and as server.
#[derive(Clone)]
pub struct Handshaker {
    cluster_id: String,
    node: NodeName,
    generation: Arc<AtomicU64>,
    keys: Arc<ArcSwap<KeyRing>>,
}

/// Why a handshake failed, for the caller.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Refusal {
    /// Proof not accepted, or none given back.
    Secret,
    /// No version in common.
    Version,
}

/// What the caller keeps until the answer.
pub(super) struct Offer {
    nonce: [u8; NONCE_BYTES],
    key_tag: Vec<u8>,
}

impl Handshaker {
    /// For a node of a cluster, with the key ring in use.
    pub fn new(cluster_id: &str, node: NodeName, keys: Arc<ArcSwap<KeyRing>>) -> Self {
        Self {
            cluster_id: cluster_id.to_owned(),
            node,
            generation: Arc::new(AtomicU64::new(0)),
            keys,
        }
    }

    /// This node.
    pub fn node(&self) -> &NodeName {
        &self.node
    }

    /// Its cluster.
    pub fn cluster_id(&self) -> &str {
        &self.cluster_id
    }

    /// Says the node's present life in handshakes from now on.
    pub fn set_generation(&self, generation: Generation) {
        self.generation.store(generation.0, Ordering::Relaxed);
    }

    pub(super) fn offer(&self, exporter: &[u8; EXPORTER_BYTES]) -> (HandshakeRequest, Offer) {
        let ring = self.keys.load();
        let key = ring.primary();
        let offer = Offer {
            nonce: rand::random(),
            key_tag: key.tag().to_vec(),
        };
        let generation = self.generation.load(Ordering::Relaxed);
        let mut request = HandshakeRequest {
            cluster_id: self.cluster_id.clone(),
            version_min: PROTOCOL_VERSION_MIN,
            version_max: PROTOCOL_VERSION_MAX,
            nonce: offer.nonce.to_vec().into(),
            proof: Vec::new().into(),
            key_tag: offer.key_tag.clone().into(),
            node: self.node.to_string(),
            boot_generation: generation,
        };
        let tag = hmac::sign(key.handshake(), &caller_text(&request, exporter));
        request.proof = tag.as_ref().to_vec().into();
        (request, offer)
    }

    pub(super) fn accept_reply(
        &self,
        offer: &Offer,
        reply: &HandshakeReply,
        expected: &NodeName,
        exporter: &[u8; EXPORTER_BYTES],
    ) -> Result<VerifiedPeer, Refusal> {
        let ring = self.keys.load();
        let key = ring.find(&reply.key_tag).ok_or(Refusal::Secret)?;
        let text = server_text(&self.cluster_id, reply, &offer.nonce, exporter);
        hmac::verify(key.handshake(), &text, &reply.proof).map_err(|_| Refusal::Secret)?;
        if reply.node != expected.as_str() {
            return Err(Refusal::Secret);
        }
        if !(PROTOCOL_VERSION_MIN..=PROTOCOL_VERSION_MAX).contains(&reply.version) {
            return Err(Refusal::Version);
        }
        Ok(VerifiedPeer {
            node: expected.clone(),
            generation: Generation(reply.boot_generation),
            version: reply.version,
        })
    }

    /// Judges a caller; the answer on success proves this node in turn.
    fn judge(
        &self,
        request: &HandshakeRequest,
        connection: &PeerConnection,
    ) -> Result<(HandshakeReply, VerifiedPeer), Refused> {
        let PeerIdentity::Node { name, .. } = connection.identity() else {
            return Err(Refused::Role);
        };
        if request.cluster_id != self.cluster_id || request.node != name.as_str() {
            return Err(Refused::Cluster);
        }
        let ring = self.keys.load();
        let key = ring.find(&request.key_tag).ok_or(Refused::Secret)?;
        hmac::verify(
            key.handshake(),
            &caller_text(request, connection.exporter()),
            &request.proof,
        )
        .map_err(|_| Refused::Secret)?;
        let version = request.version_max.min(PROTOCOL_VERSION_MAX);
        if version < request.version_min.max(PROTOCOL_VERSION_MIN) {
            return Err(Refused::Version);
        }
        let nonce: [u8; NONCE_BYTES] = rand::random();
        let mut reply = HandshakeReply {
            version,
            nonce: nonce.to_vec().into(),
            proof: Vec::new().into(),
            // The caller's key: it is known to hold that one, while a ring is being replaced.
            key_tag: request.key_tag.clone(),
            node: self.node.to_string(),
            boot_generation: self.generation.load(Ordering::Relaxed),
        };
        let text = server_text(&self.cluster_id, &reply, &request.nonce, connection.exporter());
        reply.proof = hmac::sign(key.handshake(), &text).as_ref().to_vec().into();
        let peer = VerifiedPeer {
            node: name.clone(),
            generation: Generation(request.boot_generation),
            version,
        };
        Ok((reply, peer))
    }
}

/// Why a caller was refused; for our own log only.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Refused {
    Role,
    Cluster,
    Secret,
    Version,
}

#[tonic::async_trait]
impl Link for Handshaker {
    async fn handshake(
        &self,
        request: Request<HandshakeRequest>,
    ) -> Result<Response<HandshakeReply>, Status> {
        let connection = request
            .extensions()
            .get::<Option<PeerConnection>>()
            .cloned()
            .flatten();
        let connection = connection.ok_or_else(refused)?;
        match self.judge(request.get_ref(), &connection) {
            Ok((reply, peer)) => {
                connection.set_verified(peer);
                Ok(Response::new(reply))
            }
            Err(reason) => {
                let cause = match reason {
                    Refused::Role | Refused::Cluster => &node::WRONG_CLUSTER,
                    Refused::Secret => &node::WRONG_CLUSTER_SECRET,
                    Refused::Version => &node::UNSUPPORTED_VERSION,
                };
                let (code, peer) = (cause.code, connection.identity());
                tracing::warn!(code, %peer, remote = %connection.remote(), "{code}: {}", cause.what);
                // Only who holds the secret is told that it is about the version.
                Err(if reason == Refused::Version {
                    Status::failed_precondition("no protocol version in common")
                } else {
                    refused()
                })
            }
        }
    }
}

pub(super) fn refused() -> Status {
    Status::permission_denied("refused")
}

/// Every part with its length, so that no two texts read the same.
fn text(parts: &[&[u8]]) -> Vec<u8> {
    let mut text = Vec::new();
    for part in parts {
        text.extend_from_slice(&(part.len() as u64).to_be_bytes());
        text.extend_from_slice(part);
    }
    text
}

fn caller_text(request: &HandshakeRequest, exporter: &[u8; EXPORTER_BYTES]) -> Vec<u8> {
    text(&[
        CALLER,
        request.cluster_id.as_bytes(),
        request.node.as_bytes(),
        &request.boot_generation.to_be_bytes(),
        &request.version_min.to_be_bytes(),
        &request.version_max.to_be_bytes(),
        &request.nonce,
        exporter,
    ])
}

fn server_text(
    cluster_id: &str,
    reply: &HandshakeReply,
    nonce: &[u8],
    exporter: &[u8; EXPORTER_BYTES],
) -> Vec<u8> {
    text(&[
        SERVER,
        cluster_id.as_bytes(),
        reply.node.as_bytes(),
        &reply.boot_generation.to_be_bytes(),
        &reply.version.to_be_bytes(),
        &reply.nonce,
        nonce,
        exporter,
    ])
}

#[cfg(test)]
mod tests;
