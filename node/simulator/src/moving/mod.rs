//! A range that moves from database to database while nodes write to it: the repartition's coordinator in virtual time.
//!
//! The coordinator is `tim-core`'s own. Leaders change while the old one's steps are still on their way, processes stop in
//! the middle of a transaction, answers are lost, moves are cancelled; nodes write with an old map, give up a cut-over that
//! takes too long and open the target of one that is decided. The databases are modelled with the locks that the fence
//! needs. The checker knows what was acknowledged, and nothing of fences: every write has to find the one before it.

mod coordinator;
mod database;
mod step;
mod world;
mod writer;

use crate::checker::Violation;
use crate::options::Options;

/// What a run came to.
#[derive(Debug, Clone)]
pub struct Report {
    /// Its seed.
    pub seed: u64,
    /// What was violated; empty is good.
    pub violations: Vec<Violation>,
    /// Identifies the run; equal for equal seeds and options.
    pub trace_hash: u64,
    /// Events handled.
    pub events: u64,
    /// Writes acknowledged.
    pub written: u64,
    /// Moves that completed.
    pub completed: u64,
    /// Moves that were cancelled and undone.
    pub canceled: u64,
    /// Changes of the leader.
    pub elections: u64,
}

/// Runs one seed.
#[must_use]
pub fn run(options: &Options) -> Report {
    world::World::new(options.clone()).run()
}
