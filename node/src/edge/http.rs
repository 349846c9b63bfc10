//! The routes of the client port: the WebSocket on `/tim` and `/`, register and token on `/tim2`, a page for
//! people, and the chat page.

use super::{Arrival, Connection};
use crate::accounts::requests;
use crate::node::Node;
use crate::{chat_page, pages};
use axum::body::Body;
use axum::extract::State;
use axum::extract::ws::WebSocketUpgrade;
use axum::extract::ws::rejection::WebSocketUpgradeRejection;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::{any, get};
use axum::{Extension, Router};
use std::sync::Arc;
use std::time::Duration;
use tim_catalogue::Report;
use tim_catalogue::node::OVERLOADED;
use tim_catalogue::protocol::{FRAME_TOO_LARGE, REQUEST_TOO_SLOW};

/// Read buffer of one WebSocket: it is allocated for every idle client, and a fifth of what one costs was this when it had twice
/// the size. Most frames fit; a larger one is read in several parts.
const READ_BUFFER_BYTES: usize = 512;
/// Frames smaller than this are gathered before they are written.
const WRITE_BUFFER_BYTES: usize = 8 * 1_024;

/// How long the body of a request may take.
const BODY_LIMIT: Duration = Duration::from_secs(10);

/// The routes.
pub(crate) fn router(node: Arc<Node>) -> Router {
    let routes = Router::new()
        .route("/tim", get(upgrade_only))
        .route("/", get(upgrade_or_page))
        .route("/tim2", any(request))
        .fallback(not_found);
    let routes = if node.config.listeners.chat_page {
        routes.merge(chat_page::router())
    } else {
        routes
    };
    routes.with_state(node)
}

async fn upgrade_only(
    State(node): State<Arc<Node>>,
    Extension(arrival): Extension<Arrival>,
    upgrade: Result<WebSocketUpgrade, WebSocketUpgradeRejection>,
) -> Response {
    match upgrade {
        Ok(upgrade) => websocket(node, &arrival, upgrade),
        Err(_) => (
            StatusCode::UPGRADE_REQUIRED,
            [(header::UPGRADE, "websocket")],
            "This is the WebSocket endpoint of a tim server: connect with ws://, not http://.\n",
        )
            .into_response(),
    }
}

async fn upgrade_or_page(
    State(node): State<Arc<Node>>,
    Extension(arrival): Extension<Arrival>,
    upgrade: Result<WebSocketUpgrade, WebSocketUpgradeRejection>,
) -> Response {
    match upgrade {
        // A client that forgets the path is served all the same.
        Ok(upgrade) => websocket(node, &arrival, upgrade),
        Err(_) => pages::client(&node).into_response(),
    }
}

fn websocket(node: Arc<Node>, arrival: &Arrival, upgrade: WebSocketUpgrade) -> Response {
    let Some(place) = node.admission.connection() else {
        node.metrics.limit_reached("limits.connections_max");
        let full = Report::new(
            &OVERLOADED,
            "this node has as many connections as it takes (limits.connections_max)",
        );
        let told = format!("{}\n", full.with_remedy("connect to another node"));
        return (StatusCode::SERVICE_UNAVAILABLE, told).into_response();
    };
    let frame_bytes_max = node.config.limits.frame_bytes_max as usize;
    let connection = Connection::new(node, arrival.remote.ip(), place, arrival.take_place());
    let connection = Box::new(connection);
    upgrade
        .read_buffer_size(READ_BUFFER_BYTES)
        .write_buffer_size(WRITE_BUFFER_BYTES)
        .max_frame_size(frame_bytes_max)
        .max_message_size(frame_bytes_max)
        .on_upgrade(move |socket| {
            // A task of its own: the one that upgraded is several times as large, and ends here.
            tokio::spawn(connection.run(Box::new(socket)));
            std::future::ready(())
        })
}

/// `/tim2`: one frame in the body, one ack back. Whatever cannot be answered is an empty 200, as with the reference.
async fn request(
    State(node): State<Arc<Node>>,
    Extension(arrival): Extension<Arrival>,
    body: Body,
) -> Response {
    let frame_bytes_max = node.config.limits.frame_bytes_max as usize;
    let read = axum::body::to_bytes(body, frame_bytes_max);
    let body = match tokio::time::timeout(BODY_LIMIT, read).await {
        Ok(Ok(body)) => body,
        Ok(Err(_)) => {
            node.metrics.limit_reached("limits.frame_bytes_max");
            let observed = format!("the request has more than {frame_bytes_max} bytes, or broke off");
            let large = Report::new(&FRAME_TOO_LARGE, observed);
            return (StatusCode::PAYLOAD_TOO_LARGE, format!("{large}\n")).into_response();
        }
        Err(_) => {
            let observed = format!("the request has not arrived within {} s", BODY_LIMIT.as_secs());
            let slow = Report::new(&REQUEST_TOO_SLOW, observed);
            return (StatusCode::REQUEST_TIMEOUT, format!("{slow}\n")).into_response();
        }
    };
    let _busy = arrival.busy();
    let answer = Box::pin(requests::http_request(&node, body, arrival.remote.ip())).await;
    ([(header::CONTENT_TYPE, "application/octet-stream")], answer).into_response()
}

async fn not_found(State(node): State<Arc<Node>>) -> Response {
    (StatusCode::NOT_FOUND, pages::client(&node)).into_response()
}
