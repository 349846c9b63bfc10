//! The task that drives the machine.

use super::{Figures, Input, Inputs, Streams};
use crate::metrics::Metrics;
use crate::session::{Input as SessionInput, SessionTable, StreamFrame};
use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;
use tim_config::NodeConfig;
use tim_core::id::NodeName;
use tim_core::stream::{self, Config, Effect, Event, Outcome};
use tim_core::view::View;
use tokio::sync::oneshot;

/// Inputs taken at once before deadlines are looked at.
const INPUTS_AT_ONCE: usize = 256;
/// Longest sleep without a deadline; only a bound.
const SLEEP_MAX: Duration = Duration::from_secs(1);

/// What the task works with.
#[derive(Debug)]
pub(crate) struct Parts {
    pub(crate) name: NodeName,
    pub(crate) view: Arc<View>,
    pub(crate) sessions: Arc<SessionTable>,
    pub(crate) metrics: Arc<Metrics>,
    pub(crate) config: Config,
}

/// The machine's settings.
pub(crate) fn config(config: &NodeConfig) -> Config {
    Config {
        idle_ms: config.sessions.virtual_room_idle_seconds * 1_000,
        max_rooms: config.limits.virtual_rooms_max as usize,
        max_subscriptions: config.limits.subscriptions_per_session_max as usize,
        max_unsettled_bytes: config.limits.stream_bytes_per_session_max as usize,
        ..Config::default()
    }
}

/// Runs until the process ends.
pub(crate) async fn run(streams: Streams, parts: Parts, inputs: Inputs) {
    let mut receiver = inputs.0;
    let now = crate::clock::now();
    let mut task = Task {
        machine: stream::Streams::new(parts.config, parts.name, parts.view, now),
        sessions: parts.sessions,
        metrics: parts.metrics,
        replies: HashMap::new(),
        next_request: 0,
        streams,
    };
    let mut batch = Vec::with_capacity(INPUTS_AT_ONCE);
    loop {
        let now = crate::clock::now();
        let wait = task.machine.deadline().map_or(SLEEP_MAX, |deadline| {
            Duration::from_millis(deadline.since_ms(now)).min(SLEEP_MAX)
        });
        if !wait.is_zero()
            && let Ok(0) = tokio::time::timeout(wait, receiver.recv_many(&mut batch, INPUTS_AT_ONCE)).await
        {
            return;
        }
        for input in batch.drain(..) {
            task.input(input);
        }
        task.event(Event::Timer);
        task.show();
        // A flood of frames must not keep the runtime from others.
        tokio::task::yield_now().await;
    }
}

struct Task {
    streams: Streams,
    machine: stream::Streams,
    sessions: Arc<SessionTable>,
    metrics: Arc<Metrics>,
    replies: HashMap<u64, oneshot::Sender<Outcome>>,
    next_request: u64,
}

impl Task {
    fn input(&mut self, input: Input) {
        self.streams.waiting.give_back(input.content_bytes());
        match input {
            Input::Event(event) => {
                if let Event::SessionClosed(_) = event {
                    // Whoever asked for it is gone as well.
                    self.replies.retain(|_, reply| !reply.is_closed());
                }
                self.event(event);
            }
            Input::Asked {
                session,
                room,
                operation,
                reply,
            } => {
                self.next_request += 1;
                self.replies.insert(self.next_request, reply);
                self.event(Event::Asked {
                    session,
                    request: self.next_request,
                    room,
                    operation,
                });
            }
        }
    }

    fn event(&mut self, event: Event) {
        let mut effects = Vec::new();
        self.machine.handle(crate::clock::now(), event, &mut effects);
        for effect in effects {
            self.effect(effect);
        }
    }

    fn effect(&mut self, effect: Effect) {
        match effect {
            Effect::Send { to, message } => {
                if !self.streams.couriers.send(&to, message) {
                    self.metrics.frames_dropped.add(1, &[]);
                }
            }
            Effect::Answered { request, outcome } => {
                if let Some(reply) = self.replies.remove(&request) {
                    // The connection may have ended.
                    let _ = reply.send(outcome);
                }
            }
            Effect::Deliver {
                room,
                owner,
                frame,
                to,
            } => {
                let frame = Arc::new(StreamFrame::new(room, owner, frame));
                for (session, form) in to {
                    let frame = Arc::clone(&frame);
                    // It may have ended.
                    let _ = self.sessions.post(session, SessionInput::Stream { frame, form });
                }
            }
            Effect::Refused { session, room } => {
                let _ = self.sessions.post(session, SessionInput::PushRefused(room));
            }
            Effect::Dropped(count) => self.metrics.frames_dropped.add(count, &[]),
        }
    }

    fn show(&self) {
        let Figures { rooms, subscriptions } = &*self.streams.figures;
        rooms.store(self.machine.rooms() as u64, Ordering::Relaxed);
        subscriptions.store(self.machine.subscriptions() as u64, Ordering::Relaxed);
    }
}
