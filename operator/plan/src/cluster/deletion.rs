//! The end of a cluster: the nodes stop, what the spec retains stays, and the finalizer goes, at a deadline whatever
//! happened.

use jiff::SignedDuration;
use tim_crds::cluster::RetainPolicy;

use super::has_finalizer;
use crate::{
    action::{Action, SecretKind},
    intent::Intent,
    observed::Observed,
};

/// Seconds beyond drain and grace after which the finalizer goes although something is left.
const SLACK_SECONDS: i64 = 60;

/// Plans the next steps of the deletion.
pub(super) fn plan(observed: &Observed, _intent: &Intent) -> Vec<Action> {
    if !has_finalizer(observed) {
        return Vec::new();
    }
    let mut actions = Vec::new();
    if let Some(workload) = &observed.workload
        && workload.owned
        && !workload.deleting
    {
        actions.push(Action::DeleteWorkload {
            uid: workload.uid.clone(),
        });
    }
    let stopped =
        observed.nodes.is_empty() && observed.workload.as_ref().is_none_or(|workload| !workload.owned);
    if !stopped && !is_overdue(observed) {
        return actions;
    }
    // Everything else belongs to the TimCluster and goes with it; the storage key has no owner, on purpose.
    let retain = observed.cluster.spec.storage.retain.when_deleted;
    if retain == RetainPolicy::Delete && observed.secrets.present.contains(&SecretKind::Storage) {
        actions.push(Action::DeleteSecret(SecretKind::Storage));
    }
    actions.push(Action::RemoveFinalizer);
    actions
}

fn is_overdue(observed: &Observed) -> bool {
    let spec = &observed.cluster.spec;
    let limit = SignedDuration::from_secs(spec.pod.termination_grace_period_seconds + SLACK_SECONDS);
    let since = observed.cluster.metadata.deletion_timestamp.as_ref();
    since.is_some_and(|since| observed.now.duration_since(since.0) >= limit)
}
