//! Leaders, their coordinators, and what they have under way.

use tim_core::id::{DatabaseName, Epoch, Slot, Term};
use tim_core::map::HomePlacement;
use tim_core::placement::SLOT_COUNT;
use tim_core::repartition::{
    Config, Coordinator, Done, Effect, Ending, Event as Heard, OperationId, Phase, Plan, Progress, Step,
    StepError,
};

use super::database::{Database, State};
use super::step::{self, Read, Side, Stage};
use super::world::{Event, World};
use crate::options::{MILLISECOND, Mutation, SECOND};

/// A fence that is held so long is not waited for.
const RAISE_LIMIT: u64 = 2 * SECOND;
/// How often it is looked whether it is held still.
const RAISE_AGAIN: u64 = 4 * MILLISECOND;

/// The coordinator of one leader and one move.
pub(super) struct Life {
    term: u64,
    side: Side,
    machine: Coordinator,
    /// Its process ended: nothing of it goes on. One that was only deposed has steps on their way.
    dead: bool,
}

/// What the control group agrees on, as far as moves need it.
#[derive(Default)]
pub(super) struct Group {
    /// The present leader's term.
    term: u64,
    /// The move under way.
    running: Option<(Side, Progress)>,
    /// The highest term that reported.
    reported: u64,
    /// Somebody wants the move under way cancelled.
    cancel: bool,
    moves: u32,
    /// Where the range is, and its epoch.
    pub(super) map: (usize, u64),
}

impl Group {
    pub(super) fn runs(&self) -> bool {
        self.running.is_some()
    }
}

impl World {
    /// A new leader; the one before is dead, or does not know yet.
    pub(super) fn elect(&mut self) {
        if self.is_calm() && self.group.term > 0 {
            return;
        }
        if let Some(before) = self.lives.len().checked_sub(1) {
            self.lives[before].dead |= self.random_is_dead();
        }
        self.group.term += 1;
        self.elections += 1;
        self.lead();
        let after = self.between(100 * MILLISECOND, 6 * SECOND);
        self.later(after, Event::Elect);
    }

    fn random_is_dead(&mut self) -> bool {
        self.chance(0.4)
    }

    /// The present leader takes the move up, if there is one.
    fn lead(&mut self) {
        let Some((side, progress)) = self.group.running.clone() else {
            return;
        };
        let config = Config {
            max_pause_ms: 300,
            cutover_retry_ms: 400,
            retry_min_ms: 20,
            retry_max_ms: 400,
            cutover_backlog: 6,
            ..Config::default()
        };
        let life = self.lives.len();
        let term = self.group.term;
        self.lives.push(Life {
            term,
            side,
            machine: Coordinator::new(config),
            dead: false,
        });
        let term = Term(term);
        self.tell(life, Heard::Lead { term, progress });
        if self.group.cancel {
            self.tell(life, Heard::Cancel);
        }
    }

    /// Somebody wants the range in the other database.
    pub(super) fn begin_move(&mut self) {
        if self.is_calm() || self.group.runs() {
            return;
        }
        self.group.moves += 1;
        let (source, epoch) = self
            .databases
            .iter()
            .enumerate()
            .find_map(|(place, database)| Some((place, open_epoch(database)?)))
            .unwrap_or_default();
        self.group.map = (source, epoch);
        let side = Side {
            operation: self.group.moves,
            source,
            target: 1 - source,
            source_epoch: epoch,
            target_epoch: epoch + 1,
        };
        let Some(plan) = plan(&side) else { return };
        self.group.running = Some((side, Progress::new(plan)));
        self.group.cancel = false;
        self.lead();
        if self.chance(0.4) {
            let after = self.between(MILLISECOND, SECOND);
            self.later(after, Event::Cancel);
        }
    }

    pub(super) fn cancel(&mut self) {
        let can = |(_, progress): &(Side, Progress)| progress.phase.can_cancel();
        if self.group.running.as_ref().is_some_and(can)
            && let Some(life) = self.lives.len().checked_sub(1)
        {
            self.group.cancel = true;
            self.tell(life, Heard::Cancel);
        }
    }

    pub(super) fn tell(&mut self, life: usize, event: Heard) {
        if self.lives[life].dead {
            return;
        }
        let now = self.moment();
        let mut effects = Vec::new();
        self.lives[life].machine.handle(now, event, &mut effects);
        for effect in effects {
            let after = self.latency();
            match effect {
                Effect::Persist(progress) => {
                    let progress = Box::new(progress);
                    self.later(after, Event::Persist { life, progress });
                }
                Effect::Run { step, .. } => {
                    self.step_later(after, life, step, Stage::Begin, self.now);
                }
                Effect::Publish(_) => self.later(after, Event::Publish { life }),
                Effect::Stop => {}
            }
        }
        if let Some(deadline) = self.lives[life].machine.deadline() {
            let at = (deadline.0 * 1_000).max(self.now + MILLISECOND);
            let event = Heard::Timer;
            self.queue.push(at, Event::Tell { life, event });
        }
    }

    /// As the control group takes a report: not from an older term, and what is over stays over.
    pub(super) fn persist(&mut self, life: usize, progress: Progress) {
        let (term, side) = (self.lives[life].term, self.lives[life].side);
        let lost = !self.is_calm() && self.chance(0.03);
        if self.lives[life].dead {
            return;
        }
        let running = self
            .group
            .running
            .as_mut()
            .filter(|(running, _)| running.operation == side.operation);
        let Some((_, held)) = running.filter(|_| term >= self.group.reported) else {
            self.tell(life, Heard::Deposed);
            return;
        };
        if lost {
            self.tell(life, Heard::PersistFailed);
            return;
        }
        self.group.reported = term;
        *held = progress.clone();
        match &progress.phase {
            Phase::Completed => self.completed += 1,
            Phase::Ended(Ending::Canceled) => self.canceled += 1,
            Phase::Undoing(Ending::Failed(reason)) if !self.group.cancel => {
                self.violate(format!("move {} failed: {reason}", side.operation));
            }
            _ => {}
        }
        if progress.mismatches > 0 && progress.phase == Phase::CatchingUp {
            self.violate(format!(
                "move {}: a verification found a difference",
                side.operation
            ));
        }
        if progress.phase.is_final() {
            self.group.running = None;
            let after = self.between(10 * MILLISECOND, SECOND);
            self.later(after, Event::Begin);
        }
        self.tell(life, Heard::Persisted);
    }

    pub(super) fn publish(&mut self, life: usize) {
        let side = self.lives[life].side;
        if self.group.map.1 < side.target_epoch {
            self.group.map = (side.target, side.target_epoch);
        }
        self.tell(life, Heard::Published);
    }

    pub(super) fn step(&mut self, life: usize, step: Step, stage: Stage, since: u64) {
        let (term, side, dead) = {
            let life = &self.lives[life];
            (life.term, life.side, life.dead)
        };
        let guarded = !self.has(Mutation::StaleCopier);
        if dead {
            if let Stage::Commit(_) = stage {
                self.databases[side.target].held -= usize::from(guarded);
            }
            return;
        }
        let lost = !self.is_calm() && self.chance(0.02);
        let next = match stage {
            Stage::Begin => {
                let Some(begun) = self.begin_step(life, &step, since) else {
                    return;
                };
                match begun {
                    Ok(Read::Nothing(done)) => {
                        self.answer(life, step, Ok(done), lost);
                        return;
                    }
                    // Without a note there is nothing to be written.
                    Ok(Read::Rows(piece)) if piece.next.is_none() && piece.notes.is_empty() => {
                        Ok(Stage::Forget(piece.notes))
                    }
                    Ok(Read::Rows(piece)) => Ok(Stage::Write(piece)),
                    Err(error) => Err(error),
                }
            }
            // The planted bug: a copier does not look whether the target still waits for this operation and term.
            Stage::Write(piece) if !guarded => Ok(Stage::Commit(piece)),
            Stage::Write(piece) => self.databases[side.target]
                .takes_copies(side.operation, term)
                .map(|()| {
                    self.databases[side.target].held += 1;
                    Stage::Commit(piece)
                }),
            Stage::Commit(piece) => {
                self.databases[side.target].held -= usize::from(guarded);
                step::commit(&mut self.databases[side.target], &side, &piece);
                if let Some((_, finished)) = piece.next {
                    let rows = piece.rows.len() as u64;
                    self.answer(life, step, Ok(Done::Copied { rows, finished }), lost);
                    return;
                }
                Ok(Stage::Forget(piece.notes))
            }
            Stage::Forget(notes) => {
                let as_log = self.has(Mutation::ChangesAsLog);
                let source = &mut self.databases[side.source];
                let result = step::forget(source, &side, term, &notes, as_log);
                self.answer(life, step, result, lost);
                return;
            }
        };
        match next {
            Ok(stage) => {
                let after = self.latency();
                self.step_later(after, life, step, stage, since);
            }
            Err(error) => self.answer(life, step, Err(error), lost),
        }
    }

    /// The first transaction of a step, mostly its only one; `None` while a fence that it raises is held.
    fn begin_step(&mut self, life: usize, step: &Step, since: u64) -> Option<Result<Read, StepError>> {
        let (term, side) = (self.lives[life].term, self.lives[life].side);
        if let Some(place) = step::raised(step, &side)
            && self.databases[place].held > 0
        {
            self.wait_for_holders(life, step.clone(), since);
            return None;
        }
        Some(if matches!(step, Step::CopyChunk | Step::DrainChanges) {
            step::read(&mut self.databases, &side, term, step)
        } else {
            step::run(&mut self.databases, &side, term, step).map(Read::Nothing)
        })
    }

    /// Raising a fence waits for those that hold it, not for ever.
    fn wait_for_holders(&mut self, life: usize, step: Step, since: u64) {
        if self.now - since > RAISE_LIMIT {
            let result = Err(StepError::Retry("the fence is held".to_owned()));
            self.answer(life, step, result, false);
            return;
        }
        self.step_later(RAISE_AGAIN, life, step, Stage::Begin, since);
    }

    fn step_later(&mut self, after: u64, life: usize, step: Step, stage: Stage, since: u64) {
        self.later(
            after,
            Event::Step {
                life,
                step,
                stage,
                since,
            },
        );
    }

    fn answer(&mut self, life: usize, step: Step, result: Result<Done, StepError>, lost: bool) {
        let result = if lost {
            Err(StepError::Retry("the answer was lost".to_owned()))
        } else {
            result
        };
        let after = self.latency();
        let event = Heard::StepDone { step, result };
        self.later(after, Event::Tell { life, event });
    }
}

/// The epoch of a range that is in use here.
fn open_epoch(database: &Database) -> Option<u64> {
    let fence = database.fence?;
    matches!(fence.state, State::Open | State::Closing(_)).then_some(fence.epoch)
}

fn plan(side: &Side) -> Option<Plan> {
    let name = |place: usize| DatabaseName::new(format!("d{place}")).ok();
    Some(Plan {
        operation: OperationId(format!("move-{}", side.operation)),
        from: Slot(SLOT_COUNT / 2),
        until: Slot(SLOT_COUNT),
        source: name(side.source)?,
        source_epoch: Epoch(side.source_epoch),
        target: name(side.target)?,
        target_epoch: Epoch(side.target_epoch),
        homes: HomePlacement::PerConversation,
    })
}
