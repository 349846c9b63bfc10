//! Nodes, what is between them, and what happens to them.

use std::collections::BTreeMap;
use std::sync::Arc;

use bytes::Bytes;
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use tim_core::id::{AccountId, Generation, NodeName, SessionId, VirtualRoomId};
use tim_core::stream::{Config, Effect, Event, Form, Frame, Message, Operation, Outcome, Streams};
use tim_core::time::Moment;
use tim_core::view::{NodeInfo, View};

use super::Report;
use super::checker::Checker;
use crate::options::{MILLISECOND, Options, SECOND};
use crate::queue::Queue;
use crate::trace::Trace;

const NODES: usize = 5;
/// Accounts that push, each from the node of its number; the first owns the room.
const PUSHERS: usize = 2;
/// Time between the frames of one pusher.
const FRAME_INTERVAL: u64 = 40 * MILLISECOND;
/// How often nodes look at their deadlines.
const TICK: u64 = 25 * MILLISECOND;
/// When faults begin: rights are granted and everybody has subscribed.
const FAULTS_BEGIN: u64 = 10 * SECOND;
/// Who was in trouble itself is given so long to be well again.
const RECOVERY: u64 = 2 * SECOND;
/// A run with so many violations is ended.
const ENOUGH: usize = 5;

#[derive(Debug)]
enum Happening {
    /// A message arrives; which life of the sender wrote it.
    Arrive {
        from: usize,
        life: u64,
        to: usize,
        message: Message,
    },
    Unreached {
        at: usize,
        life: u64,
        node: usize,
    },
    /// A node sees who serves now.
    See {
        at: usize,
        view: Arc<View>,
    },
    Tick,
    Push {
        pusher: usize,
    },
    Fault,
    Restart {
        node: usize,
    },
}

/// One node, and the sessions of its present life.
struct Node {
    streams: Streams,
    /// Changes with every start; names its sessions as well.
    life: u64,
    alive: bool,
    stopped_until: u64,
    troubled_until: u64,
    subscribed: bool,
    /// The operation that was asked and has no outcome yet.
    asked: Option<u64>,
}

pub(super) struct World {
    options: Options,
    now: u64,
    random: ChaCha8Rng,
    queue: Queue<Happening>,
    trace: Trace,
    nodes: Vec<Node>,
    /// When the last message between two nodes arrives; the next one is later.
    last: BTreeMap<(usize, usize), u64>,
    /// A link that loses everything, until when.
    cut: Option<(usize, usize, u64)>,
    room: VirtualRoomId,
    created: bool,
    granted: bool,
    number: u32,
    next_request: u64,
    checker: Checker,
    faults: u64,
    pushed: u64,
}

fn name(node: usize) -> Option<NodeName> {
    NodeName::new(format!("chat-{node}")).ok()
}

fn place(name: &NodeName) -> Option<usize> {
    name.as_str().strip_prefix("chat-")?.parse().ok()
}

fn account(number: usize) -> Option<AccountId> {
    AccountId::new(format!("account-{number}")).ok()
}

impl World {
    /// Nothing only if the names of its parts were no names.
    pub(super) fn new(options: Options) -> Option<Self> {
        let mut random = ChaCha8Rng::seed_from_u64(options.seed);
        let room: u32 = random.random();
        let mut world = Self {
            now: 0,
            queue: Queue::default(),
            trace: Trace::new(options.trace),
            nodes: Vec::new(),
            last: BTreeMap::new(),
            cut: None,
            room: VirtualRoomId::new(format!("room-{room}")).ok()?,
            created: false,
            granted: false,
            number: 0,
            next_request: 0,
            checker: Checker::default(),
            faults: 0,
            pushed: 0,
            random,
            options,
        };
        for node in 0..NODES {
            let fresh = world.fresh(node, 1)?;
            world.nodes.push(fresh);
        }
        Some(world)
    }

    fn fresh(&self, node: usize, life: u64) -> Option<Node> {
        let config = Config {
            mutations: self.options.core_mutations(),
            ..Config::default()
        };
        Some(Node {
            streams: Streams::new(config, name(node)?, Arc::default(), self.moment()),
            life,
            alive: true,
            stopped_until: 0,
            troubled_until: self.now + RECOVERY,
            subscribed: false,
            asked: None,
        })
    }

    pub(super) fn run(mut self) -> Report {
        self.tell_views();
        self.later(TICK, Happening::Tick);
        for pusher in 0..PUSHERS {
            self.later(SECOND, Happening::Push { pusher });
        }
        self.later(FAULTS_BEGIN, Happening::Fault);
        while let Some((at, happening)) = self.queue.pop() {
            if at > self.options.end() || self.checker.violations.len() >= ENOUGH {
                break;
            }
            self.now = at;
            self.happen(happening);
        }
        if !self.granted {
            self.checker
                .violate(self.now, "the room was never made".to_owned());
        }
        Report {
            seed: self.options.seed,
            violations: self.checker.violations,
            trace_hash: self.trace.hash(),
            events: self.trace.events,
            faults: self.faults,
            pushed: self.pushed,
            heard: self.checker.frames,
        }
    }

    fn happen(&mut self, happening: Happening) {
        // A stopped node takes everything up later, in order.
        if let Happening::Arrive { to: at, .. } | Happening::See { at, .. } = &happening {
            let until = self.nodes[*at].stopped_until;
            if until > self.now {
                return self.queue.push(until, happening);
            }
        }
        self.trace.note(&[self.now, self.checker.frames]);
        self.trace.line(self.now, || format!("{happening:?}"));
        match happening {
            Happening::Arrive {
                from,
                life,
                to,
                message,
            } => self.arrive((from, life), to, message),
            Happening::Unreached { at, life, node } => {
                if self.nodes[at].life == life
                    && let Some(node) = name(node)
                {
                    self.event(at, Event::Unreached(node));
                }
            }
            Happening::See { at, view } => self.event(at, Event::ViewChanged(view)),
            Happening::Tick => self.tick(),
            Happening::Push { pusher } => self.push(pusher),
            Happening::Fault => self.fault(),
            Happening::Restart { node } => {
                let life = self.nodes[node].life + 1;
                if let Some(fresh) = self.fresh(node, life) {
                    self.nodes[node] = fresh;
                    self.tell_views();
                }
            }
        }
    }

    fn arrive(&mut self, (from, life): (usize, u64), to: usize, message: Message) {
        let lost = self
            .cut
            .is_some_and(|(one, other, until)| (one, other) == (from, to) && until > self.now);
        if lost || !self.nodes[to].alive {
            let unreached = Happening::Unreached {
                at: from,
                life,
                node: to,
            };
            return self.later(MILLISECOND, unreached);
        }
        if let Some(from) = name(from) {
            self.event(to, Event::Received { from, message });
        }
    }

    fn event(&mut self, at: usize, event: Event) {
        if !self.nodes[at].alive {
            return;
        }
        let mut effects = Vec::new();
        let now = self.moment();
        self.nodes[at].streams.handle(now, event, &mut effects);
        for effect in effects {
            self.effect(at, effect);
        }
    }

    fn effect(&mut self, at: usize, effect: Effect) {
        match effect {
            Effect::Send { to, message } => {
                let Some(to) = place(&to) else { return };
                let latency = self.random.random_range(300..4_000);
                let last = self.last.entry((at, to)).or_default();
                let due = (self.now + latency).max(*last + 1);
                *last = due;
                let arrive = Happening::Arrive {
                    from: at,
                    life: self.nodes[at].life,
                    to,
                    message,
                };
                self.queue.push(due, arrive);
            }
            Effect::Answered { request, outcome } => self.answered(at, request, outcome),
            Effect::Deliver { frame, to, .. } => {
                let Some((pusher, number)) = frame.body.split_at_checked(8) else {
                    return;
                };
                let pusher = pusher.try_into().map_or(0, u64::from_be_bytes);
                let number = number.try_into().map_or(0, u32::from_be_bytes);
                for (session, _) in to {
                    self.checker.heard(self.now, (session.0, pusher), number);
                }
            }
            Effect::Refused { session, .. } => {
                let refused = format!("a push of {session} was refused");
                self.checker.violate(self.now, refused);
            }
            Effect::Dropped(_) => {}
        }
    }

    fn answered(&mut self, at: usize, request: u64, outcome: Outcome) {
        let node = &mut self.nodes[at];
        if node.asked != Some(request) {
            return;
        }
        node.asked = None;
        if outcome != Outcome::Done {
            return;
        }
        if !self.created {
            self.created = true;
        } else if at == 0 && !self.granted {
            self.granted = true;
        } else {
            node.subscribed = true;
            node.troubled_until = node.troubled_until.max(self.now);
        }
    }

    /// Deadlines, operations that have to be asked (again), and what should be heard.
    fn tick(&mut self) {
        self.later(TICK, Happening::Tick);
        for at in 0..NODES {
            if self.nodes[at].alive && self.nodes[at].stopped_until <= self.now {
                self.event(at, Event::Timer);
                self.operate(at);
            }
        }
        let well =
            |node: &Node| node.alive && node.stopped_until <= self.now && node.troubled_until <= self.now;
        let mut pairs = Vec::new();
        for (subscriber, node) in self.nodes.iter().enumerate() {
            for (pusher, other) in self.nodes.iter().enumerate().take(PUSHERS) {
                if self.granted && well(node) && node.subscribed && well(other) {
                    pairs.push((
                        session(subscriber, node.life, Role::Subscriber).0,
                        session(pusher, other.life, Role::Pusher).0,
                    ));
                }
            }
        }
        self.checker.silence(self.now, &pairs);
    }

    fn operate(&mut self, at: usize) {
        let node = &self.nodes[at];
        if node.asked.is_some() || self.now < SECOND {
            return;
        }
        let operation = match (account(0), account(1)) {
            (Some(owner), _) if at == 0 && !self.created => Operation::Create { owner },
            (Some(by), Some(to)) if at == 0 && !self.granted => Operation::Grant { by, to },
            _ if self.granted && !node.subscribed => Operation::Subscribe(Form::Struct),
            _ => return,
        };
        let session = session(at, node.life, Role::Subscriber);
        self.next_request += 1;
        let request = self.next_request;
        self.nodes[at].asked = Some(request);
        let room = self.room.clone();
        let asked = Event::Asked {
            session,
            request,
            room,
            operation,
        };
        self.event(at, asked);
    }

    fn push(&mut self, pusher: usize) {
        self.later(FRAME_INTERVAL, Happening::Push { pusher });
        let node = &self.nodes[pusher];
        let Some(account) = account(pusher) else { return };
        if !node.alive || node.stopped_until > self.now || !self.granted {
            return;
        }
        self.number += 1;
        self.pushed += 1;
        let session = session(pusher, node.life, Role::Pusher);
        let body = [&session.0.to_be_bytes()[..], &self.number.to_be_bytes()].concat();
        let pushed = Event::Pushed {
            session,
            account,
            room: self.room.clone(),
            frame: Frame {
                id: 1,
                dtype: None,
                body: Bytes::from(body),
            },
        };
        self.event(pusher, pushed);
    }

    /// One thing goes wrong; the next one when all is well again.
    fn fault(&mut self) {
        if self.now >= self.options.calm() {
            return;
        }
        let next = self.random.random_range(12 * SECOND..20 * SECOND);
        self.later(next, Happening::Fault);
        self.faults += 1;
        let node = self.random.random_range(0..NODES);
        match self.random.random_range(0..3) {
            0 => {
                self.nodes[node].alive = false;
                self.tell_views();
                let down = self.random.random_range(2 * SECOND..6 * SECOND);
                self.later(down, Happening::Restart { node });
            }
            1 => {
                let until = self.now + self.random.random_range(100 * MILLISECOND..5 * SECOND);
                self.nodes[node].stopped_until = until;
                self.nodes[node].troubled_until = until + RECOVERY;
            }
            _ => {
                let other = (node + self.random.random_range(1..NODES)) % NODES;
                let until = self.now + self.random.random_range(10 * MILLISECOND..500 * MILLISECOND);
                self.cut = Some((node, other, until));
            }
        }
    }

    /// Everybody sees who serves now, each a little later than it is so.
    fn tell_views(&mut self) {
        let info = |(place, node): (usize, &Node)| {
            Some(NodeInfo {
                name: name(place)?,
                zone: String::new(),
                boot_generation: Generation(node.life),
            })
        };
        let serving = self.nodes.iter().enumerate().filter(|(_, node)| node.alive);
        let view = Arc::new(View::new(serving.filter_map(info).collect()));
        for at in 0..NODES {
            let begun = self.now == 0;
            let wait = if begun {
                0
            } else {
                self.random.random_range(100 * MILLISECOND..1_500 * MILLISECOND)
            };
            let view = Arc::clone(&view);
            self.later(wait, Happening::See { at, view });
        }
    }

    fn later(&mut self, after: u64, happening: Happening) {
        self.queue.push(self.now + after, happening);
    }

    fn moment(&self) -> Moment {
        Moment(self.now / MILLISECOND)
    }
}

#[derive(Clone, Copy)]
enum Role {
    Subscriber,
    Pusher,
}

/// The session of a node's life.
fn session(node: usize, life: u64, role: Role) -> SessionId {
    SessionId(life * 100 + node as u64 * 10 + role as u64)
}
