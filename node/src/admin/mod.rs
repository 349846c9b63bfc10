//! The admin port: health, readiness, status, metrics, and a page that says so. Plain HTTP, no secrets, nothing that
//! changes the node except a drain asked for from this very machine.

mod routes;
mod status;

pub(crate) use routes::{AdminState, router};
pub(crate) use status::{
    Cause as StatusCause, Control as StatusControl, Status, phase_word, repartition, resident_bytes,
};
