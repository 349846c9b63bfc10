//! The answer of a node's control API as the plan sees it.

use tim_plan::observed::{NodeReport, ReportedDrain, ReportedRange, ReportedState};
use tim_proto::control::v1::{NodeState, StatusReply};

/// Translates; an unknown state counts as joining, which asks nothing of the node.
pub fn of(reply: &StatusReply) -> NodeReport {
    let state = match reply.state() {
        NodeState::Serving => ReportedState::Serving,
        NodeState::Draining => ReportedState::Draining,
        NodeState::Left => ReportedState::Left,
        NodeState::Joining | NodeState::Unspecified => ReportedState::Joining,
    };
    let group = reply.control_group.clone().unwrap_or_default();
    let map = reply.map.clone().unwrap_or_default();
    let ranges = map.ranges.into_iter();
    let pair = |cause: &tim_proto::control::v1::Cause| (cause.code.clone(), cause.detail.clone());
    NodeReport {
        state,
        version: reply.version.clone(),
        sessions: reply.n_sessions,
        drain: reply.drain.as_ref().map(|drain| ReportedDrain {
            id: drain.drain_id.clone(),
            sessions_remaining: drain.n_sessions_remaining,
            done: drain.done,
        }),
        causes: reply.causes.iter().map(pair).collect(),
        ranges: ranges
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
            .iter()
            .filter_map(|database| database.cause.as_ref().map(pair))
            .collect(),
    }
}
