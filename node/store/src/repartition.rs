//! The steps of a repartition at the databases.
//!
//! What comes after what is decided by [`tim_core::repartition`]; here every [`Step`] is an idempotent function of a
//! [`Plan`]. A step that comes when its work is done already, also by a later one, says so and changes nothing; a step
//! with a lower term than the fence has seen is refused.
//!
//! * The target's fence row says `incoming` for this operation and term as long as it is filled; every write there
//!   holds that row.
//! * The source's writers note what they write once its fence row says "being copied" (see
//!   table `tim_change`). The change table is a set of keys with versions: the present state of a row is copied,
//!   and its note goes away if the version is still the noted one.
//! * The cut-over is decided in the source's fence row alone.

mod changes;
mod clean;
mod copy;
mod cutover;
mod marks;
pub(crate) mod rows;
mod verify;

use tim_core::id::{DatabaseName, Slot, Term};
use tim_core::repartition::{Done, Plan, Step, StepError};
use tracing::Instrument;

use crate::error::{Retry, StoreError};
use crate::fence::{Access, Fence, FenceState};
use crate::store::{Database, Store};
use crate::transaction::Transaction;

/// How often a fence that was split meanwhile is looked for anew.
const MAX_LOOKS: u32 = 3;

/// What the coordinator is told.
pub fn step_result(result: Result<Done, StoreError>) -> Result<Done, StepError> {
    result.map_err(|error| match &error {
        StoreError::StaleTerm { .. } => StepError::OldTerm,
        // A database whose DSN has not arrived at this node yet is no reason to give up.
        StoreError::UnknownDatabase { .. } => StepError::Retry(error.to_string()),
        StoreError::StepRefused { .. } => StepError::Never(error.to_string()),
        _ if error.retry() == Retry::AfterRemedy => StepError::Never(error.to_string()),
        _ => StepError::Retry(error.to_string()),
    })
}

/// Both sides of a plan, and the term of who asks.
struct Move<'a> {
    plan: &'a Plan,
    term: Term,
    source: Database,
    target: Database,
}

impl Store {
    /// Runs one step of a repartition.
    ///
    /// # Errors
    /// [`StoreError::StaleTerm`] for a coordinator that was replaced, [`StoreError::StepRefused`] when the fences do not
    /// fit, or any of the two databases. After [`StoreError::CommitInDoubt`] the step is run again.
    pub async fn run_step(&self, plan: &Plan, term: Term, step: &Step) -> Result<Done, StoreError> {
        let name = match step {
            Step::PrepareTarget => "tim.repartition prepare",
            Step::MarkSource => "tim.repartition mark",
            Step::CopyChunk => "tim.repartition copy",
            Step::DrainChanges => "tim.repartition catch-up",
            Step::Verify => "tim.repartition verify",
            Step::Close { .. } | Step::Move { .. } | Step::Reopen { .. } | Step::OpenTarget => {
                "tim.repartition cutover"
            }
            Step::CleanSource | Step::UnmarkSource | Step::CleanTarget => "tim.repartition clean",
        };
        let span = tracing::info_span!(
            "tim.repartition",
            otel.name = name,
            tim.repartition.id = plan.operation.0,
            tim.slot.from = plan.from.0,
            tim.slot.to = plan.until.0,
            tim.database.source = plan.source.as_str(),
            tim.database.target = plan.target.as_str(),
        );
        let moving = Move {
            plan,
            term,
            source: self.database(&plan.source)?,
            target: self.database(&plan.target)?,
        };
        moving.run(step).instrument(span).await
    }
}

impl Move<'_> {
    async fn run(&self, step: &Step) -> Result<Done, StoreError> {
        match step {
            Step::PrepareTarget => self.prepare_target().await,
            Step::MarkSource => self.mark_source().await,
            Step::CopyChunk => self.copy_chunk().await,
            Step::DrainChanges => self.drain_changes().await,
            Step::Verify => self.verify().await,
            Step::Close { attempt } => self.close(u64::from(*attempt)).await,
            Step::Move { attempt } => self.move_source(u64::from(*attempt)).await,
            Step::Reopen { attempt } => self.reopen(u64::from(*attempt)).await,
            Step::OpenTarget => self.open_target().await,
            Step::CleanSource => self.clean_source().await,
            Step::UnmarkSource => self.unmark_source().await,
            Step::CleanTarget => self.clean_target().await,
        }
    }

    /// Whether a fence of the source says that this very operation has moved the range.
    fn has_moved(&self, fence: &Fence) -> bool {
        matches!(&fence.state, FenceState::Moved(to) if *to == self.plan.target) && self.is_ours(fence)
    }

    fn is_ours(&self, fence: &Fence) -> bool {
        fence
            .moving
            .as_ref()
            .is_some_and(|moving| moving.operation == self.plan.operation.0)
    }

    /// The target's fence, as long as this operation fills it.
    fn is_incoming(&self, fence: &Fence) -> bool {
        fence.state == FenceState::Incoming && self.is_ours(fence)
    }

    fn refuse(&self, database: &Database, reason: &'static str) -> StoreError {
        StoreError::StepRefused {
            database: database.name().clone(),
            reason,
        }
    }

    /// Refuses a step of a coordinator that was replaced.
    fn check_term(&self, database: &Database, fence: &Fence) -> Result<(), StoreError> {
        if fence.term > self.term {
            let database = database.name().clone();
            return Err(StoreError::StaleTerm {
                database,
                seen: fence.term,
                term: self.term,
            });
        }
        Ok(())
    }

    /// The source's fence as it was taken: it must be there, and no newer coordinator may have seen to it.
    fn checked_source(&self, fence: Option<Fence>) -> Result<Fence, StoreError> {
        let fence =
            fence.ok_or_else(|| self.refuse(&self.source, "the source has no fence over the range"))?;
        self.check_term(&self.source, &fence)?;
        Ok(fence)
    }

    /// The source's fence over what moves, read without taking it.
    async fn source_fence(&self) -> Result<Option<Fence>, StoreError> {
        let fences = self.source.fences().await?;
        Ok(fences.into_iter().find(|fence| fence.covers(self.plan.from)))
    }

    /// Makes sure that a fence has seen our term before work begins that only takes it shared.
    async fn announce_term(&self, database: &Database) -> Result<Option<Fence>, StoreError> {
        let fences = database.fences().await?;
        let Some(fence) = fences.into_iter().find(|fence| fence.covers(self.plan.from)) else {
            return Ok(None);
        };
        self.check_term(database, &fence)?;
        if fence.term == self.term {
            return Ok(Some(fence));
        }
        database
            .transact(Access::Write, &move |mut transaction| {
                Box::pin(async move {
                    let fence = transaction.raise_at(self.plan.from).await?;
                    if let Some(mut fence) = fence.clone() {
                        self.check_term(database, &fence)?;
                        fence.term = self.term;
                        transaction.write_fence(&fence).await?;
                    }
                    Ok((transaction, fence))
                })
            })
            .await
    }
}

impl Transaction {
    /// Takes the fence over a slot exclusively; `None` if there is none.
    async fn raise_at(&mut self, slot: Slot) -> Result<Option<Fence>, StoreError> {
        self.limit_raise().await?;
        for _ in 0..MAX_LOOKS {
            let fences = self.all_fences().await?;
            let Some(seen) = fences.into_iter().find(|fence| fence.covers(slot)) else {
                return Ok(None);
            };
            match self.raise(seen.from).await? {
                Some(fence) if fence.covers(slot) => return Ok(Some(fence)),
                _ => {}
            }
        }
        Err(StoreError::Contention {
            database: self.database.name().clone(),
            attempts: MAX_LOOKS,
        })
    }

    /// Takes the fence over a slot shared; `None` if there is none.
    async fn hold_at(&mut self, slot: Slot) -> Result<Option<Fence>, StoreError> {
        self.take(&[slot]).await?;
        Ok(self.fences.iter().find(|fence| fence.covers(slot)).cloned())
    }
}

impl Database {
    /// The number of the cut-over that keeps a slot's writes waiting, if one does.
    ///
    /// # Errors
    /// Any of the database.
    pub async fn closing(&self, slot: Slot) -> Result<Option<u64>, StoreError> {
        let fences = self.fences().await?;
        Ok(fences
            .iter()
            .find(|fence| fence.moves(slot))
            .and_then(|fence| match fence.state {
                FenceState::Closing(number) => Some(number),
                _ => None,
            }))
    }
}

impl Store {
    /// Opens the target of a move that its source has decided, so that no node has to wait for the coordinator; true
    /// when the range is open there now.
    ///
    /// # Errors
    /// Any of the two databases.
    pub async fn finish_move(&self, source: &DatabaseName, slot: Slot) -> Result<bool, StoreError> {
        let fences = self.database(source)?.fences().await?;
        let Some(fence) = fences.into_iter().find(|fence| fence.covers(slot)) else {
            return Ok(false);
        };
        let (FenceState::Moved(target), Some(moving)) = (&fence.state, &fence.moving) else {
            return Ok(false);
        };
        self.database(target)?
            .open_incoming(&moving.operation, fence.from, fence.epoch)
            .await
    }
}
