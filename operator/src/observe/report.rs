//! The answer of a node's control API as the plan sees it.

use tim_plan::observed::{NodeReport, ReportedDrain, ReportedRange, ReportedState};
use tim_proto::control::v1::{Cause, NodeState, StatusReply};

/// Translates; an unknown state counts as joining, which asks nothing of the node.
pub(crate) fn of(reply: StatusReply) -> NodeReport {
    let state = match reply.state() {
        NodeState::Serving => ReportedState::Serving,
        NodeState::Draining => ReportedState::Draining,
        NodeState::Left => ReportedState::Left,
        NodeState::Joining | NodeState::Unspecified => ReportedState::Joining,
    };
    let group = reply.control_group.unwrap_or_default();
    let map = reply.map.unwrap_or_default();
    NodeReport {
        state,
        version: reply.version,
        sessions: reply.n_sessions,
        drain: reply.drain.map(|drain| ReportedDrain {
            id: drain.drain_id,
            sessions_remaining: drain.n_sessions_remaining,
            done: drain.done,
        }),
        causes: reply.causes.into_iter().map(pair).collect(),
        ranges: map
            .ranges
            .into_iter()
            .map(|range| ReportedRange {
                from: range.from,
                database: range.database,
                epoch: range.epoch,
            })
            .collect(),
        map_version: map.version,
        leader: group.leader,
        voters: group.voters,
        applied_index: group.applied_index,
        database_causes: reply
            .databases
            .into_iter()
            .filter_map(|database| database.cause.map(pair))
            .collect(),
    }
}

fn pair(cause: Cause) -> (String, String) {
    (cause.code, cause.detail)
}
