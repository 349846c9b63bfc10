//! One reconcile of a TimRepartition: the nodes do the work, this asks them to begin and tells what they say.

use super::status;
use crate::carry_out::write_finalizer;
use crate::context::Context;
use crate::failure::Failure;
use crate::node_links::{NodeAddress, OperatorTrust};
use crate::observe;
use crate::secrets::ClusterSecrets;
use jiff::Timestamp;
use k8s_openapi::api::core::v1::Pod;
use kube::ResourceExt as _;
use kube::api::Api;
use kube::runtime::controller::Action;
use std::sync::Arc;
use tim_crds::{TimCluster, TimRepartition};
use tim_plan::control_api;
use tim_plan::observed::NodeReport;
use tim_plan::repartition::{self as planner, Known, Observed};
use tim_proto::control::v1::{CancelRepartitionRequest, RepartitionReply, RepartitionStatusRequest};

/// The nodes of a cluster, as far as a repartition needs them.
struct Nodes {
    trust: OperatorTrust,
    /// Nodes that answer, the control group's leader first: it drives the work.
    answering: Vec<NodeAddress>,
    reports: Vec<NodeReport>,
}

/// Brings the repartition one step further.
pub(crate) async fn reconcile(
    repartition: Arc<TimRepartition>,
    context: Arc<Context>,
) -> Result<Action, Failure> {
    let cluster = cluster_of(&context, &repartition).await?;
    let nodes = match &cluster {
        Some(cluster) => nodes(&context, cluster).await?,
        None => None,
    };
    let mut observed = observe(&context, &repartition, cluster, nodes.as_ref()).await?;
    let mut plan = planner::plan(&observed);
    if let Some(refusal) = carry_out(&context, &repartition, nodes.as_ref(), &plan.actions).await? {
        observed.refusal = Some(refusal);
        plan = planner::plan(&observed);
    }
    status::write_repartition(&context, &repartition, &plan.status).await?;
    context
        .failures
        .lock()
        .remove(repartition.metadata.uid.as_deref().unwrap_or_default());
    Ok(Action::requeue(plan.requeue))
}

async fn cluster_of(context: &Context, repartition: &TimRepartition) -> Result<Option<TimCluster>, Failure> {
    let name = &repartition.spec.cluster_ref.name;
    Api::<TimCluster>::namespaced(
        context.client.clone(),
        &repartition.namespace().unwrap_or_default(),
    )
    .get_opt(name)
    .await
    .map_err(Failure::api(format!("read TimCluster {name}")))
}

async fn nodes(context: &Context, cluster: &TimCluster) -> Result<Option<Nodes>, Failure> {
    let Some(trust) = ClusterSecrets::read(context, cluster).await?.operator_trust() else {
        return Ok(None);
    };
    let pods = Api::<Pod>::namespaced(context.client.clone(), &cluster.namespace().unwrap_or_default())
        .list(&observe::selector(&cluster.name_any()))
        .await
        .map_err(Failure::api("list pods"))?;
    let addresses: Vec<NodeAddress> = pods.items.iter().filter_map(observe::address).collect();
    let mut replies = context.links.statuses(&trust, &addresses).await;
    let mut answering: Vec<(NodeAddress, NodeReport)> = addresses
        .into_iter()
        .filter_map(|address| {
            let reply = replies.remove(&address.uid)?;
            Some((address, control_api::node_report(reply)))
        })
        .collect();
    answering.sort_by_key(|(_, report)| !report.leader);
    let (answering, reports) = answering.into_iter().unzip();
    Ok(Some(Nodes {
        trust,
        answering,
        reports,
    }))
}

async fn observe(
    context: &Context,
    repartition: &TimRepartition,
    cluster: Option<TimCluster>,
    nodes: Option<&Nodes>,
) -> Result<Observed, Failure> {
    let others = match &cluster {
        Some(cluster) => observe::repartitions(context, cluster).await?,
        None => Vec::new(),
    };
    let name = repartition.name_any();
    let newest = nodes.and_then(|nodes| nodes.reports.iter().max_by_key(|report| report.map_version));
    let operation_id = planner::operation_id(repartition);
    Ok(Observed {
        now: Timestamp::now(),
        ranges: newest.map(|report| report.ranges.clone()).unwrap_or_default(),
        others: others.into_iter().filter(|other| other.name != name).collect(),
        known: match nodes {
            Some(nodes) => known(context, nodes, &operation_id).await,
            None => Known::Silence,
        },
        refusal: None,
        repartition: repartition.clone(),
        cluster,
    })
}

/// Asks node after node; the first that knows the operation is believed.
async fn known(context: &Context, nodes: &Nodes, operation_id: &str) -> Known {
    let mut known = Known::Silence;
    for node in &nodes.answering {
        let request = RepartitionStatusRequest {
            operation_id: operation_id.to_owned(),
        };
        let call = context.links.call(
            &nodes.trust,
            node,
            "ask for a repartition at",
            |mut control| async move { control.repartition_status(request).await },
        );
        match call.await {
            Ok(RepartitionReply {
                repartition: Some(operation),
                ..
            }) => {
                return Known::Report(Box::new(control_api::operation_report(operation)));
            }
            Ok(_) => known = Known::Nothing,
            Err(failure) => tracing::debug!(%failure, "a node was asked in vain"),
        }
    }
    known
}

/// Carries the actions out. What the nodes refuse comes back as code and details.
async fn carry_out(
    context: &Context,
    repartition: &TimRepartition,
    nodes: Option<&Nodes>,
    actions: &[planner::Action],
) -> Result<Option<(String, String)>, Failure> {
    for action in actions {
        tracing::info!(repartition = repartition.name_any(), ?action, "carrying out");
        let refused = match action {
            planner::Action::AddFinalizer => {
                write_finalizer(context, repartition, true).await?;
                None
            }
            planner::Action::RemoveFinalizer => {
                write_finalizer(context, repartition, false).await?;
                None
            }
            planner::Action::Start(start) => {
                let request = control_api::start_request(start);
                let (links, (trust, node)) = (&context.links, driver(nodes)?);
                let start = links.call(trust, node, "start a repartition at", |mut control| async move {
                    control.start_repartition(request).await
                });
                start.await?.cause
            }
            planner::Action::Cancel { operation_id } => {
                let request = CancelRepartitionRequest {
                    operation_id: operation_id.clone(),
                };
                let (links, (trust, node)) = (&context.links, driver(nodes)?);
                let cancel = links.call(trust, node, "cancel a repartition at", |mut control| async move {
                    control.cancel_repartition(request).await
                });
                cancel.await?.cause
            }
        };
        if let Some(cause) = refused {
            return Ok(Some((cause.code, cause.detail)));
        }
    }
    Ok(None)
}

fn driver(nodes: Option<&Nodes>) -> Result<(&OperatorTrust, &NodeAddress), Failure> {
    let reached = nodes.and_then(|nodes| Some((&nodes.trust, nodes.answering.first()?)));
    reached.ok_or_else(|| Failure::Node {
        operation: String::from("reach a node for a repartition"),
        reason: String::from("none answers"),
    })
}
