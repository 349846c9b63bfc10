//! Accepting connections.

use super::gate::GateLayer;
use super::handshake::Handshaker;
use super::stream::{Accepted, EXPORTER_BYTES, EXPORTER_LABEL, PeerConnection, PeerStream};
use super::{
    CALLS_PER_CONNECTION_MAX, CONNECT_TIMEOUT, CONNECTIONS_MAX, HANDSHAKES_MAX, KEEPALIVE_INTERVAL,
    KEEPALIVE_TIMEOUT,
};
use crate::tls::{PeerIdentity, Trust};
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;
use tim_catalogue::node;
use tim_proto::peer::v1::link_server::LinkServer;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc};
use tokio_rustls::TlsAcceptor;
use tokio_stream::wrappers::ReceiverStream;
use tokio_util::sync::CancellationToken;
use tonic::service::Routes;

/// How long to wait after accepting failed (no file handles left, for instance).
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);
/// Accepted connections that may wait to be served.
const ACCEPTED_QUEUE_MAX: usize = 16;

/// Serving has ended with an error; connections are closed.
#[derive(Debug, thiserror::Error)]
#[error("peer server: {0}")]
pub struct ServeError(#[from] tonic::transport::Error);

/// The peer listener of a node.
pub struct PeerServer {
    /// A bound socket.
    pub listener: TcpListener,
    /// Certificate, key and roots in use.
    pub trust: Trust,
    /// This node's part in handshakes.
    pub handshaker: Handshaker,
    /// How long calls under way may take after shutdown was asked for.
    pub grace: Duration,
}

impl PeerServer {
    /// Serves these services, besides the handshake, until `shutdown`; then calls under way for the grace at most.
    ///
    /// # Errors
    /// The HTTP/2 server failed as a whole; a single connection's failure is none.
    pub async fn serve(self, mut routes: Routes, shutdown: CancellationToken) -> Result<(), ServeError> {
        routes = routes.add_service(LinkServer::new(self.handshaker));
        let (accepted, incoming) = mpsc::channel(ACCEPTED_QUEUE_MAX);
        let acceptor = Acceptor {
            trust: self.trust,
            accepted,
            connections: Arc::new(Semaphore::new(CONNECTIONS_MAX)),
            handshakes: Arc::new(Semaphore::new(HANDSHAKES_MAX)),
        };
        tokio::spawn(acceptor.run(self.listener, shutdown.clone()));
        let server = tonic::transport::Server::builder()
            .http2_keepalive_interval(Some(KEEPALIVE_INTERVAL))
            .http2_keepalive_timeout(Some(KEEPALIVE_TIMEOUT))
            .max_concurrent_streams(u32::try_from(CALLS_PER_CONNECTION_MAX).ok())
            .concurrency_limit_per_connection(CALLS_PER_CONNECTION_MAX)
            .layer(GateLayer)
            .serve_with_incoming_shutdown(
                routes.prepare(),
                futures::StreamExt::map(ReceiverStream::new(incoming), Ok::<Accepted, io::Error>),
                shutdown.clone().cancelled_owned(),
            );
        let grace = async {
            shutdown.cancelled().await;
            tokio::time::sleep(self.grace).await;
        };
        tokio::select! {
            served = server => served?,
            // Streams between nodes have no end of their own.
            () = grace => {}
        }
        Ok(())
    }
}

struct Acceptor {
    trust: Trust,
    accepted: mpsc::Sender<Accepted>,
    connections: Arc<Semaphore>,
    handshakes: Arc<Semaphore>,
}

impl Acceptor {
    async fn run(self, listener: TcpListener, shutdown: CancellationToken) {
        loop {
            let connection = tokio::select! {
                () = shutdown.cancelled() => return,
                accepted = listener.accept() => accepted,
            };
            match connection {
                Ok((stream, remote)) => self.admit(stream, remote),
                Err(error) => {
                    tracing::warn!(%error, "peer connection not accepted");
                    tokio::time::sleep(ACCEPT_PAUSE).await;
                }
            }
        }
    }

    /// Starts the TLS handshake, if there is room.
    fn admit(&self, stream: TcpStream, remote: SocketAddr) {
        let permits = (
            self.connections.clone().try_acquire_owned(),
            self.handshakes.clone().try_acquire_owned(),
        );
        let (Ok(connection), Ok(handshake)) = permits else {
            let code = node::OVERLOADED.code;
            tracing::warn!(code, %remote, "{code}: too many peer connections; this one is closed");
            return;
        };
        let (trust, accepted) = (self.trust.clone(), self.accepted.clone());
        tokio::spawn(async move {
            match tokio::time::timeout(CONNECT_TIMEOUT, secure(stream, remote, &trust, connection)).await {
                Ok(Ok(stream)) => {
                    drop(handshake);
                    let _ = accepted.send(stream).await;
                }
                Ok(Err(error)) => say_refused(remote, &error),
                Err(_) => tracing::debug!(%remote, "TLS handshake takes too long"),
            }
        });
    }
}

async fn secure(
    stream: TcpStream,
    remote: SocketAddr,
    trust: &Trust,
    permit: OwnedSemaphorePermit,
) -> io::Result<Accepted> {
    stream.set_nodelay(true)?;
    let stream = TlsAcceptor::from(trust.server_config()).accept(stream).await?;
    let (_, session) = stream.get_ref();
    let certificate = session.peer_certificates().and_then(|chain| chain.first());
    let certificate = certificate.ok_or_else(|| io::Error::other("no certificate"))?;
    let identity = PeerIdentity::of_certificate(certificate).map_err(io::Error::other)?;
    let exporter = session
        .export_keying_material([0; EXPORTER_BYTES], EXPORTER_LABEL, None)
        .map_err(io::Error::other)?;
    let connection = PeerConnection::new(identity, remote, exporter);
    Ok(PeerStream::new(stream, Some(connection), permit))
}

/// A failed handshake in our log, by its cause; the other side was told no more than TLS tells.
fn say_refused(remote: SocketAddr, error: &io::Error) {
    use rustls::{CertificateError, Error};
    let tls = error.get_ref().and_then(|inner| inner.downcast_ref::<Error>());
    let cause = match tls {
        Some(Error::InvalidCertificate(
            CertificateError::Expired | CertificateError::ExpiredContext { .. },
        )) => &node::CERTIFICATE_EXPIRED,
        Some(Error::InvalidCertificate(_) | Error::NoCertificatesPresented) => &node::WRONG_CLUSTER,
        // Port scanners and health checks of the network come and go without a word.
        _ => {
            tracing::debug!(%remote, %error, "TLS handshake failed");
            return;
        }
    };
    let code = cause.code;
    tracing::warn!(code, %remote, %error, "{code}: peer connection refused");
}
