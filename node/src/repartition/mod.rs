//! Repartitions: driven by the leader of the control group, asked for and shown on every node.
//!
//! The pure coordinator (`tim_core::repartition`) decides what comes next; steps run at the databases
//! (`Store::run_step`); progress is kept by the control group, so that whoever leads next goes on.

mod driver;
mod requests;

pub(crate) use driver::{Driver, drive};
pub(crate) use requests::{Request, cancel, start};

use parking_lot::Mutex;
use std::sync::Arc;
use std::time::Instant;
use tim_core::id::DatabaseName;
use tim_core::repartition::{OperationId, Plan, Step};
use tim_store::{Fence, Store, StoreError};

/// Figures of the running repartition that only its driver knows.
#[derive(Debug, Clone, Default)]
pub(crate) struct Figures(Arc<Mutex<Option<Running>>>);

/// See [`Figures`].
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Running {
    pub(crate) operation: OperationId,
    /// Keys in the change table after the last catch-up.
    pub(crate) changes_pending: u64,
    /// How long writes waited at the last cut-over, in milliseconds.
    pub(crate) write_pause_ms: u64,
    /// Why the last step failed.
    pub(crate) waits_for: Option<String>,
    /// Since when writes wait, if they do.
    pub(crate) closed: Option<Instant>,
}

impl Running {
    fn new(operation: &OperationId) -> Self {
        Self {
            operation: operation.clone(),
            changes_pending: 0,
            write_pause_ms: 0,
            waits_for: None,
            closed: None,
        }
    }
}

impl Figures {
    /// Of the operation that runs here.
    pub(crate) fn of(&self, operation: &OperationId) -> Option<Running> {
        self.0
            .lock()
            .clone()
            .filter(|running| running.operation == *operation)
    }

    /// Whatever runs here.
    pub(crate) fn any(&self) -> Option<Running> {
        self.0.lock().clone()
    }

    fn update(&self, operation: &OperationId, change: impl FnOnce(&mut Running)) {
        let mut running = self.0.lock();
        let entry = running.get_or_insert_with(|| Running::new(operation));
        if entry.operation != *operation {
            *entry = Running::new(operation);
        }
        change(entry);
    }
}

/// Opens the target of a range whose source says "moved": any node may, since its coordinator may be dead.
pub(crate) async fn open_target(
    store: &Store,
    source: &DatabaseName,
    target: &DatabaseName,
    fence: &Fence,
) -> Result<(), StoreError> {
    let Some(moving) = &fence.moving else {
        return Ok(());
    };
    let plan = Plan {
        operation: OperationId(moving.operation.clone()),
        from: fence.from,
        until: fence.to,
        source: source.clone(),
        source_epoch: fence.epoch,
        target: target.clone(),
        target_epoch: fence.epoch,
        homes: store.database(target)?.home_placement(),
    };
    store
        .run_step(&plan, fence.term, &Step::OpenTarget)
        .await
        .map(drop)
}
