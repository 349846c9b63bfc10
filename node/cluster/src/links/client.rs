//! Making one connection.

use super::error::LinkError;
use super::handshake::{Handshaker, Refusal, VerifiedPeer};
use super::stream::{Dialled, EXPORTER_BYTES, EXPORTER_LABEL, PeerStream};
use super::{
    CALL_TIMEOUT, CALLS_PER_CONNECTION_MAX, CONNECT_TIMEOUT, KEEPALIVE_INTERVAL, KEEPALIVE_TIMEOUT,
    MESSAGE_BYTES_MAX,
};
use crate::tls::{PeerIdentity, Trust};
use hyper_util::rt::TokioIo;
use parking_lot::Mutex;
use rustls_pki_types::ServerName;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use tim_core::id::NodeName;
use tim_proto::peer::v1::delivery_client::DeliveryClient;
use tim_proto::peer::v1::home_client::HomeClient;
use tim_proto::peer::v1::link_client::LinkClient;
use tim_proto::peer::v1::passwords_client::PasswordsClient;
use tim_proto::peer::v1::presence_client::PresenceClient;
use tim_proto::peer::v1::raft_client::RaftClient;
use tim_proto::peer::v1::streams_client::StreamsClient;
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_util::sync::{CancellationToken, WaitForCancellationFutureOwned};
use tonic::Code;
use tonic::codegen::http::Uri;
use tonic::transport::{Channel, Endpoint};
use tower::service_fn;

/// Stands for the peer in HTTP/2 requests; it is reached and checked otherwise.
const AUTHORITY: &str = "http://peer";

/// One connection to a peer on which both have proved themselves. Clones share it.
#[derive(Debug, Clone)]
pub struct Link {
    channel: Channel,
    peer: VerifiedPeer,
    address: SocketAddr,
    closed: CancellationToken,
}

impl Link {
    /// Who is at the other end.
    pub fn peer(&self) -> &VerifiedPeer {
        &self.peer
    }

    /// Where it was reached.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Whether the connection has ended.
    pub fn is_closed(&self) -> bool {
        self.closed.is_cancelled()
    }

    /// Waits until the connection has ended. Calls under way have failed then, or will.
    pub fn closed(&self) -> WaitForCancellationFutureOwned {
        self.closed.clone().cancelled_owned()
    }

    /// Calls to conversation homes.
    pub fn home(&self) -> HomeClient<Channel> {
        HomeClient::new(self.channel.clone())
            .max_decoding_message_size(MESSAGE_BYTES_MAX)
            .max_encoding_message_size(MESSAGE_BYTES_MAX)
    }

    /// Calls to presence shards.
    pub fn presence(&self) -> PresenceClient<Channel> {
        PresenceClient::new(self.channel.clone())
            .max_decoding_message_size(MESSAGE_BYTES_MAX)
            .max_encoding_message_size(MESSAGE_BYTES_MAX)
    }

    /// Calls about verified passwords.
    pub fn passwords(&self) -> PasswordsClient<Channel> {
        PasswordsClient::new(self.channel.clone())
            .max_decoding_message_size(MESSAGE_BYTES_MAX)
            .max_encoding_message_size(MESSAGE_BYTES_MAX)
    }

    /// Calls to sessions.
    pub fn delivery(&self) -> DeliveryClient<Channel> {
        DeliveryClient::new(self.channel.clone())
            .max_decoding_message_size(MESSAGE_BYTES_MAX)
            .max_encoding_message_size(MESSAGE_BYTES_MAX)
    }

    /// Calls to live streams.
    pub fn streams(&self) -> StreamsClient<Channel> {
        StreamsClient::new(self.channel.clone())
            .max_decoding_message_size(MESSAGE_BYTES_MAX)
            .max_encoding_message_size(MESSAGE_BYTES_MAX)
    }

    /// Calls to the control group.
    pub(crate) fn raft(&self) -> RaftClient<Channel> {
        RaftClient::new(self.channel.clone())
            .max_decoding_message_size(MESSAGE_BYTES_MAX)
            .max_encoding_message_size(MESSAGE_BYTES_MAX)
    }
}

/// Connects, with both handshakes, within [`CONNECT_TIMEOUT`].
pub(super) async fn connect(
    trust: &Trust,
    handshaker: &Handshaker,
    node: &NodeName,
    address: SocketAddr,
) -> Result<Link, LinkError> {
    let attempt = async {
        let identity = PeerIdentity::Node {
            cluster_id: handshaker.cluster_id().to_owned(),
            name: node.clone(),
        };
        let (stream, exporter, closed) = dial(trust, identity, address)
            .await
            .map_err(|error| explain(node, error))?;
        let channel = channel(stream)
            .await
            .map_err(|reason| unreachable(node, reason))?;
        let (request, offer) = handshaker.offer(&exporter);
        let reply = LinkClient::new(channel.clone()).handshake(request).await;
        let reply = reply.map_err(|status| match status.code() {
            Code::PermissionDenied => LinkError::Secret { node: node.clone() },
            Code::FailedPrecondition => LinkError::Version { node: node.clone() },
            // The other side says what is wrong with our certificate only by ending the connection.
            _ if trust.status().expired => LinkError::Expired { node: node.clone() },
            _ => unreachable(node, status.to_string()),
        })?;
        let peer = handshaker
            .accept_reply(&offer, reply.get_ref(), node, &exporter)
            .map_err(|refusal| match refusal {
                Refusal::Secret => LinkError::Secret { node: node.clone() },
                Refusal::Version => LinkError::Version { node: node.clone() },
            })?;
        Ok(Link {
            channel,
            peer,
            address,
            closed,
        })
    };
    match tokio::time::timeout(CONNECT_TIMEOUT, attempt).await {
        Ok(result) => result,
        Err(_) => Err(unreachable(node, "no answer in time".to_owned())),
    }
}

/// A channel for the operator, or the supervisor, to one node's `NodeControl`. It does not connect again: when calls fail
/// as unavailable, make a new one.
///
/// # Errors
/// The node cannot be reached there, or what answers is not that node of that cluster.
pub async fn operator_channel(
    trust: &Trust,
    cluster_id: &str,
    node: &NodeName,
    address: SocketAddr,
) -> Result<Channel, LinkError> {
    let identity = PeerIdentity::Node {
        cluster_id: cluster_id.to_owned(),
        name: node.clone(),
    };
    let attempt = async {
        let (stream, _, _) = dial(trust, identity, address)
            .await
            .map_err(|error| explain(node, error))?;
        channel(stream).await.map_err(|reason| unreachable(node, reason))
    };
    match tokio::time::timeout(CONNECT_TIMEOUT, attempt).await {
        Ok(result) => result,
        Err(_) => Err(unreachable(node, "no answer in time".to_owned())),
    }
}

/// TCP and TLS.
async fn dial(
    trust: &Trust,
    expected: PeerIdentity,
    address: SocketAddr,
) -> io::Result<(Dialled, [u8; EXPORTER_BYTES], CancellationToken)> {
    let config = trust.client_config(expected).map_err(io::Error::other)?;
    let stream = TcpStream::connect(address).await?;
    stream.set_nodelay(true)?;
    let name = ServerName::from(address.ip());
    let stream = TlsConnector::from(Arc::new(config)).connect(name, stream).await?;
    let exporter = stream
        .get_ref()
        .1
        .export_keying_material([0; EXPORTER_BYTES], EXPORTER_LABEL, None)
        .map_err(io::Error::other)?;
    let closed = CancellationToken::new();
    let guard = closed.clone().drop_guard();
    Ok((PeerStream::new(stream, None, guard), exporter, closed))
}

/// HTTP/2 over exactly this stream: a channel that connected again by itself would skip the proof.
async fn channel(stream: Dialled) -> Result<Channel, String> {
    let only = Arc::new(Mutex::new(Some(stream)));
    let connector = service_fn(move |_: Uri| {
        let stream = only.lock().take();
        async move {
            stream
                .map(TokioIo::new)
                .ok_or_else(|| io::Error::new(io::ErrorKind::NotConnected, "the connection has ended"))
        }
    });
    Endpoint::from_static(AUTHORITY)
        .timeout(CALL_TIMEOUT)
        .concurrency_limit(CALLS_PER_CONNECTION_MAX)
        .http2_keep_alive_interval(KEEPALIVE_INTERVAL)
        .keep_alive_timeout(KEEPALIVE_TIMEOUT)
        .keep_alive_while_idle(true)
        .connect_with_connector(connector)
        .await
        .map_err(|error| with_sources(&error))
}

fn explain(node: &NodeName, error: io::Error) -> LinkError {
    use rustls::{CertificateError, Error};
    match error.get_ref().and_then(|inner| inner.downcast_ref::<Error>()) {
        Some(Error::InvalidCertificate(
            CertificateError::Expired | CertificateError::ExpiredContext { .. },
        )) => LinkError::Expired { node: node.clone() },
        Some(Error::InvalidCertificate(_)) => LinkError::OtherPeer { node: node.clone() },
        _ => unreachable(node, error.to_string()),
    }
}

fn unreachable(node: &NodeName, reason: String) -> LinkError {
    LinkError::Unreachable {
        node: node.clone(),
        reason,
    }
}

fn with_sources(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(inner) = source {
        text = format!("{text}: {inner}");
        source = inner.source();
    }
    text
}
