//! Who is alive: SWIM over sealed datagrams.
//!
//! [`Core`] is the protocol without clock and socket (the state machine is `foca`'s, in `tim-gossip`); [`start`] runs it over UDP. The
//! outcome is a stream of [`Members`]: all nodes heard of, and among them the [`View`](tim_core::view::View) of those that
//! serve, over which everything is placed.
//!
//! A node that finds itself declared dead, or that was stopped for so long that it must have been, leaves its own view at
//! once and says so ([`MembershipEvent`]); it comes back as a new life only when asked to ([`Membership::rejoin`]), after
//! homes and shards were given up.

mod agent;
mod seeds;
mod tick;

pub use agent::{Gossip, Membership, MembershipError, MembershipEvent, start};
pub use seeds::{Resolver, SystemResolver};
pub use tick::TickWatch;
pub use tim_gossip::membership::{
    Core, Effect, Event, Member, MemberIdentity, MemberState, Members, Outside, Settings, next_generation,
};
