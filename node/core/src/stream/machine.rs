//! The parts put together.

use super::operations::Operations;
use super::publisher::Publisher;
use super::relay::Relay;
use super::subscriptions::Subscriptions;
use super::turn::Turn;
use super::{Config, Effect, Event, Message, Operation, Outcome};
use crate::id::NodeName;
use crate::time::Moment;
use crate::view::View;
use std::sync::Arc;

/// How often it is looked whether somebody has not answered, while anything waits.
const BUSY_TICK_MS: u64 = 50;
/// How often it is looked what is over.
const IDLE_TICK_MS: u64 = 1_000;

/// The streams of one node: its part as relay and backup, and that as the node of sessions.
#[derive(Debug)]
pub struct Streams {
    config: Config,
    name: NodeName,
    view: Arc<View>,
    view_changed: Moment,
    relay: Relay,
    publisher: Publisher,
    subscriptions: Subscriptions,
    operations: Operations,
    own: Vec<Message>,
    tick: Moment,
}

impl Streams {
    /// Of a node that holds nothing yet.
    #[must_use]
    pub fn new(config: Config, name: NodeName, view: Arc<View>, now: Moment) -> Self {
        Self {
            config,
            name,
            view,
            view_changed: now,
            relay: Relay::default(),
            publisher: Publisher::default(),
            subscriptions: Subscriptions::default(),
            operations: Operations::default(),
            own: Vec::new(),
            tick: now.plus_ms(IDLE_TICK_MS),
        }
    }

    /// Rooms that this node holds, as relay or backup; also those that were removed lately.
    #[must_use]
    pub fn rooms(&self) -> usize {
        self.relay.len()
    }

    /// Subscriptions of this node's sessions.
    #[must_use]
    pub fn subscriptions(&self) -> usize {
        self.subscriptions.len()
    }

    /// When [`Event::Timer`] is due.
    #[must_use]
    pub const fn deadline(&self) -> Option<Moment> {
        Some(self.tick)
    }

    /// Takes an event.
    pub fn handle(&mut self, now: Moment, event: Event, effects: &mut Vec<Effect>) {
        self.event(now, event, effects);
        loop {
            let own = std::mem::take(&mut self.own);
            if own.is_empty() {
                break;
            }
            let from = self.name.clone();
            for message in own {
                self.with_turn(now, effects, |parts, turn| parts.message(&from, message, turn));
            }
        }
        if !self.publisher.is_idle() || !self.operations.is_idle() {
            self.tick = self.tick.min(now.plus_ms(BUSY_TICK_MS));
        }
    }

    fn event(&mut self, now: Moment, event: Event, effects: &mut Vec<Effect>) {
        if let Event::ViewChanged(view) = &event {
            self.view = Arc::clone(view);
            self.view_changed = now;
        }
        if let Event::Timer = event {
            if now < self.tick {
                return;
            }
            self.tick = now.plus_ms(IDLE_TICK_MS);
        }
        self.with_turn(now, effects, |parts, turn| parts.event(event, turn));
    }

    fn with_turn(
        &mut self,
        now: Moment,
        effects: &mut Vec<Effect>,
        act: impl FnOnce(&mut Parts<'_>, &mut Turn<'_>),
    ) {
        let alone = self.view.nodes().len() == 1 && self.view.contains(&self.name);
        let mut turn = Turn {
            now,
            name: &self.name,
            view: &self.view,
            config: &self.config,
            settled: alone || now.since_ms(self.view_changed) >= self.config.settle_ms,
            own: &mut self.own,
            effects,
        };
        let mut parts = Parts {
            relay: &mut self.relay,
            publisher: &mut self.publisher,
            subscriptions: &mut self.subscriptions,
            operations: &mut self.operations,
        };
        act(&mut parts, &mut turn);
    }
}

struct Parts<'a> {
    relay: &'a mut Relay,
    publisher: &'a mut Publisher,
    subscriptions: &'a mut Subscriptions,
    operations: &'a mut Operations,
}

impl Parts<'_> {
    fn event(&mut self, event: Event, turn: &mut Turn<'_>) {
        match event {
            Event::Asked {
                session,
                request,
                room,
                operation,
            } => {
                let answered = |outcome| Effect::Answered { request, outcome };
                match operation {
                    Operation::Unsubscribe => {
                        self.subscriptions.remove(session, &room, turn);
                        turn.effects.push(answered(Outcome::Done));
                    }
                    Operation::Subscribe(_)
                        if !self
                            .subscriptions
                            .has_place(session, &room, turn.config.max_subscriptions) =>
                    {
                        turn.effects.push(answered(Outcome::TooMany));
                    }
                    operation => self.operations.begin(session, request, (room, operation), turn),
                }
            }
            Event::Pushed {
                session,
                account,
                room,
                frame,
            } => self.publisher.push(session, account, &room, frame, turn),
            Event::SessionClosed(session) => {
                self.publisher.closed(session);
                self.operations.closed(session);
                self.subscriptions.closed(session, turn);
            }
            Event::Received { from, message } => self.message(&from, message, turn),
            Event::Unreached(node) => {
                self.publisher.unreached(&node, turn);
                self.operations.unreached(&node, turn);
            }
            Event::ViewChanged(_) => {
                // Rooms first: what follows finds them where they belong now.
                self.relay.view_changed(turn);
                self.subscriptions.view_changed(turn);
                self.operations.view_changed(turn);
                self.publisher.view_changed(turn);
            }
            Event::Timer => {
                self.relay.sweep(turn);
                self.subscriptions.timer(turn);
                self.operations.timer(turn);
                self.publisher.timer(turn);
            }
        }
    }

    fn message(&mut self, from: &NodeName, message: Message, turn: &mut Turn<'_>) {
        match message {
            Message::Ask {
                request,
                room,
                operation,
            } => self.relay.ask(from, request, &room, operation, turn),
            Message::Answer { request, outcome } => {
                self.operations
                    .answered(from, request, outcome, self.subscriptions, turn);
            }
            Message::Push {
                room,
                session,
                account,
                number,
                frame,
            } => self
                .relay
                .push(from, (room, session, number), &account, &frame, turn),
            Message::Settled {
                room,
                session,
                number,
                verdict,
            } => self
                .publisher
                .settled(from, (&room, session, number), verdict, turn),
            Message::Fan {
                room,
                owner,
                session,
                number,
                frame,
            } => self
                .subscriptions
                .fan((room, owner), (session, number), frame, turn),
            Message::Announce { rooms, subscribed } => {
                self.relay.announced(from, rooms, subscribed, turn);
            }
            Message::Put(state) => self.relay.put(state, turn),
        }
    }
}
