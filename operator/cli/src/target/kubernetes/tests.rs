//! Against a stand-in for the API server on loopback: what is asked, and what is made of the answers.

use super::*;
use crate::status::{StatusDocument, Verdict};
use crate::terminal::ColourChoice;
use axum::Router;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::{Method, StatusCode, Uri};
use axum::response::{IntoResponse, Response};
use parking_lot::Mutex;
use serde_json::{Value, json};
use std::sync::Arc;

type Requests = Arc<Mutex<Vec<(Method, String, String)>>>;

fn global() -> Global {
    Global {
        dir: None,
        context: None,
        namespace: None,
        output: crate::output::OutputFormat::Table,
        color: ColourChoice::Never,
        timeout: None,
    }
}

fn status_page(node: &str) -> Value {
    json!({
        "node": node, "clusterId": "eu.chat", "version": "1", "state": "serving", "sessions": 4, "uptimeSeconds": 9,
        "view": {"members": [{"name": "chat-0"}, {"name": "chat-1"}]},
        "partitions": {"version": 1, "ranges": [{"from": 0, "database": "d0", "epoch": 3}]},
        "control": {"leaderRaftId": 1, "isLeader": node == "chat-0", "voters": ["chat-0", "chat-1"], "appliedIndex": 2},
        "databases": [{"name": "d0", "kind": "postgresql", "reachable": true}]
    })
}

fn cluster() -> Value {
    json!({
        "apiVersion": "timcluster.io/v1alpha1", "kind": "TimCluster",
        "metadata": {"name": "chat", "namespace": "eu", "generation": 2},
        "spec": {"replicas": 2, "databases": [{"name": "d0", "dsnSecretRef": {"name": "s"}}, {"name": "d1", "dsnSecretRef": {"name": "s"}}]},
        "status": {"observedGeneration": 2, "replicas": 2, "readyReplicas": 2, "updatedReplicas": 2, "availableReplicas": 2}
    })
}

fn list(kind: &str, items: &[Value]) -> Value {
    json!({"apiVersion": "v1", "kind": kind, "metadata": {}, "items": items})
}

fn pod(name: &str) -> Value {
    json!({"apiVersion": "v1", "kind": "Pod", "metadata": {"name": name}})
}

async fn answer(State(requests): State<Requests>, method: Method, uri: Uri, body: Bytes) -> Response {
    let path = uri.path().to_owned();
    requests.lock().push((
        method.clone(),
        path.clone(),
        String::from_utf8_lossy(&body).into_owned(),
    ));
    let group = "/apis/timcluster.io/v1alpha1/namespaces/eu";
    let value = match (method.as_str(), path.strip_prefix(group).unwrap_or(&path)) {
        ("GET", "/api/v1/namespaces/eu") => {
            json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "eu"}})
        }
        ("GET", "/api/v1/namespaces") => list(
            "NamespaceList",
            &[json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "eu"}})],
        ),
        ("GET", "/timclusters") => list("TimClusterList", &[cluster()]),
        ("GET", "/timclusters/chat") => cluster(),
        ("PATCH", "/timclusters/chat/scale") => {
            json!({"metadata": {"name": "chat"}, "spec": {"replicas": 5}})
        }
        ("GET", "/timrepartitions") => list("TimRepartitionList", &[]),
        ("POST", "/timrepartitions") => serde_json::from_slice(&body).unwrap(),
        ("GET", "/api/v1/namespaces/eu/pods") => list("PodList", &[pod("chat-0"), pod("chat-1")]),
        ("GET", "/api/v1/namespaces/eu/pods/chat-0:5082/proxy/status") => status_page("chat-0"),
        ("GET", "/api/v1/namespaces/eu/pods/chat-1:5082/proxy/status") => status_page("chat-1"),
        _ => {
            let status = json!({"kind": "Status", "status": "Failure", "reason": "NotFound", "code": 404, "message": "not there"});
            return (StatusCode::NOT_FOUND, axum::Json(status)).into_response();
        }
    };
    axum::Json(value).into_response()
}

async fn target(namespace: &str) -> (KubernetesTarget, Requests) {
    let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
    let requests = Requests::default();
    let router = Router::new().fallback(answer).with_state(Arc::clone(&requests));
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move { axum::serve(listener, router).await });
    let config = Config::new(format!("http://{address}").parse().unwrap());
    let client = Client::try_from(config).unwrap();
    (
        KubernetesTarget {
            client,
            context: "prod".into(),
            namespace: namespace.into(),
        },
        requests,
    )
}

#[tokio::test]
async fn nodes_are_asked_through_the_api_server() {
    let (target, _) = target("eu").await;
    assert_eq!(target.clusters().await.unwrap(), ["chat"]);
    let observed = target.observe("chat").await.unwrap();
    let document = StatusDocument::of(&observed, Timestamp::now());
    assert_eq!(document.verdict, Verdict::Healthy, "{document:?}");
    assert_eq!(
        (document.epoch, document.nodes.len(), document.nodes[1].sessions),
        (3, 2, Some(4))
    );
    assert_eq!(document.partitions[0].kind, "PostgreSQL");
    assert_eq!(document.target, "context prod, namespace eu, timcluster chat");
}

#[tokio::test]
async fn scaling_writes_the_scale_subresource() {
    let (target, requests) = target("eu").await;
    target.scale("chat", 5).await.unwrap();
    let (method, path, body) = requests.lock().last().cloned().unwrap();
    assert_eq!(
        (method.as_str(), path.as_str()),
        (
            "PATCH",
            "/apis/timcluster.io/v1alpha1/namespaces/eu/timclusters/chat/scale"
        )
    );
    assert_eq!(
        serde_json::from_str::<Value>(&body).unwrap(),
        json!({"spec": {"replicas": 5}})
    );
}

#[tokio::test]
async fn a_dry_run_shows_what_would_be_sent_and_sends_nothing() {
    let (target, requests) = target("eu").await;
    let patch = target.scale_patch("chat", 5).unwrap();
    assert_eq!(
        patch,
        r#"kubectl -n eu patch timcluster chat --subresource scale --type merge -p '{"spec":{"replicas":5}}'"#
    );
    let observed = target.observe("chat").await.unwrap();
    let request = super::super::plan_split(&observed, 100, Some("d1"), None).unwrap();
    let object = target.split_object("chat", &request).await.unwrap().unwrap();
    assert!(
        object.contains("kind: TimRepartition") && object.contains("name: chat-split-1"),
        "{object}"
    );
    assert!(!object.contains("status:"), "{object}");
    assert!(requests.lock().iter().all(|(method, ..)| method == "GET"));
}

#[tokio::test]
async fn a_split_is_a_new_object() {
    let (target, requests) = target("eu").await;
    let observed = target.observe("chat").await.unwrap();
    let request =
        super::super::plan_split(&observed, 100, Some("d1"), target.new_database(&observed)).unwrap();
    assert_eq!(target.split("chat", &request).await.unwrap(), "chat-split-1");
    let (_, _, body) = requests.lock().last().cloned().unwrap();
    let body: Value = serde_json::from_str(&body).unwrap();
    assert_eq!(
        body["spec"]["operation"]["split"],
        json!({"from": 0, "at": [100], "targets": [{"database": "d1"}]})
    );
}

#[tokio::test]
async fn an_unknown_namespace_gets_the_known_ones_and_an_unknown_cluster_changes_nothing() {
    let (wrong, _) = target("us").await;
    let failure = wrong.check_namespace().await.unwrap_err();
    assert_eq!(failure.exit_code(), Exit::Usage);
    assert!(failure.to_string().contains("Known: eu"), "{failure}");
    let (target, requests) = target("eu").await;
    let failure = super::super::find_cluster(&target, Some("chatt"))
        .await
        .unwrap_err();
    assert_eq!(failure.exit_code(), Exit::Usage);
    assert!(requests.lock().iter().all(|(method, ..)| method == Method::GET));
}

#[tokio::test]
async fn an_unknown_context_is_refused_before_anything_is_contacted() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("config");
    std::fs::write(
        &path,
        "apiVersion: v1\nkind: Config\ncontexts:\n- name: prod-eu\n  context: {cluster: c, user: u}\n",
    )
    .unwrap();
    let file = Kubeconfig::read_from(&path).unwrap();
    let failure = pick_context(
        &Global {
            context: Some("prod".into()),
            ..global()
        },
        &file,
    )
    .unwrap_err();
    assert_eq!(failure.exit_code(), Exit::Usage);
    assert!(failure.to_string().contains("Known: prod-eu"), "{failure}");
}
