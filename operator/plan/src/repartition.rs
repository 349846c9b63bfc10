//! The plan of one TimRepartition: check it, wait for its turn, start it at the nodes, report what they say.
//!
//! The nodes do the work and remember it. The operation's id is the object's uid, so starting twice starts once, and an
//! operator that was killed between starting and noting it finds its operation again.

mod checks;
mod status;
#[cfg(test)]
mod tests;

use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use tim_catalogue::Report;
use tim_crds::{
    TimCluster, TimRepartition, TimRepartitionStatus, labels,
    repartition::{RepartitionPhase, Split},
};

use crate::observed::{RepartitionSummary, ReportedRange};

/// When to look again while data moves or is about to.
const REQUEUE_BUSY: Duration = Duration::from_secs(2);
/// When to look again once it has ended.
const REQUEUE_IDLE: Duration = Duration::from_secs(600);
/// How long a deletion waits for the nodes to clear away before the finalizer goes all the same.
const CLEANUP: SignedDuration = SignedDuration::from_mins(10);

/// Everything a plan is made from.
#[derive(Debug, Clone)]
pub struct Observed {
    /// The time.
    pub now: Timestamp,
    /// The object, with metadata and the status as it was written last.
    pub repartition: TimRepartition,
    /// Its cluster, if there is one.
    pub cluster: Option<TimCluster>,
    /// The newest map that the nodes tell; empty: nobody tells one.
    pub ranges: Vec<ReportedRange>,
    /// The other repartitions of the cluster that have not ended.
    pub others: Vec<RepartitionSummary>,
    /// What the nodes know of the operation.
    pub known: Known,
    /// Why the nodes refused the last attempt to start it: catalogue code and details.
    pub refusal: Option<(String, String)>,
}

/// What the nodes know of an operation.
#[derive(Debug, Clone, PartialEq)]
pub enum Known {
    /// No node answers.
    Silence,
    /// Nodes answer, and know no such operation.
    Nothing,
    /// This.
    Report(Box<OperationReport>),
}

/// What the nodes say of an operation.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct OperationReport {
    /// How far it is.
    pub phase: RepartitionPhase,
    /// Database that has the range.
    pub source: String,
    /// Database that gets it.
    pub target: String,
    /// Rows to copy; 0 while that is not known.
    pub rows_total: u64,
    /// Rows copied.
    pub rows_copied: u64,
    /// Rows that differ.
    pub rows_mismatched: u64,
    /// How long writes waited at the last cut-over.
    pub write_pause_millis: u64,
    /// Why it waits or has failed: catalogue code and details.
    pub cause: Option<(String, String)>,
    /// When it began.
    pub started: Option<Timestamp>,
    /// When it ended.
    pub finished: Option<Timestamp>,
}

/// An operation to be started.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Start {
    /// Its id.
    pub operation_id: String,
    /// Lower bound of the range to cut.
    pub from: u32,
    /// First slot that moves.
    pub at: u32,
    /// Database that gets it.
    pub target: String,
}

/// One thing to do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Action {
    /// Put the finalizer on the object.
    AddFinalizer,
    /// Start the operation at the nodes; if it is there already, nothing happens.
    Start(Start),
    /// Cancel it at the nodes; if it has ended, nothing happens.
    Cancel {
        /// Its id.
        operation_id: String,
    },
    /// Take the finalizer off.
    RemoveFinalizer,
}

/// What has to be done, what to say about it, and when to look again.
#[derive(Debug, Clone)]
pub struct Plan {
    /// In order.
    pub actions: Vec<Action>,
    /// What to write to `/status`.
    pub status: TimRepartitionStatus,
    /// What is wrong just now, for Events and logs.
    pub problem: Option<Report>,
    /// When to look again at the latest.
    pub requeue: Duration,
}

/// The id of an object's operation at the nodes.
pub fn operation_id(repartition: &TimRepartition) -> String {
    repartition.metadata.uid.clone().unwrap_or_default()
}

/// Makes the plan.
pub fn plan(observed: &Observed) -> Plan {
    let before = observed.repartition.status.clone().unwrap_or_default();
    let deleting = observed.repartition.metadata.deletion_timestamp.is_some();
    let ended = before.phase.is_final();
    let obstacle = if ended || deleting {
        None
    } else {
        checks::waiting(observed)
    };
    let mut actions = Vec::new();
    if deleting {
        deletion(observed, &before, &mut actions);
    } else {
        if !has_finalizer(observed) {
            actions.push(Action::AddFinalizer);
        }
        if !ended {
            actions.extend(next(observed, obstacle.is_some()));
        }
    }
    // A refusal is said, and asked again: what was in the way may be gone.
    let waiting = obstacle.or_else(|| {
        if ended || deleting {
            None
        } else {
            checks::refusal(observed)
        }
    });
    let status = if ended {
        before
    } else {
        status::build(observed, before, waiting.as_ref(), &actions)
    };
    let problem =
        waiting.filter(|report| report.cause().code != tim_catalogue::repartition::ONE_AT_A_TIME.code);
    let idle = status.phase.is_final() && actions.is_empty() && !deleting;
    Plan {
        actions,
        status,
        problem,
        requeue: if idle { REQUEUE_IDLE } else { REQUEUE_BUSY },
    }
}

fn has_finalizer(observed: &Observed) -> bool {
    observed
        .repartition
        .metadata
        .finalizers
        .iter()
        .flatten()
        .any(|name| name == labels::FINALIZER)
}

/// The operation as the nodes know it, unless it is over.
fn running(observed: &Observed) -> Option<&OperationReport> {
    match &observed.known {
        Known::Report(report) if !report.phase.is_final() => Some(report),
        _ => None,
    }
}

fn next(observed: &Observed, waiting: bool) -> Option<Action> {
    let operation_id = operation_id(&observed.repartition);
    if observed.repartition.spec.cancel {
        let cancellable = running(observed).filter(|report| !is_past_return(report.phase));
        return cancellable.map(|_| Action::Cancel { operation_id });
    }
    // An operation that was started and is not known any more is started again: its steps are found done.
    if waiting || observed.known != Known::Nothing {
        return None;
    }
    let split = observed.repartition.spec.operation.split.as_ref()?;
    let (at, target) = cut(split)?;
    Some(Action::Start(Start {
        operation_id,
        from: split.from,
        at,
        target,
    }))
}

/// Where the range is cut and who gets the upper part.
fn cut(split: &Split) -> Option<(u32, String)> {
    Some((*split.at.first()?, split.targets.first()?.database.clone()))
}

/// Whether the source has given the range away already.
fn is_past_return(phase: RepartitionPhase) -> bool {
    matches!(phase, RepartitionPhase::Cleaning | RepartitionPhase::Completed)
}

/// An object goes when its operation is over or cleared away, with its cluster, or at a deadline.
fn deletion(observed: &Observed, before: &TimRepartitionStatus, actions: &mut Vec<Action>) {
    if !has_finalizer(observed) {
        return;
    }
    let cluster_goes = observed
        .cluster
        .as_ref()
        .is_none_or(|cluster| cluster.metadata.deletion_timestamp.is_some());
    let overdue = observed
        .repartition
        .metadata
        .deletion_timestamp
        .as_ref()
        .is_some_and(|since| observed.now.duration_since(since.0) >= CLEANUP);
    let over = match &observed.known {
        Known::Silence => before.operation_id.is_none(),
        Known::Nothing => true,
        Known::Report(report) => report.phase.is_final(),
    };
    if cluster_goes || overdue || over || before.phase.is_final() {
        actions.push(Action::RemoveFinalizer);
    } else if running(observed).is_some_and(|report| !is_past_return(report.phase)) {
        actions.push(Action::Cancel {
            operation_id: operation_id(&observed.repartition),
        });
    }
}
