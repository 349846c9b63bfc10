//! What the spec asks for, in the form the plan works with.

use std::collections::BTreeMap;

use serde::Serialize;
use serde_json::json;
use sha2::{Digest, Sha256};
use tim_crds::{
    TimCluster,
    cluster::{Listener, ListenerName},
    labels,
};

use crate::observed::Observed;

/// Hexadecimal digits of a hash in names and labels: enough to tell apart what one cluster ever had.
const HASH_DIGITS: usize = 12;

/// What the spec asks for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Intent {
    /// Name of the cluster.
    pub name: String,
    /// How many nodes.
    pub replicas: u32,
    /// Of which image.
    pub image: String,
    /// Image and configuration in one word: nodes of another one are replaced.
    pub revision: String,
    /// Whether writes are stopped.
    pub paused: bool,
    /// Whether the object is being deleted.
    pub deleting: bool,
}

impl Intent {
    /// Reads the intent out of an observation.
    pub fn of(observed: &Observed) -> Self {
        let noted = observed
            .workload
            .as_ref()
            .and_then(|workload| workload.default_image.as_ref());
        Self::new(
            &observed.cluster,
            noted.unwrap_or(&observed.default_image),
            &observed.config_secrets,
        )
    }

    /// Reads the intent out of a spec. `default_image` is the one noted when the cluster was made, or else the
    /// operator's; `config_secrets` are as in [`Observed::config_secrets`].
    pub fn new(
        cluster: &TimCluster,
        default_image: &str,
        config_secrets: &BTreeMap<String, Option<String>>,
    ) -> Self {
        let annotation = |name: &str| {
            cluster
                .metadata
                .annotations
                .as_ref()
                .and_then(|all| all.get(name))
                .cloned()
        };
        let image = cluster
            .spec
            .image
            .clone()
            .unwrap_or_else(|| default_image.to_owned());
        Self {
            name: cluster.metadata.name.clone().unwrap_or_default(),
            replicas: u32::try_from(cluster.spec.replicas).unwrap_or(0),
            revision: revision(
                cluster,
                config_secrets,
                &image,
                annotation(labels::ANNOTATION_RESTART),
            ),
            image,
            paused: annotation(labels::ANNOTATION_PAUSE).is_some_and(|value| value == "true"),
            deleting: cluster.metadata.deletion_timestamp.is_some(),
        }
    }
}

/// A hash of what the user asked for, and of nothing that a release of the operator adds: an upgrade of the operator
/// restarts no node. What nodes take up while they run (layout, DSNs, certificates, keys) is not in it either.
fn revision(
    cluster: &TimCluster,
    config_secrets: &BTreeMap<String, Option<String>>,
    image: &str,
    restart: Option<String>,
) -> String {
    let spec = &cluster.spec;
    let ports: Vec<_> = [ListenerName::Client, ListenerName::Admin]
        .map(|name| spec.listener(name))
        .map(|Listener { port, tls, .. }| json!([port, tls]))
        .into();
    hash(&json!({
        "image": image,
        "config": spec.config.inline,
        "configSecrets": config_secrets,
        "listeners": ports,
        "databases": spec.databases,
        "drain": spec.drain,
        "pod": spec.pod,
        "telemetry": spec.telemetry,
        "restart": restart,
    }))
}

/// A short hash of anything that can be written as JSON; equal values give equal hashes.
pub fn hash(value: &impl Serialize) -> String {
    let text = serde_json::to_vec(value).unwrap_or_default();
    let digest = Sha256::digest(&text);
    digest
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect::<String>()
        .chars()
        .take(HASH_DIGITS)
        .collect()
}

/// The labels by which the nodes of a cluster are found.
pub fn selector(cluster: &TimCluster) -> Vec<(&'static str, String)> {
    vec![
        (labels::LABEL_NAME, labels::NAME.to_owned()),
        (
            labels::LABEL_INSTANCE,
            cluster.metadata.name.clone().unwrap_or_default(),
        ),
        (labels::LABEL_COMPONENT, "node".to_owned()),
    ]
}
