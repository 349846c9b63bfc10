//! Writing statuses: only when they differ, and what has changed is said as Events.

use crate::context::Context;
use crate::failure::Failure;
use kube::api::{Api, Patch, PatchParams};
use kube::{Resource, ResourceExt as _};
use serde::Serialize;
use serde_json::{Value, json};
use tim_catalogue::{Report, kubernetes};
use tim_crds::{API_VERSION, TimCluster, TimClusterStatus, TimRepartition, TimRepartitionStatus, labels};
use tim_plan::condition::{self, Judgement};

/// Condition that says whether the last plan could be carried out.
const RECONCILED: &str = "Reconciled";

/// Puts a failure into the status: what could not be done, in words that stay the same while it fails.
pub(crate) fn mark_failed(status: &mut TimClusterStatus, failure: &Failure, generation: Option<i64>) {
    if failure.is_conflict() {
        return;
    }
    let report = match failure {
        Failure::NameTaken(report) => report.clone(),
        Failure::Api { operation, source } => match source.as_ref() {
            kube::Error::Api(answer) if answer.is_forbidden() => {
                Report::new(&kubernetes::FORBIDDEN, format!("{operation}: {}", answer.message))
            }
            kube::Error::Api(answer) => {
                Report::new(&kubernetes::REFUSED, format!("{operation}: {}", answer.message))
            }
            _ => Report::new(&kubernetes::API_UNREACHABLE, operation.clone()),
        },
        Failure::Node { operation, .. } => {
            Report::new(&tim_catalogue::node::NODE_UNREACHABLE, operation.clone())
        }
        Failure::Trust(reason) => Report::new(&tim_catalogue::node::CERTIFICATE_UNREADABLE, reason.clone()),
        Failure::Json(_) => return,
    };
    let before: Vec<_> = status
        .conditions
        .iter()
        .filter(|condition| condition.type_ == RECONCILED)
        .cloned()
        .collect();
    let judgement = vec![Judgement::because(RECONCILED, "False", &report)];
    let failed = condition::merge(&before, judgement, generation, jiff::Timestamp::now());
    status
        .conditions
        .retain(|condition| condition.type_ != RECONCILED);
    status.conditions.extend(failed);
}

/// Writes the status of a cluster.
pub(crate) async fn write_cluster(
    context: &Context,
    cluster: &TimCluster,
    status: &TimClusterStatus,
) -> Result<(), Failure> {
    let before = cluster.status.as_ref();
    if before == Some(status) {
        return Ok(());
    }
    let api = Api::<TimCluster>::namespaced(context.client.clone(), &cluster.namespace().unwrap_or_default());
    write(context, &api, "TimCluster", &cluster.name_any(), status).await?;
    let conditions = before
        .map(|status| status.conditions.as_slice())
        .unwrap_or_default();
    context
        .events
        .conditions_changed(&cluster.object_ref(&()), conditions, &status.conditions)
        .await;
    Ok(())
}

/// Writes the status of a repartition.
pub(crate) async fn write_repartition(
    context: &Context,
    repartition: &TimRepartition,
    status: &TimRepartitionStatus,
) -> Result<(), Failure> {
    let before = repartition.status.as_ref();
    if before == Some(status) {
        return Ok(());
    }
    let api = Api::<TimRepartition>::namespaced(
        context.client.clone(),
        &repartition.namespace().unwrap_or_default(),
    );
    write(context, &api, "TimRepartition", &repartition.name_any(), status).await?;
    let conditions = before
        .map(|status| status.conditions.as_slice())
        .unwrap_or_default();
    context
        .events
        .conditions_changed(&repartition.object_ref(&()), conditions, &status.conditions)
        .await;
    Ok(())
}

async fn write<K>(
    context: &Context,
    api: &Api<K>,
    kind: &str,
    name: &str,
    status: &impl Serialize,
) -> Result<(), Failure>
where
    K: Resource + Clone + serde::de::DeserializeOwned + std::fmt::Debug,
{
    let patch: Value = json!({
        "apiVersion": API_VERSION,
        "kind": kind,
        "metadata": {"name": name},
        "status": serde_json::to_value(status)?,
    });
    context.api_writes.add(1, &[]);
    match api
        .patch_status(
            name,
            &PatchParams::apply(labels::STATUS_MANAGER).force(),
            &Patch::Apply(&patch),
        )
        .await
    {
        Ok(_) => Ok(()),
        // Deleted meanwhile, its finalizer being gone: there is nothing left to describe.
        Err(kube::Error::Api(answer)) if answer.is_not_found() => Ok(()),
        Err(error) => Err(Failure::api(format!("write the status of {kind} {name}"))(error)),
    }
}
