//! The control group: the nodes' agreement on the partition map, running repartitions and settings.
//!
//! openraft behind our own port: no type of it leaves this module. The state machine is
//! [`ControlState`](tim_core::control::ControlState); log, vote and snapshots lie on the node's volume.
//!
//! Who is who: a *raft id* is drawn at random with a volume and never used for another one; a *group id* is drawn when a
//! group is founded and stands in one unique row of the first database ([`Founder`]), so that there is one group per cluster.
//! A node without state joins as a learner; the leader makes learners voters and keeps their number odd, up to five.
//!
//! Chat needs no leader: every node keeps the last state it has seen ([`ControlGroup::view`]), and one that is no member yet
//! reads it from any peer.

mod codec;
mod disk;
mod error;
mod founder;
mod group;
mod leader;
mod log;
mod machine;
mod network;
mod service;
mod status;
mod steward;
mod types;
mod voters;

pub use error::{ControlError, ProposeError, RemoveError};
pub use founder::{Founder, FounderError};
pub use group::{ControlGroup, ControlSettings};
pub use machine::ControlView;
pub use status::ControlStatus;

#[cfg(test)]
mod tests;
