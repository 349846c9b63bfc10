//! The answers of a node's control API as the plans see them.

use jiff::Timestamp;
use tim_crds::repartition::RepartitionPhase as Phase;
use tim_plan::observed::{NodeReport, ReportedDrain, ReportedRange, ReportedState};
use tim_plan::repartition::OperationReport;
use tim_proto::control::v1::{NodeState, Repartition, RepartitionPhase, StatusReply};

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

/// What a node says of a repartition, as its plan sees it.
pub fn of_operation(operation: Repartition) -> OperationReport {
    let phase = match operation.phase() {
        RepartitionPhase::Unspecified | RepartitionPhase::Pending => Phase::Pending,
        RepartitionPhase::Preparing => Phase::PreparingTargets,
        RepartitionPhase::Copying => Phase::Copying,
        RepartitionPhase::CatchingUp => Phase::CatchingUp,
        RepartitionPhase::Verifying => Phase::Verifying,
        RepartitionPhase::CuttingOver => Phase::CuttingOver,
        RepartitionPhase::Cleaning => Phase::Cleaning,
        RepartitionPhase::Succeeded => Phase::Completed,
        RepartitionPhase::Cancelling => Phase::Canceling,
        RepartitionPhase::Cancelled => Phase::Canceled,
        RepartitionPhase::Failed => Phase::Failed,
    };
    OperationReport {
        phase,
        source: operation.source_database,
        target: operation.target_database,
        rows_total: operation.n_rows_total,
        rows_copied: operation.n_rows_copied,
        rows_mismatched: operation.n_rows_mismatched,
        write_pause_millis: u64::from(operation.write_pause_ms),
        cause: operation.cause.map(|cause| (cause.code, cause.detail)),
        started: time(operation.started_unix_ms),
        finished: time(operation.finished_unix_ms),
    }
}

/// 0 stands for "not yet".
fn time(unix_milliseconds: i64) -> Option<Timestamp> {
    Timestamp::from_millisecond(unix_milliseconds)
        .ok()
        .filter(|_| unix_milliseconds != 0)
}
