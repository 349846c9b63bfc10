//! What a substrate sees, in words that fit pods and processes alike.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;
use tim_catalogue::Report;
use tim_crds::{TimCluster, TimRepartition};

use crate::action::{ObjectId, SecretKind};

/// Everything a plan is made from.
#[derive(Debug, Clone)]
pub struct Observed {
    /// The time.
    pub now: Timestamp,
    /// The object, with metadata and the status as it was written last.
    pub cluster: TimCluster,
    /// Image for clusters that name none; on a laptop something that changes when the program does.
    pub default_image: String,
    /// Whether all nodes can open the same SQLite file, as on a laptop.
    pub shared_disk: bool,
    /// Why node.toml cannot be made of the spec ([`crate::node_config::render`]); then it is not among `desired`.
    pub config_problem: Option<Report>,
    /// Secrets that the operator makes.
    pub secrets: Secrets,
    /// What the `dsnSecretRef` of each database leads to, by the database's name.
    pub databases: BTreeMap<String, Dsn>,
    /// What each of `config.secretRefs` leads to: a hash of the content, or nothing. By `NAME/KEY`.
    pub config_secrets: BTreeMap<String, Option<String>>,
    /// The objects that shall exist besides workload and Secrets, with a hash of each.
    pub desired: BTreeMap<ObjectId, String>,
    /// A hash of the workload as it shall be, without its number of replicas.
    pub desired_workload: String,
    /// The objects that are there, of kinds the operator makes: those it owns, and others that have a name it needs.
    pub present: BTreeMap<ObjectId, Present>,
    /// The StatefulSet, or the supervisor's list of processes.
    pub workload: Option<Workload>,
    /// Volumes by the node's name; nodes on a laptop have none.
    pub volumes: BTreeMap<String, Volume>,
    /// The pods or processes.
    pub nodes: Vec<Node>,
    /// The TimRepartitions of this cluster that have not ended.
    pub repartitions: Vec<RepartitionSummary>,
}

/// Secrets that the operator makes.
#[derive(Debug, Clone, Default)]
pub struct Secrets {
    /// Those that are there.
    pub present: BTreeSet<SecretKind>,
    /// Those that are there, but of somebody else: not controlled by this cluster.
    pub foreign: BTreeSet<SecretKind>,
    /// When the authority ends.
    pub authority_not_after: Option<Timestamp>,
    /// Certificates by the node's name: those that fit the authority and the name.
    pub certificates: BTreeMap<String, Certificate>,
    /// The operator's own.
    pub operator_certificate: Option<Certificate>,
}

/// A certificate.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Certificate {
    /// When it began.
    pub not_before: Timestamp,
    /// When it ends.
    pub not_after: Timestamp,
}

/// What a reference to a DSN leads to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Dsn {
    /// There is no such Secret.
    SecretMissing,
    /// The Secret has no such key, or it is empty.
    KeyMissing,
    /// A DSN. The scheme is what stands before the first colon; the rest is nobody's business here.
    Found {
        /// `sqlite`, `postgres`, `postgresql`, `mysql`, `mariadb`, or something unknown.
        scheme: String,
    },
}

/// An object that is there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Present {
    /// The hash in its annotation: what was applied last. None: it was not made by an operator.
    pub hash: Option<String>,
    /// Whether this cluster controls it.
    pub owned: bool,
    /// Whether its fields still are what was applied (somebody may have edited it).
    pub drifted: bool,
}

/// The StatefulSet, or the supervisor's list of processes.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Workload {
    /// Identity.
    pub uid: String,
    /// Version, for writes that must meet this very state.
    pub resource_version: String,
    /// Number of ordinals it keeps.
    pub replicas: u32,
    /// Hash of what was applied last.
    pub hash: Option<String>,
    /// Whether this cluster controls it.
    pub owned: bool,
    /// Whether its fields still are what was applied.
    pub drifted: bool,
    /// The default image noted when the cluster was made.
    pub default_image: Option<String>,
    /// Size of the volumes it makes.
    pub volume_size: Option<String>,
    /// Whether it is being deleted.
    pub deleting: bool,
}

/// The volume of a node. Whether it is deleted is decided by `storage.retain`, which the workload carries out.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Volume {
    /// The size asked for.
    pub requested_size: String,
}

/// A pod or process.
#[derive(Debug, Clone, PartialEq)]
pub struct Node {
    /// Its name: cluster's name, dash, ordinal.
    pub name: String,
    /// Its ordinal.
    pub ordinal: u32,
    /// Identity of this life.
    pub uid: String,
    /// The revision it was made for.
    pub revision: String,
    /// Where it is in its life, as the substrate says.
    pub phase: NodePhase,
    /// Whether the substrate counts it ready.
    pub ready: bool,
    /// Since when it exists.
    pub created: Timestamp,
    /// Why it does not start, if the substrate knows.
    pub trouble: Option<Trouble>,
    /// What it says of itself; none: it does not answer.
    pub report: Option<NodeReport>,
    /// Since when it has not answered; the substrate remembers this between two observations.
    pub silent_since: Option<Timestamp>,
}

/// Where a pod or process is in its life.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NodePhase {
    /// Not running yet.
    Pending,
    /// Running.
    Running,
    /// Told to stop.
    Terminating,
    /// Ended, or ending again and again.
    Failed,
}

/// Why a node does not start.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Trouble {
    /// The cause; its code stands in the condition.
    pub cause: &'static tim_catalogue::Cause,
    /// What was observed, without times and counters.
    pub observed: String,
}

/// What a node says of itself (control API).
#[derive(Debug, Clone, PartialEq, Default)]
pub struct NodeReport {
    /// Its state.
    pub state: ReportedState,
    /// Version of the program.
    pub version: String,
    /// Sessions it has.
    pub sessions: u64,
    /// Its drain, while there is one.
    pub drain: Option<ReportedDrain>,
    /// Catalogue code and details of what keeps it from serving.
    pub causes: Vec<(String, String)>,
    /// The partition map it knows.
    pub ranges: Vec<ReportedRange>,
    /// Version of that map: the higher is the newer.
    pub map_version: u64,
    /// Whether it leads the control group.
    pub leader: bool,
    /// Names of the voters it knows; empty where it knows no group.
    pub voters: Vec<String>,
    /// How far its log of the control group is applied: the higher knows the voters better.
    pub applied_index: u64,
    /// Of each database that does not answer it the code, and the details, which name the database.
    pub database_causes: Vec<(String, String)>,
}

/// The state a node reports.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum ReportedState {
    /// Not in the view yet.
    #[default]
    Joining,
    /// Taking clients.
    Serving,
    /// Being emptied.
    Draining,
    /// Emptied.
    Left,
}

/// The drain a node reports.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct ReportedDrain {
    /// Who asked: the uid of that life, if it was the operator.
    pub id: String,
    /// Sessions left.
    pub sessions_remaining: u64,
    /// Whether nothing is left to do.
    pub done: bool,
}

/// A range of the map a node knows.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct ReportedRange {
    /// First slot.
    pub from: u32,
    /// Database that holds it.
    pub database: String,
    /// Number of its last change.
    pub epoch: u64,
}

/// A TimRepartition that has not ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RepartitionSummary {
    /// Its name.
    pub name: String,
    /// When it was made; the oldest is first.
    pub created: Timestamp,
    /// Whether the nodes have taken it on.
    pub started: bool,
    /// Databases it moves data to: they cannot leave the spec meanwhile.
    pub targets: Vec<String>,
}

impl RepartitionSummary {
    /// The summary of an object; none once it has ended.
    pub fn of(repartition: &TimRepartition) -> Option<Self> {
        let status = repartition.status.as_ref();
        if status.is_some_and(|status| status.phase.is_final()) {
            return None;
        }
        let split = repartition.spec.operation.split.iter();
        let targets = split.flat_map(|split| &split.targets);
        Some(Self {
            name: repartition.metadata.name.clone().unwrap_or_default(),
            created: repartition
                .metadata
                .creation_timestamp
                .as_ref()
                .map_or(Timestamp::UNIX_EPOCH, |time| time.0),
            started: status.is_some_and(|status| status.operation_id.is_some()),
            targets: targets.map(|target| target.database.clone()).collect(),
        })
    }
}
