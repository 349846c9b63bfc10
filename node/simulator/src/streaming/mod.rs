//! A live stream over nodes that die, stop and come back: `tim-core`'s streams in virtual time.
//!
//! Two accounts push from different nodes, and every node has a subscriber. One fault at a time: a node is killed and comes
//! back empty, a node is stopped for seconds, a link loses what is on it; the others see a death each at a time of its own.
//! The checker knows what subscribers saw: of each pusher's frames rising numbers, none twice, and, unless its own or the
//! pusher's node was in trouble, no silence longer than a second.

mod checker;
mod world;

use crate::checker::Violation;
use crate::options::Options;

/// What a run came to.
#[derive(Debug, Clone, Default)]
pub struct Report {
    /// Its seed.
    pub seed: u64,
    /// What was violated; empty is good.
    pub violations: Vec<Violation>,
    /// Identifies the run; equal for equal seeds and options.
    pub trace_hash: u64,
    /// Events handled.
    pub events: u64,
    /// Faults.
    pub faults: u64,
    /// Frames pushed.
    pub pushed: u64,
    /// Frames that subscribers heard.
    pub heard: u64,
}

/// Runs one seed.
#[must_use]
pub fn run(options: &Options) -> Report {
    world::World::new(options.clone()).map_or_else(Report::default, world::World::run)
}
