//! The Kubernetes objects of a cluster, as they shall be: pure functions from the spec to what is applied.
//!
//! Everything is written by server-side apply with one field manager, so an object holds exactly the fields that the
//! operator means. A hash of each stands in its annotation: an unchanged object is not written again.

mod config;
mod meta;
mod overlay;
mod pod;
mod policy;
mod services;
mod stateful_set;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;

use serde_json::Value;
use tim_catalogue::Report;
use tim_crds::{TimCluster, labels};

use crate::{
    action::ObjectId,
    intent::{Intent, hash},
};

/// Where a node finds its files, inside the container.
pub mod paths {
    /// Folder of node.toml.
    pub const CONFIG: &str = "/etc/tim/config";
    /// Folder of the key ring.
    pub const CLUSTER: &str = "/etc/tim/cluster";
    /// Folder of the storage key.
    pub const STORAGE: &str = "/etc/tim/storage";
    /// Folder of certificates.
    pub const TLS: &str = "/etc/tim/tls";
    /// Folder of DSNs.
    pub const DATABASES: &str = "/etc/tim/databases";
    /// Folder of additions to the configuration, `0.toml`, `1.toml` and so on.
    pub const EXTRA: &str = "/etc/tim/extra";
    /// The node's volume.
    pub const DATA: &str = "/var/lib/tim";
    /// The program.
    pub const PROGRAM: &str = "/usr/bin/tim-node";
}

/// Everything one object is made from.
struct Source<'a> {
    cluster: &'a TimCluster,
    intent: &'a Intent,
    default_image: &'a str,
}

/// The objects of a cluster, as they shall be. Secrets are not among them.
#[derive(Debug, Clone)]
pub struct Desired {
    objects: BTreeMap<ObjectId, Value>,
    workload: Value,
    problem: Option<Report>,
}

/// Makes the objects. `default_image` and `config_secrets` are as for [`Intent::new`].
pub fn desired(
    cluster: &TimCluster,
    default_image: &str,
    config_secrets: &BTreeMap<String, Option<String>>,
) -> Desired {
    let intent = Intent::new(cluster, default_image, config_secrets);
    let source = Source {
        cluster,
        intent: &intent,
        default_image,
    };
    let mut problem = None;
    let mut made = vec![
        policy::service_account(&source),
        policy::disruption_budget(&source),
        services::nodes(&source),
        services::client(&source),
        services::admin(&source),
    ];
    match config::config_map(&source) {
        Ok(object) => made.push(object),
        Err(report) => problem = Some(report),
    }
    made.extend(policy::network_policy(&source));
    let workload = stateful_set::stateful_set(&source).unwrap_or_else(|report| {
        problem.get_or_insert(report);
        Value::Null
    });
    Desired {
        objects: made
            .into_iter()
            .map(|object| (id_of(&object), sealed(object)))
            .collect(),
        workload: sealed(workload),
        problem,
    }
}

impl Desired {
    /// Why some object cannot be made of the spec; for [`crate::Observed::config_problem`].
    pub fn problem(&self) -> Option<&Report> {
        self.problem.as_ref()
    }

    /// The objects besides the workload.
    pub fn ids(&self) -> impl Iterator<Item = &ObjectId> {
        self.objects.keys()
    }

    /// One object, ready to be applied.
    pub fn get(&self, id: &ObjectId) -> Option<&Value> {
        self.objects.get(id)
    }

    /// The hash of each object, for [`crate::Observed::desired`].
    pub fn hashes(&self) -> BTreeMap<ObjectId, String> {
        self.objects
            .iter()
            .map(|(id, object)| (id.clone(), hash_of(object)))
            .collect()
    }

    /// The hash of the workload, for [`crate::Observed::desired_workload`].
    pub fn workload_hash(&self) -> String {
        hash_of(&self.workload)
    }

    /// The StatefulSet with that many ordinals, ready to be applied.
    pub fn workload(&self, replicas: u32) -> Value {
        let mut workload = self.workload.clone();
        if let Some(spec) = workload.get_mut("spec").and_then(Value::as_object_mut) {
            spec.insert("replicas".into(), replicas.into());
        }
        workload
    }
}

fn id_of(object: &Value) -> ObjectId {
    let text = |pointer: &str| {
        object
            .pointer(pointer)
            .and_then(Value::as_str)
            .unwrap_or_default()
            .to_owned()
    };
    ObjectId {
        kind: text("/kind"),
        name: text("/metadata/name"),
    }
}

/// Puts the hash of an object into its annotation.
fn sealed(mut object: Value) -> Value {
    let hash = hash(&object);
    if let Some(metadata) = object.get_mut("metadata").and_then(Value::as_object_mut) {
        let annotations = metadata
            .entry("annotations")
            .or_insert_with(|| Value::Object(serde_json::Map::new()));
        if let Some(annotations) = annotations.as_object_mut() {
            annotations.insert(labels::ANNOTATION_DESIRED.into(), hash.into());
        }
    }
    object
}

fn hash_of(object: &Value) -> String {
    let annotations = object.pointer("/metadata/annotations");
    let hash = annotations.and_then(|annotations| annotations.get(labels::ANNOTATION_DESIRED));
    hash.and_then(Value::as_str).unwrap_or_default().to_owned()
}
