//! Moving a range of slots to another database while people chat: the coordinator.
//!
//! The leader of the control group runs it. It is resumable from [`Progress`], which the control group keeps:
//! every change of it is persisted before the next step begins. Every step at a database is idempotent, carries
//! the coordinator's term and is refused by a database that has seen a higher one.
//!
//! Prepare the target (`incoming`) → mark the source as being copied → copy with checkpoints → catch up with the
//! change table → verify → cut over (`closing(n)` → drained → `moved`) → publish the map → clean the source.
//! The cut-over is decided in one place, the source's fence row. When its write pause would exceed the limit the
//! source goes back to `open`, and it is tried again later.

mod machine;
#[cfg(test)]
mod tests;

use serde::{Deserialize, Serialize};

use crate::id::{DatabaseName, Epoch, Slot, Term};
use crate::map::HomePlacement;

pub use machine::Coordinator;

/// Names a repartition; made by whoever asks for it, so that asking twice is asking once.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct OperationId(pub String);

/// What is to be moved.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Plan {
    /// Its name.
    pub operation: OperationId,
    /// First slot that moves.
    pub from: Slot,
    /// First slot behind those that move.
    pub until: Slot,
    /// Where they are.
    pub source: DatabaseName,
    /// The epoch of their range there.
    pub source_epoch: Epoch,
    /// Where they go.
    pub target: DatabaseName,
    /// The epoch the moved range will have.
    pub target_epoch: Epoch,
    /// How homes are chosen in the moved range.
    pub homes: HomePlacement,
}

/// How far a repartition is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Phase {
    /// The target is made ready: schema, fence row `incoming`, no rows of the range.
    Preparing,
    /// The source's fence row says "being copied", so that every writer keeps the change table.
    Marking,
    /// Rows are copied in key order.
    Copying,
    /// What changed meanwhile is copied, until little is left.
    CatchingUp,
    /// Counts and checksums are compared.
    Verifying,
    /// Writes pause: closing, draining the change table, moving.
    CuttingOver,
    /// The source says `moved`; the target is opened and the map published.
    Publishing,
    /// The source's rows of the range are deleted.
    Cleaning,
    /// Done.
    Completed,
    /// Cancelled or failed: the source's mark and the target's rows are taken away.
    Undoing(Ending),
    /// Given up; the source has everything.
    Ended(Ending),
}

/// Why a repartition did not complete.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Ending {
    /// Somebody cancelled it.
    Canceled,
    /// It cannot succeed.
    Failed(String),
}

impl Phase {
    /// Whether nothing more will happen.
    #[must_use]
    pub fn is_final(&self) -> bool {
        matches!(self, Self::Completed | Self::Ended(_))
    }

    /// Whether it can still be cancelled: not once the source may say `moved`.
    #[must_use]
    pub fn can_cancel(&self) -> bool {
        matches!(
            self,
            Self::Preparing | Self::Marking | Self::Copying | Self::CatchingUp | Self::Verifying
        )
    }
}

/// All there is to know to go on after a crash.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Progress {
    /// What is moved.
    pub plan: Plan,
    /// How far.
    pub phase: Phase,
    /// Rows copied so far; the place in the key order is kept by the target database itself.
    pub rows_copied: u64,
    /// Cut-overs begun; each has its own `closing(n)`.
    pub cutovers: u32,
    /// Verifications that found a difference.
    pub mismatches: u32,
}

impl Progress {
    /// A repartition that has not begun.
    #[must_use]
    pub fn new(plan: Plan) -> Self {
        Self {
            plan,
            phase: Phase::Preparing,
            rows_copied: 0,
            cutovers: 0,
            mismatches: 0,
        }
    }
}

/// One idempotent step at the databases.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Step {
    /// Target: schema, binding to the cluster, fence row `incoming` for this operation and term.
    PrepareTarget,
    /// Source: set "being copied" in the fence row, exclusively.
    MarkSource,
    /// Copy the next chunk after the target's checkpoint. Answered with [`Done::Copied`].
    CopyChunk,
    /// Copy the present state of rows in the change table. Answered with [`Done::Drained`].
    DrainChanges,
    /// Compare counts and checksums. Answered with [`Done::Verified`].
    Verify,
    /// Source: `open` → `closing(n)`.
    Close {
        /// Which cut-over.
        attempt: u32,
    },
    /// Source, one transaction: still `closing(n)`, change table empty, then `moved`. Answered with [`Done::Moved`].
    Move {
        /// Which cut-over.
        attempt: u32,
    },
    /// Source: `closing(n)` → `open`. Answered with [`Done::Moved`] when the source says `moved` already.
    Reopen {
        /// Which cut-over.
        attempt: u32,
    },
    /// Target: `incoming` → `open`.
    OpenTarget,
    /// Source: delete a chunk of the moved rows. Answered with [`Done::Cleaned`].
    CleanSource,
    /// Source: take away the mark and the change table's rows. Answered with [`Done::Moved`] when the source says
    /// `moved` already: a coordinator that takes over may begin with an old progress.
    UnmarkSource,
    /// Target: delete a chunk of copied rows and, with the last, the fence row. Answered with [`Done::Cleaned`].
    CleanTarget,
}

/// How a step ended well.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Done {
    /// Nothing to add.
    Ok,
    /// A chunk was copied.
    Copied {
        /// So many rows.
        rows: u64,
        /// There is no more.
        finished: bool,
    },
    /// Changed rows were copied; so many are left in the change table.
    Drained {
        /// Left.
        left: u64,
    },
    /// Source and target were compared.
    Verified {
        /// They are equal.
        equal: bool,
    },
    /// The source says `moved` (`true`), or it was not `closing(n)` any more or the change table was not empty.
    Moved(bool),
    /// A chunk was deleted.
    Cleaned {
        /// There is no more.
        finished: bool,
    },
}

/// How a step ended badly.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum StepError {
    /// It may work the next time, and may or may not have happened now.
    Retry(String),
    /// The database has seen a higher term: another coordinator is at work.
    OldTerm,
    /// It will never work.
    Never(String),
}

/// What happens to a coordinator.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Event {
    /// This node leads, in this term; go on from here.
    Lead {
        /// The term.
        term: Term,
        /// What the control group has.
        progress: Progress,
    },
    /// This node does not lead any more.
    Deposed,
    /// The control group has [`Effect::Persist`]'s progress.
    Persisted,
    /// The control group could not take it (no majority just now).
    PersistFailed,
    /// The published map is in the control group.
    Published,
    /// A step ended.
    StepDone {
        /// Which.
        step: Step,
        /// How.
        result: Result<Done, StepError>,
    },
    /// Somebody wants it cancelled.
    Cancel,
    /// A deadline was reached.
    Timer,
}

/// What the shell has to do for a coordinator.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Effect {
    /// Write the progress to the control group, answer with [`Event::Persisted`].
    Persist(Progress),
    /// Run a step, answer with [`Event::StepDone`].
    Run {
        /// The term it carries.
        term: Term,
        /// The step.
        step: Step,
    },
    /// Publish the map with the moved range in the control group, answer with [`Event::Published`].
    Publish(Plan),
    /// Stop: another coordinator is at work, or it is over.
    Stop,
}

/// Limits and waits of a repartition.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Config {
    /// Longest write pause, in milliseconds; then the source is opened again.
    pub max_pause_ms: u64,
    /// Wait before the next cut-over after one that took too long, in milliseconds.
    pub cutover_retry_ms: u64,
    /// First wait after a failed step, in milliseconds; doubles.
    pub retry_min_ms: u64,
    /// Longest wait after a failed step, in milliseconds.
    pub retry_max_ms: u64,
    /// Rows left in the change table with which a cut-over is begun.
    pub cutover_backlog: u64,
    /// Verifications that may find a difference before it fails.
    pub max_mismatches: u32,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            max_pause_ms: 1_000,
            cutover_retry_ms: 5_000,
            retry_min_ms: 100,
            retry_max_ms: 5_000,
            cutover_backlog: 200,
            max_mismatches: 3,
        }
    }
}
