//! What a plan asks a substrate to do. Each action is safe to repeat, and carries what makes it safe: a uid or a
//! resource version, so that it does nothing to an object that is no longer the one that was observed.

use jiff::Timestamp;

/// One thing to do. Actions of a plan are carried out in order; at the first failure the rest is left to the next plan.
#[derive(Debug, Clone, PartialEq)]
pub enum Action {
    /// Put the finalizer on the TimCluster.
    AddFinalizer,
    /// Make a Secret that does not exist. Create only: if it is there after all, nothing happens.
    CreateSecret(SecretKind),
    /// Make a new authority, keep the old certificate in the bundle until its last leaf is gone.
    RenewAuthority,
    /// Make or renew certificates; existing ones of other holders stay as they are.
    IssueCertificates {
        /// Names of nodes, existing or about to be.
        nodes: Vec<String>,
        /// Whether the operator's own is among them.
        operator: bool,
    },
    /// Write one of the desired objects.
    ApplyObject(ObjectId),
    /// Delete an owned object that is not desired any more.
    RemoveObject(ObjectId),
    /// Write the workload (StatefulSet, or the supervisor's list of processes) with that many ordinals.
    ApplyWorkload {
        /// Ordinals `0 .. replicas` exist.
        replicas: u32,
        /// Of the observed workload; none: it must not exist yet.
        resource_version: Option<String>,
    },
    /// Delete the workload but leave its nodes running; it is made anew by a later plan. For fields that cannot change.
    OrphanWorkload {
        /// Of the observed workload.
        uid: String,
    },
    /// Let the volume of a node grow.
    GrowVolume {
        /// Name of the node.
        node: String,
        /// Wanted size, as in `spec.storage.size`.
        size: String,
    },
    /// Ask a node to drain, or to go on draining: it ends when nobody asks any more.
    Drain {
        /// Name of the node.
        node: String,
        /// Its life; also the id of the drain.
        uid: String,
        /// When it has to be over; none: no limit.
        deadline: Option<Timestamp>,
        /// It will not come back: leave the control group too.
        leave_control_group: bool,
    },
    /// Ask a draining node to serve again.
    Undrain {
        /// Name of the node.
        node: String,
        /// Its life.
        uid: String,
    },
    /// Delete a node (pod or process); the workload makes it again while its ordinal is wanted.
    DeleteNode {
        /// Name of the node.
        node: String,
        /// Its life.
        uid: String,
        /// Why, for the Event.
        reason: DeleteReason,
    },
    /// Ask a serving node to take one that will not come back out of the control group.
    RemoveVoter {
        /// Name of the voter that is gone.
        voter: String,
        /// A node that answers.
        via: String,
    },
    /// Delete the workload and with it all nodes.
    DeleteWorkload {
        /// Of the observed workload.
        uid: String,
    },
    /// Delete a Secret of the cluster.
    DeleteSecret(SecretKind),
    /// Take the finalizer off: nothing is left but what the spec retains.
    RemoveFinalizer,
}

/// Why a node is deleted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DeleteReason {
    /// It is drained and will be made anew with the wanted image and configuration.
    Replaced,
    /// It does not work, and not with the wanted revision either: nothing is lost by making it anew at once.
    Broken,
    /// Its drain took longer than it may, and `drain.onTimeout` is Force.
    DrainTimeout,
}

/// The Secrets that the operator makes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum SecretKind {
    /// Key ring: gossip and handshake.
    Cluster,
    /// The key that seals what is stored. Made once, never again.
    Storage,
    /// The cluster's authority, and the operator's own certificate.
    Authority,
    /// Certificates and keys of all nodes.
    NodeTls,
}

impl SecretKind {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::Cluster, Self::Storage, Self::Authority, Self::NodeTls];
}

/// Names an object of the substrate.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ObjectId {
    /// Its kind, such as `Service`.
    pub kind: String,
    /// Its name; the namespace is the cluster's.
    pub name: String,
}

impl ObjectId {
    /// An object.
    pub fn new(kind: &str, name: impl Into<String>) -> Self {
        Self {
            kind: kind.to_owned(),
            name: name.into(),
        }
    }
}

impl std::fmt::Display for ObjectId {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(formatter, "{}/{}", self.kind, self.name)
    }
}
