//! The StatefulSet: all ordinals at once, and nothing replaced by itself; the plan sets the pace.

use serde_json::{Value, json};
use tim_catalogue::Report;
use tim_crds::labels;

use super::{
    Source,
    meta::{metadata, selector_labels},
    pod,
};
use crate::names;

/// Old templates kept by the controller; the plan does not go back by itself.
const HISTORY: u32 = 2;

/// Without `replicas`, which is set when it is written.
pub(super) fn stateful_set(source: &Source<'_>) -> Result<Value, Report> {
    let name = &source.intent.name;
    let mut metadata = metadata(source, &names::workload(name));
    metadata["annotations"] = json!({labels::ANNOTATION_DEFAULT_IMAGE: source.default_image});
    let retain = &source.cluster.spec.storage.retain;
    Ok(json!({
        "apiVersion": "apps/v1",
        "kind": "StatefulSet",
        "metadata": metadata,
        "spec": {
            "serviceName": names::nodes_service(name),
            "podManagementPolicy": "Parallel",
            "updateStrategy": {"type": "OnDelete"},
            "revisionHistoryLimit": HISTORY,
            "persistentVolumeClaimRetentionPolicy": {
                "whenDeleted": retain.when_deleted.as_str(),
                "whenScaled": retain.when_scaled.as_str(),
            },
            "selector": {"matchLabels": selector_labels(source)},
            "template": pod::template(source)?,
            "volumeClaimTemplates": [claim(source)],
        },
    }))
}

/// Cannot change once written, but for the size, for which the plan makes the StatefulSet anew around its pods.
fn claim(source: &Source<'_>) -> Value {
    let storage = &source.cluster.spec.storage;
    let mut spec = json!({
        "accessModes": ["ReadWriteOnce"],
        "resources": {"requests": {"storage": storage.size}},
    });
    if let Some(class) = &storage.storage_class_name {
        spec["storageClassName"] = class.clone().into();
    }
    json!({
        "apiVersion": "v1",
        "kind": "PersistentVolumeClaim",
        "metadata": {"name": "data", "labels": selector_labels(source)},
        "spec": spec,
    })
}
