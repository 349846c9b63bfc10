//! The admin port: health, readiness, status, metrics, and a page that says so, for everybody who reaches it; nothing
//! there changes the node except a drain asked for from this very machine. And the interfaces of administrators, for those
//! who hold a token: our own API, the one of tim 2.0, and the WebSocket of 2.1. Beside it, on a port of its own, the server API of tim 2.1.

mod access;
mod ack;
mod api;
mod limits;
mod operations;
mod problem;
mod routes;
pub(crate) mod server_api;
mod socket;
mod status;
mod tim_2_0;

pub(crate) use access::{Access, new_token};
pub(crate) use api::document as api_document;
pub(crate) use routes::{AdminState, router};
pub(crate) use status::{
    Cause as StatusCause, Control as StatusControl, Status, phase_word, repartition, resident_bytes,
};
