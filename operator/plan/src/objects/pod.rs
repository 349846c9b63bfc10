//! The pod of a node: one container that may do nothing but run, files from Secrets that refresh while it runs.

use k8s_openapi::api::core::v1::PodTemplateSpec;
use serde_json::{Value, json};
use tim_catalogue::{Report, configuration};
use tim_crds::{
    cluster::{ListenerName, PEER_PORT},
    labels,
};

use super::{
    Source, config,
    meta::{all_labels, selector_labels},
    overlay, paths,
};
use crate::{action::SecretKind, names, trust};

/// Group of the volume and of mounted files.
const FS_GROUP: u32 = 65532;
/// Mode of files with secrets: owner and group may read.
const SECRET_MODE: u32 = 0o440;

/// The pod template, with the user's overlay.
///
/// # Errors
/// The overlay makes something else than a pod of it (`TIM-C102`).
pub(super) fn template(source: &Source<'_>) -> Result<Value, Report> {
    let own = json!({
        "metadata": {"labels": pod_labels(source)},
        "spec": {
            "serviceAccountName": names::node_objects(&source.intent.name),
            "automountServiceAccountToken": false,
            "enableServiceLinks": false,
            "terminationGracePeriodSeconds": source.cluster.spec.pod.termination_grace_period_seconds,
            "securityContext": {
                "runAsNonRoot": true,
                "fsGroup": FS_GROUP,
                "fsGroupChangePolicy": "OnRootMismatch",
                "seccompProfile": {"type": "RuntimeDefault"},
            },
            "topologySpreadConstraints": spread(source),
            "containers": [container(source)],
            "volumes": volumes(source),
        },
    });
    let above = Value::Object(source.cluster.spec.pod.overlay.clone());
    let mut merged = overlay::merged(own, &above);
    if let Err(error) = serde_json::from_value::<PodTemplateSpec>(merged.clone()) {
        let report = Report::new(
            &configuration::INVALID_VALUE,
            format!("spec.pod.overlay: {error}"),
        );
        return Err(report.with_remedy("write the overlay as a part of a pod template: metadata, spec"));
    }
    // By these the nodes are found and told apart, whatever the overlay says.
    for (label, value) in pod_labels(source) {
        merged["metadata"]["labels"][label] = value.into();
    }
    Ok(merged)
}

fn pod_labels(source: &Source<'_>) -> std::collections::BTreeMap<&'static str, String> {
    let mut all = all_labels(source);
    all.insert(labels::LABEL_REVISION, source.intent.revision.clone());
    all
}

/// Nodes keep apart from each other where they can; they start all the same where they cannot.
fn spread(source: &Source<'_>) -> Value {
    ["topology.kubernetes.io/zone", "kubernetes.io/hostname"]
        .into_iter()
        .map(|key| {
            json!({
                "maxSkew": 1,
                "topologyKey": key,
                "whenUnsatisfiable": "ScheduleAnyway",
                "labelSelector": {"matchLabels": selector_labels(source)},
            })
        })
        .collect()
}

fn container(source: &Source<'_>) -> Value {
    let spec = &source.cluster.spec;
    let mut container = json!({
        "name": "node",
        "image": source.intent.image,
        "imagePullPolicy": "IfNotPresent",
        "args": command_line(source, &["run"]),
        "env": environment(),
        "ports": [
            {"name": "client", "containerPort": spec.listener(ListenerName::Client).port, "protocol": "TCP"},
            {"name": "admin", "containerPort": spec.listener(ListenerName::Admin).port, "protocol": "TCP"},
            {"name": "peer", "containerPort": PEER_PORT, "protocol": "TCP"},
            {"name": "gossip", "containerPort": PEER_PORT, "protocol": "UDP"},
        ],
        // Slow beginnings (a database that is not there yet) are the readiness probe's business, not a reason to kill.
        "startupProbe": probe(source, "/healthz", 1, 60),
        // A process that has not answered for 10 s is killed: its sessions are better off elsewhere.
        "livenessProbe": probe(source, "/healthz", 2, 5),
        "readinessProbe": probe(source, "/readyz", 1, 2),
        // The same drain as by the operator's call, so that an eviction loses nothing either.
        "lifecycle": {"preStop": {"exec": {"command": drain_command(source)}}},
        "securityContext": {
            "allowPrivilegeEscalation": false,
            "readOnlyRootFilesystem": true,
            "capabilities": {"drop": ["ALL"]},
        },
        "volumeMounts": mounts(source),
    });
    if !spec.pod.resources.is_empty() {
        container["resources"] = json!(spec.pod.resources);
    }
    container
}

/// The drain takes as long as the spec lets it; the grace of the pod is longer by a rule of the resource.
fn drain_command(source: &Source<'_>) -> Vec<String> {
    let limit = source.cluster.spec.drain.timeout_seconds.to_string();
    let mut command = vec![paths::PROGRAM.to_owned()];
    command.extend(command_line(source, &["drain", "--wait", "--timeout", &limit]));
    command
}

/// `tim-node WORD... --config FILE...`.
fn command_line(source: &Source<'_>, words: &[&str]) -> Vec<String> {
    let own = format!("{}/{}", paths::CONFIG, config::NODE_TOML);
    let extra = (0..source.cluster.spec.config.secret_refs.len())
        .map(|index| format!("{}/{index}.toml", paths::EXTRA));
    let files = std::iter::once(own).chain(extra);
    let words = words.iter().map(|word| (*word).to_owned());
    words
        .chain(files.flat_map(|file| ["--config".to_owned(), file]))
        .collect()
}

/// Who this node is. Peers reach it by its address: a name in DNS is known to others only after their caches forget.
fn environment() -> Value {
    let field =
        |name: &str, path: &str| json!({"name": name, "valueFrom": {"fieldRef": {"fieldPath": path}}});
    json!([
        field("POD_NAME", "metadata.name"),
        field("POD_NAMESPACE", "metadata.namespace"),
        field("POD_UID", "metadata.uid"),
        field("K8S_NODE_NAME", "spec.nodeName"),
        field("TIM_NODE__NAME", "metadata.name"),
        field("TIM_LISTENERS__ADVERTISE_HOST", "status.podIP"),
        {
            "name": "OTEL_RESOURCE_ATTRIBUTES",
            "value": "k8s.namespace.name=$(POD_NAMESPACE),k8s.pod.name=$(POD_NAME),k8s.pod.uid=$(POD_UID),k8s.node.name=$(K8S_NODE_NAME)",
        },
    ])
}

fn probe(source: &Source<'_>, path: &str, period_seconds: u32, failures: u32) -> Value {
    /// How long an answer may take.
    const TIMEOUT_SECONDS: u32 = 2;
    let tls = source.cluster.spec.listener(ListenerName::Admin).tls;
    json!({
        "httpGet": {"path": path, "port": "admin", "scheme": if tls { "HTTPS" } else { "HTTP" }},
        "periodSeconds": period_seconds,
        "timeoutSeconds": TIMEOUT_SECONDS,
        "failureThreshold": failures,
    })
}

fn mounts(source: &Source<'_>) -> Value {
    let mut mounts = vec![
        ("config", paths::CONFIG, true),
        ("cluster", paths::CLUSTER, true),
        ("storage", paths::STORAGE, true),
        ("tls", paths::TLS, true),
        ("databases", paths::DATABASES, true),
        ("data", paths::DATA, false),
        ("tmp", "/tmp", false),
    ];
    if !source.cluster.spec.config.secret_refs.is_empty() {
        mounts.push(("extra", paths::EXTRA, true));
    }
    let mount = |(name, path, read_only)| {
        let mut mount = json!({"name": name, "mountPath": path});
        // A false that is written would not come back, and look like somebody's edit.
        if read_only {
            mount["readOnly"] = true.into();
        }
        mount
    };
    mounts.into_iter().map(mount).collect()
}

fn volumes(source: &Source<'_>) -> Value {
    let name = &source.intent.name;
    let secret = |kind| names::secret(name, kind);
    let only = |volume: &str, kind, file: &str| {
        json!({
            "name": volume,
            "secret": {"secretName": secret(kind), "defaultMode": SECRET_MODE, "items": [{"key": file, "path": file}]},
        })
    };
    let mut volumes = vec![
        json!({"name": "config", "configMap": {
            "name": names::config_map(name),
            "items": [{"key": config::NODE_TOML, "path": config::NODE_TOML}],
        }}),
        only("cluster", SecretKind::Cluster, trust::KEY_RING_FILE),
        only("storage", SecretKind::Storage, trust::STORAGE_KEY_FILE),
        // Whole, never by subPath, which does not refresh.
        json!({"name": "tls", "secret": {"secretName": secret(SecretKind::NodeTls), "defaultMode": SECRET_MODE}}),
        json!({"name": "databases", "projected": {"defaultMode": SECRET_MODE, "sources": databases(source)}}),
        json!({"name": "tmp", "emptyDir": {}}),
    ];
    let references = &source.cluster.spec.config.secret_refs;
    if !references.is_empty() {
        let files = references.iter().enumerate().map(|(index, reference)| {
            json!({"secret": {"name": reference.name, "items": [{"key": reference.key, "path": format!("{index}.toml")}]}})
        });
        volumes.push(json!({"name": "extra", "projected": {"defaultMode": SECRET_MODE, "sources": files.collect::<Value>()}}));
    }
    volumes.into()
}

/// One file per database, named as the database.
fn databases(source: &Source<'_>) -> Value {
    let declared = &source.cluster.spec.databases;
    if declared.is_empty() {
        let map = names::config_map(&source.intent.name);
        return json!([{"configMap": {"name": map, "items": [{"key": config::ONLY_DSN, "path": names::ONLY_DATABASE}]}}]);
    }
    declared
        .iter()
        .map(|database| {
            let reference = &database.dsn_secret_ref;
            json!({"secret": {"name": reference.name, "items": [{"key": reference.key, "path": database.name}]}})
        })
        .collect()
}
