//! Which calls a connection may make.

use super::handshake::refused;
use super::stream::PeerConnection;
use crate::tls::PeerIdentity;
use std::future::{Ready, ready};
use std::task::{Context, Poll};
use tonic::body::Body;
use tonic::codegen::http::{Request, Response};
use tower::{Layer, Service};

const CONTROL: &str = "/tim.control.v1.";
const LINK: &str = "/tim.peer.v1.Link/";
const PEER: &str = "/tim.peer.v1.";

/// Whether a call of that path may be made on that connection.
pub(super) fn allows(connection: &PeerConnection, path: &str) -> bool {
    match connection.identity() {
        PeerIdentity::Operator { .. } => path.starts_with(CONTROL),
        PeerIdentity::Node { .. } if path.starts_with(LINK) => true,
        PeerIdentity::Node { .. } => path.starts_with(PEER) && connection.verified().is_some(),
    }
}

/// Puts the gate before all services.
#[derive(Debug, Clone, Copy)]
pub(super) struct GateLayer;

impl<S> Layer<S> for GateLayer {
    type Service = Gate<S>;

    fn layer(&self, inner: S) -> Gate<S> {
        Gate { inner }
    }
}

/// Lets through what [`allows`] allows.
#[derive(Debug, Clone)]
pub(super) struct Gate<S> {
    inner: S,
}

impl<S> Service<Request<Body>> for Gate<S>
where
    S: Service<Request<Body>, Response = Response<Body>>,
{
    type Response = Response<Body>;
    type Error = S::Error;
    type Future = futures::future::Either<S::Future, Ready<Result<Response<Body>, S::Error>>>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(context)
    }

    fn call(&mut self, request: Request<Body>) -> Self::Future {
        let connection = request
            .extensions()
            .get::<Option<PeerConnection>>()
            .cloned()
            .flatten();
        match connection {
            Some(connection) if allows(&connection, request.uri().path()) => {
                futures::future::Either::Left(self.inner.call(request))
            }
            // Without a connection's identity nothing is served: whoever wires this up otherwise is told so by every call.
            _ => futures::future::Either::Right(ready(Ok(refused().into_http()))),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::links::VerifiedPeer;
    use tim_core::id::{Generation, NodeName};

    #[test]
    fn roles_and_proof_decide() {
        let connection =
            |uri: &str| PeerConnection::new(uri.parse().unwrap(), "127.0.0.1:1".parse().unwrap(), [0; 32]);
        let operator = connection("tim://chat/operator");
        let node = connection("tim://chat/node/chat-0");
        let table = [
            ("/tim.control.v1.NodeControl/Status", true, false, false),
            ("/tim.peer.v1.Link/Handshake", false, true, true),
            ("/tim.peer.v1.Home/Append", false, false, true),
            ("/tim.peer.v1.Raft/Vote", false, false, true),
            ("/grpc.reflection.v1.ServerReflection/X", false, false, false),
            ("/", false, false, false),
        ];
        for (path, by_operator, by_node, _) in table {
            assert_eq!(allows(&operator, path), by_operator, "{path}");
            assert_eq!(allows(&node, path), by_node, "{path}");
        }
        node.set_verified(VerifiedPeer {
            node: NodeName::new("chat-0").unwrap(),
            generation: Generation(1),
            version: 1,
        });
        for (path, _, _, by_verified) in table {
            assert_eq!(allows(&node, path), by_verified, "{path}");
        }
    }
}
