//! Seeded simulation of several nodes, with a checker of the invariants.
//!
//! Nodes made of the pure machines of `tim-core`, clients, databases with locks and unknown outcomes, a network
//! with streams and datagrams, and a membership whose views differ for a while, all in virtual time out of one
//! event queue. Every choice comes from one seeded generator, so a seed reproduces a run exactly.
//! The [`checker`] shares no code with the machines: it knows what clients saw and what is in the databases.

pub mod checker;
mod client;
mod database;
mod event;
mod faults;
mod membership;
pub mod moving;
mod network;
mod node;
pub mod options;
mod queue;
pub mod streaming;
mod trace;
mod world;

pub use options::{Mutation, Options, Part};
pub use world::{Report, run};
