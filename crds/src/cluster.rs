//! `TimCluster`: the desired shape of one cluster, and what is known of it.

mod databases;
mod network;
mod pod;
mod status;
mod storage;

pub use databases::{Config, ConfigSecret, Database, Partitioning, Range, SecretKey};
pub use network::{
    ADMIN_PORT, CLIENT_PORT, IpBlock, LabelMatch, Listener, ListenerName, NetworkPeer, NetworkPolicy,
    PEER_PORT, Service, ServiceType, Tls, TlsMode,
};
pub use pod::{Disruption, Drain, DrainTimeout, Pod, Resources, Telemetry};
pub use status::{
    Certificates, ClusterPhase, DrainStatus, NodeState, NodeStatus, PartitionRange, Partitions,
    TimClusterStatus,
};
pub use storage::{Retain, RetainPolicy, Storage};

use kube::{CustomResource, KubeSchema};
use serde::{Deserialize, Serialize};

/// Most databases of one cluster.
pub const DATABASES_MAX: usize = 16;
/// Most ranges that `partitioning.layout` may name.
pub const LAYOUT_RANGES_MAX: usize = 64;
/// Most nodes of one cluster.
pub const REPLICAS_MAX: i32 = 1000;

// Numbers get into messages by `format`: an API server takes the length of `string(number)` for unlimited, and refuses the
// whole definition for what joining it may cost.
/// A cluster of tim nodes: how many, of which image, on which databases.
#[derive(CustomResource, KubeSchema, Serialize, Deserialize, Clone, Debug, PartialEq, Default)]
#[kube(
    group = "timcluster.io",
    version = "v1alpha1",
    kind = "TimCluster",
    namespaced,
    status = "TimClusterStatus",
    derive = "PartialEq",
    derive = "Default",
    shortname = "timc",
    category = "tim",
    doc = "A cluster of tim nodes: how many, of which image, on which databases.",
    scale(
        spec_replicas_path = ".spec.replicas",
        status_replicas_path = ".status.replicas",
        label_selector_path = ".status.selector"
    ),
    printcolumn(name = "Desired", type_ = "integer", json_path = ".spec.replicas", description = "Nodes wanted."),
    printcolumn(name = "Ready", type_ = "integer", json_path = ".status.readyReplicas", description = "Nodes that serve."),
    printcolumn(name = "Phase", type_ = "string", json_path = ".status.phase", description = "What is going on, for humans."),
    printcolumn(name = "Partitions", type_ = "integer", json_path = ".status.partitions.ranges", description = "Ranges of the partition map."),
    printcolumn(name = "Version", type_ = "string", json_path = ".status.version", description = "Version that all nodes run."),
    printcolumn(name = "Age", type_ = "date", json_path = ".metadata.creationTimestamp"),
    printcolumn(name = "Reason", type_ = "string", json_path = ".status.phaseReason", description = "Why the phase is what it is.", priority = 1),
    validation = Rule::new("size(self.metadata.name) <= 40 && self.metadata.name.matches('^[a-z]([-a-z0-9]*[a-z0-9])?$')").message(
        "TIM-C106 metadata.name must have at most 40 characters, lower-case letters, digits and '-', beginning with a letter: names of pods and Services derive from it"
    )
)]
#[x_kube(
    validation = Rule::new("self.replicas >= 0").message(Message::Expression("'TIM-C102 replicas must be 0 or more (is %d)'.format([self.replicas])".into())),
    validation = Rule::new("has(self.databases) && size(self.databases) > 0 || self.replicas <= 1").message(Message::Expression(
        "\"TIM-C107 databases: SQLite lives on one node's disk, so replicas must be 1 (is %d). try: replicas: 1, or give databases a PostgreSQL or MySQL DSN\".format([self.replicas])".into()
    )),
    validation = Rule::new("has(self.clusterId) == has(oldSelf.clusterId) && (!has(self.clusterId) || self.clusterId == oldSelf.clusterId)").message(
        "TIM-C104 clusterId cannot be changed, added or removed: databases and certificates are bound to it. try: a new TimCluster"
    ).field_path(".clusterId"),
    validation = Rule::new("!has(self.partitioning) || !has(self.partitioning.layout) || self.partitioning.layout.all(r, has(self.databases) && self.databases.exists(d, d.name == r.database))").message(
        "TIM-C108 partitioning.layout: every range must name one of spec.databases"
    ),
    validation = Rule::new("self.drain.timeoutSeconds + 30 <= self.pod.terminationGracePeriodSeconds").message(Message::Expression(
        "'TIM-C109 drain.timeoutSeconds + 30 must be at most pod.terminationGracePeriodSeconds (%d + 30 > %d), else Kubernetes kills a node that still drains'.format([self.drain.timeoutSeconds, self.pod.terminationGracePeriodSeconds])".into()
    ))
)]
#[serde(rename_all = "camelCase")]
pub struct TimClusterSpec {
    /// Image of the nodes. Absent: the operator's default image at the time the cluster was created; a later release of
    /// the operator does not change it. Ignored on a laptop.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 512))]
    pub image: Option<String>,

    /// How many nodes are wanted. 0 stops all of them and keeps the data. `kubectl scale` and an HPA write this field.
    #[serde(default = "one")]
    #[schemars(range(max = 1000))]
    pub replicas: i32,

    /// Identity of the cluster in databases, certificates and handshakes; cannot be changed. Absent: NAMESPACE.NAME.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(
        length(min = 1, max = 105),
        regex(pattern = r"^[a-z0-9]([-a-z0-9.]*[a-z0-9])?$")
    )]
    pub cluster_id: Option<String>,

    /// Additions to the nodes' configuration file.
    #[serde(default, skip_serializing_if = "Config::is_empty")]
    pub config: Config,

    /// Ports that clients and administrators use.
    #[serde(default = "network::default_listeners")]
    #[schemars(length(max = 2))]
    #[x_kube(
        merge_strategy = ListMerge::Map(vec!["name".into()]),
        validation = Rule::new("self.all(l, l.port != 5083)").message("TIM-C102 listeners: port 5083 belongs to the links between nodes, choose another"),
        validation = Rule::new("size(self) < 2 || self[0].port != self[1].port").message("TIM-C102 listeners: two listeners cannot share a port")
    )]
    pub listeners: Vec<Listener>,

    /// Where certificates come from.
    #[serde(default)]
    pub tls: Tls,

    /// The volume of each node: control group state, and SQLite files where no databases are declared.
    #[serde(default)]
    pub storage: Storage,

    /// How a node is emptied before it stops.
    #[serde(default)]
    pub drain: Drain,

    /// How many nodes an eviction may take away at the same time (PodDisruptionBudget).
    #[serde(default)]
    pub disruption: Disruption,

    /// Settings of the pods.
    #[serde(default)]
    pub pod: Pod,

    /// The databases that hold the partitions. None: one SQLite file on the volume of the single node.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 16))]
    #[x_kube(merge_strategy = ListMerge::Map(vec!["name".into()]))]
    pub databases: Vec<Database>,

    /// Which database holds which slots.
    #[serde(default, skip_serializing_if = "Partitioning::is_empty")]
    pub partitioning: Partitioning,

    /// A NetworkPolicy for the nodes.
    #[serde(default)]
    pub network_policy: NetworkPolicy,

    /// Where traces, metrics and logs go.
    #[serde(default, skip_serializing_if = "Telemetry::is_empty")]
    pub telemetry: Telemetry,
}

fn one() -> i32 {
    1
}

impl TimCluster {
    /// The identity of the cluster: `spec.clusterId`, or `NAMESPACE.NAME`.
    pub fn cluster_id(&self) -> String {
        let namespace = self.metadata.namespace.as_deref().unwrap_or("default");
        let name = self.metadata.name.as_deref().unwrap_or_default();
        self.spec
            .cluster_id
            .clone()
            .unwrap_or_else(|| format!("{namespace}.{name}"))
    }
}

impl TimClusterSpec {
    /// The listener of that name, or its default where the list leaves it out.
    pub fn listener(&self, name: ListenerName) -> Listener {
        self.listeners
            .iter()
            .find(|listener| listener.name == name)
            .cloned()
            .unwrap_or_else(|| Listener::default_of(name))
    }
}
