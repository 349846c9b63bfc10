//! What is told of a call: a span while it lasts, a count when it ends.

use crate::node::Node;
use tim_telemetry::{Kind, Span, attribute, names};

/// By which of the interfaces somebody calls.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::admin) enum Interface {
    /// HTTP under `/api/v1`.
    Api,
    /// The HTTP API of tim 2.0.
    Tim20,
    /// The server API of tim 2.1, thrift over TCP.
    ServerApi,
    /// The administrators' WebSocket of tim 2.1.
    WebSocket,
}

impl Interface {
    fn name(self) -> &'static str {
        match self {
            Self::Api => "api_v1",
            Self::Tim20 => "tim_2_0",
            Self::ServerApi => "server_api",
            Self::WebSocket => "websocket",
        }
    }
}

/// A call that is being answered. Whoever gives it up before its end leaves a span without an outcome, and no count.
#[derive(Debug)]
pub(in crate::admin) struct Observed {
    operation: &'static str,
    span: Span,
}

impl Observed {
    /// Begins now.
    pub(in crate::admin) fn begin(interface: Interface, operation: &'static str) -> Self {
        let mut span = Span::root(&names::ADMIN_CALL, Kind::Server);
        if span.is_recording() {
            span.set(attribute(&names::ADMIN_INTERFACE, interface.name()));
            span.set(attribute(&names::ADMIN_OPERATION, operation));
        }
        Self { operation, span }
    }

    /// Somebody was refused at once.
    pub(in crate::admin) fn refused(
        interface: Interface,
        operation: &'static str,
        node: &Node,
        cause: &'static str,
    ) {
        Self::begin(interface, operation).end(node, Some(cause));
    }

    /// Ends now: answered, or refused for a cause.
    pub(in crate::admin) fn end(mut self, node: &Node, cause: Option<&'static str>) {
        node.metrics.administered(self.operation, cause);
        let outcome = if cause.is_some() { "refused" } else { "done" };
        self.span.set(attribute(&names::ADMIN_OUTCOME, outcome));
        if let Some(cause) = cause {
            self.span.fail(cause);
        }
    }
}
