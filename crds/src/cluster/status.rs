//! What is known of a cluster. Slow facts only: counters live in metrics.

use kube::KubeSchema;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{Condition, Time};

/// What is known of a cluster.
#[derive(KubeSchema, Serialize, Deserialize, Clone, Debug, PartialEq, Default)]
#[serde(rename_all = "camelCase")]
pub struct TimClusterStatus {
    /// The generation of the spec that this status speaks of.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub observed_generation: Option<i64>,
    /// What is going on, for humans; machines read conditions.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub phase: Option<ClusterPhase>,
    /// Why the phase is what it is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 512))]
    pub phase_reason: Option<String>,
    /// Nodes that exist.
    #[serde(default)]
    pub replicas: i32,
    /// Nodes that serve.
    #[serde(default)]
    pub ready_replicas: i32,
    /// Nodes of the wanted revision.
    #[serde(default)]
    pub updated_replicas: i32,
    /// Nodes that serve and are not draining.
    #[serde(default)]
    pub available_replicas: i32,
    /// Label selector of the pods, for /scale.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 512))]
    pub selector: Option<String>,
    /// Version that all nodes run; moves when the last one does.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 256))]
    pub version: Option<String>,
    /// Image that the nodes shall run.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 512))]
    pub target_image: Option<String>,
    /// Revision that all nodes had last.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 64))]
    pub current_revision: Option<String>,
    /// Revision (image and configuration) that the spec asks for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 64))]
    pub update_revision: Option<String>,
    /// The state, for machines.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 32))]
    #[x_kube(merge_strategy = ListMerge::Map(vec!["type".into()]))]
    pub conditions: Vec<Condition>,
    /// The nodes.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 1000))]
    #[x_kube(merge_strategy = ListMerge::Map(vec!["name".into()]))]
    pub nodes: Vec<NodeStatus>,
    /// The partition map, as the nodes report it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub partitions: Option<Partitions>,
    /// The nodes' certificates.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub certificates: Option<Certificates>,
}

/// What is going on.
#[derive(JsonSchema, Serialize, Deserialize, Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum ClusterPhase {
    /// Nothing serves yet.
    #[default]
    Pending,
    /// Nodes are being added.
    ScalingOut,
    /// Nodes are being drained and removed.
    ScalingIn,
    /// Nodes are being replaced one by one.
    Updating,
    /// All is as the spec wants it.
    Running,
    /// Some nodes do not serve.
    Degraded,
    /// No node serves.
    Unavailable,
    /// `replicas` is 0.
    Stopped,
    /// Writes are stopped by the annotation.
    Paused,
    /// The spec cannot be carried out until it or something it names changes.
    Blocked,
    /// Being deleted.
    Deleting,
}

impl ClusterPhase {
    /// The word shown to users.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Pending => "Pending",
            Self::ScalingOut => "ScalingOut",
            Self::ScalingIn => "ScalingIn",
            Self::Updating => "Updating",
            Self::Running => "Running",
            Self::Degraded => "Degraded",
            Self::Unavailable => "Unavailable",
            Self::Stopped => "Stopped",
            Self::Paused => "Paused",
            Self::Blocked => "Blocked",
            Self::Deleting => "Deleting",
        }
    }
}

/// One node.
#[derive(JsonSchema, Serialize, Deserialize, Clone, Debug, PartialEq, Default)]
#[serde(rename_all = "camelCase")]
pub struct NodeStatus {
    /// Name of the node and its pod.
    #[schemars(length(max = 63))]
    pub name: String,
    /// Identity of this life of the pod or process.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 64))]
    pub uid: Option<String>,
    /// Revision it runs.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 64))]
    pub revision: Option<String>,
    /// Where it is in its life.
    #[serde(default)]
    pub state: NodeState,
    /// Whether it takes clients.
    #[serde(default)]
    pub serving: bool,
    /// Its drain, while there is one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub drain: Option<DrainStatus>,
}

/// Where a node is in its life.
#[derive(JsonSchema, Serialize, Deserialize, Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum NodeState {
    /// Not started, or not answering yet.
    #[default]
    Pending,
    /// Joining the others.
    Joining,
    /// Taking clients.
    Serving,
    /// Being emptied.
    Draining,
    /// Emptied.
    Left,
    /// It does not answer.
    Unreachable,
    /// It cannot start.
    Failed,
}

impl NodeState {
    /// The word shown to users.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Pending => "Pending",
            Self::Joining => "Joining",
            Self::Serving => "Serving",
            Self::Draining => "Draining",
            Self::Left => "Left",
            Self::Unreachable => "Unreachable",
            Self::Failed => "Failed",
        }
    }
}

/// The drain of a node.
#[derive(JsonSchema, Serialize, Deserialize, Clone, Debug, PartialEq)]
#[serde(rename_all = "camelCase")]
pub struct DrainStatus {
    /// When it began.
    pub started_at: Time,
    /// When the node stops at the latest, if `onTimeout` is Force.
    pub deadline: Time,
    /// Connections at the beginning.
    #[serde(default)]
    pub initial_connections: i64,
    /// Connections left.
    #[serde(default)]
    pub remaining_connections: i64,
}

/// The partition map, as the nodes report it.
#[derive(KubeSchema, Serialize, Deserialize, Clone, Debug, PartialEq, Eq, Default)]
#[serde(rename_all = "camelCase")]
pub struct Partitions {
    /// Epoch of the map: the highest of its ranges.
    #[serde(default)]
    pub epoch: i64,
    /// Number of ranges.
    #[serde(default)]
    pub ranges: i32,
    /// The ranges, while there are at most 64.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 64))]
    #[x_kube(merge_strategy = ListMerge::Map(vec!["from".into()]))]
    pub map: Vec<PartitionRange>,
    /// The TimRepartition at work.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 63))]
    pub active_repartition: Option<String>,
    /// Those that wait for it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 100), inner(length(max = 63)))]
    pub queued_repartitions: Vec<String>,
}

/// A range of the map.
#[derive(JsonSchema, Serialize, Deserialize, Clone, Debug, PartialEq, Eq, Default)]
#[serde(rename_all = "camelCase")]
pub struct PartitionRange {
    /// First slot.
    pub from: u32,
    /// Database that holds it.
    #[schemars(length(max = 40))]
    pub database: String,
    /// Number of the range's last change.
    #[serde(default)]
    pub epoch: i64,
}

/// The nodes' certificates.
#[derive(JsonSchema, Serialize, Deserialize, Clone, Debug, PartialEq)]
#[serde(rename_all = "camelCase")]
pub struct Certificates {
    /// When the first of them ends.
    pub not_after: Time,
    /// When they are renewed.
    pub renew_at: Time,
}
