//! Carrying a plan out: each action one idempotent request, in order, up to the first failure.

mod nodes;
mod objects;
mod workload;

use crate::context::Context;
use crate::failure::Failure;
use crate::observe::Seen;
use kube::ResourceExt as _;
use kube::api::{Api, Patch, PatchParams};
use serde_json::json;
use tim_crds::{TimCluster, labels};
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
        Action::AddFinalizer => finalizer(context, cluster, true).await,
        Action::RemoveFinalizer => finalizer(context, cluster, false).await,
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
async fn finalizer(context: &Context, cluster: &TimCluster, wanted: bool) -> Result<(), Failure> {
    let mut finalizers = cluster.finalizers().to_vec();
    finalizers.retain(|name| name != labels::FINALIZER);
    if wanted {
        finalizers.push(labels::FINALIZER.to_owned());
    }
    let patch =
        json!({"metadata": {"finalizers": finalizers, "resourceVersion": cluster.resource_version()}});
    context.api_writes.add(1, &[]);
    let result =
        Api::<TimCluster>::namespaced(context.client.clone(), &cluster.namespace().unwrap_or_default())
            .patch(&cluster.name_any(), &PatchParams::default(), &Patch::Merge(patch))
            .await;
    match result {
        Ok(_) => Ok(()),
        Err(kube::Error::Api(status)) if status.is_not_found() && !wanted => Ok(()),
        Err(error) => Err(Failure::api("write the finalizer")(error)),
    }
}
