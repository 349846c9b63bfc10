//! What all objects of a cluster have in common.

use std::collections::BTreeMap;

use serde_json::{Value, json};
use tim_crds::{API_VERSION, labels};

use super::Source;
use crate::intent::selector;

/// Metadata of an object that belongs to the cluster and goes with it.
pub(super) fn metadata(source: &Source<'_>, name: &str) -> Value {
    let mut metadata = json!({"name": name, "labels": all_labels(source)});
    if let Some(namespace) = &source.cluster.metadata.namespace {
        metadata["namespace"] = namespace.clone().into();
    }
    if let Some(uid) = &source.cluster.metadata.uid {
        metadata["ownerReferences"] = json!([{
            "apiVersion": API_VERSION,
            "kind": "TimCluster",
            "name": source.intent.name,
            "uid": uid,
            "controller": true,
            "blockOwnerDeletion": true,
        }]);
    }
    metadata
}

/// Labels of every object.
pub(super) fn all_labels(source: &Source<'_>) -> BTreeMap<&'static str, String> {
    let mut all = selector_labels(source);
    all.insert(labels::LABEL_MANAGED_BY, labels::MANAGER.to_owned());
    all
}

/// Labels by which the nodes are found.
pub(super) fn selector_labels(source: &Source<'_>) -> BTreeMap<&'static str, String> {
    selector(source.cluster).into_iter().collect()
}
