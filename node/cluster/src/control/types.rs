//! What is replicated, in openraft's terms.

use openraft::type_config::alias;
use serde::{Deserialize, Serialize};
use std::fmt;
use tim_core::control::{Command, Response};

/// A command as it stands in the log.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Proposal(pub(super) Command);

impl fmt::Display for Proposal {
    /// The kind only: openraft prints proposals, and settings may hold what a log should not.
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match &self.0 {
            Command::Initialise(_) => "initialise",
            Command::RestoreMap(_) => "restore map",
            Command::Start(_) => "start repartition",
            Command::Report { .. } => "report progress",
            Command::Cancel(_) => "cancel repartition",
            Command::Publish(_) => "publish map",
            Command::Set { .. } => "set",
        })
    }
}

/// A member of the group: its node's name; where that is, membership knows.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub(super) struct GroupNode {
    pub(super) name: String,
}

openraft::declare_raft_types!(
    pub(super) TypeConfig:
        D = Proposal,
        R = Option<Response>,
        NodeId = u64,
        Node = GroupNode,
);

pub(super) type Entry = alias::EntryOf<TypeConfig>;
pub(super) type LogId = alias::LogIdOf<TypeConfig>;
pub(super) type Vote = alias::VoteOf<TypeConfig>;
pub(super) type StoredMembership = alias::StoredMembershipOf<TypeConfig>;
pub(super) type SnapshotMeta = alias::SnapshotMetaOf<TypeConfig>;
pub(super) type Snapshot = alias::SnapshotOf<TypeConfig, Vec<u8>>;
pub(super) type Raft = openraft::Raft<TypeConfig, super::machine::Machine>;
