//! A database as far as a moving range sees it: the fence row, rows with versions, the change table.

use std::collections::BTreeMap;

use tim_core::repartition::{Done, StepError};

/// Number of an operation.
pub(super) type Operation = u32;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum State {
    Open,
    Closing(u32),
    Moved,
    Incoming,
}

/// The fence row of the range.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Fence {
    pub(super) state: State,
    pub(super) epoch: u64,
    /// The move that wrote it last.
    pub(super) operation: Operation,
    pub(super) copying: bool,
    pub(super) term: u64,
    pub(super) closings: u32,
}

/// A row of the range; a deleted one stays as a state while somebody copies.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Row {
    pub(super) version: u64,
    pub(super) deleted: bool,
}

/// How far the copy is, kept with the copied rows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Checkpoint {
    pub(super) operation: Operation,
    pub(super) next_key: u32,
}

#[derive(Debug, Default)]
pub(super) struct Database {
    pub(super) fence: Option<Fence>,
    pub(super) rows: BTreeMap<u32, Row>,
    /// The change table: keys with the version that was written.
    pub(super) notes: BTreeMap<u32, u64>,
    pub(super) checkpoint: Option<Checkpoint>,
    /// Transactions that hold the fence shared.
    pub(super) held: usize,
}

/// What a step finds wrong with a fence; it is a reason to stop, not a violation.
pub(super) fn refused(reason: &str) -> StepError {
    StepError::Never(reason.to_owned())
}

impl Database {
    pub(super) fn ours(&self, operation: Operation) -> Option<&Fence> {
        self.fence.as_ref().filter(|fence| fence.operation == operation)
    }

    pub(super) fn has_moved(&self, operation: Operation) -> bool {
        self.ours(operation)
            .is_some_and(|fence| fence.state == State::Moved)
    }

    /// Refuses an older term, remembers a newer one.
    pub(super) fn announce(&mut self, term: u64) -> Result<(), StepError> {
        match &mut self.fence {
            Some(fence) if fence.term > term => Err(StepError::OldTerm),
            Some(fence) => {
                fence.term = term;
                Ok(())
            }
            None => Ok(()),
        }
    }

    /// A copy may be written: the target is incoming for this operation and term.
    pub(super) fn takes_copies(&self, operation: Operation, term: u64) -> Result<(), StepError> {
        match self.ours(operation) {
            Some(fence) if fence.term > term => Err(StepError::OldTerm),
            Some(fence) if fence.state == State::Incoming && fence.term == term => Ok(()),
            _ => Err(refused("the target is not incoming for this move and term")),
        }
    }

    /// A lower version never overwrites a higher one.
    pub(super) fn copy_in(&mut self, rows: &[(u32, Row)]) {
        for (key, row) in rows {
            let held = self.rows.entry(*key).or_insert(*row);
            if held.version < row.version {
                *held = *row;
            }
        }
    }

    /// The next `count` rows from a key on.
    pub(super) fn piece(&self, from: u32, count: usize) -> Vec<(u32, Row)> {
        self.rows
            .range(from..)
            .take(count)
            .map(|(key, row)| (*key, *row))
            .collect()
    }

    /// Deletes up to `count` rows, and the change table's once no row is left.
    pub(super) fn clean(&mut self, count: usize) -> Done {
        for _ in 0..count {
            self.rows.pop_first();
        }
        let finished = self.rows.is_empty();
        if finished {
            self.notes.clear();
        }
        Done::Cleaned { finished }
    }
}
