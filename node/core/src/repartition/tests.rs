use super::*;
use crate::time::Moment;

fn plan() -> Plan {
    Plan {
        operation: OperationId("split-1".to_owned()),
        from: Slot(100),
        until: Slot(200),
        source: DatabaseName::new("d0").unwrap(),
        source_epoch: Epoch(1),
        target: DatabaseName::new("d1").unwrap(),
        target_epoch: Epoch(2),
        homes: HomePlacement::PerConversation,
    }
}

/// Drives a coordinator: persists at once, answers each step by a function.
struct Drive {
    coordinator: Coordinator,
    persisted: Progress,
    steps: Vec<Step>,
    now: u64,
}

impl Drive {
    fn new() -> Self {
        Self {
            coordinator: Coordinator::new(Config::default()),
            persisted: Progress::new(plan()),
            steps: Vec::new(),
            now: 0,
        }
    }

    fn lead(&mut self, term: u64) -> Vec<Effect> {
        let progress = self.persisted.clone();
        self.event(Event::Lead {
            term: Term(term),
            progress,
        })
    }

    fn event(&mut self, event: Event) -> Vec<Effect> {
        let mut effects = Vec::new();
        self.coordinator.handle(Moment(self.now), event, &mut effects);
        effects
    }

    /// Runs until nothing is left to do, or `most` steps were asked for; whether it stopped by itself.
    fn run(
        &mut self,
        mut effects: Vec<Effect>,
        most: usize,
        mut answer: impl FnMut(&Step, usize) -> Result<Done, StepError>,
    ) -> bool {
        loop {
            let mut next = Vec::new();
            for effect in effects {
                match effect {
                    Effect::Persist(progress) => {
                        self.persisted = progress;
                        next.extend(self.event(Event::Persisted));
                    }
                    Effect::Publish(_) => next.extend(self.event(Event::Published)),
                    Effect::Run { step, .. } => {
                        if self.steps.len() >= most {
                            return false;
                        }
                        let result = answer(&step, self.steps.len());
                        self.steps.push(step.clone());
                        next.extend(self.event(Event::StepDone { step, result }));
                    }
                    Effect::Stop => return true,
                }
            }
            if next.is_empty() {
                let Some(deadline) = self.coordinator.deadline() else {
                    return false;
                };
                self.now = self.now.max(deadline.0);
                next = self.event(Event::Timer);
            }
            effects = next;
        }
    }
}

/// Everything works; copying and cleaning take two chunks.
fn well(step: &Step, number: usize) -> Result<Done, StepError> {
    Ok(match step {
        Step::CopyChunk => Done::Copied {
            rows: 10,
            finished: number > 2,
        },
        Step::DrainChanges => Done::Drained { left: 0 },
        Step::Verify => Done::Verified { equal: true },
        Step::Move { .. } => Done::Moved(true),
        Step::CleanSource | Step::CleanTarget => Done::Cleaned {
            finished: number > 10,
        },
        _ => Done::Ok,
    })
}

#[test]
fn goes_through_all_phases() {
    let mut drive = Drive::new();
    let effects = drive.lead(1);
    assert!(drive.run(effects, 100, well));
    assert_eq!(drive.persisted.phase, Phase::Completed);
    assert_eq!(drive.persisted.rows_copied, 20);
    let tail = [
        Step::CopyChunk,
        Step::CopyChunk,
        Step::DrainChanges,
        Step::Verify,
        Step::Close { attempt: 1 },
        Step::DrainChanges,
        Step::Move { attempt: 1 },
        Step::OpenTarget,
        Step::CleanSource,
        Step::CleanSource,
    ];
    assert_eq!(drive.steps[..2], [Step::PrepareTarget, Step::MarkSource]);
    assert_eq!(drive.steps[2..], tail);
}

#[test]
fn resumes_from_every_point() {
    for most in 0..14 {
        let mut drive = Drive::new();
        let effects = drive.lead(1);
        drive.run(effects, most, well);
        let mut next = Drive {
            persisted: drive.persisted.clone(),
            steps: drive.steps.clone(),
            ..Drive::new()
        };
        let effects = next.lead(2);
        next.run(effects, 100, well);
        assert_eq!(next.persisted.phase, Phase::Completed, "after {most} steps");
    }
}

#[test]
fn a_pause_that_takes_too_long_is_ended_and_tried_again() {
    let mut drive = Drive::new();
    let effects = drive.lead(1);
    let mut moves = 0;
    let done = drive.run(effects, 100, |step, number| match step {
        Step::Move { .. } if moves < 2 => {
            moves += 1;
            Ok(Done::Moved(false))
        }
        step => well(step, number),
    });
    assert!(done);
    assert_eq!(drive.persisted.phase, Phase::Completed);
    assert_eq!(drive.persisted.cutovers, 3);
    let reopened: Vec<&Step> = drive
        .steps
        .iter()
        .filter(|step| matches!(step, Step::Reopen { .. }))
        .collect();
    assert_eq!(
        reopened,
        [&Step::Reopen { attempt: 1 }, &Step::Reopen { attempt: 2 }]
    );
}

#[test]
fn failing_while_closed_opens_again_once_the_limit_is_reached() {
    let mut drive = Drive::new();
    let effects = drive.lead(1);
    let mut failures = 0;
    let done = drive.run(effects, 200, |step, number| match step {
        Step::Move { .. } if failures < 20 => {
            failures += 1;
            Err(StepError::Retry("slow".to_owned()))
        }
        step => well(step, number),
    });
    assert!(done);
    assert!(drive.steps.contains(&Step::Reopen { attempt: 1 }));
    assert_eq!(drive.persisted.phase, Phase::Completed);
}

/// The answer to `move` was lost, and the pause is over: opening again finds out that it has moved.
#[test]
fn a_move_whose_answer_was_lost_is_not_done_again() {
    let mut drive = Drive::new();
    let effects = drive.lead(1);
    let done = drive.run(effects, 200, |step, number| match step {
        Step::Move { .. } => Err(StepError::Retry("no answer".to_owned())),
        Step::Reopen { .. } => Ok(Done::Moved(true)),
        step => well(step, number),
    });
    assert!(done);
    assert_eq!(drive.persisted.phase, Phase::Completed);
    assert_eq!(drive.persisted.cutovers, 1);
    let closes = drive
        .steps
        .iter()
        .filter(|step| matches!(step, Step::Close { .. }));
    assert_eq!(closes.count(), 1);
}

#[test]
fn an_old_term_stops() {
    let mut drive = Drive::new();
    let effects = drive.lead(1);
    assert!(drive.run(effects, 100, |_, _| Err(StepError::OldTerm)));
    assert_eq!(drive.steps, [Step::PrepareTarget]);
    assert_eq!(drive.coordinator.progress(), None);
}

#[test]
fn cancel_undoes_until_the_cut_over_begins() {
    let mut drive = Drive::new();
    let effects = drive.lead(1);
    assert!(!drive.run(effects, 3, well));
    let pending = Step::CopyChunk;
    drive.event(Event::Cancel);
    let effects = drive.event(Event::StepDone {
        step: pending.clone(),
        result: well(&pending, 3),
    });
    assert!(drive.run(effects, 100, |step, _| well(step, 99)));
    assert_eq!(drive.persisted.phase, Phase::Ended(Ending::Canceled));
    assert_eq!(drive.steps[3..], [Step::UnmarkSource, Step::CleanTarget]);
}

/// Found by the simulator: who takes over may have been given the progress of long ago, with a wish to cancel.
#[test]
fn what_has_moved_is_completed_and_not_undone() {
    let mut drive = Drive::new();
    drive.persisted.phase = Phase::Undoing(Ending::Canceled);
    let effects = drive.lead(2);
    let done = drive.run(effects, 100, |step, _| match step {
        Step::UnmarkSource => Ok(Done::Moved(true)),
        step => well(step, 99),
    });
    assert!(done);
    assert_eq!(drive.persisted.phase, Phase::Completed);
    assert_eq!(
        drive.steps,
        [Step::UnmarkSource, Step::OpenTarget, Step::CleanSource]
    );
}

#[test]
fn differences_fail_it_after_some_tries() {
    let mut drive = Drive::new();
    let effects = drive.lead(1);
    let done = drive.run(effects, 100, |step, number| match step {
        Step::Verify => Ok(Done::Verified { equal: false }),
        Step::CleanTarget => Ok(Done::Cleaned { finished: true }),
        step => well(step, number),
    });
    assert!(done);
    assert!(matches!(drive.persisted.phase, Phase::Ended(Ending::Failed(_))));
    assert_eq!(drive.persisted.mismatches, 3);
}
