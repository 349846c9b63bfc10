//! How the group stands, as this node sees it.

use super::types::TypeConfig;
use openraft::RaftMetrics;
use tim_core::id::{NodeName, Term};

/// How the group stands.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ControlStatus {
    /// This node's id in the group.
    pub raft_id: u64,
    /// The group it belongs to; 0 while it belongs to none.
    pub group: u64,
    /// The leader, if there is one.
    pub leader: Option<(u64, NodeName)>,
    /// This node leads; its term is a coordinator's term.
    pub is_leader: bool,
    /// This node votes.
    pub is_voter: bool,
    /// The term.
    pub term: Term,
    /// Nodes that vote, by name.
    pub voters: Vec<NodeName>,
    /// Nodes that only follow.
    pub learners: Vec<NodeName>,
    /// Index of the last entry applied here.
    pub applied_index: u64,
    /// Index of the last entry that this node has in its log, applied or not.
    pub last_log_index: u64,
    /// The engine has stopped on this node, and why; it must be started anew. Chat goes on.
    pub failed: Option<String>,
}

impl ControlStatus {
    pub(super) fn of(metrics: &RaftMetrics<TypeConfig>, group: u64) -> Self {
        // The committed one: a change that is under way may still be undone.
        let membership = metrics.committed_membership_config.membership();
        let name = |id: &u64| {
            membership
                .get_node(id)
                .and_then(|node| NodeName::new(&node.name).ok())
        };
        let names = |ids: Vec<u64>| {
            let mut names: Vec<NodeName> = ids.iter().filter_map(name).collect();
            names.sort();
            names
        };
        let leader = metrics.current_leader.and_then(|id| Some((id, name(&id)?)));
        Self {
            raft_id: metrics.id,
            group,
            is_leader: leader.as_ref().is_some_and(|(id, _)| *id == metrics.id),
            leader,
            is_voter: membership.voter_ids().any(|id| id == metrics.id),
            term: Term(metrics.current_term),
            voters: names(membership.voter_ids().collect()),
            learners: names(membership.learner_ids().collect()),
            applied_index: metrics.last_applied.map_or(0, |id| id.index),
            last_log_index: metrics.last_log_index.unwrap_or(0),
            failed: metrics.running_state.as_ref().err().map(ToString::to_string),
        }
    }
}
