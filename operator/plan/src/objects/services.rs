//! Services: for the nodes among themselves, for clients, for administrators.

use serde_json::{Value, json};
use tim_crds::cluster::{ListenerName, PEER_PORT};

use super::{
    Source,
    meta::{metadata, selector_labels},
};
use crate::names;

/// Headless, with nodes that are not ready: they have to find each other in order to become so.
pub(super) fn nodes(source: &Source<'_>) -> Value {
    service(
        source,
        &names::nodes_service(&source.intent.name),
        json!({
            "clusterIP": "None",
            "publishNotReadyAddresses": true,
            "ports": [
                {"name": "peer", "port": PEER_PORT, "targetPort": "peer", "protocol": "TCP"},
                {"name": "gossip", "port": PEER_PORT, "targetPort": "gossip", "protocol": "UDP"},
            ],
        }),
    )
}

/// For clients: only nodes that are ready.
pub(super) fn client(source: &Source<'_>) -> Value {
    let protocol = if source.cluster.spec.listener(ListenerName::Client).tls {
        "kubernetes.io/wss"
    } else {
        "kubernetes.io/ws"
    };
    of_listener(
        source,
        &names::client_service(&source.intent.name),
        ListenerName::Client,
        "client",
        protocol,
    )
}

/// For administrators and metrics.
pub(super) fn admin(source: &Source<'_>) -> Value {
    let protocol = if source.cluster.spec.listener(ListenerName::Admin).tls {
        "https"
    } else {
        "http"
    };
    of_listener(
        source,
        &names::admin_service(&source.intent.name),
        ListenerName::Admin,
        "admin",
        protocol,
    )
}

fn of_listener(
    source: &Source<'_>,
    name: &str,
    listener: ListenerName,
    port_name: &str,
    protocol: &str,
) -> Value {
    let listener = source.cluster.spec.listener(listener);
    let port = json!({"name": port_name, "port": listener.port, "targetPort": port_name, "protocol": "TCP", "appProtocol": protocol});
    let mut service = service(
        source,
        name,
        json!({"type": listener.service.type_.as_str(), "ports": [port]}),
    );
    if !listener.service.annotations.is_empty() {
        service["metadata"]["annotations"] = json!(listener.service.annotations);
    }
    service
}

fn service(source: &Source<'_>, name: &str, mut spec: Value) -> Value {
    spec["selector"] = json!(selector_labels(source));
    json!({"apiVersion": "v1", "kind": "Service", "metadata": metadata(source, name), "spec": spec})
}
