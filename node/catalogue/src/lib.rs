//! Every cause of a failure that a user can meet, once.
//!
//! A cause has one code, `TIM-` + class letter + three digits, and that code is the same in the terminal, in a
//! condition, an Event, a log line, an HTTP problem body, an error reply to a client and in the documentation. The texts
//! here are what `tim explain` prints and what `docs/reference/errors.md` is generated from; the message shown at the
//! moment of failure adds the observed values ([`Report`]).
//!
//! Class letters: C configuration, S storage, N nodes and trust, R repartition, P client protocol, K Kubernetes,
//! L command line, A administration. They keep these codes apart from the four-digit codes of the wire protocol, which
//! [`wire::explain`] covers.

pub mod administration;
mod cause;
pub mod command_line;
pub mod configuration;
pub mod kubernetes;
pub mod node;
pub mod protocol;
pub mod repartition;
mod report;
pub mod storage;
pub mod wire;

pub use cause::{Cause, Class, Severity};
pub use report::Report;

/// All causes, ordered by class and number.
pub fn all() -> impl Iterator<Item = &'static Cause> {
    [
        configuration::ALL,
        storage::ALL,
        node::ALL,
        repartition::ALL,
        protocol::ALL,
        kubernetes::ALL,
        command_line::ALL,
        administration::ALL,
    ]
    .into_iter()
    .flatten()
    .copied()
}

/// Finds a cause by its code; case and the leading `TIM-` do not matter.
pub fn find(code: &str) -> Option<&'static Cause> {
    let wanted = code.trim().to_ascii_uppercase();
    let wanted = wanted.strip_prefix("TIM-").unwrap_or(&wanted).to_owned();
    all().find(|cause| cause.code.strip_prefix("TIM-") == Some(wanted.as_str()))
}

#[cfg(test)]
mod tests;
