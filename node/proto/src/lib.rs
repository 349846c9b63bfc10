//! gRPC messages between nodes and from the operator to a node.
//!
//! Two packages: [`peer`] is spoken by nodes among themselves, and only after
//! `Link.Handshake` has passed on a connection; [`control`] is what an operator or a
//! supervisor may ask of one node. Both are documented in `proto/`, which is the contract:
//! fields are only added, versions N and N-1 work together.

/// Node to node.
pub mod peer {
    /// Version 1 of the peer protocol.
    #[allow(
        missing_docs,
        unreachable_pub,
        unused_qualifications,
        clippy::all,
        clippy::too_many_lines,
        clippy::allow_attributes_without_reason,
        reason = "generated; the .proto files hold the documentation"
    )]
    pub mod v1 {
        tonic::include_proto!("tim.peer.v1");
    }
}

/// Operator or supervisor to node.
pub mod control {
    /// Version 1 of the node control protocol.
    #[allow(
        missing_docs,
        unreachable_pub,
        unused_qualifications,
        clippy::all,
        clippy::too_many_lines,
        clippy::allow_attributes_without_reason,
        reason = "generated; the .proto files hold the documentation"
    )]
    pub mod v1 {
        tonic::include_proto!("tim.control.v1");
    }
}

/// Lowest version of the peer protocol this build speaks.
pub const PROTOCOL_VERSION_MIN: u32 = 1;
/// Highest version of the peer protocol this build speaks.
pub const PROTOCOL_VERSION_MAX: u32 = 1;
