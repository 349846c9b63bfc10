//! What the homes want done.

use super::Input;
use super::machines::{Event, Machines};
use crate::peers::ToPeer;
use std::time::Instant;
use tim_core::conversation::{BatchResult, ConversationBatch, ConversationOutcome};
use tim_core::home::{self, Config, Effect, RequestId};
use tim_core::id::{ConversationId, DatabaseName, Epoch, NodeName};
use tim_core::submit;
use tim_telemetry::{attribute, names};

pub(super) fn config(limits: &tim_config::Limits) -> Config {
    Config {
        max_batch: limits.batch_messages_max as usize,
        max_queue: limits.home_queue_max as usize,
        max_conversations: limits.home_conversations_max as usize,
        max_room_members_held: limits.home_room_members_max as usize,
        room_members_max: limits.room_members_max,
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
            } => self.load(request, database, conversations),
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
            } => self.tell_lane(
                &to,
                ToPeer::Opened {
                    lane,
                    attempt,
                    tenure,
                },
            ),
            Effect::OpenRefused {
                to,
                lane,
                attempt,
                reason,
            } => self.tell_lane(
                &to,
                ToPeer::OpenRefused {
                    lane,
                    attempt,
                    reason,
                },
            ),
            Effect::Answer {
                to,
                lane,
                attempt,
                index,
                answer,
            } => {
                if self.is_me(&to) {
                    // Not boxed: every message of this node comes this way.
                    self.push(Event::Lanes(submit::Event::Answered {
                        lane,
                        attempt,
                        index,
                        answer,
                    }));
                } else {
                    let answer = Box::new(answer);
                    let message = ToPeer::Answer {
                        lane,
                        attempt,
                        index,
                        answer,
                    };
                    self.parts.peers.send(&to, message);
                }
            }
            Effect::NeedMap => self.parts.need_map.notify_one(),
            // Gathered by the caller.
            Effect::Committed(_) => {}
        }
    }

    /// Tells a lane whether its conversation is open, here or at a peer.
    fn tell_lane(&mut self, to: &NodeName, message: ToPeer) {
        if !self.is_me(to) {
            return self.parts.peers.send(to, message);
        }
        let from = to.clone();
        match message {
            ToPeer::Opened {
                lane,
                attempt,
                tenure,
            } => self.push(Event::Lanes(submit::Event::Opened {
                from,
                lane,
                attempt,
                tenure,
            })),
            ToPeer::OpenRefused {
                lane,
                attempt,
                reason,
            } => self.push(Event::Lanes(submit::Event::OpenRefused {
                from,
                lane,
                attempt,
                reason,
            })),
            _ => {}
        }
    }

    fn load(&self, request: RequestId, database: DatabaseName, conversations: Vec<(ConversationId, Epoch)>) {
        let (databases, engine) = (self.parts.databases.clone(), self.engine.clone());
        tokio::spawn(async move {
            let found = databases.load(&database, conversations).await;
            engine.post(Input::Home(home::Event::Loaded { request, found }));
        });
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
            let took = begun.elapsed();
            let label = [attribute(&names::DATABASE_NAME, database.as_str().to_owned())];
            metrics.commit_duration.record(took.as_secs_f64(), &label);
            metrics.commit_batch_size.record(messages as f64, &label);
            if let BatchResult::Committed(outcomes) = &result {
                metrics.committed(&database, took);
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
