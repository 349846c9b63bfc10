//! Why there is no link.

use tim_catalogue::{Cause, node};
use tim_core::id::NodeName;

/// There is no link to that node. In every case nothing was sent to it.
#[derive(Debug, Clone, thiserror::Error)]
pub enum LinkError {
    /// Membership does not know it. Ask again when the members change.
    #[error("node {node} is not known")]
    Unknown {
        /// The node.
        node: NodeName,
    },
    /// It does not answer, or not in time. Ask again later; the pool paces attempts.
    #[error("node {node} cannot be reached: {reason}")]
    Unreachable {
        /// The node.
        node: NodeName,
        /// What was observed.
        reason: String,
    },
    /// The last attempt failed a moment ago; the next one is not due yet.
    #[error("node {node} could not be reached a moment ago: {reason}")]
    Waiting {
        /// The node.
        node: NodeName,
        /// Why the last attempt failed.
        reason: String,
    },
    /// It does not accept our proof, or gave none: the cluster secrets differ. Stays until one of them is put right.
    #[error("node {node} and this one do not hold the same cluster secret")]
    Secret {
        /// The node.
        node: NodeName,
    },
    /// What answers there has the certificate of somebody else. Stays until addresses or certificates are put right.
    #[error("what answers for node {node} is not that node of this cluster")]
    OtherPeer {
        /// The node.
        node: NodeName,
    },
    /// A certificate has ended: theirs, or our own.
    #[error("a certificate between this node and {node} has ended")]
    Expired {
        /// The node.
        node: NodeName,
    },
    /// No protocol version in common. Stays until one of them is upgraded.
    #[error("node {node} speaks no protocol version that this node speaks")]
    Version {
        /// The node.
        node: NodeName,
    },
    /// Our own certificate cannot be used.
    #[error("own certificate: {reason}")]
    OwnCertificate {
        /// Why.
        reason: String,
    },
}

impl LinkError {
    /// The catalogue's entry.
    pub fn cause(&self) -> &'static Cause {
        match self {
            Self::Unknown { .. } | Self::Unreachable { .. } | Self::Waiting { .. } => &node::NODE_UNREACHABLE,
            Self::Secret { .. } => &node::WRONG_CLUSTER_SECRET,
            Self::OtherPeer { .. } => &node::WRONG_CLUSTER,
            Self::Expired { .. } => &node::CERTIFICATE_EXPIRED,
            Self::Version { .. } => &node::UNSUPPORTED_VERSION,
            Self::OwnCertificate { .. } => &node::CERTIFICATE_UNREADABLE,
        }
    }
}

impl From<LinkError> for tonic::Status {
    /// As a failed call: unavailable, so that whoever retries calls does so.
    fn from(error: LinkError) -> Self {
        Self::unavailable(error.to_string())
    }
}
