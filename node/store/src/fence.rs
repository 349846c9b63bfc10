//! The fence: the row in a database that says who may use a range of slots, and how transactions respect it.
//!
//! Every transaction takes the fences of its slots first, shared and until its end, in key order, and reads them only
//! once they are held; what they say must agree with what the caller believes. Raising a fence takes it exclusively, so
//! after it no transaction that saw the old state is under way.
//!
//! | engine | shared | exclusive |
//! |---|---|---|
//! | PostgreSQL | advisory transaction lock on the range's first slot (a shared row lock would starve the raiser) | the same lock, exclusive |
//! | MySQL, MariaDB | `LOCK IN SHARE MODE` on the row | `FOR UPDATE` on the row |
//! | SQLite | writes: `BEGIN IMMEDIATE`; reads: one snapshot | `BEGIN IMMEDIATE` |

use sea_orm::{DbErr, QueryResult};
use tim_core::conversation::FenceRefusal;
use tim_core::id::{DatabaseName, Epoch, Slot, Term};
use tim_core::map::Range;

pub(crate) mod take;

/// Namespace of our advisory locks in PostgreSQL: "TIMF".
pub(crate) const ADVISORY_NAMESPACE: i32 = 0x5449_4d46;

/// Longest name of a repartition in bytes.
pub const MAX_OPERATION_BYTES: usize = 64;

/// What a fence says of its range.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum FenceState {
    /// In use.
    Open,
    /// A cut-over is under way: the moving part takes no writes. The number tells attempts apart.
    Closing(u64),
    /// The range is elsewhere since the fence's epoch.
    Moved(DatabaseName),
    /// A repartition is filling the range; nobody else uses it.
    Incoming,
}

/// The repartition that is under way in a range.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Moving {
    /// Its name, unique among all repartitions of the cluster.
    pub operation: String,
    /// First slot that moves; the range's end is the end of what moves.
    pub from: Slot,
    /// Where to, in the source; where from, in the target.
    pub other: DatabaseName,
}

/// The fence of one range in one database.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fence {
    /// First slot.
    pub from: Slot,
    /// First slot behind the range.
    pub to: Slot,
    /// The number of the range's own last change.
    pub epoch: Epoch,
    /// Who may use it.
    pub state: FenceState,
    /// The repartition that is under way, or was the last to finish here.
    pub moving: Option<Moving>,
    /// Whether writers note what they write in the change table.
    pub copying: bool,
    /// The highest coordinator's term seen.
    pub term: Term,
    /// How often a cut-over was begun.
    pub closings: u64,
}

/// What is to be done behind a fence.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Access {
    /// Reading: also allowed while a cut-over is under way, as nobody writes then.
    Read,
    /// Writing.
    Write,
}

impl Fence {
    /// Whether the range contains a slot.
    #[must_use]
    pub fn covers(&self, slot: Slot) -> bool {
        self.from <= slot && slot < self.to
    }

    /// Whether a slot is in the part that a repartition moves.
    #[must_use]
    pub fn moves(&self, slot: Slot) -> bool {
        self.covers(slot) && self.moving.as_ref().is_some_and(|moving| moving.from <= slot)
    }

    /// Whether writes to a slot must be noted in the change table.
    #[must_use]
    pub(crate) fn notes_changes(&self, slot: Slot) -> bool {
        self.copying && self.moves(slot)
    }

    /// Judges a use of `slot` by somebody who believes in `epoch`.
    ///
    /// # Errors
    /// Why the use is refused.
    pub fn admits(&self, slot: Slot, epoch: Epoch, access: Access) -> Result<(), FenceRefusal> {
        if !self.covers(slot) {
            return Err(FenceRefusal::Stale);
        }
        match &self.state {
            FenceState::Moved(to) => Err(FenceRefusal::Moved {
                to: to.clone(),
                epoch: self.epoch,
            }),
            FenceState::Incoming => Err(FenceRefusal::Stale),
            FenceState::Open | FenceState::Closing(_) if self.epoch != epoch => Err(FenceRefusal::Stale),
            FenceState::Closing(_) if access == Access::Write && self.moves(slot) => {
                Err(FenceRefusal::Closing)
            }
            FenceState::Open | FenceState::Closing(_) => Ok(()),
        }
    }

    /// The fence of a range that nobody has used before.
    pub(crate) fn first(range: &Range, to: Slot) -> Self {
        Self {
            from: range.from,
            to,
            epoch: range.epoch,
            state: FenceState::Open,
            moving: None,
            copying: false,
            term: Term(0),
            closings: 0,
        }
    }
}

/// The columns of `tim_fence`, in the order of [`read`].
pub(crate) const COLUMNS: &str = "from_slot, to_slot, epoch, state, closing, moved_to, operation, moving_from, other, copying, term, closings";

const STATE_OPEN: i16 = 1;
const STATE_CLOSING: i16 = 2;
const STATE_MOVED: i16 = 3;
const STATE_INCOMING: i16 = 4;

fn damaged(what: &str) -> DbErr {
    DbErr::Type(format!("tim_fence: {what}"))
}

fn slot_of(number: i32) -> Result<Slot, DbErr> {
    u32::try_from(number)
        .map(Slot)
        .map_err(|_| damaged("a slot is negative"))
}

fn name_of(name: Option<String>) -> Result<DatabaseName, DbErr> {
    DatabaseName::new(name.unwrap_or_default()).map_err(|_| damaged("a database name is missing"))
}

/// Reads a row of [`COLUMNS`].
pub(crate) fn read(row: &QueryResult) -> Result<Fence, DbErr> {
    let number = |place: usize| {
        row.try_get_by_index::<i64>(place)
            .map(|number| number.max(0) as u64)
    };
    let state = match row.try_get_by_index::<i16>(3)? {
        STATE_OPEN => FenceState::Open,
        STATE_CLOSING => FenceState::Closing(number(4)?),
        STATE_MOVED => FenceState::Moved(name_of(row.try_get_by_index(5)?)?),
        STATE_INCOMING => FenceState::Incoming,
        _ => return Err(damaged("an unknown state")),
    };
    let moving = match row.try_get_by_index::<Option<String>>(6)? {
        None => None,
        Some(operation) => Some(Moving {
            operation,
            from: slot_of(row.try_get_by_index(7)?)?,
            other: name_of(row.try_get_by_index(8)?)?,
        }),
    };
    Ok(Fence {
        from: slot_of(row.try_get_by_index(0)?)?,
        to: slot_of(row.try_get_by_index(1)?)?,
        epoch: Epoch(number(2)?),
        state,
        moving,
        copying: row.try_get_by_index::<i16>(9)? != 0,
        term: Term(number(10)?),
        closings: number(11)?,
    })
}

/// The values of a row of [`COLUMNS`].
pub(crate) fn values(fence: &Fence) -> Vec<sea_orm::Value> {
    let (state, closing, moved_to) = match &fence.state {
        FenceState::Open => (STATE_OPEN, 0, None),
        FenceState::Closing(number) => (STATE_CLOSING, *number, None),
        FenceState::Moved(to) => (STATE_MOVED, 0, Some(to.as_str().to_owned())),
        FenceState::Incoming => (STATE_INCOMING, 0, None),
    };
    let moving = fence.moving.as_ref();
    vec![
        (fence.from.0 as i32).into(),
        (fence.to.0 as i32).into(),
        (fence.epoch.0 as i64).into(),
        state.into(),
        (closing as i64).into(),
        moved_to.into(),
        moving.map(|moving| moving.operation.clone()).into(),
        moving.map_or(0, |moving| moving.from.0 as i32).into(),
        moving.map(|moving| moving.other.as_str().to_owned()).into(),
        i16::from(fence.copying).into(),
        (fence.term.0 as i64).into(),
        (fence.closings as i64).into(),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fence(state: FenceState) -> Fence {
        Fence {
            from: Slot(10),
            to: Slot(20),
            epoch: Epoch(3),
            state,
            moving: Some(Moving {
                operation: "split-1".to_owned(),
                from: Slot(15),
                other: DatabaseName::new("d2").unwrap(),
            }),
            copying: true,
            term: Term(1),
            closings: 1,
        }
    }

    #[test]
    fn range_and_epoch_must_agree_exactly() {
        let open = fence(FenceState::Open);
        assert_eq!(open.admits(Slot(10), Epoch(3), Access::Write), Ok(()));
        assert_eq!(
            open.admits(Slot(20), Epoch(3), Access::Write),
            Err(FenceRefusal::Stale)
        );
        assert_eq!(
            open.admits(Slot(10), Epoch(2), Access::Read),
            Err(FenceRefusal::Stale)
        );
        assert_eq!(
            open.admits(Slot(10), Epoch(4), Access::Read),
            Err(FenceRefusal::Stale)
        );
    }

    #[test]
    fn closing_stops_writes_to_what_moves_and_nothing_else() {
        let closing = fence(FenceState::Closing(1));
        assert_eq!(
            closing.admits(Slot(15), Epoch(3), Access::Write),
            Err(FenceRefusal::Closing)
        );
        assert_eq!(closing.admits(Slot(15), Epoch(3), Access::Read), Ok(()));
        assert_eq!(closing.admits(Slot(14), Epoch(3), Access::Write), Ok(()));
    }

    #[test]
    fn what_moved_is_pointed_to_and_what_comes_in_is_refused() {
        let to = DatabaseName::new("d2").unwrap();
        let moved = FenceRefusal::Moved {
            to: to.clone(),
            epoch: Epoch(3),
        };
        assert_eq!(
            fence(FenceState::Moved(to)).admits(Slot(10), Epoch(2), Access::Read),
            Err(moved)
        );
        assert_eq!(
            fence(FenceState::Incoming).admits(Slot(10), Epoch(3), Access::Read),
            Err(FenceRefusal::Stale)
        );
    }

    #[test]
    fn only_what_moves_is_noted() {
        let copying = fence(FenceState::Open);
        assert!(copying.notes_changes(Slot(15)) && !copying.notes_changes(Slot(14)));
        assert!(
            !Fence {
                copying: false,
                ..copying
            }
            .notes_changes(Slot(15))
        );
    }
}
