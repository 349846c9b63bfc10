//! What the homes want done.

use super::Input;
use super::machines::{Event, Machines};
use crate::peers::ToPeer;
use std::time::Instant;
use tim_core::conversation::{BatchResult, ConversationBatch, ConversationOutcome};
use tim_core::home::{self, Config, Effect, RequestId};
use tim_core::id::DatabaseName;
use tim_core::submit;
use tim_telemetry::{attribute, names};

pub(super) fn config(limits: &tim_config::Limits) -> Config {
    Config {
        max_batch: limits.batch_messages_max as usize,
        max_queue: limits.home_queue_max as usize,
        ..Config::default()
    }
}

impl Machines {
    pub(super) fn home_event(&mut self, event: home::Event) {
        let mut effects = Vec::new();
        self.home.handle(crate::clock::now(), event, &mut effects);
        let mut committed = Vec::new();
        for effect in effects {
            match effect {
                // One look-up for all that became durable together.
                Effect::Committed(entries) => committed.push(entries),
                other => self.home_effect(other),
            }
        }
        if !committed.is_empty() {
            self.traced.looking_up(&committed);
            self.push(Event::Delivery(tim_core::delivery::Event::Committed(committed)));
        }
    }

    fn home_effect(&mut self, effect: Effect) {
        match effect {
            Effect::Load {
                request,
                database,
                conversations,
            } => {
                let (databases, engine) = (self.parts.databases.clone(), self.engine.clone());
                tokio::spawn(async move {
                    let found = databases.load(&database, conversations).await;
                    engine.post(Input::Home(home::Event::Loaded { request, found }));
                });
            }
            Effect::RunBatch {
                request,
                database,
                conversations,
            } => self.run_batch(request, database, conversations),
            Effect::Opened {
                to,
                lane,
                attempt,
                tenure,
            } => {
                if self.is_me(&to) {
                    self.push(Event::Lanes(submit::Event::Opened {
                        from: to,
                        lane,
                        attempt,
                        tenure,
                    }));
                } else {
                    self.parts.peers.send(
                        &to,
                        ToPeer::Opened {
                            lane,
                            attempt,
                            tenure,
                        },
                    );
                }
            }
            Effect::OpenRefused {
                to,
                lane,
                attempt,
                reason,
            } => {
                if self.is_me(&to) {
                    self.push(Event::Lanes(submit::Event::OpenRefused {
                        from: to,
                        lane,
                        attempt,
                        reason,
                    }));
                } else {
                    self.parts.peers.send(
                        &to,
                        ToPeer::OpenRefused {
                            lane,
                            attempt,
                            reason,
                        },
                    );
                }
            }
            Effect::Answer {
                to,
                lane,
                attempt,
                index,
                answer,
            } => {
                if self.is_me(&to) {
                    self.push(Event::Lanes(submit::Event::Answered {
                        lane,
                        attempt,
                        index,
                        answer,
                    }));
                } else {
                    let answer = Box::new(answer);
                    self.parts.peers.send(
                        &to,
                        ToPeer::Answer {
                            lane,
                            attempt,
                            index,
                            answer,
                        },
                    );
                }
            }
            Effect::NeedMap => self.parts.need_map.notify_one(),
            // Gathered by the caller.
            Effect::Committed(_) => {}
        }
    }

    fn run_batch(
        &mut self,
        request: RequestId,
        database: DatabaseName,
        conversations: Vec<ConversationBatch>,
    ) {
        let messages: usize = conversations.iter().map(|batch| batch.submissions.len()).sum();
        let spans = self
            .traced
            .committing(request, &database, &conversations, messages);
        let (databases, engine, metrics) = (
            self.parts.databases.clone(),
            self.engine.clone(),
            self.parts.metrics.clone(),
        );
        tokio::spawn(async move {
            let begun = Instant::now();
            let result = databases.run_batch(&database, conversations).await;
            let label = [attribute(&names::DATABASE_NAME, database.as_str().to_owned())];
            metrics
                .commit_duration
                .record(begun.elapsed().as_secs_f64(), &label);
            #[allow(
                clippy::cast_precision_loss,
                reason = "a batch holds far fewer than 2^52 messages"
            )]
            metrics.commit_batch_size.record(messages as f64, &label);
            if let BatchResult::Committed(outcomes) = &result {
                count(&metrics, outcomes);
            }
            drop(spans);
            engine.post(Input::BatchDone { request, result });
        });
    }
}

fn count(metrics: &crate::metrics::Metrics, outcomes: &[ConversationOutcome]) {
    for outcome in outcomes {
        match outcome {
            ConversationOutcome::Conflict { .. } => metrics.home_conflicts.add(1, &[]),
            ConversationOutcome::Fenced(_) => metrics.fence_refused.add(1, &[]),
            ConversationOutcome::Done { .. } => {}
        }
    }
}
