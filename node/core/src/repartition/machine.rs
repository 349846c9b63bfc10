//! The coordinator's next step, from the progress and from what the last step said.

use crate::id::Term;
use crate::repartition::{Config, Done, Effect, Ending, Event, Phase, Progress, Step, StepError};
use crate::time::{Moment, earliest};

/// Where the coordinator is within the cut-over; begun anew after a crash, every step being idempotent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Cutover {
    /// `closing(n)` is being set.
    Close,
    /// The change table is being drained.
    Drain,
    /// `moved` is being set.
    Move,
    /// It took too long: `open` is being set.
    Reopen,
}

#[derive(Debug)]
enum Waiting {
    /// For [`Event::Persisted`].
    Persist,
    /// For [`Event::StepDone`].
    Step(Step),
    /// For [`Event::Published`].
    Publish,
    /// For a moment; then the present phase goes on.
    Until(Moment),
}

#[derive(Debug)]
struct Running {
    term: Term,
    progress: Progress,
    waiting: Waiting,
    cutover: Cutover,
    /// When the source was closed; the write pause counts from here.
    closed_at: Moment,
    /// The target has been opened, in the publishing phase.
    opened: bool,
    /// Undoing: the source has been unmarked.
    unmarked: bool,
    failures: u32,
    cancel: bool,
}

/// Drives one repartition while this node leads.
#[derive(Debug)]
pub struct Coordinator {
    config: Config,
    running: Option<Running>,
}

impl Coordinator {
    /// A coordinator that does not lead.
    #[must_use]
    pub fn new(config: Config) -> Self {
        Self {
            config,
            running: None,
        }
    }

    /// How far it is; `None` while it does not lead.
    #[must_use]
    pub fn progress(&self) -> Option<&Progress> {
        self.running.as_ref().map(|running| &running.progress)
    }

    /// Takes one event and appends what is to be done.
    pub fn handle(&mut self, now: Moment, event: Event, effects: &mut Vec<Effect>) {
        if let Event::Lead { term, progress } = event {
            self.lead(now, term, progress, effects);
            return;
        }
        let Some(mut running) = self.running.take() else {
            return;
        };
        let goes_on = match event {
            Event::Deposed => false,
            Event::Cancel => {
                running.cancel = true;
                true
            }
            event => running.handle(now, &self.config, event, effects),
        };
        if goes_on {
            self.running = Some(running);
        } else {
            effects.push(Effect::Stop);
        }
    }

    /// When [`Event::Timer`] is due.
    #[must_use]
    pub fn deadline(&self) -> Option<Moment> {
        let running = self.running.as_ref()?;
        let wait = match running.waiting {
            Waiting::Until(moment) => Some(moment),
            _ => None,
        };
        earliest(wait, None)
    }

    fn lead(&mut self, now: Moment, term: Term, progress: Progress, effects: &mut Vec<Effect>) {
        if progress.phase.is_final() {
            effects.push(Effect::Stop);
            return;
        }
        let mut running = Running {
            term,
            progress,
            waiting: Waiting::Persist,
            cutover: Cutover::Close,
            closed_at: now,
            opened: false,
            unmarked: false,
            failures: 0,
            cancel: false,
        };
        // Before its first step the group has to know this term: a coordinator before it cannot report any more then,
        // and if it has ended the move meanwhile, this one learns that before it touches a fence.
        running.wait_to_persist(effects);
        self.running = Some(running);
    }
}

impl Running {
    /// Whether it goes on.
    fn handle(&mut self, now: Moment, config: &Config, event: Event, effects: &mut Vec<Effect>) -> bool {
        match (event, &self.waiting) {
            (Event::Persisted, Waiting::Persist) => {
                if self.progress.phase.is_final() {
                    return false;
                }
                self.go_on(now, effects);
            }
            (Event::PersistFailed, Waiting::Persist) => self.wait_to_persist(effects),
            (Event::Published, Waiting::Publish) => self.enter(Phase::Cleaning, effects),
            (Event::StepDone { step, result }, Waiting::Step(asked)) if step == *asked => {
                return self.step_done(now, config, result, effects);
            }
            (Event::Timer, Waiting::Until(moment)) if *moment <= now => self.go_on(now, effects),
            _ => {}
        }
        true
    }

    fn step_done(
        &mut self,
        now: Moment,
        config: &Config,
        result: Result<Done, StepError>,
        effects: &mut Vec<Effect>,
    ) -> bool {
        match result {
            Ok(done) => {
                self.failures = 0;
                if self.cancel && self.progress.phase.can_cancel() {
                    self.enter(Phase::Undoing(Ending::Canceled), effects);
                } else {
                    self.advance(now, config, &done, effects);
                }
                true
            }
            Err(StepError::OldTerm) => false,
            Err(StepError::Retry(_)) => {
                let doubled = config.retry_min_ms.saturating_mul(1 << self.failures.min(16));
                self.failures = self.failures.saturating_add(1);
                self.waiting = Waiting::Until(now.plus_ms(doubled.min(config.retry_max_ms)));
                // While writes wait there is no time for long waits: open again first.
                if self.progress.phase == Phase::CuttingOver && self.pause_is_over(now, config) {
                    self.cutover = Cutover::Reopen;
                    self.run(self.cutover_step(), effects);
                }
                true
            }
            Err(StepError::Never(reason)) => {
                if self.progress.phase.can_cancel() {
                    self.enter(Phase::Undoing(Ending::Failed(reason)), effects);
                } else {
                    // Behind the point of no return only forward: slowly, until somebody repairs it.
                    self.waiting = Waiting::Until(now.plus_ms(config.retry_max_ms));
                }
                true
            }
        }
    }

    /// The present phase's step ended well.
    fn advance(&mut self, now: Moment, config: &Config, done: &Done, effects: &mut Vec<Effect>) {
        match (self.progress.phase.clone(), done) {
            (Phase::Preparing, _) => self.enter(Phase::Marking, effects),
            (Phase::Marking, _) => self.enter(Phase::Copying, effects),
            (Phase::Copying, Done::Copied { rows, finished }) => {
                self.progress.rows_copied += rows;
                if *finished {
                    self.enter(Phase::CatchingUp, effects);
                } else {
                    self.go_on(now, effects);
                }
            }
            (Phase::CatchingUp, Done::Drained { left }) if *left <= config.cutover_backlog => {
                self.enter(Phase::Verifying, effects);
            }
            (Phase::Verifying, Done::Verified { equal: true }) => self.begin_cutover(effects),
            (Phase::Verifying, Done::Verified { equal: false }) => self.mismatch(config, effects),
            (Phase::CuttingOver, done) => self.advance_cutover(now, config, done, effects),
            (Phase::Publishing, _) => {
                self.opened = true;
                self.go_on(now, effects);
            }
            (Phase::Cleaning, Done::Cleaned { finished: true }) => self.enter(Phase::Completed, effects),
            // The source decides: whoever wanted to undo did not know yet that the cut-over had happened.
            (Phase::Undoing(_), Done::Moved(true)) => self.enter(Phase::Publishing, effects),
            (Phase::Undoing(_), Done::Ok) => {
                self.unmarked = true;
                self.go_on(now, effects);
            }
            (Phase::Undoing(ending), Done::Cleaned { finished: true }) => {
                self.enter(Phase::Ended(ending), effects);
            }
            _ => self.go_on(now, effects),
        }
    }

    fn advance_cutover(&mut self, now: Moment, config: &Config, done: &Done, effects: &mut Vec<Effect>) {
        let over = self.pause_is_over(now, config);
        match (self.cutover, done) {
            (Cutover::Close, _) => self.cutover = Cutover::Drain,
            (Cutover::Drain, Done::Drained { left: 0 }) => self.cutover = Cutover::Move,
            // A `moved` whose answer was lost is found by the attempt to open the source again.
            (Cutover::Move | Cutover::Reopen, Done::Moved(true)) => {
                self.enter(Phase::Publishing, effects);
                return;
            }
            // Somebody opened it again, or wrote between draining and moving.
            (Cutover::Move, Done::Moved(false)) => self.cutover = Cutover::Reopen,
            (Cutover::Reopen, _) => {
                self.cutover = Cutover::Close;
                self.progress.phase = Phase::CatchingUp;
                self.waiting = Waiting::Until(now.plus_ms(config.cutover_retry_ms));
                return;
            }
            _ => {}
        }
        if over && self.cutover != Cutover::Reopen {
            self.cutover = Cutover::Reopen;
        }
        self.run(self.cutover_step(), effects);
    }

    fn pause_is_over(&self, now: Moment, config: &Config) -> bool {
        now.since_ms(self.closed_at) >= config.max_pause_ms
    }

    fn begin_cutover(&mut self, effects: &mut Vec<Effect>) {
        self.progress.cutovers += 1;
        self.cutover = Cutover::Close;
        self.enter(Phase::CuttingOver, effects);
    }

    fn mismatch(&mut self, config: &Config, effects: &mut Vec<Effect>) {
        self.progress.mismatches += 1;
        if self.progress.mismatches >= config.max_mismatches {
            let reason = "source and target differ after copying".to_owned();
            self.enter(Phase::Undoing(Ending::Failed(reason)), effects);
        } else {
            self.enter(Phase::CatchingUp, effects);
        }
    }

    /// The next phase begins once the control group knows of it.
    fn enter(&mut self, phase: Phase, effects: &mut Vec<Effect>) {
        self.progress.phase = phase;
        self.wait_to_persist(effects);
    }

    fn wait_to_persist(&mut self, effects: &mut Vec<Effect>) {
        self.waiting = Waiting::Persist;
        effects.push(Effect::Persist(self.progress.clone()));
    }

    /// Runs the step that the present phase needs.
    fn go_on(&mut self, now: Moment, effects: &mut Vec<Effect>) {
        let step = match self.progress.phase {
            Phase::Preparing => Step::PrepareTarget,
            Phase::Marking => Step::MarkSource,
            Phase::Copying => Step::CopyChunk,
            Phase::CatchingUp => Step::DrainChanges,
            Phase::Verifying => Step::Verify,
            Phase::CuttingOver => {
                if self.cutover == Cutover::Close {
                    self.closed_at = now;
                }
                self.cutover_step()
            }
            Phase::Publishing if !self.opened => Step::OpenTarget,
            Phase::Publishing => {
                self.waiting = Waiting::Publish;
                effects.push(Effect::Publish(self.progress.plan.clone()));
                return;
            }
            Phase::Cleaning => Step::CleanSource,
            Phase::Undoing(_) if !self.unmarked => Step::UnmarkSource,
            Phase::Undoing(_) => Step::CleanTarget,
            Phase::Completed | Phase::Ended(_) => return,
        };
        self.run(step, effects);
    }

    fn cutover_step(&self) -> Step {
        let attempt = self.progress.cutovers;
        match self.cutover {
            Cutover::Close => Step::Close { attempt },
            Cutover::Drain => Step::DrainChanges,
            Cutover::Move => Step::Move { attempt },
            Cutover::Reopen => Step::Reopen { attempt },
        }
    }

    fn run(&mut self, step: Step, effects: &mut Vec<Effect>) {
        self.waiting = Waiting::Step(step.clone());
        effects.push(Effect::Run {
            term: self.term,
            step,
        });
    }
}
