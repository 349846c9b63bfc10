//! What was seen of a cluster at one moment, by whatever way.

use std::time::Duration;
use tim_proto::control::v1::StatusReply;

/// How long one node may take to answer before its row says that it does not.
pub const NODE_ANSWER_MAX: Duration = Duration::from_secs(2);

/// A cluster at one moment.
#[derive(Debug, Clone, Default)]
pub struct Observation {
    /// Name of the cluster.
    pub cluster: String,
    /// Its identity.
    pub cluster_id: String,
    /// What the command acts on, in words.
    pub target: String,
    /// Nodes wanted.
    pub replicas: u32,
    /// Whether the annotation `timcluster.io/pause` stops changes.
    pub paused: bool,
    /// Databases that the spec declares, and how each is reached.
    pub databases: Vec<DeclaredDatabase>,
    /// The nodes, wanted or still there, by ordinal.
    pub nodes: Vec<NodeObservation>,
    /// Repartitions that have not ended.
    pub repartitions: Vec<RepartitionObservation>,
    /// Conditions of the object.
    pub conditions: Vec<ConditionObservation>,
    /// Who makes the spec true, and whether it works.
    pub controller: Controller,
    /// Image, where there is one.
    pub image: Option<String>,
}

/// Who makes the spec true.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum Controller {
    /// It works on the present generation.
    #[default]
    Current,
    /// It has not seen the latest change yet.
    Behind,
    /// Nobody does (the supervisor was killed).
    Absent,
}

/// A database of the spec.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct DeclaredDatabase {
    /// Its name.
    pub name: String,
    /// `SQLite`, `PostgreSQL`, `MySQL`, as far as known.
    pub kind: String,
}

/// A node at one moment.
#[derive(Debug, Clone, Default)]
pub struct NodeObservation {
    /// Its name.
    pub name: String,
    /// Whether the spec wants it.
    pub wanted: bool,
    /// Its process, on a laptop.
    pub pid: Option<u32>,
    /// Whether a process or pod is there.
    pub present: bool,
    /// For how long its process has run, where that is known.
    pub runs_for: Option<Duration>,
    /// Why it does not start, as far as the substrate knows: code and sentence.
    pub trouble: Option<(String, String)>,
    /// Where clients connect.
    pub client_url: Option<String>,
    /// Where administrators look.
    pub admin_url: Option<String>,
    /// What it said; none: it did not answer.
    pub reply: Option<StatusReply>,
    /// When it was last heard of, in seconds before now, if it does not answer.
    pub silent_seconds: Option<u64>,
}

/// A repartition that has not ended.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct RepartitionObservation {
    /// Its name.
    pub name: String,
    /// Its phase.
    pub phase: String,
    /// Percent of the copy; -1 unknown.
    pub percent: i32,
    /// What it waits for.
    pub reason: Option<String>,
}

/// A condition of the object.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ConditionObservation {
    /// Its type.
    pub kind: String,
    /// True, False or Unknown.
    pub status: String,
    /// One word why.
    pub reason: String,
    /// A sentence why.
    pub message: String,
}
