//! What can go wrong with the group.

use tim_catalogue::{Cause, node};
use tim_core::control::Refused;

/// The group cannot be opened or has stopped on this node. Nothing was changed; the file or the disk must be put right,
/// then the node is started anew.
#[derive(Debug, thiserror::Error)]
pub enum ControlError {
    /// The file on the node's volume cannot be used.
    #[error("control group's file {path}: {reason}")]
    File {
        /// The file.
        path: String,
        /// Why.
        reason: String,
    },
    /// Its engine refuses to start or has stopped.
    #[error("control group's engine: {0}")]
    Engine(String),
}

impl ControlError {
    /// The catalogue's entry.
    pub fn cause(&self) -> &'static Cause {
        &node::CONTROL_LOG
    }
}

/// A command was not carried out.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ProposeError {
    /// The state machine refused it; nothing changed, and it will be refused again.
    #[error(transparent)]
    Refused(#[from] Refused),
    /// No leader answered in time. It may have been carried out or not: propose it again, commands are idempotent.
    #[error("no leader of the control group has answered: {reason}")]
    NoLeader {
        /// What was last observed.
        reason: String,
    },
}

/// A node was not taken out of the group. Nothing changed, or the change is under way: ask again.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum RemoveError {
    /// It is the last voter, and no other node is ready to become one.
    #[error("{0}")]
    Refused(String),
    /// No leader answered in time.
    #[error("no leader of the control group has answered: {reason}")]
    NoLeader {
        /// What was last observed.
        reason: String,
    },
}
