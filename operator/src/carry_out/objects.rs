//! Objects of applied kinds, and Secrets on deletion.

use crate::context::Context;
use crate::failure::Failure;
use crate::kinds;
use crate::observe::{Seen, live_object, version};
use kube::api::{Api, DeleteParams, Patch, PatchParams, Preconditions};
use kube::{Resource as _, ResourceExt as _};
use tim_catalogue::{Report, kubernetes};
use tim_crds::{TimCluster, labels};
use tim_plan::SecretKind;
use tim_plan::action::ObjectId;
use tim_plan::names;

/// Writes one desired object. One that somebody else made is left alone.
pub(super) async fn apply(context: &Context, seen: &Seen, id: &ObjectId) -> Result<(), Failure> {
    let cluster = &seen.observed.cluster;
    let namespace = cluster.namespace().unwrap_or_default();
    if seen
        .observed
        .present
        .get(id)
        .is_some_and(|present| !present.owned)
    {
        let observed = format!(
            "{} {namespace}/{} exists and is not of TimCluster {}",
            id.kind,
            id.name,
            cluster.name_any()
        );
        return Err(Failure::NameTaken(Report::new(&kubernetes::NAME_TAKEN, observed)));
    }
    let (Some(wanted), Some(api)) = (
        seen.desired.get(id),
        kinds::api(&context.client, &namespace, &id.kind),
    ) else {
        return Ok(());
    };
    context.api_writes.add(1, &[]);
    let applied = api
        .patch(
            &id.name,
            &PatchParams::apply(labels::MANAGER).force(),
            &Patch::Apply(wanted),
        )
        .await
        .map_err(Failure::api(format!("write {id}")))?;
    remember(context, applied.meta());
    Ok(())
}

/// Notes what the server made of an applied object: as long as nobody edits it, that is no drift.
pub(super) fn remember(context: &Context, meta: &kube::core::ObjectMeta) {
    let version = version(meta.generation, meta.resource_version.as_deref());
    context
        .applied_versions
        .lock()
        .insert(meta.uid.clone().unwrap_or_default(), version);
}

/// Deletes an owned object that is not desired any more.
pub(super) async fn remove(context: &Context, cluster: &TimCluster, id: &ObjectId) -> Result<(), Failure> {
    let namespace = cluster.namespace().unwrap_or_default();
    let Some(api) = kinds::api(&context.client, &namespace, &id.kind) else {
        return Ok(());
    };
    let Some(live) = live_object(context, &namespace, id).await? else {
        return Ok(());
    };
    context.api_writes.add(1, &[]);
    gone(
        api.delete(&id.name, &only(live.uid())).await,
        &format!("delete {id}"),
    )
}

/// Deletes one of the Secrets that the operator made.
pub(super) async fn delete_secret(
    context: &Context,
    cluster: &TimCluster,
    kind: SecretKind,
) -> Result<(), Failure> {
    let name = names::secret(&cluster.name_any(), kind);
    remove(context, cluster, &ObjectId::new("Secret", name)).await
}

/// Deletes this very object and no other of its name.
pub(super) fn only(uid: Option<String>) -> DeleteParams {
    DeleteParams {
        preconditions: Some(Preconditions {
            uid,
            resource_version: None,
        }),
        ..DeleteParams::background()
    }
}

/// What is not there any more, or is another object by now, needs no deletion.
pub(super) fn gone<T>(result: kube::Result<T>, operation: &str) -> Result<(), Failure> {
    match result {
        Ok(_) => Ok(()),
        Err(kube::Error::Api(status)) if status.is_not_found() || status.is_conflict() => Ok(()),
        Err(error) => Err(Failure::api(operation)(error)),
    }
}

/// The API of pods and the like in the cluster's namespace.
pub(super) fn namespaced<K>(context: &Context, cluster: &TimCluster) -> Api<K>
where
    K: kube::Resource<Scope = k8s_openapi::NamespaceResourceScope, DynamicType = ()>,
{
    Api::namespaced(context.client.clone(), &cluster.namespace().unwrap_or_default())
}
