//! One reconcile of a TimCluster: look, plan, carry out, write the status, say what has changed.

use super::status;
use crate::carry_out;
use crate::context::Context;
use crate::failure::Failure;
use crate::observe;
use kube::runtime::controller::Action;
use kube::{Resource as _, ResourceExt as _};
use std::sync::Arc;
use std::time::Instant;
use tim_crds::TimCluster;
use tim_telemetry::{Kind, Span, attribute, names};

/// Brings the cluster one step nearer to its spec.
pub(crate) async fn reconcile(cluster: Arc<TimCluster>, context: Arc<Context>) -> Result<Action, Failure> {
    let started = Instant::now();
    let mut span = Span::root_always(&names::RECONCILE, Kind::Internal);
    span.set(attribute(
        &names::K8S_NAMESPACE_NAME,
        cluster.namespace().unwrap_or_default(),
    ));
    span.set(attribute(&names::CLUSTER_NAME, cluster.name_any()));
    let result = step(&cluster, &context).await;
    let outcome = match &result {
        Ok((0, _)) => "unchanged",
        Ok(_) => "changed",
        Err(failure) => {
            span.fail(failure.error_type());
            "failed"
        }
    };
    let outcome = attribute(&names::RECONCILE_OUTCOME, outcome);
    span.set(outcome.clone());
    if let Ok((actions, _)) = &result {
        span.set(attribute(
            &names::RECONCILE_ACTION_COUNT,
            i64::try_from(*actions).unwrap_or(i64::MAX),
        ));
    }
    span.end();
    context
        .reconcile_duration
        .record(started.elapsed().as_secs_f64(), &[outcome]);
    result.map(|(_, next)| next)
}

async fn step(cluster: &TimCluster, context: &Context) -> Result<(usize, Action), Failure> {
    let seen = match observe::cluster(context, cluster).await {
        Ok(seen) => seen,
        Err(failure) => return Err(say(cluster, context, failure)),
    };
    let plan = tim_plan::plan(&seen.observed);
    let mut failed = None;
    for action in &plan.actions {
        if let Err(failure) = carry_out::action(context, &seen, action).await {
            failed = Some(failure);
            break;
        }
    }
    let mut wanted = plan.status.clone();
    if let Some(failure) = &failed {
        status::mark_failed(&mut wanted, failure, cluster.metadata.generation);
    }
    status::write_cluster(context, cluster, &wanted).await?;
    match failed {
        Some(failure) => Err(say(cluster, context, failure)),
        None => {
            context
                .failures
                .lock()
                .remove(cluster.meta().uid.as_deref().unwrap_or_default());
            Ok((plan.actions.len(), Action::requeue(plan.requeue)))
        }
    }
}

/// Logs a failure once: what is tried again is no news for a person.
fn say(cluster: &TimCluster, context: &Context, failure: Failure) -> Failure {
    let uid = cluster.meta().uid.as_deref().unwrap_or_default();
    let failures = context.failures.lock().get(uid).copied().unwrap_or(0);
    if failures == 0 && !failure.is_conflict() {
        tracing::warn!(
            namespace = cluster.namespace().unwrap_or_default(),
            cluster = cluster.name_any(),
            error_type = failure.error_type(),
            "{failure}; trying again"
        );
    }
    failure
}
