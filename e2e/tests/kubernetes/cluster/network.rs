//! Who may reach whom, computed from the policies that the API server holds.

use std::collections::BTreeMap;

use anyhow::Context as _;
use k8s_openapi::api::core::v1::{Namespace, Pod};
use k8s_openapi::api::networking::v1::NetworkPolicy;
use kube::Api;
use kube::api::ListParams;
use serde_json::json;
use tim_e2e::kubernetes::Sandbox;
use tim_e2e::kubernetes::reachability::{End, is_allowed};
use tim_e2e::kubernetes::surroundings::OPERATOR_NAMESPACE;
use tim_e2e::kubernetes::tim_cluster::Cluster;

/// A pod of the cluster as one end of a connection.
async fn end_of(sandbox: &Sandbox, namespace: &str, selector: &str) -> anyhow::Result<End> {
    let client = sandbox.surroundings.client.clone();
    let pods: Api<Pod> = Api::namespaced(client.clone(), namespace);
    let pod = pods
        .list(&ListParams::default().labels(selector))
        .await?
        .items
        .into_iter()
        .next()
        .context("no such pod")?;
    let namespace_object = Api::<Namespace>::all(client).get(namespace).await?;
    let containers = pod.spec.map(|spec| spec.containers).unwrap_or_default();
    let ports: BTreeMap<String, i32> = containers
        .into_iter()
        .flat_map(|container| container.ports.unwrap_or_default())
        .filter_map(|port| Some((port.name?, port.container_port)))
        .collect();
    Ok(End::Pod {
        namespace: namespace.to_owned(),
        namespace_labels: namespace_object.metadata.labels.unwrap_or_default(),
        labels: pod.metadata.labels.unwrap_or_default(),
        ports,
    })
}

fn stranger(namespace: &str, label: (&str, &str)) -> End {
    End::Pod {
        namespace: namespace.to_owned(),
        namespace_labels: [("kubernetes.io/metadata.name".to_owned(), namespace.to_owned())].into(),
        labels: [(label.0.to_owned(), label.1.to_owned())].into(),
        ports: BTreeMap::new(),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn only_those_whom_the_spec_names_may_reach_the_nodes() -> anyhow::Result<()> {
    Sandbox::run("policy", async |sandbox| {
        let cluster = Cluster::of(sandbox, "minimal");
        let spec = json!({"networkPolicy": {"enabled": true, "clientFrom": [{"podSelector": {"matchLabels": {"role": "web"}}}]}});
        let object = json!({"apiVersion": tim_crds::API_VERSION, "kind": "TimCluster", "metadata": {"name": "minimal"}, "spec": spec});
        sandbox.apply(&object.to_string()).await?;
        cluster.until_serving(1).await?;

        let policies: Api<NetworkPolicy> = sandbox.api();
        let policies = policies.list(&ListParams::default()).await?.items;
        let namespace = sandbox.namespace.as_str();
        let node = end_of(sandbox, namespace, &cluster.labels()).await?;
        let operator = end_of(sandbox, OPERATOR_NAMESPACE, "app.kubernetes.io/name=tim-operator").await?;
        let web = stranger(namespace, ("role", "web"));
        let other = stranger(namespace, ("role", "batch"));
        let far_web = stranger("elsewhere", ("role", "web"));
        let outside = End::Address([203, 0, 113, 7].into());

        for (from, who, protocol, port, wanted) in [
            (&web, "a named client", "TCP", 5080, true),
            (&other, "another pod", "TCP", 5080, false),
            (&far_web, "a pod of that label elsewhere", "TCP", 5080, false),
            (&outside, "the internet", "TCP", 5080, false),
            (&node, "a node", "TCP", 5083, true),
            (&node, "a node", "UDP", 5083, true),
            (&operator, "the operator", "TCP", 5083, true),
            (&operator, "the operator", "UDP", 5083, false),
            (&web, "a named client", "TCP", 5083, false),
            (&other, "another pod", "UDP", 5083, false),
            (&far_web, "metrics from elsewhere", "TCP", 5082, true),
            (&outside, "the internet", "TCP", 5082, false),
        ] {
            let allowed = is_allowed(&policies, from, &node, protocol, port);
            anyhow::ensure!(allowed == wanted, "{who} to {protocol} {port}: {allowed}");
        }
        for (to, what, protocol, port) in [
            (&outside, "a database", "TCP", 5432),
            (&outside, "the name service", "UDP", 53),
            (&node, "a peer", "TCP", 5083),
        ] {
            anyhow::ensure!(is_allowed(&policies, &node, to, protocol, port), "a node may not reach {what}");
        }

        // Not asked for any more: gone.
        cluster.patch(json!({"networkPolicy": {"enabled": false}})).await?;
        let name = "minimal-node";
        let gone = |policy: Option<&NetworkPolicy>| policy.is_none();
        let patience = tim_e2e::kubernetes::tim_cluster::PATIENCE;
        tim_e2e::kubernetes::wait::until(&sandbox.api::<NetworkPolicy>(), name, "the policy is gone", patience, gone).await?;
        Ok(())
    })
    .await
}
