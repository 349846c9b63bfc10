//! The machines side by side, and the queue through which one feeds the other.

use super::spans::Traced;
use super::{Engine, Input, OwnerAnswer, Parts};
use std::collections::{HashMap, VecDeque};
use std::sync::atomic::Ordering;
use std::time::Instant;
use tim_core::conversation::Submission;
use tim_core::home::{self, Home};
use tim_core::id::SessionId;
use tim_core::presence::{Owner, OwnerEvent, Registrar, RegistrarEvent};
use tim_core::submit::{self, Submitter};
use tim_core::time::{Moment, earliest};
use tim_core::{delivery, presence};
use tokio::sync::oneshot;

/// Questions from outside get numbers from here on, so that they differ from those of this node's own machines.
const FIRST_OUTSIDE_REQUEST: u64 = 1 << 63;

/// Submissions of no session that wait for their outcome; more are answered busy.
const TOLD_MAX: usize = 4_096;

/// An event for one of the machines.
#[derive(Debug)]
pub(super) enum Event {
    Lanes(submit::Event),
    Home(home::Event),
    Delivery(delivery::Event),
    Owner(OwnerEvent),
    Registrar(RegistrarEvent),
}

/// All machines of the message path.
pub(super) struct Machines {
    pub(super) engine: Engine,
    pub(super) parts: Parts,
    pub(super) lanes: Submitter,
    pub(super) home: Home,
    pub(super) delivery: delivery::Delivery,
    pub(super) owner: Owner,
    pub(super) registrar: Registrar,
    pub(super) traced: Traced,
    /// Look-ups under way, for their duration.
    pub(super) asked_at: HashMap<u64, Instant>,
    /// Since when sessions register anew after a change of the view.
    repairing: Option<Instant>,
    queue: VecDeque<Event>,
    responders: HashMap<u64, oneshot::Sender<OwnerAnswer>>,
    /// Whoever waits for what becomes of submissions that are of no session, by the number that stands for one.
    told: HashMap<SessionId, oneshot::Sender<submit::Outcome>>,
    next_request: u64,
}

impl Machines {
    pub(super) fn new(engine: Engine, parts: Parts) -> Self {
        let now = crate::clock::now();
        let (view, map, name) = (parts.view.clone(), parts.map.clone(), parts.name.clone());
        let presence = presence::Config {
            devices: Some(parts.devices),
            ..presence::Config::default()
        };
        let delivery = delivery::Config {
            cursor_sets: parts.cursor_sets,
            ..delivery::Config::default()
        };
        Self {
            lanes: Submitter::new(super::submit::config(&parts.limits), view.clone(), map.clone()),
            home: Home::new(
                home::Config {
                    cursor_sets: parts.cursor_sets,
                    ..super::home::config(&parts.limits)
                },
                name.clone(),
                view.clone(),
                map,
            ),
            delivery: delivery::Delivery::new(delivery, view.clone()),
            owner: Owner::new(presence, name.clone(), view.clone(), now),
            registrar: Registrar::new(presence, name, view, now),
            traced: Traced::default(),
            asked_at: HashMap::new(),
            repairing: None,
            queue: VecDeque::new(),
            responders: HashMap::new(),
            told: HashMap::new(),
            next_request: FIRST_OUTSIDE_REQUEST,
            engine,
            parts,
        }
    }

    /// Takes one input and does everything that follows from it on this node.
    pub(super) fn input(&mut self, input: Input) {
        match input {
            Input::Submit {
                session,
                submission,
                trace,
            } => {
                self.traced.submitted(submission.key, trace);
                self.push(Event::Lanes(submit::Event::Submit { session, submission }));
            }
            Input::RemoteSubmit {
                from,
                stamp,
                submission,
                trace,
            } => {
                self.traced.arrived(submission.key, trace);
                self.push(Event::Home(home::Event::Submit {
                    from,
                    stamp,
                    submission,
                }));
            }
            Input::Tell { submission, outcome } => self.tell(submission, outcome),
            Input::Lanes(event) => self.push(Event::Lanes(event)),
            Input::Home(event) => self.push(Event::Home(event)),
            Input::BatchDone { request, result } => {
                self.traced.committed(request, &result);
                self.push(Event::Home(home::Event::BatchDone { request, result }));
            }
            Input::Delivery(event) => self.push(Event::Delivery(event)),
            Input::Owner(event) => self.push(Event::Owner(event)),
            Input::Asked { event, reply } => self.asked(event, reply),
            Input::Registrar(event) => self.push(Event::Registrar(event)),
            Input::View(view) => {
                self.repairing = Some(Instant::now());
                self.push(Event::Owner(OwnerEvent::ViewChanged(view.clone())));
                self.push(Event::Registrar(RegistrarEvent::ViewChanged(view.clone())));
                self.push(Event::Home(home::Event::ViewChanged(view.clone())));
                self.push(Event::Delivery(delivery::Event::ViewChanged(view.clone())));
                self.push(Event::Lanes(submit::Event::ViewChanged(view)));
            }
            Input::Map(map) => {
                self.push(Event::Home(home::Event::MapChanged(map.clone())));
                self.push(Event::Lanes(submit::Event::MapChanged(map)));
            }
            Input::GiveUp => {
                self.push(Event::Home(home::Event::GiveUp));
                self.push(Event::Owner(OwnerEvent::GiveUp));
            }
            // Whoever waits may be gone.
            Input::Quiet(reply) => drop(reply.send(self.home.is_quiet())),
        }
        self.drain();
    }

    pub(super) fn push(&mut self, event: Event) {
        self.queue.push_back(event);
    }

    fn drain(&mut self) {
        while let Some(event) = self.queue.pop_front() {
            match event {
                Event::Lanes(event) => self.lanes_event(event),
                Event::Home(event) => self.home_event(event),
                Event::Delivery(event) => self.delivery_event(event),
                Event::Owner(event) => self.owner_event(event),
                Event::Registrar(event) => self.registrar_event(event),
            }
        }
    }

    /// Every one has a lane of its own, so none waits for another.
    fn tell(&mut self, submission: Submission, outcome: oneshot::Sender<submit::Outcome>) {
        if self.told.len() >= TOLD_MAX {
            // Whoever asked may have given up.
            let _ = outcome.send(submit::Outcome::Busy);
            return;
        }
        let session = crate::random::session_id();
        self.told.insert(session, outcome);
        self.push(Event::Lanes(submit::Event::Submit { session, submission }));
    }

    /// Tells whoever waits for what no session sent; back when a session sent it.
    pub(super) fn told(&mut self, session: SessionId, outcome: submit::Outcome) -> Option<submit::Outcome> {
        let Some(asker) = self.told.remove(&session) else {
            return Some(outcome);
        };
        // Whoever asked may have given up.
        let _ = asker.send(outcome);
        self.push(Event::Lanes(submit::Event::SessionClosed(session)));
        None
    }

    fn asked(&mut self, event: OwnerEvent, reply: oneshot::Sender<OwnerAnswer>) {
        self.next_request += 1;
        let number = self.next_request;
        let event = match event {
            OwnerEvent::Register {
                from, registrations, ..
            } => OwnerEvent::Register {
                from,
                request: number,
                registrations,
            },
            OwnerEvent::Heartbeat {
                from,
                view,
                whole,
                sessions,
                ..
            } => OwnerEvent::Heartbeat {
                from,
                request: number,
                view,
                whole,
                sessions,
            },
            OwnerEvent::Lookup { from, accounts, .. } => OwnerEvent::Lookup {
                from,
                request: number,
                accounts,
            },
            // Nobody waits for an answer to anything else.
            other => return self.push(Event::Owner(other)),
        };
        self.responders.insert(number, reply);
        self.push(Event::Owner(event));
    }

    /// Gives an owner's answer to whoever asked from outside; back if it was one of this node's machines.
    pub(super) fn respond(&mut self, request: u64, answer: OwnerAnswer) -> Option<OwnerAnswer> {
        if request < FIRST_OUTSIDE_REQUEST {
            return Some(answer);
        }
        if let Some(responder) = self.responders.remove(&request) {
            // Whoever asked may have given up.
            let _ = responder.send(answer);
        }
        None
    }

    /// The next deadline of any machine.
    pub(super) fn deadline(&self) -> Option<Moment> {
        [
            self.lanes.deadline(),
            self.home.deadline(),
            self.delivery.deadline(),
            self.owner.deadline(),
            self.registrar.deadline(),
        ]
        .into_iter()
        .fold(None, earliest)
    }

    /// Tells the machines whose deadline has come.
    pub(super) fn timers(&mut self) {
        let now = crate::clock::now();
        let due = |deadline: Option<Moment>| deadline.is_some_and(|deadline| deadline <= now);
        if due(self.lanes.deadline()) {
            self.push(Event::Lanes(submit::Event::Timer));
        }
        if due(self.home.deadline()) {
            self.push(Event::Home(home::Event::Timer));
        }
        if due(self.delivery.deadline()) {
            self.push(Event::Delivery(delivery::Event::Timer));
        }
        if due(self.owner.deadline()) {
            self.push(Event::Owner(OwnerEvent::Timer));
        }
        if due(self.registrar.deadline()) {
            self.push(Event::Registrar(RegistrarEvent::Timer));
        }
        self.drain();
        self.traced.forget_old(now);
    }

    /// Publishes what the engine shows of itself.
    pub(super) fn show(&mut self) {
        let unregistered = self.registrar.unregistered();
        if unregistered == 0
            && let Some(since) = self.repairing.take()
        {
            self.parts
                .metrics
                .repair_duration
                .record(since.elapsed().as_secs_f64(), &[]);
        }
        let figures = &self.engine.figures;
        figures
            .homes
            .store(self.home.conversations() as u64, Ordering::Relaxed);
        figures
            .waiting
            .store(self.home.queued() as u64, Ordering::Relaxed);
        figures
            .presence_entries
            .store(self.owner.len() as u64, Ordering::Relaxed);
    }

    /// Whether a node's name is our own.
    pub(super) fn is_me(&self, name: &tim_core::id::NodeName) -> bool {
        *name == self.parts.name
    }
}
