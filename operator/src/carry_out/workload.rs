//! The StatefulSet and the volumes of its nodes.

use super::objects::{gone, namespaced, remember};
use crate::context::Context;
use crate::failure::Failure;
use crate::observe::Seen;
use k8s_openapi::api::apps::v1::StatefulSet;
use k8s_openapi::api::core::v1::PersistentVolumeClaim;
use kube::api::{DeleteParams, Patch, PatchParams, Preconditions, PropagationPolicy};
use kube::{Resource as _, ResourceExt as _};
use serde_json::{Value, json};
use tim_catalogue::{Report, kubernetes};
use tim_crds::{TimCluster, labels};
use tim_plan::names;

/// What becomes of the nodes when the workload is deleted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Nodes {
    /// They go on; a new workload adopts them.
    Keep,
    /// They are deleted with it.
    Delete,
}

/// Writes the StatefulSet with that many ordinals, onto exactly the state that was observed.
pub(super) async fn apply(
    context: &Context,
    seen: &Seen,
    replicas: u32,
    resource_version: Option<&str>,
) -> Result<(), Failure> {
    let cluster = &seen.observed.cluster;
    let name = names::workload(&cluster.name_any());
    if seen
        .observed
        .workload
        .as_ref()
        .is_some_and(|workload| !workload.owned)
    {
        let observed = format!(
            "StatefulSet {name} exists and is not of TimCluster {}",
            cluster.name_any()
        );
        return Err(Failure::NameTaken(Report::new(&kubernetes::NAME_TAKEN, observed)));
    }
    let api = namespaced::<StatefulSet>(context, cluster);
    let mut wanted = seen.desired.workload(replicas);
    context.api_writes.add(1, &[]);
    if let Some(version) = resource_version {
        wanted["metadata"]["resourceVersion"] = Value::from(version);
    }
    // Applied from the first write on, so that a field that is dropped later is pruned.
    let parameters = PatchParams::apply(labels::MANAGER).force();
    let written = api.patch(&name, &parameters, &Patch::Apply(&wanted)).await;
    let written = written.map_err(Failure::api(format!("write StatefulSet {name}")))?;
    remember(context, written.meta());
    Ok(())
}

/// Deletes the StatefulSet of that uid.
pub(super) async fn delete(
    context: &Context,
    cluster: &TimCluster,
    uid: &str,
    nodes: Nodes,
) -> Result<(), Failure> {
    let name = names::workload(&cluster.name_any());
    let parameters = DeleteParams {
        preconditions: Some(Preconditions {
            uid: Some(uid.to_owned()),
            resource_version: None,
        }),
        propagation_policy: Some(match nodes {
            Nodes::Keep => PropagationPolicy::Orphan,
            Nodes::Delete => PropagationPolicy::Background,
        }),
        ..DeleteParams::default()
    };
    context.api_writes.add(1, &[]);
    let deleted = namespaced::<StatefulSet>(context, cluster)
        .delete(&name, &parameters)
        .await;
    gone(deleted, &format!("delete StatefulSet {name}"))
}

/// Asks for a larger volume; the storage class has to allow it.
pub(super) async fn grow_volume(
    context: &Context,
    cluster: &TimCluster,
    node: &str,
    size: &str,
) -> Result<(), Failure> {
    let claim = names::volume_claim(node);
    let patch = json!({"spec": {"resources": {"requests": {"storage": size}}}});
    context.api_writes.add(1, &[]);
    namespaced::<PersistentVolumeClaim>(context, cluster)
        .patch(&claim, &PatchParams::default(), &Patch::Merge(patch))
        .await
        .map_err(Failure::api(format!("grow volume claim {claim}")))?;
    Ok(())
}
