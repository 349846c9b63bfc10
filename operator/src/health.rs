//! Health, readiness and metrics of the operator, and the check that `helm test` runs.

use anyhow::Context as _;
use axum::Router;
use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::IntoResponse;
use axum::routing::get;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use tokio::net::TcpListener;

/// What the probes are told.
#[derive(Debug, Default)]
pub(crate) struct Health {
    /// The API server answers, the CRDs are there, and this replica acts or stands by.
    ready: AtomicBool,
}

impl Health {
    pub(crate) fn set_ready(&self, ready: bool) {
        self.ready.store(ready, Ordering::Relaxed);
    }
}

/// Serves the probes until the process ends.
pub(crate) async fn serve(
    address: SocketAddr,
    health: Arc<Health>,
    scrape: impl Fn() -> String + Send + Sync + Clone + 'static,
) -> anyhow::Result<()> {
    let listener = TcpListener::bind(address)
        .await
        .with_context(|| format!("listen on {address} for probes"))?;
    let routes = Router::new()
        .route("/", get(|| async { LANDING }))
        .route("/healthz", get(|| async { "ok\n" }))
        .route("/readyz", get(ready))
        .route("/metrics", get(move || async move { metrics(&scrape()) }))
        .with_state(health);
    axum::serve(listener, routes).await.context("serve the probes")
}

const LANDING: &str =
    "tim-operator: /healthz, /readyz, /metrics. The clusters: kubectl get timclusters --all-namespaces\n";

async fn ready(State(health): State<Arc<Health>>) -> impl IntoResponse {
    if health.ready.load(Ordering::Relaxed) {
        (StatusCode::OK, "ready\n")
    } else {
        (
            StatusCode::SERVICE_UNAVAILABLE,
            "starting: waiting for the API server and the custom resource definitions\n",
        )
    }
}

fn metrics(text: &str) -> impl IntoResponse + use<> {
    (
        [(header::CONTENT_TYPE, "text/plain; version=0.0.4")],
        text.to_owned(),
    )
}
