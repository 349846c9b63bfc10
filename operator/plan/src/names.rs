//! Names of the objects of a cluster, made from its own name in one place.

use crate::action::SecretKind;

/// The one database of a cluster that declares none: a SQLite file on the node's volume.
pub const ONLY_DATABASE: &str = "sqlite";

/// Name of a node: the cluster's, dash, ordinal.
pub fn node(cluster: &str, ordinal: u32) -> String {
    format!("{cluster}-{ordinal}")
}

/// The ordinal in the name of a node of this cluster.
pub fn ordinal(cluster: &str, node: &str) -> Option<u32> {
    let digits = node.strip_prefix(cluster)?.strip_prefix('-')?;
    let ordinal = digits.parse().ok()?;
    (self::node(cluster, ordinal) == node).then_some(ordinal)
}

/// The StatefulSet, and the client Service: the cluster's own name.
pub fn workload(cluster: &str) -> String {
    cluster.to_owned()
}

/// The headless Service through which nodes find each other.
pub fn nodes_service(cluster: &str) -> String {
    format!("{cluster}-nodes")
}

/// The Service for clients.
pub fn client_service(cluster: &str) -> String {
    cluster.to_owned()
}

/// The Service for administrators.
pub fn admin_service(cluster: &str) -> String {
    format!("{cluster}-admin")
}

/// The ConfigMap with node.toml.
pub fn config_map(cluster: &str) -> String {
    format!("{cluster}-config")
}

/// ServiceAccount, PodDisruptionBudget and NetworkPolicy of the nodes.
pub fn node_objects(cluster: &str) -> String {
    format!("{cluster}-node")
}

/// A Secret that the operator makes.
pub fn secret(cluster: &str, kind: SecretKind) -> String {
    let suffix = match kind {
        SecretKind::Cluster => "cluster",
        SecretKind::Storage => "storage",
        SecretKind::Authority => "ca",
        SecretKind::NodeTls => "node-tls",
    };
    format!("{cluster}-{suffix}")
}

/// The claim of a node's volume, as a StatefulSet names it.
pub fn volume_claim(node: &str) -> String {
    format!("data-{node}")
}

/// The node that a claim belongs to.
pub fn node_of_claim(claim: &str) -> Option<&str> {
    claim.strip_prefix("data-")
}

/// DNS names under which a node is reached on Kubernetes: those its certificate holds.
pub fn node_dns_names(cluster: &str, namespace: &str, node: &str) -> Vec<String> {
    let service = nodes_service(cluster);
    let client = client_service(cluster);
    vec![
        node.to_owned(),
        format!("{node}.{service}.{namespace}.svc"),
        format!("{client}.{namespace}.svc"),
        "localhost".to_owned(),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ordinals_are_read_as_they_are_written() {
        assert_eq!(ordinal("chat", &node("chat", 12)), Some(12));
        for stranger in [
            "chat",
            "chat-",
            "chat-01",
            "chat-x",
            "chat-1-2",
            "chatter-1",
            "other-1",
        ] {
            assert_eq!(ordinal("chat", stranger), None, "{stranger}");
        }
    }

    #[test]
    fn every_name_of_the_longest_cluster_fits() {
        let cluster = "a".repeat(tim_crds::NAME_LENGTH_MAX);
        let claim = volume_claim(&node(&cluster, 999));
        for name in [
            claim,
            nodes_service(&cluster),
            secret(&cluster, SecretKind::NodeTls),
        ] {
            assert!(name.len() <= 63, "{name}");
        }
    }
}
