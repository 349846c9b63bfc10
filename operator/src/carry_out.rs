//! Carrying a plan out: each action one idempotent request, in order, up to the first failure.

mod nodes;
mod objects;
mod workload;

use crate::context::Context;
use crate::failure::Failure;
use crate::observe::Seen;
use k8s_openapi::NamespaceResourceScope;
use kube::api::{Api, Patch, PatchParams};
use kube::{Resource, ResourceExt as _};
use serde::de::DeserializeOwned;
use serde_json::json;
use std::fmt::Debug;
use tim_crds::labels;
use tim_plan::Action;

/// Carries out one action on a cluster that was seen as `seen`.
pub(crate) async fn action(context: &Context, seen: &Seen, action: &Action) -> Result<(), Failure> {
    let cluster = &seen.observed.cluster;
    tracing::info!(
        namespace = cluster.namespace().unwrap_or_default(),
        cluster = cluster.name_any(),
        action = ?action,
        "carrying out"
    );
    match action {
        Action::AddFinalizer => write_finalizer(context, cluster, true).await,
        Action::RemoveFinalizer => write_finalizer(context, cluster, false).await,
        Action::CreateSecret(kind) => seen.secrets.create(context, cluster, *kind).await,
        Action::RenewAuthority => seen.secrets.renew_authority(context, cluster).await,
        Action::IssueCertificates { nodes, operator } => {
            seen.secrets.issue(context, cluster, nodes, *operator).await
        }
        Action::DeleteSecret(kind) => objects::delete_secret(context, cluster, *kind).await,
        Action::ApplyObject(id) => objects::apply(context, seen, id).await,
        Action::RemoveObject(id) => objects::remove(context, cluster, id).await,
        Action::ApplyWorkload {
            replicas,
            resource_version,
        } => workload::apply(context, seen, *replicas, resource_version.as_deref()).await,
        Action::OrphanWorkload { uid } => {
            workload::delete(context, cluster, uid, workload::Nodes::Keep).await
        }
        Action::DeleteWorkload { uid } => {
            workload::delete(context, cluster, uid, workload::Nodes::Delete).await
        }
        Action::GrowVolume { node, size } => workload::grow_volume(context, cluster, node, size).await,
        Action::Drain {
            node,
            uid,
            deadline,
            leave_control_group,
        } => nodes::drain(context, seen, node, uid, *deadline, *leave_control_group).await,
        Action::Undrain { node, uid } => nodes::undrain(context, seen, node, uid).await,
        Action::DeleteNode { node, uid, reason } => nodes::delete(context, seen, node, uid, *reason).await,
        Action::RemoveVoter { voter, via } => nodes::remove_voter(context, seen, voter, via).await,
    }
}

/// Adds or removes the finalizer; the resource version makes sure that nobody else's is lost.
pub(crate) async fn write_finalizer<K>(context: &Context, object: &K, wanted: bool) -> Result<(), Failure>
where
    K: Resource<Scope = NamespaceResourceScope, DynamicType = ()> + Clone + Debug + DeserializeOwned,
{
    let mut finalizers = object.finalizers().to_vec();
    finalizers.retain(|name| name != labels::FINALIZER);
    if wanted {
        finalizers.push(labels::FINALIZER.to_owned());
    }
    let patch = json!({"metadata": {"finalizers": finalizers, "resourceVersion": object.resource_version()}});
    context.api_writes.add(1, &[]);
    let namespace = object.namespace().unwrap_or_default();
    let result = Api::<K>::namespaced(context.client.clone(), &namespace)
        .patch(&object.name_any(), &PatchParams::default(), &Patch::Merge(patch))
        .await;
    match result {
        Ok(_) => Ok(()),
        Err(kube::Error::Api(status)) if status.is_not_found() && !wanted => Ok(()),
        Err(error) => {
            let operation = format!("write the finalizer of a {}", K::kind(&()));
            Err(Failure::api(operation)(error))
        }
    }
}
