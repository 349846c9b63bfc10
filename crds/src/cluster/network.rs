//! Listeners, their Services, certificates and who may reach the nodes.

use std::collections::BTreeMap;

use kube::KubeSchema;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Port for clients when nothing else is said.
pub const CLIENT_PORT: u16 = 5080;
/// Port for administrators when nothing else is said.
pub const ADMIN_PORT: u16 = 5082;
/// Port of peers: gRPC over TCP, gossip over UDP. Not a setting.
pub const PEER_PORT: u16 = 5083;

/// A port of the nodes.
#[derive(JsonSchema, Serialize, Deserialize, Clone, Debug, PartialEq)]
#[serde(rename_all = "camelCase")]
pub struct Listener {
    /// What it is for.
    pub name: ListenerName,
    /// The port.
    #[schemars(range(min = 1, max = 65535))]
    pub port: u16,
    /// Whether it speaks TLS, with the node's certificate.
    #[serde(default)]
    pub tls: bool,
    /// The Service in front of it.
    #[serde(default)]
    pub service: Service,
}

impl Listener {
    /// The listener that a spec without one means.
    pub fn default_of(name: ListenerName) -> Self {
        let port = match name {
            ListenerName::Client => CLIENT_PORT,
            ListenerName::Admin => ADMIN_PORT,
        };
        Self {
            name,
            port,
            tls: false,
            service: Service::default(),
        }
    }
}

pub(super) fn default_listeners() -> Vec<Listener> {
    vec![
        Listener::default_of(ListenerName::Client),
        Listener::default_of(ListenerName::Admin),
    ]
}

/// What a listener is for.
#[derive(JsonSchema, Serialize, Deserialize, Clone, Copy, Debug, PartialEq, Eq, Default)]
#[serde(rename_all = "camelCase")]
pub enum ListenerName {
    /// WebSocket and HTTP of chat clients.
    #[default]
    Client,
    /// Health, readiness, status and metrics.
    Admin,
}

/// The Service of a listener.
#[derive(JsonSchema, Serialize, Deserialize, Clone, Debug, PartialEq, Eq, Default)]
#[serde(rename_all = "camelCase")]
pub struct Service {
    /// Type of the Service.
    #[serde(default, rename = "type")]
    pub type_: ServiceType,
    /// Annotations of the Service, for load balancers.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    #[schemars(extend("maxProperties" = 32))]
    pub annotations: BTreeMap<String, String>,
}

/// Type of a Service.
#[derive(JsonSchema, Serialize, Deserialize, Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum ServiceType {
    /// Reachable inside the Kubernetes cluster.
    #[default]
    ClusterIP,
    /// Reachable on a port of every Kubernetes node.
    NodePort,
    /// Reachable through a load balancer.
    LoadBalancer,
}

impl ServiceType {
    /// The word that Kubernetes uses.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::ClusterIP => "ClusterIP",
            Self::NodePort => "NodePort",
            Self::LoadBalancer => "LoadBalancer",
        }
    }
}

/// Where certificates come from.
#[derive(JsonSchema, Serialize, Deserialize, Clone, Debug, PartialEq, Eq, Default)]
#[serde(rename_all = "camelCase")]
pub struct Tls {
    /// SelfManaged: the operator keeps a CA for this cluster, issues and renews the nodes' certificates.
    #[serde(default)]
    pub mode: TlsMode,
}

/// Source of certificates.
#[derive(JsonSchema, Serialize, Deserialize, Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum TlsMode {
    /// A CA of the cluster's own.
    #[default]
    SelfManaged,
}

/// A NetworkPolicy for the nodes.
#[derive(KubeSchema, Serialize, Deserialize, Clone, Debug, PartialEq, Eq, Default)]
#[serde(rename_all = "camelCase")]
pub struct NetworkPolicy {
    /// Whether to make one.
    #[serde(default)]
    pub enabled: bool,
    /// Who may reach the client port. Empty: everybody.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 32))]
    #[x_kube(merge_strategy = ListMerge::Atomic)]
    pub client_from: Vec<NetworkPeer>,
}

/// Who may reach a port: pods, namespaces, or addresses.
#[derive(JsonSchema, Serialize, Deserialize, Clone, Debug, PartialEq, Eq, Default)]
#[serde(rename_all = "camelCase")]
pub struct NetworkPeer {
    /// Pods with these labels, in the cluster's namespace or those of `namespaceSelector`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pod_selector: Option<LabelMatch>,
    /// Namespaces with these labels.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub namespace_selector: Option<LabelMatch>,
    /// Addresses; not together with selectors.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ip_block: Option<IpBlock>,
}

/// Labels that must all be there; none: everything.
#[derive(JsonSchema, Serialize, Deserialize, Clone, Debug, PartialEq, Eq, Default)]
#[serde(rename_all = "camelCase")]
pub struct LabelMatch {
    /// Labels and their values.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    #[schemars(extend("maxProperties" = 16))]
    pub match_labels: BTreeMap<String, String>,
}

/// A range of addresses.
#[derive(JsonSchema, Serialize, Deserialize, Clone, Debug, PartialEq, Eq, Default)]
#[serde(rename_all = "camelCase")]
pub struct IpBlock {
    /// The range, such as 10.0.0.0/8.
    #[schemars(length(min = 1, max = 64))]
    pub cidr: String,
    /// Ranges within it that are left out.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 32), inner(length(max = 64)))]
    pub except: Vec<String>,
}
