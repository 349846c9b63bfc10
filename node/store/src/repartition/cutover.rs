//! The cut-over: `open` → `closing(n)` → `moved`, all in the source's fence row.

use tim_core::id::Slot;
use tim_core::repartition::Done;

use super::Move;
use crate::error::StoreError;
use crate::fence::{Access, Fence, FenceState};
use crate::schema::CHANGE;
use crate::store::Database;
use crate::transaction::{Transaction, summary};

impl Move<'_> {
    /// `open` → `closing(attempt)`.
    pub(super) async fn close(&self, attempt: u64) -> Result<Done, StoreError> {
        self.source
            .transact(Access::Write, &move |mut transaction| {
                Box::pin(async move {
                    let fence = self.raised_source(&mut transaction).await?;
                    if self.has_moved(&fence) {
                        return Ok((transaction, Done::Ok));
                    }
                    if !fence.copying || !self.is_ours(&fence) {
                        return Err(self.refuse(&self.source, "the source is not marked for this move"));
                    }
                    // Its cut-over was given up since, by another node or by a later step of the coordinator. Moving
                    // will be found impossible, and the next attempt has a number of its own.
                    if attempt < fence.closings {
                        return Ok((transaction, Done::Ok));
                    }
                    let state = FenceState::Closing(attempt);
                    let closing = Fence {
                        state,
                        closings: attempt,
                        term: self.term,
                        ..fence
                    };
                    transaction.write_fence(&closing).await?;
                    Ok((transaction, Done::Ok))
                })
            })
            .await
    }

    /// `closing(attempt)` → `moved`, if nothing is left to be copied.
    pub(super) async fn move_source(&self, attempt: u64) -> Result<Done, StoreError> {
        self.source
            .transact(Access::Write, &move |mut transaction| {
                Box::pin(async move {
                    let fence = self.raised_source(&mut transaction).await?;
                    if self.has_moved(&fence) {
                        return Ok((transaction, Done::Moved(true)));
                    }
                    let closing = fence.state == FenceState::Closing(attempt) && self.is_ours(&fence);
                    if !closing || transaction.changes_left(self).await? > 0 {
                        return Ok((transaction, Done::Moved(false)));
                    }
                    self.write_moved(&mut transaction, fence).await?;
                    Ok((transaction, Done::Moved(true)))
                })
            })
            .await
    }

    async fn write_moved(&self, transaction: &mut Transaction, fence: Fence) -> Result<(), StoreError> {
        let plan = self.plan;
        let moved = Fence {
            from: plan.from,
            epoch: plan.target_epoch,
            state: FenceState::Moved(plan.target.clone()),
            copying: false,
            term: self.term,
            ..fence.clone()
        };
        if fence.from < plan.from {
            // What does not move keeps its epoch: nobody who uses it notices.
            let rest = Fence {
                to: plan.from,
                state: FenceState::Open,
                moving: None,
                copying: false,
                closings: 0,
                term: self.term,
                ..fence
            };
            transaction.write_fence(&rest).await?;
        }
        transaction.write_fence(&moved).await
    }

    /// `closing(attempt)` → `open`. Says [`Done::Moved`] when it is too late for that.
    pub(super) async fn reopen(&self, attempt: u64) -> Result<Done, StoreError> {
        self.source
            .transact(Access::Write, &move |mut transaction| {
                Box::pin(async move {
                    let fence = self.raised_source(&mut transaction).await?;
                    if self.has_moved(&fence) {
                        return Ok((transaction, Done::Moved(true)));
                    }
                    if self.is_ours(&fence) {
                        let state = match fence.state {
                            FenceState::Closing(number) if number == attempt => FenceState::Open,
                            other => other,
                        };
                        // A `close` of this attempt that is still on its way comes too late from now on.
                        let closings = fence.closings.max(attempt + 1);
                        let open = Fence {
                            state,
                            closings,
                            term: self.term,
                            ..fence
                        };
                        transaction.write_fence(&open).await?;
                    }
                    Ok((transaction, Done::Ok))
                })
            })
            .await
    }

    pub(super) async fn raised_source(&self, transaction: &mut Transaction) -> Result<Fence, StoreError> {
        let fence = transaction.raise_at(self.plan.from).await?;
        self.checked_source(fence)
    }
}

impl Transaction {
    /// Notes of the range that are left.
    pub(super) async fn changes_left(&self, moving: &Move<'_>) -> Result<u64, StoreError> {
        let text = "SELECT COUNT(*) FROM tim_change WHERE slot >= ? AND slot < ?";
        let rows = self
            .rows(summary("SELECT", CHANGE.name), text, moving.range().values())
            .await?;
        let error = |error| self.database.error(error);
        rows.first()
            .map_or(Ok(0), |row| crate::read::number(row, 0).map_err(error))
    }
}

impl Database {
    /// Lets writes go on when a cut-over has kept them waiting for longer than its limit: any node may, so a dead
    /// coordinator stops nobody. True when it was this very cut-over that was ended.
    ///
    /// # Errors
    /// Any of the database.
    pub async fn reopen_closing(&self, slot: Slot, number: u64) -> Result<bool, StoreError> {
        self.transact(Access::Write, &move |mut transaction| {
            Box::pin(async move {
                let fence = transaction.raise_at(slot).await?;
                let Some(fence) = fence.filter(|fence| fence.state == FenceState::Closing(number)) else {
                    return Ok((transaction, false));
                };
                let open = Fence {
                    state: FenceState::Open,
                    closings: number + 1,
                    ..fence
                };
                transaction.write_fence(&open).await?;
                Ok((transaction, true))
            })
        })
        .await
    }
}
