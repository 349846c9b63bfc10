//! Connections between nodes, and from the operator to a node: gRPC over mutual TLS.
//!
//! Serving: [`PeerServer`] accepts, checks certificates, and lets a call through only if the caller's role may make it
//! (`gate`): the operator calls `NodeControl` and nothing else; a node calls the peer services, and before its first call
//! it must prove on this very connection that it holds the cluster secret ([`Handshaker`]).
//!
//! Calling: [`Links`] keeps one connection per peer, by node name; the address comes from membership. A connection that
//! ends is never replaced under the hands of who uses it: [`Link::closed`] tells, the next [`Links::link`] makes a new one,
//! with a new proof.

mod client;
mod error;
mod gate;
mod handshake;
mod pool;
mod server;
mod stream;

pub use client::{Link, operator_channel};
pub use error::LinkError;
pub use handshake::{Handshaker, VerifiedPeer};
pub use pool::Links;
pub use server::{PeerServer, ServeError};
pub use stream::PeerConnection;

use std::time::Duration;

/// Largest message between nodes, either way, in bytes.
pub const MESSAGE_BYTES_MAX: usize = 16 << 20;
/// Calls of one connection that may be under way.
pub const CALLS_PER_CONNECTION_MAX: usize = 1_024;
/// Connections a node serves.
pub const CONNECTIONS_MAX: usize = 1_024;
/// TLS handshakes under way at once.
pub const HANDSHAKES_MAX: usize = 64;
/// How long connecting, with both handshakes, may take.
pub const CONNECT_TIMEOUT: Duration = Duration::from_secs(3);
/// How long a call may take to its first answer.
pub const CALL_TIMEOUT: Duration = Duration::from_secs(5);
/// A connection at rest is asked for a sign of life this often,
pub const KEEPALIVE_INTERVAL: Duration = Duration::from_secs(2);
/// and ends when none comes within this time.
pub const KEEPALIVE_TIMEOUT: Duration = Duration::from_secs(3);

#[cfg(test)]
mod tests;
