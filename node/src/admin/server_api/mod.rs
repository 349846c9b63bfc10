//! The server API of tim 2.1: thrift calls over TCP by console users (section 19.2 of the wire protocol).
//!
//! A connection is a [`machine`] that knows the protocol, driven here by what its socket brings: one call at a time, so a
//! caller that does not read its answers is not read either. Sizes, times and numbers of connections and calls are
//! limited; what is done goes through the operations of the other interfaces, under the same audit and the same rates.

mod convert;
mod machine;
mod methods;
mod people;

use super::access::{Access, Caller, Interface, Observed};
use super::problem::Problem;
use crate::edge::{BoundListener, TlsSource};
use crate::node::Node;
use machine::{Machine, Step};
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;
use tim_catalogue::administration::TIMED_OUT;
use tim_catalogue::node::OVERLOADED;
use tim_wire::server_api::{AuthBean, Call, Message};
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::sync::Semaphore;
use tokio_rustls::TlsAcceptor;

/// Bytes that are read at once.
const READ_BYTES: usize = 8 << 10;
/// How long a TLS handshake may take, and an answer to be taken.
const IO_LIMIT: Duration = Duration::from_secs(10);

/// What the listener works with.
#[derive(Clone)]
pub(crate) struct Door {
    pub(crate) access: Arc<Access>,
    pub(crate) node: Arc<Node>,
    pub(crate) tls: Option<Arc<dyn TlsSource>>,
}

/// Accepts and serves until it is cut off.
pub(crate) async fn serve(bound: BoundListener, door: Door) {
    let most = door.node.config.listeners.server_api.connections_max as usize;
    let places = Arc::new(Semaphore::new(most));
    loop {
        let (socket, remote) = bound.accept().await;
        let Ok(place) = Arc::clone(&places).try_acquire_owned() else {
            door.node
                .metrics
                .limit_reached("listeners.server_api.connections_max");
            continue;
        };
        let door = door.clone();
        tokio::spawn(async move {
            Box::pin(connection(socket, remote, &door)).await;
            drop(place);
        });
    }
}

async fn connection(socket: tokio::net::TcpStream, remote: SocketAddr, door: &Door) {
    let Some(tls) = &door.tls else {
        return Box::pin(talk(socket, remote.ip(), door)).await;
    };
    let Some(config) = tls.server_config() else { return };
    let handshake = TlsAcceptor::from(config).accept(socket);
    if let Ok(Ok(stream)) = tokio::time::timeout(IO_LIMIT, handshake).await {
        Box::pin(talk(stream, remote.ip(), door)).await;
    }
}

async fn talk(mut stream: impl AsyncRead + AsyncWrite + Unpin, from: IpAddr, door: &Door) {
    let idle = Duration::from_millis(door.node.config.listeners.server_api.idle_timeout_millis);
    let mut machine = Machine::new(door.access.config().body_bytes_max as usize);
    let mut buffer = vec![0; READ_BYTES];
    loop {
        let (answer, ends) = match machine.step() {
            Step::Wait => {
                match tokio::time::timeout(idle, stream.read(&mut buffer)).await {
                    Ok(Ok(read @ 1..)) => machine.received(buffer.get(..read).unwrap_or_default()),
                    _ => return,
                }
                continue;
            }
            Step::Write(answer) => (answer, false),
            Step::WriteAndClose(answer) => (answer, true),
            Step::Close(error) => {
                tracing::debug!(%error, "a connection of the server API is closed");
                return;
            }
            Step::Authenticate(message, bean) => {
                let outcome = Box::pin(authenticate(door, bean, from)).await;
                (
                    machine.authenticated(&message, outcome.map_err(|problem| problem.wire())),
                    false,
                )
            }
            Step::Do(message, call) => {
                let caller = machine.caller().unwrap_or_default().to_owned();
                (Box::pin(done(door, caller, message, *call)).await, false)
            }
        };
        let written = tokio::time::timeout(IO_LIMIT, stream.write_all(&answer)).await;
        if !matches!(written, Ok(Ok(()))) || ends {
            // What was written is to arrive before the end does.
            let _ = tokio::time::timeout(IO_LIMIT, stream.shutdown()).await;
            return;
        }
    }
}

async fn authenticate(door: &Door, bean: AuthBean, from: IpAddr) -> Result<String, Problem> {
    let (name, password) = (
        bean.username.unwrap_or_default(),
        bean.password.unwrap_or_default(),
    );
    let fits = door.access.by_password(&door.node, (&name, &password), from);
    match Box::pin(fits).await {
        Ok(()) => Ok(name),
        Err(problem) => {
            Observed::refused(Interface::ServerApi, "authenticate", &door.node, problem.name());
            Err(problem)
        }
    }
}

/// Does what is asked, if there is a place for it, and for as long as it may take.
async fn done(door: &Door, caller: String, message: Message, call: Call) -> bytes::Bytes {
    let Ok(_place) = door.access.places.try_acquire() else {
        let observed = "as many requests are served as admin.requests_max allows";
        let status = axum::http::StatusCode::SERVICE_UNAVAILABLE;
        let problem = Problem::new(status, &OVERLOADED, observed);
        return methods::refused(&message, &call, &problem);
    };
    let caller = Caller::console_user(&caller, Arc::clone(&door.node), Interface::ServerApi);
    let millis = door.access.config().request_timeout_millis;
    let asked = call.clone();
    let answered = tokio::time::timeout(
        Duration::from_millis(millis),
        Box::pin(methods::answer(&caller, &message, call)),
    );
    answered.await.unwrap_or_else(|_| {
        let observed = format!("the call has taken more than {millis} ms");
        let status = axum::http::StatusCode::GATEWAY_TIMEOUT;
        methods::refused(&message, &asked, &Problem::new(status, &TIMED_OUT, observed))
    })
}
