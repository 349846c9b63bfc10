//! Who is alive: SWIM over sealed datagrams.
//!
//! [`Core`] is the protocol without clock and socket (the state machine is `foca`'s); [`start`] runs it over UDP. The
//! outcome is a stream of [`Members`]: all nodes heard of, and among them the [`View`](tim_core::view::View) of those that
//! serve, over which everything is placed.
//!
//! A node that finds itself declared dead, or that was stopped for so long that it must have been, leaves its own view at
//! once and says so ([`MembershipEvent`]); it comes back as a new life only when asked to ([`Membership::rejoin`]), after
//! homes and shards were given up.

mod agent;
mod codec;
mod core;
mod generation;
mod identity;
mod members;
mod seeds;
mod settings;
mod tick;

pub use self::core::{Core, Effect, Event, Outside};
pub use agent::{Gossip, Membership, MembershipError, MembershipEvent, start};
pub use generation::next_generation;
pub use identity::{MemberIdentity, MemberState};
pub use members::{Member, Members};
pub use seeds::{Resolver, SystemResolver};
pub use settings::Settings;
pub use tick::TickWatch;

#[cfg(test)]
mod simulation;
#[cfg(test)]
mod tests;
