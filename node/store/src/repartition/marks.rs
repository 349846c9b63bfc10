//! Beginning and giving up: the target becomes `incoming`, the source is marked as being copied, and back.

use tim_core::id::{Epoch, Slot};
use tim_core::repartition::Done;

use super::Move;
use super::rows::SlotRange;
use crate::error::StoreError;
use crate::fence::{Access, Fence, FenceState, Moving};
use crate::schema::{CHANGE, MOVING};
use crate::store::Database;
use crate::transaction::{Transaction, summary};

impl Move<'_> {
    fn moving(&self, other: &Database) -> Moving {
        Moving {
            operation: self.plan.operation.0.clone(),
            from: self.plan.from,
            other: other.name().clone(),
        }
    }

    pub(super) fn range(&self) -> SlotRange {
        SlotRange {
            from: self.plan.from,
            until: self.plan.until,
        }
    }

    /// Target: tables, binding, and a fence row `incoming` over a range without rows.
    pub(super) async fn prepare_target(&self) -> Result<Done, StoreError> {
        if self.plan.operation.0.len() > crate::fence::MAX_OPERATION_BYTES {
            return Err(self.refuse(&self.target, "the name of the repartition is too long"));
        }
        self.target.prepare().await?;
        self.target
            .transact(Access::Write, &move |mut transaction| {
                Box::pin(async move {
                    self.prepare_fence(&mut transaction).await?;
                    Ok((transaction, Done::Ok))
                })
            })
            .await
    }

    async fn prepare_fence(&self, transaction: &mut Transaction) -> Result<(), StoreError> {
        let plan = self.plan;
        let overlapping = transaction.all_fences().await?.into_iter();
        let overlapping = overlapping.filter(|fence| fence.from < plan.until && plan.from < fence.to);
        for seen in overlapping.collect::<Vec<Fence>>() {
            let fence = transaction.raise_at(seen.from).await?;
            let Some(fence) = fence.filter(|fence| (fence.from, fence.to) == (seen.from, seen.to)) else {
                return Err(self.refuse(&self.target, "the target's fence has changed"));
            };
            self.check_term(&self.target, &fence)?;
            if fence.from == plan.from && fence.to == plan.until && self.is_ours(&fence) {
                if fence.state == FenceState::Open && fence.epoch == plan.target_epoch {
                    return Ok(());
                }
                if fence.state == FenceState::Incoming {
                    let term = self.term;
                    return transaction.write_fence(&Fence { term, ..fence }).await;
                }
            }
            // Moves come one at a time: `incoming` for another one was left by a step that came when its move was
            // over. It must not stop all later ones.
            if !matches!(fence.state, FenceState::Moved(_) | FenceState::Incoming) {
                return Err(self.refuse(&self.target, "the target holds a part of the range"));
            }
            transaction.carve(fence, plan.from, plan.until).await?;
        }
        if transaction.has_rows(self.range()).await? {
            return Err(self.refuse(&self.target, "the target holds rows of the range"));
        }
        transaction
            .write_fence(&Fence {
                from: plan.from,
                to: plan.until,
                epoch: plan.target_epoch,
                state: FenceState::Incoming,
                moving: Some(self.moving(&self.source)),
                copying: false,
                term: self.term,
                closings: 0,
            })
            .await
    }

    /// Source: every writer notes its writes from now on. The fence is taken exclusively, so none is left that does not.
    pub(super) async fn mark_source(&self) -> Result<Done, StoreError> {
        self.source
            .transact(Access::Write, &move |mut transaction| {
                Box::pin(async move {
                    let fence = self.raised_source(&mut transaction).await?;
                    if !self.has_moved(&fence) {
                        self.check_source(&fence)?;
                        let moving = Some(self.moving(&self.target));
                        let marked = Fence {
                            moving,
                            copying: true,
                            term: self.term,
                            ..fence
                        };
                        transaction.write_fence(&marked).await?;
                    }
                    Ok((transaction, Done::Ok))
                })
            })
            .await
    }

    /// Whether the source holds the range as the plan says and no other move is under way.
    fn check_source(&self, fence: &Fence) -> Result<(), StoreError> {
        let plan = self.plan;
        if fence.epoch != plan.source_epoch || fence.to != plan.until {
            return Err(self.refuse(&self.source, "the source's range is not the one of the plan"));
        }
        if fence.copying && !self.is_ours(fence) {
            return Err(self.refuse(&self.source, "another move of the range is under way"));
        }
        if !matches!(fence.state, FenceState::Open | FenceState::Closing(_)) {
            return Err(self.refuse(&self.source, "the source does not hold the range"));
        }
        Ok(())
    }

    /// Source: nothing is noted any more, the change table is emptied, writes go on.
    pub(super) async fn unmark_source(&self) -> Result<Done, StoreError> {
        self.source
            .transact(Access::Write, &move |mut transaction| {
                Box::pin(async move {
                    let Some(fence) = transaction.raise_at(self.plan.from).await? else {
                        return Ok((transaction, Done::Ok));
                    };
                    self.check_term(&self.source, &fence)?;
                    if self.has_moved(&fence) {
                        return Ok((transaction, Done::Moved(true)));
                    }
                    if self.is_ours(&fence) {
                        let unmarked = Fence {
                            state: FenceState::Open,
                            moving: None,
                            copying: false,
                            term: self.term,
                            closings: 0,
                            ..fence
                        };
                        transaction.write_fence(&unmarked).await?;
                        transaction.forget_changes(self.range()).await?;
                    }
                    Ok((transaction, Done::Ok))
                })
            })
            .await
    }

    /// Target: in use, once the source says so.
    pub(super) async fn open_target(&self) -> Result<Done, StoreError> {
        if !self
            .source_fence()
            .await?
            .is_some_and(|fence| self.has_moved(&fence))
        {
            return Err(self.refuse(&self.source, "the source has not moved the range"));
        }
        let plan = self.plan;
        if self
            .target
            .open_incoming(&plan.operation.0, plan.from, plan.target_epoch)
            .await?
        {
            return Ok(Done::Ok);
        }
        Err(self.refuse(&self.target, "the target was not prepared for this move"))
    }
}

impl Database {
    /// `incoming` → `open` for an operation whose source says `moved`; false when the fence is something else.
    pub(super) async fn open_incoming(
        &self,
        operation: &str,
        from: Slot,
        epoch: Epoch,
    ) -> Result<bool, StoreError> {
        self.transact(Access::Write, &move |mut transaction| {
            Box::pin(async move {
                let Some(fence) = transaction.raise_at(from).await? else {
                    return Ok((transaction, false));
                };
                let ours = fence
                    .moving
                    .as_ref()
                    .is_some_and(|moving| moving.operation == operation);
                let open = match fence.state {
                    FenceState::Incoming if ours && fence.epoch == epoch => {
                        // The operation's name stays, so that a late step of it still recognises its work.
                        let opened = Fence {
                            state: FenceState::Open,
                            copying: false,
                            ..fence
                        };
                        transaction.write_fence(&opened).await?;
                        true
                    }
                    FenceState::Open | FenceState::Closing(_) => fence.epoch >= epoch,
                    _ => false,
                };
                Ok((transaction, open))
            })
        })
        .await
    }
}

impl Transaction {
    /// Takes `from` to `until` out of a fence that was raised. What is left of it to the left and to the right goes on
    /// pointing to where its slots went.
    async fn carve(&mut self, fence: Fence, from: Slot, until: Slot) -> Result<(), StoreError> {
        if fence.to > until {
            let right = Fence {
                from: until,
                ..fence.clone()
            };
            self.write_fence(&right).await?;
        }
        if fence.from < from {
            self.write_fence(&Fence { to: from, ..fence }).await
        } else {
            self.delete_fence(fence.from).await
        }
    }

    /// Whether any table has a row of the range.
    async fn has_rows(&self, range: SlotRange) -> Result<bool, StoreError> {
        for table in MOVING {
            let text = format!(
                "SELECT slot FROM {} WHERE slot >= ? AND slot < ? LIMIT 1",
                table.name
            );
            if !self
                .rows(summary("SELECT", table.name), &text, range.values())
                .await?
                .is_empty()
            {
                return Ok(true);
            }
        }
        Ok(false)
    }

    async fn forget_changes(&self, range: SlotRange) -> Result<(), StoreError> {
        let text = "DELETE FROM tim_change WHERE slot >= ? AND slot < ?";
        self.run(summary("DELETE", CHANGE.name), text, range.values())
            .await?;
        Ok(())
    }
}
