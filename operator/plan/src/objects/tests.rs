use k8s_openapi::api::{
    apps::v1::StatefulSet, core::v1::Service, networking::v1::NetworkPolicy, policy::v1::PodDisruptionBudget,
};
use serde::de::DeserializeOwned;
use serde_json::json;

use super::*;

fn cluster(spec: Value) -> TimCluster {
    let mut cluster = TimCluster::new("chat", serde_json::from_value(spec).expect("a spec"));
    cluster.metadata.namespace = Some("eu".into());
    cluster.metadata.uid = Some("u-1".into());
    cluster
}

fn of(spec: Value) -> Desired {
    desired(&cluster(spec), "tim:1", &BTreeMap::new())
}

fn typed<T: DeserializeOwned>(value: Value) -> T {
    serde_json::from_value(value).expect("an object of that kind")
}

fn get<T: DeserializeOwned>(desired: &Desired, kind: &str, name: &str) -> T {
    typed(
        desired
            .get(&ObjectId::new(kind, name))
            .cloned()
            .unwrap_or_default(),
    )
}

fn two_databases() -> Value {
    json!({"replicas": 3, "databases": [{"name": "d0", "dsnSecretRef": {"name": "s0"}}, {"name": "d1", "dsnSecretRef": {"name": "s1", "key": "url"}}]})
}

#[test]
fn every_object_belongs_to_the_cluster_and_carries_its_hash() {
    let desired = of(two_databases());
    let names: Vec<String> = desired.ids().map(ToString::to_string).collect();
    assert_eq!(
        names,
        [
            "ConfigMap/chat-config",
            "PodDisruptionBudget/chat-node",
            "Service/chat",
            "Service/chat-admin",
            "Service/chat-nodes",
            "ServiceAccount/chat-node"
        ]
    );
    let hashes = desired.hashes();
    for id in desired.ids() {
        let object = desired.get(id).cloned().unwrap_or_default();
        assert_eq!(
            object.pointer("/metadata/ownerReferences/0/uid"),
            Some(&json!("u-1")),
            "{id}"
        );
        assert_eq!(
            object["metadata"]["annotations"][labels::ANNOTATION_DESIRED],
            json!(hashes[id]),
            "{id}"
        );
        assert_eq!(object["metadata"]["namespace"], "eu", "{id}");
    }
    assert!(desired.problem().is_none());
}

#[test]
fn the_number_of_replicas_does_not_change_the_hash_and_everything_else_does() {
    let desired = of(two_databases());
    let set: StatefulSet = typed(desired.workload(5));
    assert_eq!(set.spec.and_then(|spec| spec.replicas), Some(5));
    let mut more = two_databases();
    more["replicas"] = json!(7);
    assert_eq!(of(more).workload_hash(), desired.workload_hash());
    let mut other = two_databases();
    other["image"] = json!("tim:2");
    assert_ne!(of(other).workload_hash(), desired.workload_hash());
}

#[test]
fn pods_are_restricted_and_find_their_files() {
    let set: StatefulSet = typed(of(two_databases()).workload(3));
    let template = set.spec.expect("a spec").template;
    let pod = template.spec.expect("a pod");
    assert_eq!(pod.automount_service_account_token, Some(false));
    let security = pod.security_context.expect("a context");
    assert_eq!(security.run_as_non_root, Some(true));
    assert_eq!(
        security.seccomp_profile.map(|profile| profile.type_),
        Some("RuntimeDefault".into())
    );
    let node = &pod.containers[0];
    let security = node.security_context.as_ref().expect("a context");
    assert_eq!(
        (
            security.allow_privilege_escalation,
            security.read_only_root_filesystem
        ),
        (Some(false), Some(true))
    );
    assert_eq!(
        security
            .capabilities
            .as_ref()
            .and_then(|capabilities| capabilities.drop.clone()),
        Some(vec!["ALL".into()])
    );
    let mounted: Vec<&str> = node
        .volume_mounts
        .iter()
        .flatten()
        .map(|mount| mount.name.as_str())
        .collect();
    let volumes = pod.volumes.unwrap_or_default();
    for mount in &mounted {
        assert!(
            *mount == "data" || volumes.iter().any(|volume| volume.name == *mount),
            "{mount}"
        );
    }
    assert!(
        node.volume_mounts
            .iter()
            .flatten()
            .all(|mount| mount.sub_path.is_none()),
        "subPath does not refresh"
    );
    let databases = volumes
        .iter()
        .find(|volume| volume.name == "databases")
        .and_then(|volume| volume.projected.as_ref());
    let paths: Vec<String> = databases
        .and_then(|projected| projected.sources.clone())
        .unwrap_or_default()
        .into_iter()
        .filter_map(|source| source.secret?.items?.pop())
        .map(|item| format!("{}→{}", item.key, item.path))
        .collect();
    assert_eq!(paths, ["dsn→d0", "url→d1"]);
    assert_eq!(
        template
            .metadata
            .and_then(|meta| meta.labels)
            .and_then(|labels| labels.get(labels::LABEL_REVISION).cloned())
            .map(|revision| revision.len()),
        Some(12)
    );
}

#[test]
fn no_databases_means_a_file_on_the_volume() {
    let desired = of(json!({}));
    let map: k8s_openapi::api::core::v1::ConfigMap = get(&desired, "ConfigMap", "chat-config");
    assert_eq!(
        map.data.unwrap_or_default()["only-dsn"],
        "sqlite:/var/lib/tim/sqlite.db"
    );
    let text = desired.workload(1).to_string();
    assert!(text.contains(r#"{"key":"only-dsn","path":"sqlite"}"#));
}

#[test]
fn services_reach_ready_nodes_only_but_for_the_headless_one() {
    let desired = of(
        json!({"listeners": [{"name": "client", "port": 6000, "service": {"type": "LoadBalancer", "annotations": {"a": "b"}}}]}),
    );
    let client: Service = get(&desired, "Service", "chat");
    let spec = client.spec.unwrap_or_default();
    assert_eq!(spec.type_.as_deref(), Some("LoadBalancer"));
    assert_eq!(spec.ports.unwrap_or_default()[0].port, 6000);
    assert_eq!(client.metadata.annotations.unwrap_or_default()["a"], "b");
    assert_ne!(spec.publish_not_ready_addresses, Some(true));
    let nodes: Service = get(&desired, "Service", "chat-nodes");
    assert_eq!(
        nodes.spec.unwrap_or_default().publish_not_ready_addresses,
        Some(true)
    );
    let admin: Service = get(&desired, "Service", "chat-admin");
    assert_eq!(
        admin.spec.and_then(|spec| spec.ports).unwrap_or_default()[0].port,
        5082,
        "the default where the list leaves it out"
    );
}

#[test]
fn a_network_policy_is_made_when_asked_for() {
    let desired =
        of(json!({"networkPolicy": {"enabled": true, "clientFrom": [{"ipBlock": {"cidr": "10.0.0.0/8"}}]}}));
    let policy: NetworkPolicy = get(&desired, "NetworkPolicy", "chat-node");
    let ingress = policy.spec.and_then(|spec| spec.ingress).unwrap_or_default();
    assert_eq!(ingress.len(), 4);
    let block = ingress[0]
        .from
        .clone()
        .unwrap_or_default()
        .pop()
        .and_then(|peer| peer.ip_block);
    assert_eq!(block.map(|block| block.cidr), Some("10.0.0.0/8".into()));
    let budget: PodDisruptionBudget = get(&desired, "PodDisruptionBudget", "chat-node");
    assert_eq!(
        budget.spec.and_then(|spec| spec.unhealthy_pod_eviction_policy),
        Some("AlwaysAllow".into())
    );
}

#[test]
fn the_overlay_wins_but_for_the_labels_that_nodes_are_found_by() {
    let desired = of(json!({"pod": {"overlay": {
        "metadata": {"labels": {"app.kubernetes.io/instance": "other", "team": "a"}},
        "spec": {"containers": [{"name": "node", "imagePullPolicy": "Never"}], "nodeSelector": {"disk": "fast"}},
    }}}));
    let template = &desired.workload(1)["spec"]["template"];
    assert_eq!(
        template["metadata"]["labels"]["app.kubernetes.io/instance"],
        "chat"
    );
    assert_eq!(template["metadata"]["labels"]["team"], "a");
    assert_eq!(template["spec"]["containers"][0]["imagePullPolicy"], "Never");
    assert_eq!(template["spec"]["containers"][0]["image"], "tim:1");
    let wrong = of(json!({"pod": {"overlay": {"spec": {"containers": "none"}}}}));
    assert_eq!(
        wrong.problem().map(|report| report.cause().code),
        Some("TIM-C102")
    );
}

#[test]
fn additions_from_secrets_are_mounted_and_passed_in_order() {
    let desired = of(json!({"config": {"secretRefs": [{"name": "a", "key": "x"}, {"name": "b"}]}}));
    let container = &desired.workload(1)["spec"]["template"]["spec"]["containers"][0];
    assert_eq!(
        container["args"],
        json!([
            "run",
            "--config",
            "/etc/tim/config/node.toml",
            "--config",
            "/etc/tim/extra/0.toml",
            "--config",
            "/etc/tim/extra/1.toml"
        ])
    );
}
