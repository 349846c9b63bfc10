//! Listening sockets for HTTP and WebSocket, with TLS where the configuration says so.
//!
//! Whoever speaks plain HTTP to a TLS port is told so in HTTP, instead of meeting a closed socket.

use crate::admission::StrangerPlace;
use crate::node::Node;
use crate::supervisor::Stop;
use anyhow::Context as _;
use axum::Router;
use futures::FutureExt;
use futures::future::BoxFuture;
use hyper::Request;
use hyper::body::Incoming;
use hyper::service::{Service as _, service_fn};
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use parking_lot::Mutex;
use std::future::poll_fn;
use std::net::SocketAddr;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;
use tim_catalogue::{Report, node as causes};
use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;

/// How long the headers of a request and a TLS handshake may take.
const HEADER_LIMIT: Duration = Duration::from_secs(10);
/// HTTP/1 buffer per connection before it is upgraded; hyper takes no less.
const HTTP_BUFFER_BYTES: usize = 8 * 1_024;
/// First byte of a TLS handshake record.
const TLS_HANDSHAKE: u8 = 0x16;
/// Wait after `accept` failed for want of descriptors, which others must give back first.
const ACCEPT_RETRY: Duration = Duration::from_millis(50);

/// A socket that is bound and listens.
#[derive(Debug)]
pub(crate) struct BoundListener {
    listener: TcpListener,
    /// Where it listens; the port is known now, also when the configuration left it open.
    pub(crate) address: SocketAddr,
}

impl BoundListener {
    /// The next connection, at once written to when there is something; failures are waited over.
    pub(crate) async fn accept(&self) -> (TcpStream, SocketAddr) {
        loop {
            match self.listener.accept().await {
                Ok((socket, remote)) => {
                    // Small frames are answered at once; without it each waits for the client's delayed acknowledgement.
                    let _ = socket.set_nodelay(true);
                    return (socket, remote);
                }
                Err(error) => {
                    tracing::warn!(%error, "a connection could not be accepted");
                    tokio::time::sleep(ACCEPT_RETRY).await;
                }
            }
        }
    }
}

/// Binds a listener.
///
/// # Errors
/// TIM-N101 with the process that has the port, where the system tells.
pub(crate) async fn bind(purpose: &str, address: SocketAddr) -> anyhow::Result<BoundListener> {
    let listener = TcpListener::bind(address)
        .await
        .map_err(|error| bind_error(purpose, address, &error))?;
    let address = listener.local_addr().context("read the address of a listener")?;
    Ok(BoundListener { listener, address })
}

/// What a failed bind means for the user.
pub(crate) fn bind_error(purpose: &str, address: SocketAddr, error: &std::io::Error) -> Report {
    if error.kind() == std::io::ErrorKind::AddrInUse {
        let holder =
            crate::port_holder::describe(address.port()).unwrap_or_else(|| "another process".to_owned());
        return Report::new(
            &causes::ADDRESS_IN_USE,
            format!("port {} ({purpose}) is used by {holder}", address.port()),
        );
    }
    Report::new(
        &causes::ADDRESS_NOT_USABLE,
        format!("{address} ({purpose}) cannot be listened on: {error}"),
    )
}

/// What stands between a socket and the routes.
#[derive(Clone, Default)]
pub(crate) struct Door {
    /// TLS, where the configuration says so.
    pub(crate) tls: Option<Arc<dyn TlsSource>>,
    /// The node whose limit of connections without a login holds here; none on the admin port.
    pub(crate) limited_by: Option<Arc<Node>>,
}

impl Door {
    /// A place for a socket, or nothing where there is no limit; an error when the limit is reached.
    fn place(&self) -> Result<Option<StrangerPlace>, Full> {
        let Some(node) = &self.limited_by else {
            return Ok(None);
        };
        let Some(admitted) = node.admission.stranger() else {
            node.metrics.limit_reached("limits.unauthenticated_max");
            return Err(Full);
        };
        if admitted.another_yields {
            node.metrics.strangers_yielded.add(1, &[]);
        }
        Ok(Some(admitted.place))
    }
}

/// Who has come in by a socket, for the routes.
#[derive(Debug, Clone)]
pub(crate) struct Arrival {
    /// Where from, as the socket says.
    pub(crate) remote: SocketAddr,
    place: Arc<Mutex<Option<StrangerPlace>>>,
}

impl Arrival {
    /// The place that the socket has, for a connection that outlives HTTP; without that it goes with the socket.
    pub(crate) fn take_place(&self) -> Option<StrangerPlace> {
        self.place.lock().take()
    }

    /// What keeps the socket from being cut off, until it is dropped.
    pub(crate) fn busy(&self) -> Busy<'_> {
        self.set_busy(true);
        Busy(self)
    }

    fn set_busy(&self, busy: bool) {
        if let Some(place) = self.place.lock().as_mut() {
            place.set_busy(busy);
        }
    }

    /// Ready when the place is another's and the socket still speaks HTTP.
    fn poll_yields(&self, context: &Context<'_>) -> Poll<()> {
        let place = self.place.lock();
        place
            .as_ref()
            .map_or(Poll::Pending, |place| place.poll_yields(context))
    }
}

/// A request by which somebody logs in or registers is being answered.
pub(crate) struct Busy<'a>(&'a Arrival);

impl Drop for Busy<'_> {
    fn drop(&mut self) {
        self.0.set_busy(false);
    }
}

/// There are as many connections without a login as the node takes, and all are being answered.
struct Full;

/// Accepts and serves until the process stops.
pub(crate) async fn serve(bound: BoundListener, router: Router, door: Door, mut stop: Stop) {
    loop {
        let (socket, remote) = tokio::select! {
            () = stop.stopped() => return,
            accepted = bound.accept() => accepted,
        };
        let Ok(place) = door.place() else {
            turn_away(&socket, &door);
            continue;
        };
        let (router, tls) = (router.clone(), door.tls.clone());
        let arrival = Arrival {
            remote,
            place: Arc::new(Mutex::new(place)),
        };
        let served = match tls {
            None => http(socket, arrival.clone(), router),
            Some(tls) => Box::pin(secured(socket, arrival.clone(), router, tls)),
        };
        tokio::spawn(until_it_yields(arrival, served));
    }
}

/// Gives the present TLS configuration; it changes when certificates do.
pub(crate) trait TlsSource: Send + Sync + 'static {
    /// The configuration for a new connection; nothing while there is no certificate yet.
    fn server_config(&self) -> Option<Arc<rustls::ServerConfig>>;
}

/// Says in one write that there is no room; nobody waits for a stranger.
fn turn_away(socket: &TcpStream, door: &Door) {
    if door.tls.is_some() {
        return;
    }
    let full = Report::new(
        &causes::OVERLOADED,
        "this node answers as many logins and registrations as it takes connections without a login (limits.unauthenticated_max)",
    );
    let body = format!(
        "{}\n",
        full.with_remedy("connect again in a moment, or to another node")
    );
    let answer = format!(
        "HTTP/1.1 503 Service Unavailable\r\nContent-Type: text/plain\r\nContent-Length: {}\r\nConnection: close\r\n\r\n{body}",
        body.len()
    );
    // Whoever asked may be gone.
    let _ = socket.try_write(answer.as_bytes());
}

/// Serves a socket until it ends or its place is another's: then it is closed at once, so that no more are open than have
/// places.
///
/// What is served is boxed: a task's memory is aligned so that the system's allocator does not give the place of a large one
/// that has ended to the next, and each session would leave such a hole behind.
async fn until_it_yields(arrival: Arrival, mut served: BoxFuture<'static, ()>) {
    poll_fn(|context| match served.as_mut().poll(context) {
        Poll::Ready(()) => Poll::Ready(()),
        // Only now: an answer that was just made is written.
        Poll::Pending => arrival.poll_yields(context),
    })
    .await;
}

/// Serves a socket that has to speak TLS.
async fn secured(socket: TcpStream, arrival: Arrival, router: Router, tls: Arc<dyn TlsSource>) {
    if let Ok(Some(stream)) = tokio::time::timeout(HEADER_LIMIT, Box::pin(handshake(socket, tls))).await {
        http(stream, arrival, router).await;
    }
}

async fn handshake(socket: TcpStream, tls: Arc<dyn TlsSource>) -> Option<Box<TlsStream<TcpStream>>> {
    let mut first = [0_u8];
    match socket.peek(&mut first).await {
        Ok(1..) if first[0] != TLS_HANDSHAKE => {
            plain_http_on_tls(socket).await;
            None
        }
        Ok(1..) => {
            let accepted = TlsAcceptor::from(tls.server_config()?).accept(socket).await;
            accepted.ok().map(Box::new)
        }
        _ => None,
    }
}

async fn plain_http_on_tls(mut socket: TcpStream) {
    const BODY: &str = "This port speaks TLS: use https:// or wss://, not http:// or ws://.\n";
    let answer = format!(
        "HTTP/1.1 400 Bad Request\r\nContent-Type: text/plain\r\nContent-Length: {}\r\nConnection: close\r\n\r\n{BODY}",
        BODY.len()
    );
    // Whoever asked may be gone.
    let _ = socket.write_all(answer.as_bytes()).await;
    let _ = socket.shutdown().await;
}

/// Serves HTTP on a stream, until it ends or has become something else.
fn http<S>(stream: S, arrival: Arrival, router: Router) -> BoxFuture<'static, ()>
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let routes = TowerToHyperService::new(router);
    let service = service_fn(move |mut request: Request<Incoming>| {
        request.extensions_mut().insert(arrival.clone());
        routes.call(request)
    });
    let served = hyper::server::conn::http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HEADER_LIMIT)
        .max_buf_size(HTTP_BUFFER_BYTES)
        .serve_connection(TokioIo::new(stream), service)
        .with_upgrades();
    Box::pin(served.map(|ended| {
        if let Err(error) = ended {
            tracing::debug!(%error, "a connection ended badly");
        }
    }))
}
