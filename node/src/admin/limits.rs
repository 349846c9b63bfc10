//! What bounds every call of administrators: how many at once, how long, how large.

use super::problem::Problem;
use super::routes::AdminState;
use axum::body::{Body, Bytes};
use axum::extract::{Request, State};
use axum::http::StatusCode;
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use std::time::Duration;
use tim_catalogue::{administration as causes, node as node_causes};

/// Serves a request if there is a place for it, and for as long as it may take.
pub(super) async fn within(State(state): State<AdminState>, request: Request, next: Next) -> Response {
    let Ok(_place) = state.access.places.try_acquire() else {
        let observed = "as many requests are served as admin.requests_max allows";
        return Problem::new(
            StatusCode::SERVICE_UNAVAILABLE,
            &node_causes::OVERLOADED,
            observed,
        )
        .into_response();
    };
    let millis = state.access.config().request_timeout_millis;
    let served = tokio::time::timeout(Duration::from_millis(millis), Box::pin(next.run(request)));
    served.await.unwrap_or_else(|_| {
        let observed = format!("the request has taken more than {millis} ms");
        Problem::new(StatusCode::GATEWAY_TIMEOUT, &causes::TIMED_OUT, observed).into_response()
    })
}

/// The body of a request, if it is not too large.
pub(super) async fn body(body: Body, state: &AdminState) -> Result<Bytes, Problem> {
    let most = state.access.config().body_bytes_max as usize;
    axum::body::to_bytes(body, most).await.map_err(|_| {
        let observed = format!("the body has more than {most} bytes, or broke off");
        Problem::new(StatusCode::PAYLOAD_TOO_LARGE, &causes::BODY_TOO_LARGE, observed)
    })
}
