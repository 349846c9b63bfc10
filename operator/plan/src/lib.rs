//! Pure planning: from what is observed of a TimCluster to what has to be done.
//!
//! ```text
//!   substrate                     this crate                        substrate
//!   Kubernetes, or    Observed ──▶ plan() ──▶ Plan { actions, ──▶   carries the actions out,
//!   processes                                  status, requeue }    in order, stops at the first failure
//! ```
//!
//! Nothing here reads a clock, a socket or a random number ([`trust`] makes keys and is told the time). A plan is made
//! anew from every observation: there is no memory but what the objects hold, so that an operator killed anywhere
//! continues where it was. When what is observed is what the spec asks for, the plan has no actions and its status
//! equals the one before.

pub mod action;
pub mod cluster;
pub mod condition;
pub mod control_api;
pub mod intent;
pub mod names;
pub mod node_config;
pub mod objects;
pub mod observed;
pub mod repartition;
pub mod trust;

pub use action::{Action, SecretKind};
pub use cluster::{Plan, plan};
pub use observed::Observed;
