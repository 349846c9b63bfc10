//! Live objects against desired ones.

use super::{applied_kinds, selector};
use crate::context::Context;
use crate::drift::covers;
use crate::failure::Failure;
use crate::kinds;
use k8s_openapi::api::apps::v1::StatefulSet;
use kube::api::DynamicObject;
use kube::{Resource, ResourceExt as _};
use serde_json::Value;
use std::collections::BTreeMap;
use tim_crds::{TimCluster, labels};
use tim_plan::action::ObjectId;
use tim_plan::objects::Desired;
use tim_plan::observed::{Present, Workload};

/// The live objects of applied kinds: those the cluster's labels name, and others under a desired name.
pub(crate) async fn objects(
    context: &Context,
    cluster: &TimCluster,
    desired: &Desired,
) -> Result<BTreeMap<ObjectId, Present>, Failure> {
    let namespace = cluster.namespace().unwrap_or_default();
    let mut found = BTreeMap::new();
    for kind in applied_kinds() {
        let Some(api) = kinds::api(&context.client, &namespace, kind) else {
            continue;
        };
        let listed = api
            .list(&selector(&cluster.name_any()))
            .await
            .map_err(Failure::api(format!("list {kind}s")))?;
        for object in listed.items {
            found.insert(ObjectId::new(kind, object.name_any()), object);
        }
    }
    for id in desired.ids() {
        if found.contains_key(id) {
            continue;
        }
        if let Some(object) = live_object(context, &namespace, id).await? {
            found.insert(id.clone(), object);
        }
    }
    found
        .into_iter()
        .map(|(id, object)| {
            let owned = controlled_by(&object, cluster);
            let hash = object.annotations().get(labels::ANNOTATION_DESIRED).cloned();
            let drifted = match desired.get(&id) {
                Some(wanted) => is_drifted(context, &object, &serde_json::to_value(&object)?, wanted),
                None => false,
            };
            Ok((id, Present { hash, owned, drifted }))
        })
        .collect()
}

/// One live object.
pub(crate) async fn live_object(
    context: &Context,
    namespace: &str,
    id: &ObjectId,
) -> Result<Option<DynamicObject>, Failure> {
    match kinds::api(&context.client, namespace, &id.kind) {
        Some(api) => api
            .get_opt(&id.name)
            .await
            .map_err(Failure::api(format!("read {id}"))),
        None => Ok(None),
    }
}

/// The StatefulSet as the plan sees it.
pub(crate) fn workload(
    context: &Context,
    cluster: &TimCluster,
    set: &StatefulSet,
    desired: &Desired,
) -> Workload {
    let replicas = set.spec.as_ref().and_then(|spec| spec.replicas).unwrap_or(0);
    let replicas = u32::try_from(replicas).unwrap_or(0);
    let live = serde_json::to_value(set).unwrap_or_default();
    let wanted = desired.workload(replicas);
    let claims = set
        .spec
        .as_ref()
        .and_then(|spec| spec.volume_claim_templates.as_ref());
    let volume_size = claims.and_then(|claims| {
        let resources = claims.first()?.spec.as_ref()?.resources.as_ref()?;
        Some(resources.requests.as_ref()?.get("storage")?.0.clone())
    });
    Workload {
        uid: set.uid().unwrap_or_default(),
        resource_version: set.resource_version().unwrap_or_default(),
        replicas,
        hash: set.annotations().get(labels::ANNOTATION_DESIRED).cloned(),
        owned: controlled_by(set, cluster),
        drifted: is_drifted(context, set, &live, &wanted),
        default_image: set.annotations().get(labels::ANNOTATION_DEFAULT_IMAGE).cloned(),
        volume_size,
        deleting: set.metadata.deletion_timestamp.is_some(),
    }
}

/// Whether the cluster is the object's controller.
fn controlled_by(object: &impl Resource, cluster: &TimCluster) -> bool {
    let uid = cluster.metadata.uid.as_deref();
    object
        .meta()
        .owner_references
        .iter()
        .flatten()
        .any(|owner| owner.controller == Some(true) && Some(owner.uid.as_str()) == uid)
}

/// Whether a live object lacks something desired that it had after it was applied.
fn is_drifted(context: &Context, object: &impl Resource, live: &Value, wanted: &Value) -> bool {
    if covers(live, wanted) {
        return false;
    }
    let meta = object.meta();
    let version = version(meta.generation, meta.resource_version.as_deref());
    let applied = context.applied_versions.lock();
    applied.get(meta.uid.as_deref().unwrap_or_default()) != Some(&version)
}

/// What stays the same until somebody edits an object: the generation where the kind has one, since its resource version
/// moves with every status.
pub(crate) fn version(generation: Option<i64>, resource_version: Option<&str>) -> String {
    match generation {
        Some(generation) => format!("generation {generation}"),
        None => resource_version.unwrap_or_default().to_owned(),
    }
}
