//! Who is alive: SWIM (the state machine is `foca`'s), as events in and effects out.

mod codec;
mod core;
mod generation;
mod identity;
mod members;
mod settings;

pub use self::core::{Core, Effect, Event, Outside};
pub use generation::next_generation;
pub use identity::{MemberIdentity, MemberState};
pub use members::{Member, Members};
pub use settings::Settings;

#[cfg(test)]
mod simulation;
#[cfg(test)]
mod tests;
