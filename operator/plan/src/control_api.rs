//! What nodes are asked and answer over their control API, in the words of the plans.

use jiff::Timestamp;
use tim_crds::repartition::RepartitionPhase as Phase;
use tim_proto::control::v1::{
    Cause, NodeState, Repartition, RepartitionOperation, RepartitionPhase, StartRepartitionRequest,
    StatusReply,
};

use crate::observed::{NodeReport, ReportedDrain, ReportedRange, ReportedState};
use crate::repartition::{OperationReport, Start};

/// Longest write pause at the cut-over, in milliseconds, until the field for it comes.
const WRITE_PAUSE_MAX_MILLIS: u32 = 500;

/// What a node says of itself; an unknown state counts as joining, which asks nothing of the node.
pub fn node_report(reply: StatusReply) -> NodeReport {
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

/// What a node says of a repartition.
pub fn operation_report(operation: Repartition) -> OperationReport {
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
        cause: operation.cause.map(pair),
        started: time(operation.started_unix_ms),
        finished: time(operation.finished_unix_ms),
    }
}

/// The request that starts a repartition.
pub fn start_request(start: &Start) -> StartRepartitionRequest {
    StartRepartitionRequest {
        operation_id: start.operation_id.clone(),
        operation: RepartitionOperation::Split.into(),
        from: start.from,
        at: start.at,
        target_database: start.target.clone(),
        write_pause_max_ms: WRITE_PAUSE_MAX_MILLIS,
    }
}

fn pair(cause: Cause) -> (String, String) {
    (cause.code, cause.detail)
}

/// 0 stands for "not yet".
fn time(unix_millis: i64) -> Option<Timestamp> {
    Timestamp::from_millisecond(unix_millis)
        .ok()
        .filter(|_| unix_millis != 0)
}
