//! A connection's byte stream, and what is known of who is at its other end.

use super::handshake::VerifiedPeer;
use crate::tls::PeerIdentity;
use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::{Arc, OnceLock};
use std::task::{Context, Poll};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio_util::sync::DropGuard;
use tonic::transport::server::Connected;

/// Label under which both ends derive a value that no other connection has (RFC 9266 names such uses).
pub(super) const EXPORTER_LABEL: &[u8] = b"EXPORTER-tim-link-v1";
/// Bytes of that value.
pub(super) const EXPORTER_BYTES: usize = 32;

/// What is known of the other end of a served connection; every request carries it as an extension.
#[derive(Debug, Clone)]
pub struct PeerConnection(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    identity: PeerIdentity,
    remote: SocketAddr,
    exporter: [u8; EXPORTER_BYTES],
    verified: OnceLock<VerifiedPeer>,
}

impl PeerConnection {
    pub(super) fn new(identity: PeerIdentity, remote: SocketAddr, exporter: [u8; EXPORTER_BYTES]) -> Self {
        Self(Arc::new(Inner {
            identity,
            remote,
            exporter,
            verified: OnceLock::new(),
        }))
    }

    /// Whom its certificate names.
    pub fn identity(&self) -> &PeerIdentity {
        &self.0.identity
    }

    /// Where it comes from.
    pub fn remote(&self) -> SocketAddr {
        self.0.remote
    }

    /// The node, once it has proved that it holds the cluster secret.
    pub fn verified(&self) -> Option<&VerifiedPeer> {
        self.0.verified.get()
    }

    pub(super) fn exporter(&self) -> &[u8; EXPORTER_BYTES] {
        &self.0.exporter
    }

    pub(super) fn set_verified(&self, peer: VerifiedPeer) {
        // A second proof on one connection changes nothing.
        let _ = self.0.verified.set(peer);
    }
}

/// The stream of either side; `G` is dropped with it.
pub(super) struct PeerStream<S, G> {
    stream: S,
    connection: Option<PeerConnection>,
    _guard: G,
}

/// As accepted; holds its place among the connections served.
pub(super) type Accepted =
    PeerStream<tokio_rustls::server::TlsStream<TcpStream>, tokio::sync::OwnedSemaphorePermit>;
/// As connected; tells when it is dropped.
pub(super) type Dialled = PeerStream<tokio_rustls::client::TlsStream<TcpStream>, DropGuard>;

impl<S, G> PeerStream<S, G> {
    pub(super) fn new(stream: S, connection: Option<PeerConnection>, guard: G) -> Self {
        Self {
            stream,
            connection,
            _guard: guard,
        }
    }
}

impl Connected for Accepted {
    type ConnectInfo = Option<PeerConnection>;

    fn connect_info(&self) -> Self::ConnectInfo {
        self.connection.clone()
    }
}

impl<S: AsyncRead + Unpin, G: Unpin> AsyncRead for PeerStream<S, G> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_read(context, buffer)
    }
}

impl<S: AsyncWrite + Unpin, G: Unpin> AsyncWrite for PeerStream<S, G> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(context, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(context)
    }
}
