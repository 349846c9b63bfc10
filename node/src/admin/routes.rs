//! The routes of the admin port.

use super::access::Access;
use super::api;
use super::socket;
use super::status::{Status, causes};
use super::tim_2_0;
use crate::board::Board;
use crate::drain::Asked;
use crate::edge::Arrival;
use crate::node::Node;
use crate::pages;
use axum::extract::{Query, State};
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum::{Extension, Json, Router};
use serde::{Deserialize, Serialize};
use std::sync::{Arc, OnceLock};

/// What the routes work with. The node is there once its parts are; health and readiness answer before.
#[derive(Clone)]
pub(crate) struct AdminState {
    pub(crate) board: Arc<Board>,
    pub(crate) node: Arc<OnceLock<Arc<Node>>>,
    pub(crate) access: Arc<Access>,
    pub(crate) metrics: Arc<dyn Fn() -> String + Send + Sync>,
}

/// Body of `/readyz`.
#[derive(Debug, Serialize)]
struct Readiness {
    ready: bool,
    causes: Vec<super::status::Cause>,
}

/// Query of `POST /drain`.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct DrainQuery {
    /// Names the drain; asking again under the same name keeps it going.
    id: String,
    /// Seconds it may take.
    limit_seconds: Option<u64>,
}

/// Answer to `POST /drain`.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Drained {
    done: bool,
    sessions_remaining: usize,
}

/// The routes.
pub(crate) fn router(state: AdminState) -> Router {
    Router::new()
        .route("/", get(page))
        .route("/healthz", get(|| async { "ok\n" }))
        .route("/readyz", get(ready))
        .route("/status", get(status))
        .route("/metrics", get(metrics))
        .route("/drain", post(drain))
        .route("/tim", get(socket::upgrade))
        .nest("/api/v1", api::router(state.clone()))
        .merge(tim_2_0::router(state.clone()))
        .fallback(|| async {
            (
                StatusCode::NOT_FOUND,
                "Known: / /healthz /readyz /status /metrics /api/v1/openapi.json\n",
            )
        })
        .with_state(state)
}

async fn page(State(state): State<AdminState>) -> Response {
    match state.node.get() {
        Some(node) => pages::admin(node).into_response(),
        None => (
            StatusCode::SERVICE_UNAVAILABLE,
            "A TimCluster node that is starting; see /readyz.\n",
        )
            .into_response(),
    }
}

async fn ready(State(state): State<AdminState>) -> Response {
    let body = Readiness {
        ready: state.node.get().is_some() && state.board.is_ready(),
        causes: causes(&state.board),
    };
    let code = if body.ready {
        StatusCode::OK
    } else {
        StatusCode::SERVICE_UNAVAILABLE
    };
    (code, Json(body)).into_response()
}

async fn status(State(state): State<AdminState>) -> Response {
    match state.node.get() {
        Some(node) => Json(Status::of(node)).into_response(),
        // As much of it as there is.
        None => (
            StatusCode::SERVICE_UNAVAILABLE,
            Json(Readiness {
                ready: false,
                causes: causes(&state.board),
            }),
        )
            .into_response(),
    }
}

async fn metrics(State(state): State<AdminState>) -> Response {
    let text = (state.metrics)();
    ([(header::CONTENT_TYPE, "text/plain; version=0.0.4")], text).into_response()
}

/// Begins a drain or keeps it going. Only from this machine: it is what runs before a container stops.
async fn drain(
    State(state): State<AdminState>,
    Extension(arrival): Extension<Arrival>,
    Query(query): Query<DrainQuery>,
) -> Response {
    if !arrival.remote.ip().is_loopback() {
        return (
            StatusCode::FORBIDDEN,
            "A drain is asked for from this machine, or over the peer port.\n",
        )
            .into_response();
    }
    let Some(node) = state.node.get() else {
        // Nothing is held yet.
        return Json(Drained {
            done: true,
            sessions_remaining: 0,
        })
        .into_response();
    };
    let asked = Asked {
        drain_id: query.id,
        limit: query.limit_seconds.map(std::time::Duration::from_secs),
        leave_control_group: false,
        at_once: false,
        of_this_machine: true,
    };
    let progress = node.drain.ask(asked).await;
    Json(Drained {
        done: progress.is_done(),
        sessions_remaining: progress.sessions_remaining,
    })
    .into_response()
}
