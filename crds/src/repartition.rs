//! `TimRepartition`: one movement of data between databases, and how far it is.

use kube::{CustomResource, KubeSchema};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{Condition, Time};

/// One movement of data between databases. Everything but `cancel` is immutable.
#[derive(CustomResource, KubeSchema, Serialize, Deserialize, Clone, Debug, PartialEq, Default)]
#[kube(
    group = "timcluster.io",
    version = "v1alpha1",
    kind = "TimRepartition",
    namespaced,
    status = "TimRepartitionStatus",
    derive = "PartialEq",
    derive = "Default",
    shortname = "timr",
    category = "tim",
    doc = "One movement of data between databases of a TimCluster, while people chat.",
    printcolumn(name = "Cluster", type_ = "string", json_path = ".spec.clusterRef.name"),
    printcolumn(name = "Phase", type_ = "string", json_path = ".status.phase", description = "How far it is."),
    printcolumn(name = "Percent", type_ = "integer", json_path = ".status.progress.percent", description = "Of the copy; -1 unknown, 100 only after its end."),
    printcolumn(name = "Age", type_ = "date", json_path = ".metadata.creationTimestamp"),
    printcolumn(name = "Reason", type_ = "string", json_path = ".status.phaseReason", description = "What it waits for.", priority = 1),
    validation = Rule::new("size(self.metadata.name) <= 63").message("TIM-C106 metadata.name must have at most 63 characters")
)]
#[x_kube(
    validation = Rule::new("self.clusterRef == oldSelf.clusterRef && self.operation == oldSelf.operation && self.cutover == oldSelf.cutover").message(
        "TIM-C104 a TimRepartition cannot be changed, only cancelled (spec.cancel: true). try: delete it and create another"
    ),
    validation = Rule::new("!oldSelf.cancel || self.cancel").message("TIM-C104 cancel cannot be taken back. try: create another TimRepartition")
)]
#[serde(rename_all = "camelCase")]
pub struct TimRepartitionSpec {
    /// The TimCluster, in the same namespace.
    pub cluster_ref: ClusterRef,
    /// What to do; exactly one.
    pub operation: Operation,
    /// When to switch over.
    #[serde(default)]
    pub cutover: Cutover,
    /// Give up: the copy is removed, the source stays as it is. Too late once switched over.
    #[serde(default)]
    pub cancel: bool,
}

/// A TimCluster in the same namespace.
#[derive(JsonSchema, Serialize, Deserialize, Clone, Debug, PartialEq, Eq, Default)]
#[serde(rename_all = "camelCase")]
pub struct ClusterRef {
    /// Its name.
    #[schemars(length(min = 1, max = 40))]
    pub name: String,
}

/// What to do; exactly one.
#[derive(KubeSchema, Serialize, Deserialize, Clone, Debug, PartialEq, Eq, Default)]
#[serde(rename_all = "camelCase")]
#[x_kube(validation = Rule::new("has(self.split)").message("TIM-C105 operation: exactly one of [split] is needed"))]
pub struct Operation {
    /// Cut a range in two and move the upper part to another database.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub split: Option<Split>,
}

/// Cut a range in two and move the upper part to another database.
#[derive(KubeSchema, Serialize, Deserialize, Clone, Debug, PartialEq, Eq, Default)]
#[serde(rename_all = "camelCase")]
#[x_kube(
    validation = Rule::new("self.at.all(a, a > self.from)").message("TIM-C102 split.at must lie above split.from, inside the range"),
    validation = Rule::new("size(self.at) == size(self.targets)").message("TIM-C102 split needs one target for each slot in at")
)]
pub struct Split {
    /// Lower bound of the range to cut, as `status.partitions` of the TimCluster shows it.
    #[schemars(range(min = 0, max = 1048575))]
    pub from: u32,
    /// Where to cut: first slot of the part that moves.
    #[schemars(length(min = 1, max = 1), inner(range(min = 1, max = 1048575)))]
    #[x_kube(merge_strategy = ListMerge::Atomic)]
    pub at: Vec<u32>,
    /// Where that part goes.
    #[schemars(length(min = 1, max = 1))]
    #[x_kube(merge_strategy = ListMerge::Atomic)]
    pub targets: Vec<SplitTarget>,
}

/// A database that takes over a part.
#[derive(JsonSchema, Serialize, Deserialize, Clone, Debug, PartialEq, Eq, Default)]
#[serde(rename_all = "camelCase")]
pub struct SplitTarget {
    /// Name of a database in `spec.databases` of the TimCluster.
    #[schemars(length(min = 1, max = 40))]
    pub database: String,
}

/// When to switch over.
#[derive(JsonSchema, Serialize, Deserialize, Clone, Debug, PartialEq, Eq, Default)]
#[serde(rename_all = "camelCase")]
pub struct Cutover {
    /// Automatic: as soon as the copy is verified; cleaning follows at once.
    #[serde(default)]
    pub policy: CutoverPolicy,
}

/// When to switch over.
#[derive(JsonSchema, Serialize, Deserialize, Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum CutoverPolicy {
    /// As soon as the copy is verified.
    #[default]
    Automatic,
}

/// How far a repartition is.
#[derive(KubeSchema, Serialize, Deserialize, Clone, Debug, PartialEq, Default)]
#[serde(rename_all = "camelCase")]
pub struct TimRepartitionStatus {
    /// The generation of the spec that this status speaks of.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub observed_generation: Option<i64>,
    /// How far it is.
    #[serde(default)]
    pub phase: RepartitionPhase,
    /// What it waits for, or why it ended.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 512))]
    pub phase_reason: Option<String>,
    /// Idempotency key at the nodes: starting twice starts once.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 64))]
    pub operation_id: Option<String>,
    /// Epoch that the switch installs.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fencing_epoch: Option<i64>,
    /// The ranges it ends with.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 64))]
    #[x_kube(merge_strategy = ListMerge::Map(vec!["from".into()]))]
    pub ranges: Vec<RangeProgress>,
    /// All ranges together.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub progress: Option<Progress>,
    /// The switch.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cutover: Option<CutoverStatus>,
    /// Whether it can no longer be cancelled.
    #[serde(default)]
    pub point_of_no_return: bool,
    /// The state, for machines.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 16))]
    #[x_kube(merge_strategy = ListMerge::Map(vec!["type".into()]))]
    pub conditions: Vec<Condition>,
    /// When the nodes took it on.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub start_time: Option<Time>,
    /// When it ended.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub completion_time: Option<Time>,
}

/// How far a repartition is.
#[derive(JsonSchema, Serialize, Deserialize, Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum RepartitionPhase {
    /// Not taken on yet; the reason says why.
    #[default]
    Pending,
    /// The target gets its schema and its fence.
    PreparingTargets,
    /// Rows are copied.
    Copying,
    /// Changes made meanwhile are copied.
    CatchingUp,
    /// Both sides are compared.
    Verifying,
    /// The source's fence is being closed.
    CuttingOver,
    /// The source's rows are removed.
    Cleaning,
    /// Done.
    Completed,
    /// The copy is being removed.
    Canceling,
    /// Given up; the source is as it was.
    Canceled,
    /// It cannot go on; the source is as it was.
    Failed,
}

impl RepartitionPhase {
    /// Whether nothing will change any more.
    pub fn is_final(self) -> bool {
        matches!(self, Self::Completed | Self::Canceled | Self::Failed)
    }

    /// The word shown to users.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Pending => "Pending",
            Self::PreparingTargets => "PreparingTargets",
            Self::Copying => "Copying",
            Self::CatchingUp => "CatchingUp",
            Self::Verifying => "Verifying",
            Self::CuttingOver => "CuttingOver",
            Self::Cleaning => "Cleaning",
            Self::Completed => "Completed",
            Self::Canceling => "Canceling",
            Self::Canceled => "Canceled",
            Self::Failed => "Failed",
        }
    }
}

/// One range and how far it is.
#[derive(JsonSchema, Serialize, Deserialize, Clone, Debug, PartialEq, Eq, Default)]
#[serde(rename_all = "camelCase")]
pub struct RangeProgress {
    /// First slot.
    pub from: u32,
    /// Database that had it.
    #[schemars(length(max = 40))]
    pub source: String,
    /// Database that gets it.
    #[schemars(length(max = 40))]
    pub target: String,
    /// Rows copied so far.
    #[serde(default)]
    pub rows_copied: i64,
    /// Rows expected; -1 unknown.
    #[serde(default)]
    pub rows_estimated: i64,
    /// Rows compared.
    #[serde(default)]
    pub rows_verified: i64,
    /// Differences found.
    #[serde(default)]
    pub mismatches: i64,
}

/// All ranges together.
#[derive(JsonSchema, Serialize, Deserialize, Clone, Debug, PartialEq, Eq, Default)]
#[serde(rename_all = "camelCase")]
pub struct Progress {
    /// Of the copy; -1 unknown, 100 only after its end.
    pub percent: i32,
}

/// The switch.
#[derive(JsonSchema, Serialize, Deserialize, Clone, Debug, PartialEq, Default)]
#[serde(rename_all = "camelCase")]
pub struct CutoverStatus {
    /// How often it was tried.
    #[serde(default)]
    pub attempts: i32,
    /// How long writes waited the last time.
    #[serde(default)]
    pub last_write_pause_millis: i64,
    /// When it succeeded.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub switched_at: Option<Time>,
}
