//! What a node says of an operation, as the plan sees it.

use jiff::Timestamp;
use tim_crds::repartition::RepartitionPhase as Phase;
use tim_plan::repartition::OperationReport;
use tim_proto::control::v1::{Repartition, RepartitionPhase};

/// Translates.
pub(crate) fn of(operation: Repartition) -> OperationReport {
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
fn time(unix_millis: i64) -> Option<Timestamp> {
    if unix_millis == 0 {
        None
    } else {
        Timestamp::from_millisecond(unix_millis).ok()
    }
}
