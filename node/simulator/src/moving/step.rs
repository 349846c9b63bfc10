//! The coordinator's steps: what they do to the two databases, as the store's steps do it in SQL.

use tim_core::repartition::{Done, Step, StepError};

use super::database::{Checkpoint, Database, Fence, Operation, Row, State, refused};

/// Rows copied, drained or deleted at once.
const PIECE: usize = 8;

/// From where to where a move goes.
#[derive(Debug, Clone, Copy)]
pub(super) struct Side {
    pub(super) operation: Operation,
    pub(super) source: usize,
    pub(super) target: usize,
    pub(super) source_epoch: u64,
    pub(super) target_epoch: u64,
}

/// What is left to do of a step after one of its transactions.
#[derive(Debug, Clone)]
pub(super) enum Stage {
    /// It begins.
    Begin,
    /// Rows were read at the source; they are to be written to the target.
    Write(Piece),
    /// The target's fence was checked and is held; the rows are to be committed.
    Commit(Piece),
    /// Notes of what was copied are to be removed.
    Forget(Vec<(u32, u64)>),
}

/// What was read at the source.
#[derive(Debug, Clone)]
pub(super) struct Piece {
    pub(super) rows: Vec<(u32, Row)>,
    /// Copying: the next key, and whether it was the last piece.
    pub(super) next: Option<(u32, bool)>,
    /// Catching up: the notes behind the rows.
    pub(super) notes: Vec<(u32, u64)>,
}

/// See [`read`].
pub(super) enum Read {
    Rows(Piece),
    Nothing(Done),
}

/// Which databases' fences a step raises; it waits until nobody holds them.
pub(super) fn raised(step: &Step, side: &Side) -> Option<usize> {
    match step {
        Step::PrepareTarget | Step::OpenTarget | Step::CleanTarget => Some(side.target),
        Step::CopyChunk | Step::DrainChanges | Step::Verify => None,
        _ => Some(side.source),
    }
}

/// A step of one transaction.
pub(super) fn run(
    databases: &mut [Database; 2],
    side: &Side,
    term: u64,
    step: &Step,
) -> Result<Done, StepError> {
    match step {
        Step::PrepareTarget => prepare(&mut databases[side.target], side, term),
        Step::MarkSource => mark(&mut databases[side.source], side, term),
        Step::Verify => verify(databases, side, term),
        Step::Close { attempt } => close(&mut databases[side.source], side, term, *attempt),
        Step::Move { attempt } => move_source(&mut databases[side.source], side, term, *attempt),
        Step::Reopen { attempt } => reopen(&mut databases[side.source], side, term, *attempt),
        Step::OpenTarget => open(databases, side),
        Step::CleanSource => {
            let source = &mut databases[side.source];
            source.announce(term)?;
            if !source.has_moved(side.operation) {
                return Err(refused("the source has not moved the range"));
            }
            Ok(source.clean(PIECE))
        }
        Step::UnmarkSource => unmark(&mut databases[side.source], side, term),
        Step::CleanTarget => clean_target(databases, side, term),
        Step::CopyChunk | Step::DrainChanges => Err(refused("a step of several transactions")),
    }
}

/// Reads what the first transactions of a copying step read; or says how it ended, if there is nothing to copy.
pub(super) fn read(
    databases: &mut [Database; 2],
    side: &Side,
    term: u64,
    step: &Step,
) -> Result<Read, StepError> {
    let moved = databases[side.source].has_moved(side.operation);
    if *step == Step::CopyChunk {
        if moved {
            return Ok(Read::Nothing(Done::Copied {
                rows: 0,
                finished: true,
            }));
        }
        databases[side.target].announce(term)?;
        let source = &databases[side.source];
        let checkpoint = databases[side.target].checkpoint;
        let from = checkpoint
            .filter(|at| at.operation == side.operation)
            .map_or(0, |at| at.next_key);
        let rows = source.piece(from, PIECE);
        let next = rows.last().map_or(from, |(key, _)| key + 1);
        let last = rows.len() < PIECE;
        return Ok(Read::Rows(Piece {
            rows,
            next: Some((next, last)),
            notes: Vec::new(),
        }));
    }
    databases[side.source].announce(term)?;
    if moved {
        return Ok(Read::Nothing(Done::Drained { left: 0 }));
    }
    databases[side.target].announce(term)?;
    let source = &databases[side.source];
    let notes: Vec<(u32, u64)> = source
        .notes
        .iter()
        .take(PIECE)
        .map(|(key, version)| (*key, *version))
        .collect();
    let row = |(key, _): &(u32, u64)| source.rows.get(key).map(|row| (*key, *row));
    Ok(Read::Rows(Piece {
        rows: notes.iter().filter_map(row).collect(),
        next: None,
        notes,
    }))
}

/// The copies become durable in the target, with the checkpoint.
pub(super) fn commit(target: &mut Database, side: &Side, piece: &Piece) {
    target.copy_in(&piece.rows);
    if let Some((next_key, _)) = piece.next {
        target.checkpoint = Some(Checkpoint {
            operation: side.operation,
            next_key,
        });
    }
}

/// Removes notes whose version is still the noted one. The planted bug reads the change table as a log: what was read is
/// removed.
pub(super) fn forget(
    source: &mut Database,
    side: &Side,
    term: u64,
    notes: &[(u32, u64)],
    as_log: bool,
) -> Result<Done, StepError> {
    source.announce(term)?;
    if source.ours(side.operation).is_none() {
        return Err(refused("the source is not marked for this move"));
    }
    for (key, version) in notes {
        if as_log || source.notes.get(key) == Some(version) {
            source.notes.remove(key);
        }
    }
    Ok(Done::Drained {
        left: source.notes.len() as u64,
    })
}

fn prepare(target: &mut Database, side: &Side, term: u64) -> Result<Done, StepError> {
    target.announce(term)?;
    if let Some(fence) = target.fence {
        let ours = fence.operation == side.operation;
        if ours && matches!(fence.state, State::Incoming | State::Open) {
            return Ok(Done::Ok);
        }
        // Moves come one at a time: `incoming` for another one was left by a step that came when its move was over.
        if !matches!(fence.state, State::Moved | State::Incoming) {
            return Err(refused("the target holds the range"));
        }
    }
    if !target.rows.is_empty() {
        return Err(refused("the target holds rows of the range"));
    }
    target.fence = Some(Fence {
        state: State::Incoming,
        epoch: side.target_epoch,
        operation: side.operation,
        copying: false,
        term,
        closings: 0,
    });
    Ok(Done::Ok)
}

/// The source's fence, taken exclusively, once the term is known to be no older than it has seen.
fn raise(source: &mut Database, term: u64) -> Result<&mut Fence, StepError> {
    source.announce(term)?;
    source
        .fence
        .as_mut()
        .ok_or_else(|| refused("the source has no fence"))
}

fn mark(source: &mut Database, side: &Side, term: u64) -> Result<Done, StepError> {
    if source.has_moved(side.operation) {
        return Ok(Done::Ok);
    }
    let fence = raise(source, term)?;
    let holds = matches!(fence.state, State::Open | State::Closing(_)) && fence.epoch == side.source_epoch;
    if !holds || (fence.copying && fence.operation != side.operation) {
        return Err(refused("the source does not hold the range as the plan says"));
    }
    fence.copying = true;
    fence.operation = side.operation;
    Ok(Done::Ok)
}

fn verify(databases: &mut [Database; 2], side: &Side, term: u64) -> Result<Done, StepError> {
    databases[side.source].announce(term)?;
    databases[side.target].announce(term)?;
    let source = &databases[side.source];
    if source.has_moved(side.operation) {
        return Ok(Done::Verified { equal: true });
    }
    let noted = |key: &u32| source.notes.contains_key(key);
    let settled = |database: &Database| -> Vec<(u32, Row)> {
        database
            .rows
            .iter()
            .filter(|(key, _)| !noted(key))
            .map(|(key, row)| (*key, *row))
            .collect()
    };
    let equal = settled(source) == settled(&databases[side.target]);
    Ok(Done::Verified { equal })
}

fn close(source: &mut Database, side: &Side, term: u64, attempt: u32) -> Result<Done, StepError> {
    let moved = source.has_moved(side.operation);
    let fence = raise(source, term)?;
    if moved {
        return Ok(Done::Ok);
    }
    if !fence.copying || fence.operation != side.operation {
        return Err(refused("the source is not marked for this move"));
    }
    if attempt >= fence.closings {
        fence.state = State::Closing(attempt);
        fence.closings = attempt;
    }
    Ok(Done::Ok)
}

fn move_source(source: &mut Database, side: &Side, term: u64, attempt: u32) -> Result<Done, StepError> {
    let (moved, drained) = (source.has_moved(side.operation), source.notes.is_empty());
    let fence = raise(source, term)?;
    if moved {
        return Ok(Done::Moved(true));
    }
    let closing = fence.state == State::Closing(attempt) && fence.operation == side.operation;
    if !closing || !drained {
        return Ok(Done::Moved(false));
    }
    fence.state = State::Moved;
    fence.epoch = side.target_epoch;
    fence.copying = false;
    Ok(Done::Moved(true))
}

fn reopen(source: &mut Database, side: &Side, term: u64, attempt: u32) -> Result<Done, StepError> {
    let moved = source.has_moved(side.operation);
    let fence = raise(source, term)?;
    if moved {
        return Ok(Done::Moved(true));
    }
    if fence.operation == side.operation {
        if fence.state == State::Closing(attempt) {
            fence.state = State::Open;
        }
        fence.closings = fence.closings.max(attempt + 1);
    }
    Ok(Done::Ok)
}

fn open(databases: &mut [Database; 2], side: &Side) -> Result<Done, StepError> {
    if !databases[side.source].has_moved(side.operation) {
        return Err(refused("the source has not moved the range"));
    }
    match &mut databases[side.target].fence {
        Some(fence) if fence.state == State::Incoming && fence.operation == side.operation => {
            fence.state = State::Open;
            Ok(Done::Ok)
        }
        Some(fence) if fence.epoch >= side.target_epoch => Ok(Done::Ok),
        _ => Err(refused("the target was not prepared for this move")),
    }
}

fn unmark(source: &mut Database, side: &Side, term: u64) -> Result<Done, StepError> {
    if source.has_moved(side.operation) {
        return Ok(Done::Moved(true));
    }
    let fence = raise(source, term)?;
    if fence.operation == side.operation {
        fence.state = State::Open;
        fence.copying = false;
        fence.closings = 0;
        source.notes.clear();
        source.rows.retain(|_, row| !row.deleted);
    }
    Ok(Done::Ok)
}

fn clean_target(databases: &mut [Database; 2], side: &Side, term: u64) -> Result<Done, StepError> {
    if databases[side.source].has_moved(side.operation) {
        return Err(refused("the range has moved, the target's rows are in use"));
    }
    let target = &mut databases[side.target];
    target.announce(term)?;
    let Some(fence) = target.ours(side.operation) else {
        return Ok(Done::Cleaned { finished: true });
    };
    if fence.state != State::Incoming {
        return Err(refused("the target is not incoming for this move"));
    }
    let done = target.clean(PIECE);
    if done == (Done::Cleaned { finished: true }) {
        target.fence = None;
        target.checkpoint = None;
    }
    Ok(done)
}
