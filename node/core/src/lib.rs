//! The protocols of the node as pure state machines: placement, homes, sessions, presence.
//!
//! Nothing here reads a clock, a socket or a random number. Two kinds of code live in this crate:
//!
//! * **Functions over values**: [`placement`], [`view`], [`map`], [`conversation`].
//! * **State machines**: `home`, `submit`, `delivery`, `session`, `presence`, `stream`, `drain`, `repartition`,
//!   `control`.
//!
//! # The pattern of the state machines
//!
//! Every machine is a plain struct driven by one method:
//!
//! ```text
//! fn handle(&mut self, now: Moment, event: Event, effects: &mut Vec<Effect>)
//! ```
//!
//! The shell calls it with the present [`time::Moment`], and afterwards carries out the effects **in their order**.
//! The result of an effect comes back as another event, never as a return value. An effect that was lost (a peer
//! died, a query failed) is reported as a failure event; no machine waits for an answer without a deadline.
//! A machine with timers also has `fn deadline(&self) -> Option<Moment>`: the shell calls `handle` with the
//! machine's `Timer` event at or after that moment. Being late is harmless, being early does nothing.
//! Where a machine needs a random number (a tenure, a jitter) the event carries it.
//!
//! The same machines run in the node and, with virtual time, in `tim-simulator`.

pub mod control;
pub mod conversation;
pub mod cursor_sets;
pub mod delivery;
pub mod drain;
#[cfg(test)]
mod fixture;
pub mod home;
pub mod id;
pub mod map;
pub mod mutation;
pub mod placement;
pub mod presence;
pub mod rate;
pub mod repartition;
pub mod session;
pub mod stream;
pub mod submit;
pub mod time;
pub mod view;
