//! What is said about a repartition.

use tim_catalogue::Report;
use tim_crds::{
    TimRepartitionStatus, Time,
    repartition::{CutoverStatus, Progress, RangeProgress, RepartitionPhase as Phase},
};

use super::{Action, Known, Observed, OperationReport, cut, is_past_return, operation_id};
use crate::condition::{Judgement, merge, whole_seconds};

/// Copied share that is shown while copying: the rest is shown only when it has ended.
const COPYING_PERCENT_MAX: i32 = 99;

pub(super) fn build(
    observed: &Observed,
    before: TimRepartitionStatus,
    waiting: Option<&Report>,
    actions: &[Action],
) -> TimRepartitionStatus {
    let mut status = before;
    status.observed_generation = observed.repartition.metadata.generation;
    let starts = actions.iter().any(|action| matches!(action, Action::Start(_)));
    match &observed.known {
        Known::Report(report) => follow(observed, report, &mut status),
        Known::Silence if status.operation_id.is_some() => {
            status.phase_reason = Some("no node answers".into())
        }
        _ if observed.repartition.spec.cancel => end_unstarted(observed, &mut status),
        _ => {
            status.phase_reason = match waiting {
                Some(report) => Some(format!("waiting: {}", report.condition_message())),
                None => Some("starting".into()),
            };
        }
    }
    if starts {
        status.operation_id = Some(operation_id(&observed.repartition));
    }
    let judgements = judge(&status, waiting);
    let generation = observed.repartition.metadata.generation;
    status.conditions = merge(&status.conditions, judgements, generation, observed.now);
    status
}

fn end_unstarted(observed: &Observed, status: &mut TimRepartitionStatus) {
    // What was started and is known nowhere any more has left nothing behind that the source would miss.
    status.phase = Phase::Canceled;
    status.phase_reason = Some("cancelled before it began".into());
    status.completion_time = Some(Time(whole_seconds(observed.now)));
}

fn follow(observed: &Observed, report: &OperationReport, status: &mut TimRepartitionStatus) {
    status.operation_id = Some(operation_id(&observed.repartition));
    status.phase = report.phase;
    status.phase_reason = Some(match &report.cause {
        Some((code, details)) => format!("{code} {details}"),
        None => reason(report),
    });
    let at = observed
        .repartition
        .spec
        .operation
        .split
        .as_ref()
        .and_then(cut)
        .map_or(0, |(at, _)| at);
    let signed = |number: u64| i64::try_from(number).unwrap_or(i64::MAX);
    status.ranges = vec![RangeProgress {
        from: at,
        source: report.source.clone(),
        target: report.target.clone(),
        rows_copied: signed(report.rows_copied),
        rows_estimated: if report.rows_total == 0 {
            -1
        } else {
            signed(report.rows_total)
        },
        rows_verified: if is_copied(report.phase) {
            signed(report.rows_copied)
        } else {
            0
        },
        mismatches: signed(report.rows_mismatched),
    }];
    let shown = status.progress.as_ref().map_or(-1, |progress| progress.percent);
    status.progress = Some(Progress {
        percent: percent(report).max(shown),
    });
    if is_past_return(report.phase) {
        status.point_of_no_return = true;
        let before = status.cutover.clone().unwrap_or_default();
        status.cutover = Some(CutoverStatus {
            attempts: before.attempts.max(1),
            last_write_pause_millis: signed(report.write_pause_millis),
            switched_at: before
                .switched_at
                .or_else(|| Some(Time(whole_seconds(observed.now)))),
        });
    }
    status.start_time = status
        .start_time
        .clone()
        .or_else(|| report.started.map(|time| Time(whole_seconds(time))));
    if report.phase.is_final() {
        let finished = report.finished.unwrap_or(observed.now);
        status.completion_time = status
            .completion_time
            .clone()
            .or_else(|| Some(Time(whole_seconds(finished))));
    }
}

fn reason(report: &OperationReport) -> String {
    let OperationReport {
        source,
        target,
        rows_copied,
        rows_total,
        ..
    } = report;
    match report.phase {
        Phase::Pending => "the nodes have taken it on".into(),
        Phase::PreparingTargets => format!("{target} gets its schema and fence"),
        Phase::Copying if *rows_total == 0 => format!("{rows_copied} rows copied from {source} to {target}"),
        Phase::Copying => format!("{rows_copied} of {rows_total} rows copied from {source} to {target}"),
        Phase::CatchingUp => format!("changes made meanwhile are copied to {target}"),
        Phase::Verifying => format!("{source} and {target} are compared"),
        Phase::CuttingOver => format!("{source} hands over to {target}"),
        Phase::Cleaning => format!("{target} serves; {source} is cleaned"),
        Phase::Completed => format!("{target} serves"),
        Phase::Canceling => format!("the copy is removed from {target}"),
        Phase::Canceled => format!("{source} serves as before"),
        Phase::Failed => format!("{source} serves as before"),
    }
}

fn is_copied(phase: Phase) -> bool {
    matches!(phase, Phase::CuttingOver | Phase::Cleaning | Phase::Completed)
}

/// −1 unknown, 100 only after the copy has ended.
fn percent(report: &OperationReport) -> i32 {
    match report.phase {
        Phase::CatchingUp | Phase::Verifying => 100,
        phase if is_copied(phase) => 100,
        _ if report.rows_total == 0 => -1,
        _ => {
            let share = report.rows_copied.saturating_mul(100) / report.rows_total;
            i32::try_from(share)
                .unwrap_or(COPYING_PERCENT_MAX)
                .min(COPYING_PERCENT_MAX)
        }
    }
}

fn judge(status: &TimRepartitionStatus, waiting: Option<&Report>) -> Vec<Judgement> {
    let phase = status.phase;
    let reason = phase.as_str();
    let message = || phase_message(phase);
    let verified = is_copied(phase);
    let flag = |type_, holds: bool| {
        if holds {
            Judgement::yes(type_, reason, message())
        } else {
            Judgement::no(type_, reason, message())
        }
    };
    let stalled = waiting.filter(|report| report.cause().severity == tim_catalogue::Severity::Stays);
    let failure = status.phase_reason.clone().unwrap_or_default();
    vec![
        flag("Complete", phase == Phase::Completed),
        if phase == Phase::Failed {
            Judgement::yes("Failed", reason, failure)
        } else {
            Judgement::no("Failed", reason, message())
        },
        flag("InSync", verified || phase == Phase::Verifying),
        flag("Verified", verified),
        flag("CutOver", status.point_of_no_return),
        match waiting {
            Some(report) => Judgement::because("Waiting", "True", report),
            None => Judgement::no("Waiting", "NotWaiting", "it waits for nothing"),
        },
        flag("Ready", phase == Phase::Completed),
        flag("Reconciling", !phase.is_final() && stalled.is_none()),
        match stalled {
            Some(report) => Judgement::because("Stalled", "True", report),
            None => flag("Stalled", phase == Phase::Failed),
        },
    ]
}

/// Stable while the phase is: no counters.
fn phase_message(phase: Phase) -> &'static str {
    match phase {
        Phase::Pending => "it has not begun",
        Phase::PreparingTargets => "the target is prepared",
        Phase::Copying => "rows are copied",
        Phase::CatchingUp => "changes made meanwhile are copied",
        Phase::Verifying => "both sides are compared",
        Phase::CuttingOver => "the source hands over",
        Phase::Cleaning => "the target serves; the source is cleaned",
        Phase::Completed => "the target serves",
        Phase::Canceling => "the copy is removed",
        Phase::Canceled => "it was cancelled; the source serves as before",
        Phase::Failed => "it failed; the source serves as before",
    }
}
