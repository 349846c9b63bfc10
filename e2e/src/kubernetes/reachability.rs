//! Who may reach whom, computed from NetworkPolicies as a network that enforces them would.
//!
//! The test cluster's network enforces none, so this is the proof that the policies say what is meant: a connection is
//! allowed when the sender's egress and the receiver's ingress both allow it; a pod that no policy of a direction selects is
//! open in that direction.

use std::collections::BTreeMap;
use std::net::Ipv4Addr;

use k8s_openapi::api::networking::v1::{
    IPBlock, NetworkPolicy, NetworkPolicyPeer, NetworkPolicyPort, NetworkPolicySpec,
};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::LabelSelector;
use k8s_openapi::apimachinery::pkg::util::intstr::IntOrString;

/// Labels.
pub type Labels = BTreeMap<String, String>;

/// One end of a connection.
#[derive(Debug, Clone)]
pub enum End {
    /// A pod.
    Pod {
        /// Its namespace.
        namespace: String,
        /// Labels of that namespace.
        namespace_labels: Labels,
        /// Its labels.
        labels: Labels,
        /// Names of its ports.
        ports: BTreeMap<String, i32>,
    },
    /// Something outside.
    Address(Ipv4Addr),
}

/// Whether `from` may open a connection to a port of `to`.
pub fn is_allowed(policies: &[NetworkPolicy], from: &End, to: &End, protocol: &str, port: i32) -> bool {
    let wanted = Wanted { protocol, port, to };
    direction(policies, from, "Egress", |spec| {
        spec.egress
            .iter()
            .flatten()
            .any(|rule| wanted.fits_ports(rule.ports.as_deref()) && fits_peers(rule.to.as_deref(), to, from))
    }) && direction(policies, to, "Ingress", |spec| {
        spec.ingress.iter().flatten().any(|rule| {
            wanted.fits_ports(rule.ports.as_deref()) && fits_peers(rule.from.as_deref(), from, to)
        })
    })
}

/// Whether the policies that select a pod for a direction allow it; an end that none selects is open.
fn direction(
    policies: &[NetworkPolicy],
    pod: &End,
    name: &str,
    allows: impl Fn(&NetworkPolicySpec) -> bool,
) -> bool {
    let End::Pod {
        namespace, labels, ..
    } = pod
    else {
        return true;
    };
    let mut selecting = policies
        .iter()
        .filter(|policy| policy.metadata.namespace.as_ref() == Some(namespace))
        .filter_map(|policy| policy.spec.as_ref())
        .filter(|spec| has_direction(spec, name))
        .filter(|spec| {
            spec.pod_selector
                .as_ref()
                .is_none_or(|selector| selects(selector, labels))
        })
        .peekable();
    selecting.peek().is_none() || selecting.any(allows)
}

/// Without `policyTypes` a policy is about ingress, and about egress where it has rules for it.
fn has_direction(spec: &NetworkPolicySpec, name: &str) -> bool {
    match &spec.policy_types {
        Some(types) if !types.is_empty() => types.iter().any(|type_| type_ == name),
        _ => name == "Ingress" || spec.egress.is_some(),
    }
}

struct Wanted<'a> {
    protocol: &'a str,
    port: i32,
    to: &'a End,
}

impl Wanted<'_> {
    fn fits_ports(&self, ports: Option<&[NetworkPolicyPort]>) -> bool {
        let Some(ports) = ports.filter(|ports| !ports.is_empty()) else {
            return true;
        };
        ports.iter().any(|port| {
            let protocol = port.protocol.as_deref().unwrap_or("TCP");
            protocol == self.protocol
                && port
                    .port
                    .as_ref()
                    .is_none_or(|first| self.fits_number(first, port.end_port))
        })
    }

    fn fits_number(&self, first: &IntOrString, last: Option<i32>) -> bool {
        match first {
            IntOrString::Int(first) => (*first..=last.unwrap_or(*first)).contains(&self.port),
            IntOrString::String(name) => {
                matches!(self.to, End::Pod { ports, .. } if ports.get(name) == Some(&self.port))
            }
        }
    }
}

/// `owner` is the end that the policy selects: peers without a namespace selector are of its namespace.
fn fits_peers(peers: Option<&[NetworkPolicyPeer]>, other: &End, owner: &End) -> bool {
    let Some(peers) = peers.filter(|peers| !peers.is_empty()) else {
        return true;
    };
    peers.iter().any(|peer| match other {
        End::Address(address) => peer.ip_block.as_ref().is_some_and(|block| is_in(block, *address)),
        End::Pod {
            namespace,
            namespace_labels,
            labels,
            ..
        } => {
            if peer.ip_block.is_some() {
                return false;
            }
            let right_namespace = match &peer.namespace_selector {
                Some(selector) => selects(selector, namespace_labels),
                None => matches!(owner, End::Pod { namespace: own, .. } if own == namespace),
            };
            right_namespace
                && peer
                    .pod_selector
                    .as_ref()
                    .is_none_or(|selector| selects(selector, labels))
        }
    })
}

fn is_in(block: &IPBlock, address: Ipv4Addr) -> bool {
    let within = |cidr: &String| {
        let (network, bits) = cidr.split_once('/').unwrap_or((cidr, "32"));
        let (Ok(network), Ok(bits)) = (network.parse::<Ipv4Addr>(), bits.parse::<u32>()) else {
            return false;
        };
        let mask = u32::MAX.checked_shl(32 - bits).unwrap_or(0);
        u32::from(network) & mask == u32::from(address) & mask
    };
    within(&block.cidr) && !block.except.iter().flatten().any(within)
}

fn selects(selector: &LabelSelector, labels: &Labels) -> bool {
    let named = selector
        .match_labels
        .iter()
        .flatten()
        .all(|(key, value)| labels.get(key) == Some(value));
    named
        && selector.match_expressions.iter().flatten().all(|expression| {
            let value = labels.get(&expression.key);
            let listed =
                value.is_some_and(|value| expression.values.iter().flatten().any(|each| each == value));
            match expression.operator.as_str() {
                "In" => listed,
                "NotIn" => !listed,
                "Exists" => value.is_some(),
                "DoesNotExist" => value.is_none(),
                _ => false,
            }
        })
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn pod(namespace: &str, name: &str) -> End {
        let label = |key: &str, value: &str| Labels::from([(key.to_owned(), value.to_owned())]);
        End::Pod {
            namespace: namespace.into(),
            namespace_labels: label("kubernetes.io/metadata.name", namespace),
            labels: label("app", name),
            ports: [("client".to_owned(), 5080)].into(),
        }
    }

    fn policies() -> Vec<NetworkPolicy> {
        let policy = json!({"metadata": {"name": "p", "namespace": "a"}, "spec": {
            "podSelector": {"matchLabels": {"app": "node"}},
            "policyTypes": ["Ingress", "Egress"],
            "ingress": [
                {"ports": [{"port": "client"}], "from": [{"podSelector": {"matchLabels": {"app": "web"}}}]},
                {"ports": [{"port": 80, "endPort": 90}], "from": [{"namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": "b"}}}]},
                {"ports": [{"port": 5083, "protocol": "UDP"}]},
            ],
            "egress": [{"to": [{"ipBlock": {"cidr": "10.0.0.0/8", "except": ["10.1.0.0/16"]}}]}],
        }});
        vec![serde_json::from_value(policy).unwrap()]
    }

    #[test]
    fn ports_namespaces_and_directions_count() {
        let policies = policies();
        let node = pod("a", "node");
        let may =
            |from: &End, to: &End, protocol: &str, port| is_allowed(&policies, from, to, protocol, port);
        assert!(may(&pod("a", "web"), &node, "TCP", 5080));
        assert!(!may(&pod("a", "web"), &node, "TCP", 5081));
        assert!(
            !may(&pod("b", "web"), &node, "TCP", 5080),
            "peers without a namespace are of the policy's own"
        );
        assert!(may(&pod("b", "other"), &node, "TCP", 85));
        assert!(may(&pod("c", "other"), &node, "UDP", 5083));
        assert!(!may(&pod("c", "other"), &node, "TCP", 5083));
        assert!(may(&node, &End::Address([10, 2, 3, 4].into()), "TCP", 1));
        assert!(!may(&node, &End::Address([10, 1, 3, 4].into()), "TCP", 1));
        assert!(
            !may(&node, &pod("a", "web"), "TCP", 1),
            "its egress names addresses only"
        );
        assert!(
            may(&pod("a", "web"), &pod("b", "other"), "TCP", 1),
            "nobody selects them"
        );
    }
}
