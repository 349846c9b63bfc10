//! The nodes, each in one row.

use tim_crds::{
    Time,
    cluster::{DrainStatus, NodeState, NodeStatus},
};

use super::Picture;
use crate::{
    cluster::{Focus, facts},
    observed::{Node, NodePhase, ReportedState},
};

pub(super) fn of(picture: &Picture<'_>) -> Vec<NodeStatus> {
    let mut nodes: Vec<&Node> = picture.observed.nodes.iter().collect();
    nodes.sort_by_key(|node| (node.ordinal, node.phase == NodePhase::Terminating));
    // A pod and its successor never exist at once; should they, the list has one row per name all the same.
    nodes.dedup_by(|left, right| left.name == right.name);
    nodes
        .into_iter()
        .map(|node| NodeStatus {
            name: node.name.clone(),
            uid: Some(node.uid.clone()),
            revision: Some(node.revision.clone()),
            state: state(picture, node),
            serving: facts::is_healthy(node),
            drain: picture
                .work
                .focus
                .as_ref()
                .filter(|focus| focus.uid == node.uid)
                .map(|focus| drain(focus, node)),
        })
        .collect()
}

fn state(picture: &Picture<'_>, node: &Node) -> NodeState {
    if node.phase == NodePhase::Failed || node.trouble.is_some() {
        return NodeState::Failed;
    }
    match &node.report {
        Some(report) => match report.state {
            ReportedState::Joining => NodeState::Joining,
            ReportedState::Serving if node.phase == NodePhase::Terminating => NodeState::Draining,
            ReportedState::Serving => NodeState::Serving,
            ReportedState::Draining => NodeState::Draining,
            ReportedState::Left => NodeState::Left,
        },
        None if node.phase == NodePhase::Terminating => NodeState::Left,
        None if node.phase == NodePhase::Running && facts::is_broken(picture.observed, node) => {
            NodeState::Unreachable
        }
        None => NodeState::Pending,
    }
}

fn drain(focus: &Focus, node: &Node) -> DrainStatus {
    let connections = |number: u64| i64::try_from(number).unwrap_or(i64::MAX);
    DrainStatus {
        started_at: Time(focus.started),
        deadline: Time(focus.deadline),
        initial_connections: connections(focus.initial_sessions),
        remaining_connections: connections(node.report.as_ref().map_or(0, |report| report.sessions)),
    }
}
