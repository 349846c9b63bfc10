//! The loop over the events, and the truth about what was written.

use std::collections::BTreeMap;

use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use tim_core::time::Moment;

use super::Report;
use super::coordinator::{Group, Life};
use super::database::{Database, Fence, State};
use super::step::Stage;
use super::writer::Writer;
use crate::checker::Violation;
use crate::options::{MILLISECOND, Mutation, Options, SECOND};
use crate::queue::Queue;
use crate::trace::Trace;

/// Keys of the range: few, so that they are written again and again.
pub(super) const KEYS: u32 = 40;
/// Nodes that write.
const WRITERS: usize = 3;
/// A run with so many violations is ended.
const ENOUGH: usize = 5;

#[derive(Debug, Clone)]
pub(super) enum Event {
    /// A writer begins, or tries again.
    Write { writer: usize },
    /// Its transaction commits.
    Committed { writer: usize },
    /// A part of a coordinator's step arrives at the databases.
    Step {
        life: usize,
        step: tim_core::repartition::Step,
        stage: Stage,
        since: u64,
    },
    /// A coordinator hears something.
    Tell {
        life: usize,
        event: tim_core::repartition::Event,
    },
    /// A coordinator's progress reaches the control group.
    Persist {
        life: usize,
        progress: Box<tim_core::repartition::Progress>,
    },
    /// A coordinator publishes the map.
    Publish { life: usize },
    /// Another node leads.
    Elect,
    /// Somebody begins a move.
    Begin,
    /// Somebody cancels the move under way.
    Cancel,
}

pub(super) struct World {
    pub(super) options: Options,
    pub(super) now: u64,
    pub(super) random: ChaCha8Rng,
    pub(super) queue: Queue<Event>,
    trace: Trace,
    pub(super) databases: [Database; 2],
    pub(super) writers: Vec<Writer>,
    pub(super) lives: Vec<Life>,
    pub(super) group: Group,
    /// The last acknowledged version of each key that exists.
    truth: BTreeMap<u32, u64>,
    pub(super) last_version: u64,
    violations: Vec<Violation>,
    pub(super) completed: u64,
    pub(super) canceled: u64,
    pub(super) elections: u64,
    written: u64,
}

impl World {
    pub(super) fn new(options: Options) -> Self {
        let mut world = Self {
            now: 0,
            random: ChaCha8Rng::seed_from_u64(options.seed),
            queue: Queue::default(),
            trace: Trace::new(options.trace),
            databases: Default::default(),
            writers: vec![Writer::default(); WRITERS],
            lives: Vec::new(),
            group: Group::default(),
            truth: BTreeMap::new(),
            last_version: 0,
            violations: Vec::new(),
            completed: 0,
            canceled: 0,
            elections: 0,
            written: 0,
            options,
        };
        world.databases[0].fence = Some(Fence {
            state: State::Open,
            epoch: 1,
            operation: 0,
            copying: false,
            term: 0,
            closings: 0,
        });
        world
    }

    pub(super) fn run(mut self) -> Report {
        for writer in 0..WRITERS {
            self.later(MILLISECOND, Event::Write { writer });
        }
        self.later(100 * MILLISECOND, Event::Elect);
        self.later(SECOND, Event::Begin);
        let end = self.options.end();
        while let Some((at, event)) = self.queue.pop() {
            if at > end || self.violations.len() >= ENOUGH {
                break;
            }
            self.now = at;
            self.handle(event);
        }
        self.finish(end);
        Report {
            seed: self.options.seed,
            trace_hash: self.trace.hash(),
            events: self.trace.events,
            written: self.written,
            completed: self.completed,
            canceled: self.canceled,
            elections: self.elections,
            violations: self.violations,
        }
    }

    fn handle(&mut self, event: Event) {
        self.trace.note(&[self.now, self.last_version]);
        self.trace.line(self.now, || format!("{event:?}"));
        match event {
            Event::Write { writer } => self.write(writer),
            Event::Committed { writer } => self.write_committed(writer),
            Event::Step {
                life,
                step,
                stage,
                since,
            } => self.step(life, step, stage, since),
            Event::Tell { life, event } => self.tell(life, event),
            Event::Persist { life, progress } => self.persist(life, *progress),
            Event::Publish { life } => self.publish(life),
            Event::Elect => self.elect(),
            Event::Begin => self.begin_move(),
            Event::Cancel => self.cancel(),
        }
    }

    /// A write became durable, having found `seen` of its key.
    pub(super) fn acknowledged(&mut self, key: u32, seen: Option<u64>, version: Option<u64>) {
        self.written += 1;
        let before = match version {
            Some(version) => self.truth.insert(key, version),
            None => self.truth.remove(&key),
        };
        if before != seen {
            self.violate(format!(
                "key {key}: a write found {seen:?} where {before:?} was acknowledged"
            ));
        }
    }

    /// What is acknowledged is where the range is now, and nowhere else is a copy in use.
    fn finish(&mut self, end: u64) {
        self.now = self.now.max(end);
        if self.violations.len() >= ENOUGH {
            return;
        }
        let using: Vec<usize> = (0..2)
            .filter(|place| {
                let fence = self.databases[*place].fence;
                fence.is_some_and(|fence| matches!(fence.state, State::Open | State::Closing(_)))
            })
            .collect();
        let [place] = using.as_slice() else {
            self.violate(format!("databases {using:?} hold the range"));
            return;
        };
        let rows = self.databases[*place].rows.iter();
        let held: BTreeMap<u32, u64> = rows
            .filter(|(_, row)| !row.deleted)
            .map(|(key, row)| (*key, row.version))
            .collect();
        if held != self.truth {
            self.violate("what was acknowledged is not what is there at the end".to_owned());
        }
        let other = &self.databases[1 - *place];
        if !self.group.runs() && !other.rows.is_empty() {
            self.violate("rows of the range are left where it is not".to_owned());
        }
        if self.group.runs() {
            self.violate("the last move neither completed nor was undone".to_owned());
        }
    }

    pub(super) fn violate(&mut self, what: String) {
        self.violations.push(Violation {
            invariant: "I9",
            at: self.now,
            what,
        });
    }

    pub(super) fn later(&mut self, after: u64, event: Event) {
        self.queue.push(self.now + after, event);
    }

    pub(super) fn moment(&self) -> Moment {
        Moment(self.now / 1_000)
    }

    pub(super) fn between(&mut self, least: u64, most: u64) -> u64 {
        self.random.random_range(least..=most)
    }

    pub(super) fn chance(&mut self, probability: f64) -> bool {
        self.random.random_bool(probability)
    }

    /// No leader changes, no process stops, no move begins any more.
    pub(super) fn is_calm(&self) -> bool {
        self.now >= self.options.calm()
    }

    pub(super) fn has(&self, mutation: Mutation) -> bool {
        self.options.mutation == Some(mutation)
    }

    /// From a node to a database; now and then the node is stopped just before.
    pub(super) fn latency(&mut self) -> u64 {
        if !self.is_calm() && self.chance(0.02) {
            return self.between(20 * MILLISECOND, 2_500 * MILLISECOND);
        }
        self.between(300, 4_000)
    }
}
