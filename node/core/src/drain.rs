//! Taking a node out of service without losing or doubling anything.
//!
//! First the view drops the node, so that homes, shards and leadership move; then, session by session, no new
//! deliveries, outstanding confirmations awaited for a bounded time, cursors durable, close 1012. A drain lives as
//! long as somebody asks for it; then the node serves again.

mod machine;
#[cfg(test)]
mod tests;

use serde::{Deserialize, Serialize};

use crate::id::SessionId;

pub use machine::Drain;

/// Where a drain stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Phase {
    /// Not draining.
    Serving,
    /// The others are being told; until their views drop this node.
    LeavingView,
    /// Tenures end and leadership moves.
    HandingOver,
    /// Sessions are closed one after another.
    ClosingSessions,
    /// Nothing is left here; the process may end.
    Drained,
}

/// What happens to a drain.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Event {
    /// Somebody wants the node drained; repeated while he does.
    Asked,
    /// Somebody wants the node to serve: at once, without waiting for the lease to end.
    Undrain,
    /// The sessions that are open now; given when [`Effect::ListSessions`] asks for it.
    Sessions(Vec<SessionId>),
    /// This node's own view no longer has it, and gossip has had time to tell the others.
    LeftView,
    /// Homes hold nothing in flight, and this node leads no group.
    HandedOver,
    /// A session has no outstanding confirmation and its cursors are durable.
    Settled(SessionId),
    /// A session's socket is closed.
    Closed(SessionId),
    /// A deadline was reached.
    Timer,
}

/// What the shell has to do for a drain.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Effect {
    /// Announce that this node no longer serves; no new logins.
    LeaveView,
    /// Announce that this node serves again; take logins.
    JoinView,
    /// Give up all homes and shards, and hand over leadership.
    HandOver,
    /// Answer with [`Event::Sessions`].
    ListSessions,
    /// Stop deliveries to a session and report when it is settled.
    SettleSession(SessionId),
    /// Deliver to a session again that was to be settled and is not closed.
    ResumeSession(SessionId),
    /// Close a session's socket with 1012.
    CloseSession(SessionId),
    /// The drain is complete.
    Drained,
}

/// Limits and waits of a drain.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Config {
    /// A drain nobody asked for again within this time ends, in milliseconds.
    pub lease_ms: u64,
    /// How long to wait for the view and the hand-over each, in milliseconds.
    pub step_timeout_ms: u64,
    /// How long a session may take to settle, in milliseconds.
    pub settle_timeout_ms: u64,
    /// Sessions settling at the same time.
    pub parallel_sessions: usize,
    /// The whole drain, in milliseconds; then the rest is closed at once.
    pub deadline_ms: u64,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            lease_ms: 30_000,
            step_timeout_ms: 5_000,
            settle_timeout_ms: 3_000,
            parallel_sessions: 64,
            deadline_ms: 60_000,
        }
    }
}
