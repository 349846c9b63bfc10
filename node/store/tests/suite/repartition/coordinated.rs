//! The pure coordinator at real databases, replaced at every step.

use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use tim_core::id::Term;
use tim_core::repartition::{Config, Coordinator, Effect, Event, Phase, Progress};
use tim_core::time::Moment;
use tim_store::{Store, step_result};

use crate::support::{Engine, Pair, database_name};

use super::fixture::*;
use crate::support::on_every_engine;

on_every_engine!(a_coordinator_that_is_replaced_again_and_again_gets_there);

/// What the control group keeps of a repartition, and the coordinators that come and go.
struct Coordination {
    store: Store,
    progress: Progress,
    term: u64,
    begun: std::time::Instant,
}

impl Coordination {
    fn now(&self) -> Moment {
        Moment(self.begun.elapsed().as_millis() as u64)
    }

    /// Leads for so many steps, and then is gone; true when the repartition is over.
    async fn lead(&mut self, steps: usize) -> bool {
        self.term += 1;
        let term = Term(self.term);
        let mut coordinator = Coordinator::new(Config::default());
        let mut waiting = VecDeque::from([Event::Lead {
            term,
            progress: self.progress.clone(),
        }]);
        let mut done = 0;
        loop {
            let event = match waiting.pop_front() {
                Some(event) => event,
                None => {
                    let Some(deadline) = coordinator.deadline() else {
                        return false;
                    };
                    tokio::time::sleep(Duration::from_millis(deadline.since_ms(self.now()))).await;
                    Event::Timer
                }
            };
            let mut effects = Vec::new();
            coordinator.handle(self.now(), event, &mut effects);
            for effect in effects {
                match effect {
                    Effect::Persist(progress) => {
                        self.progress = progress;
                        waiting.push_back(Event::Persisted);
                    }
                    Effect::Publish(_) => waiting.push_back(Event::Published),
                    Effect::Stop => return true,
                    Effect::Run { step, term } => {
                        let result = self.store.run_step(&self.progress.plan, term, &step).await;
                        done += 1;
                        if done == steps {
                            // Dead before the answer is told to anybody.
                            return false;
                        }
                        waiting.push_back(Event::StepDone {
                            step,
                            result: step_result(result),
                        });
                    }
                }
            }
        }
    }
}

async fn a_coordinator_that_is_replaced_again_and_again_gets_there(engine: Engine) {
    let split = Split::new(engine, engine).await;
    let store = split.node().await;
    let filled = pairs(12);
    fill(&store, &filled).await;
    let done = Arc::new(AtomicBool::new(false));
    let writing: Vec<Pair> = (0..4)
        .map(|number| Pair::new(&format!("w{number}"), &format!("v{number}")))
        .collect();
    let mut writers = Vec::new();
    for pair in &writing {
        pair.befriend(&store.database(&database_name("d0")).unwrap())
            .await;
        writers.push(tokio::spawn(write_until_done(
            split.node().await,
            pair.clone(),
            done.clone(),
        )));
    }
    let mut coordination = Coordination {
        store: store.clone(),
        progress: Progress::new(split.plan.clone()),
        term: 0,
        begun: std::time::Instant::now(),
    };
    // Each one gets a step further than the one before, so every step is the last of some coordinator.
    let mut steps = 1;
    while !coordination.lead(steps).await {
        steps += 1;
    }
    assert_eq!(coordination.progress.phase, Phase::Completed);
    done.store(true, Ordering::SeqCst);
    for (pair, writer) in writing.iter().zip(writers) {
        check_written(&store, pair, &writer.await.unwrap()).await;
    }
    check_filled(&store, &filled).await;
}
