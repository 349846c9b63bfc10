//! One look at everything that belongs to a TimCluster: fresh from the API server, and from the nodes themselves.
//!
//! Reads are requests, not caches: a plan is never made from something older than the operator's own last write. Secrets
//! are fetched by name and never listed.

mod pods;
mod present;
mod references;

pub(crate) use pods::address;
pub(crate) use present::{live_object, version};
pub(crate) use references::repartitions;

use crate::context::Context;
use crate::failure::Failure;
use crate::kinds;
use crate::node_links::NodeAddress;
use crate::secrets::ClusterSecrets;
use jiff::Timestamp;
use k8s_openapi::api::apps::v1::StatefulSet;
use k8s_openapi::api::core::v1::{PersistentVolumeClaim, Pod};
use kube::ResourceExt as _;
use kube::api::{Api, ListParams};
use std::collections::BTreeMap;
use tim_crds::{TimCluster, labels};
use tim_plan::objects::Desired;
use tim_plan::observed::{Node, Observed, Volume};
use tim_plan::{control_api, names, objects};

/// A cluster as it was seen, with what carrying a plan out needs besides.
pub(crate) struct Seen {
    /// What the plan is made from.
    pub(crate) observed: Observed,
    /// The objects as they shall be.
    pub(crate) desired: Desired,
    /// The Secrets that were read.
    pub(crate) secrets: ClusterSecrets,
    /// Where nodes are reached, by name.
    pub(crate) addresses: BTreeMap<String, NodeAddress>,
}

/// Looks at a cluster.
pub(crate) async fn cluster(context: &Context, cluster: &TimCluster) -> Result<Seen, Failure> {
    let name = cluster.name_any();
    let secrets = ClusterSecrets::read(context, cluster).await?;
    let databases = references::databases(context, cluster).await?;
    let config_secrets = references::config_secrets(context, cluster).await?;
    let workload = stateful_set(context, cluster).await?;
    let default_image = workload
        .as_ref()
        .and_then(|set| set.annotations().get(labels::ANNOTATION_DEFAULT_IMAGE).cloned())
        .unwrap_or_else(|| context.default_image.clone());
    let desired = objects::desired(cluster, &default_image, &config_secrets);
    let pods = pods_of(context, cluster).await?;
    let (nodes, addresses) = nodes(context, &name, &secrets, &pods).await;
    let node_names = certificate_names(cluster, &nodes, &pods);
    let observed = Observed {
        now: Timestamp::now(),
        default_image,
        secrets: secrets.observed(&node_names),
        shared_disk: false,
        config_problem: desired.problem().cloned(),
        databases,
        config_secrets,
        desired: desired.hashes(),
        desired_workload: desired.workload_hash(),
        present: present::objects(context, cluster, &desired).await?,
        workload: workload
            .as_ref()
            .map(|set| present::workload(context, cluster, set, &desired)),
        volumes: volumes(context, cluster).await?,
        nodes,
        repartitions: repartitions(context, cluster).await?,
        cluster: cluster.clone(),
    };
    Ok(Seen {
        observed,
        desired,
        secrets,
        addresses,
    })
}

/// The selector of everything made for a cluster.
pub(crate) fn selector(cluster: &str) -> ListParams {
    ListParams::default().labels(&format!(
        "{}={},{}={cluster}",
        labels::LABEL_NAME,
        labels::NAME,
        labels::LABEL_INSTANCE
    ))
}

async fn stateful_set(context: &Context, cluster: &TimCluster) -> Result<Option<StatefulSet>, Failure> {
    let name = names::workload(&cluster.name_any());
    Api::<StatefulSet>::namespaced(context.client.clone(), &cluster.namespace().unwrap_or_default())
        .get_opt(&name)
        .await
        .map_err(Failure::api(format!("read StatefulSet {name}")))
}

async fn pods_of(context: &Context, cluster: &TimCluster) -> Result<Vec<Pod>, Failure> {
    let namespace = cluster.namespace().unwrap_or_default();
    let pods = Api::<Pod>::namespaced(context.client.clone(), &namespace)
        .list(&selector(&cluster.name_any()))
        .await
        .map_err(Failure::api("list pods"))?;
    Ok(pods.items)
}

async fn nodes(
    context: &Context,
    cluster: &str,
    secrets: &ClusterSecrets,
    pods: &[Pod],
) -> (Vec<Node>, BTreeMap<String, NodeAddress>) {
    let addresses: Vec<NodeAddress> = pods.iter().filter_map(address).collect();
    let mut replies = match secrets.operator_trust() {
        Some(trust) => context.links.statuses(&trust, &addresses).await,
        None => std::collections::HashMap::new(),
    };
    let mut nodes: Vec<Node> = pods
        .iter()
        .filter_map(|pod| {
            let uid = pod.metadata.uid.as_deref().unwrap_or_default();
            let reply = replies.remove(uid);
            let silent_since = context.links.silence(uid, reply.is_some());
            pods::node(cluster, pod, reply.map(control_api::node_report), silent_since)
        })
        .collect();
    nodes.sort_by_key(|node| node.ordinal);
    (
        nodes,
        addresses
            .into_iter()
            .map(|address| (address.name.clone(), address))
            .collect(),
    )
}

/// Nodes whose certificates matter: those that exist and those that shall.
fn certificate_names(cluster: &TimCluster, nodes: &[Node], pods: &[Pod]) -> Vec<String> {
    let wanted = u32::try_from(cluster.spec.replicas).unwrap_or(0);
    let name = cluster.name_any();
    let mut all: Vec<String> = (0..wanted).map(|ordinal| names::node(&name, ordinal)).collect();
    all.extend(nodes.iter().map(|node| node.name.clone()));
    debug_assert!(nodes.len() <= pods.len());
    all.sort();
    all.dedup();
    all
}

async fn volumes(context: &Context, cluster: &TimCluster) -> Result<BTreeMap<String, Volume>, Failure> {
    let namespace = cluster.namespace().unwrap_or_default();
    let claims = Api::<PersistentVolumeClaim>::namespaced(context.client.clone(), &namespace)
        .list(&selector(&cluster.name_any()))
        .await
        .map_err(Failure::api("list volume claims"))?;
    let volume = |claim: &PersistentVolumeClaim| {
        let resources = claim.spec.as_ref()?.resources.as_ref()?;
        Some(Volume {
            requested_size: resources.requests.as_ref()?.get("storage")?.0.clone(),
        })
    };
    Ok(claims
        .iter()
        .filter_map(|claim| {
            let node = names::node_of_claim(claim.metadata.name.as_deref()?)?;
            Some((node.to_owned(), volume(claim)?))
        })
        .collect())
}

/// The kinds whose live objects are compared with the desired ones.
pub(crate) fn applied_kinds() -> impl Iterator<Item = &'static str> {
    kinds::APPLIED.into_iter()
}
