//! What limits the nodes: their ServiceAccount, the PodDisruptionBudget, the NetworkPolicy.

use serde_json::{Value, json};
use tim_crds::{
    cluster::{ListenerName, NetworkPeer, PEER_PORT},
    labels,
};

use super::{
    Source,
    meta::{metadata, selector_labels},
};
use crate::names;

/// Nodes ask nothing of the API server: their account has no token.
pub(super) fn service_account(source: &Source<'_>) -> Value {
    json!({
        "apiVersion": "v1",
        "kind": "ServiceAccount",
        "metadata": metadata(source, &names::node_objects(&source.intent.name)),
        "automountServiceAccountToken": false,
    })
}

/// Evictions drain nodes; a node that is not ready anyway may always be evicted, or a broken one would block the drain
/// of its machine.
pub(super) fn disruption_budget(source: &Source<'_>) -> Value {
    json!({
        "apiVersion": "policy/v1",
        "kind": "PodDisruptionBudget",
        "metadata": metadata(source, &names::node_objects(&source.intent.name)),
        "spec": {
            "maxUnavailable": source.cluster.spec.disruption.max_unavailable,
            "unhealthyPodEvictionPolicy": "AlwaysAllow",
            "selector": {"matchLabels": selector_labels(source)},
        },
    })
}

/// Who may reach the nodes: clients as the spec says, peers and the operator, and everybody in the Kubernetes cluster for
/// health and metrics. What nodes reach is not limited: the addresses of databases are known to Secrets only.
pub(super) fn network_policy(source: &Source<'_>) -> Option<Value> {
    let policy = &source.cluster.spec.network_policy;
    if !policy.enabled {
        return None;
    }
    let port = |name| source.cluster.spec.listener(name).port;
    let mut clients = json!({"ports": [{"port": port(ListenerName::Client), "protocol": "TCP"}]});
    if !policy.client_from.is_empty() {
        clients["from"] = policy.client_from.iter().map(peer).collect();
    }
    let nodes = json!({"podSelector": {"matchLabels": selector_labels(source)}});
    let operator = json!({
        "namespaceSelector": {},
        "podSelector": {"matchLabels": {labels::LABEL_NAME: labels::MANAGER}},
    });
    Some(json!({
        "apiVersion": "networking.k8s.io/v1",
        "kind": "NetworkPolicy",
        "metadata": metadata(source, &names::node_objects(&source.intent.name)),
        "spec": {
            "podSelector": {"matchLabels": selector_labels(source)},
            "policyTypes": ["Ingress"],
            "ingress": [
                clients,
                {"from": [nodes], "ports": [{"port": PEER_PORT, "protocol": "TCP"}, {"port": PEER_PORT, "protocol": "UDP"}]},
                {"from": [operator], "ports": [{"port": PEER_PORT, "protocol": "TCP"}]},
                {"from": [{"namespaceSelector": {}}], "ports": [{"port": port(ListenerName::Admin), "protocol": "TCP"}]},
            ],
        },
    }))
}

fn peer(peer: &NetworkPeer) -> Value {
    serde_json::to_value(peer).unwrap_or_default()
}
