//! While this node leads the control group: the coordinator of the repartition under way.

use super::Figures;
use crate::databases::Databases;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tim_cluster::control::{ControlGroup, ControlStatus, ControlView, ProposeError};
use tim_core::control::{Command, Refused, Repartition};
use tim_core::id::Term;
use tim_core::repartition::{
    Config, Coordinator, Done, Effect, Event, OperationId, Plan, Progress, Step, StepError,
};
use tim_store::repartition::step_result;
use tokio::sync::{mpsc, watch};

/// Longest sleep of a coordinator; everything that happens wakes it.
const SLEEP_MAX: Duration = Duration::from_secs(1);
/// Answers that may wait for the coordinator; it has one question at a time.
const ANSWERS_MAX: usize = 16;

/// What the driver works with.
#[derive(Clone)]
pub(crate) struct Driver {
    pub(crate) control: ControlGroup,
    pub(crate) databases: Arc<Databases>,
    pub(crate) figures: Figures,
}

/// Drives whatever runs whenever this node leads, until the process ends.
pub(crate) async fn drive(driver: Driver) {
    let mut status = driver.control.status();
    let mut view = driver.control.view();
    loop {
        let leads = status.borrow_and_update().is_leader;
        let running = view.borrow_and_update().state.running().cloned();
        if let (true, Some(running)) = (leads, running) {
            let term = status.borrow().term;
            Box::pin(driver.run(term, running, &mut status, &mut view)).await;
            continue;
        }
        let changed = tokio::select! {
            changed = status.changed() => changed,
            changed = view.changed() => changed,
        };
        if changed.is_err() {
            return;
        }
    }
}

impl Driver {
    /// One repartition, until it is over or this node does not lead any more.
    async fn run(
        &self,
        term: Term,
        repartition: Repartition,
        status: &mut watch::Receiver<Arc<ControlStatus>>,
        view: &mut watch::Receiver<Arc<ControlView>>,
    ) {
        let plan = repartition.progress.plan.clone();
        tracing::info!(tim.repartition.id = plan.operation.0, term = term.0, phase = ?repartition.progress.phase, "coordinating");
        let (answers, mut answered) = mpsc::channel(ANSWERS_MAX);
        let mut coordinator = Coordinator::new(Config::default());
        let mut next = Some(Event::Lead {
            term,
            progress: repartition.progress,
        });
        if repartition.cancel {
            let _ = answers.try_send(Event::Cancel);
        }
        let mut cancelling = repartition.cancel;
        loop {
            let mut effects = Vec::new();
            if let Some(event) = next.take() {
                coordinator.handle(crate::clock::now(), event, &mut effects);
            }
            let mut stopped = false;
            for effect in effects {
                stopped |= self.effect(&plan, effect, &answers);
            }
            if stopped {
                return;
            }
            let wait = coordinator.deadline().map_or(SLEEP_MAX, |deadline| {
                Duration::from_millis(deadline.since_ms(crate::clock::now())).min(SLEEP_MAX)
            });
            next = tokio::select! {
                event = answered.recv() => event,
                () = tokio::time::sleep(wait) => Some(Event::Timer),
                changed = status.changed() => (changed.is_err() || !leads(status, term)).then_some(Event::Deposed),
                _ = view.changed() => {
                    let wanted = wants_cancel(view, &plan.operation);
                    let begins = wanted && !cancelling;
                    cancelling |= wanted;
                    begins.then_some(Event::Cancel)
                }
            };
        }
    }

    /// Whether the coordinator has stopped.
    fn effect(&self, plan: &Plan, effect: Effect, answers: &mpsc::Sender<Event>) -> bool {
        let (driver, answers, plan) = (self.clone(), answers.clone(), plan.clone());
        match effect {
            Effect::Stop => return true,
            Effect::Persist(progress) => {
                tokio::spawn(async move {
                    let event = driver.persist(progress).await;
                    let _ = answers.send(event).await;
                });
            }
            Effect::Run { term, step } => {
                tokio::spawn(async move {
                    let result = driver.step(&plan, term, &step).await;
                    let _ = answers.send(Event::StepDone { step, result }).await;
                });
            }
            Effect::Publish(plan) => {
                tokio::spawn(async move {
                    let event = driver.publish(&plan).await;
                    let _ = answers.send(event).await;
                });
            }
        }
        false
    }

    async fn persist(&self, progress: Progress) -> Event {
        let Some(term) = self.term() else {
            return Event::Deposed;
        };
        match self.control.propose(Command::Report { term, progress }).await {
            Ok(()) => Event::Persisted,
            Err(ProposeError::Refused(
                Refused::OldTerm(_) | Refused::Unknown(_) | Refused::OtherPlan | Refused::Over(_),
            )) => Event::Deposed,
            Err(error) => {
                tracing::debug!(%error, "progress is not kept yet");
                Event::PersistFailed
            }
        }
    }

    fn term(&self) -> Option<Term> {
        let status = self.control.status();
        let status = status.borrow();
        status.is_leader.then_some(status.term)
    }

    async fn step(&self, plan: &Plan, term: Term, step: &Step) -> Result<Done, StepError> {
        let begun = Instant::now();
        let result = Box::pin(self.databases.store().run_step(plan, term, step)).await;
        if let Err(error) = &result {
            tracing::warn!(
                code = error.cause().code,
                tim.repartition.id = plan.operation.0,
                step = ?step,
                "{error}"
            );
        }
        self.figures.update(&plan.operation, |running| {
            running.waits_for = result.as_ref().err().map(ToString::to_string);
            match (step, &result) {
                (Step::DrainChanges, Ok(Done::Drained { left })) => running.changes_pending = *left,
                (Step::Close { .. }, _) => running.closed = Some(begun),
                (Step::Move { .. } | Step::Reopen { .. }, Ok(_)) => {
                    if let Some(closed) = running.closed {
                        running.write_pause_ms =
                            u64::try_from(closed.elapsed().as_millis()).unwrap_or(u64::MAX);
                    }
                }
                (Step::OpenTarget, Ok(_)) => {
                    // Writes go on only here: the pause ends with the target's opening.
                    if let Some(closed) = running.closed.take() {
                        running.write_pause_ms =
                            u64::try_from(closed.elapsed().as_millis()).unwrap_or(u64::MAX);
                    }
                }
                _ => {}
            }
        });
        if matches!(step, Step::OpenTarget | Step::Reopen { .. }) && result.is_ok() {
            // Whoever was refused meanwhile waits for the new map.
            self.databases.need_map.notify_one();
        }
        step_result(result)
    }

    async fn publish(&self, plan: &Plan) -> Event {
        match self
            .control
            .propose(Command::Publish(plan.operation.clone()))
            .await
        {
            Ok(()) => Event::Published,
            Err(error) => {
                tracing::debug!(%error, "the map is not published yet");
                Event::PersistFailed
            }
        }
    }
}

fn leads(status: &watch::Receiver<Arc<ControlStatus>>, term: Term) -> bool {
    let status = status.borrow();
    status.is_leader && status.term == term
}

fn wants_cancel(view: &watch::Receiver<Arc<ControlView>>, operation: &OperationId) -> bool {
    view.borrow()
        .state
        .repartitions
        .get(operation)
        .is_some_and(|repartition| repartition.cancel)
}
