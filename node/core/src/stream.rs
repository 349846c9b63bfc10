//! Live streams: virtual rooms, who may push into them, and who gets what is pushed.
//!
//! ```text
//! session ── Publisher ──Push──▶ Relay (or its backup) ──Fan──▶ Subscriptions ── sessions
//!            (its node)  ◀─Settled─  (two nodes per room)        (each node that has subscribers)
//! ```
//!
//! A room lives in the memory of two nodes, chosen by rendezvous hashing: its relay and a backup. Both know its owner,
//! who may push, and which nodes have subscribers; either may carry a push on. A pusher's node sends its frames to one
//! of them, keeps them until they are settled, and sends them again, in order, to the other one when the first does
//! not answer. Frames of one session are numbered, and a subscriber's node passes on only what is higher than what it
//! has heard: so one pusher's frames arrive in order and never twice, whichever way they took. What is late is dropped;
//! nothing here is stored.

mod machine;
mod operations;
mod publisher;
mod relay;
mod subscriptions;
#[cfg(test)]
mod tests;
mod turn;

use std::sync::Arc;

use bytes::Bytes;

use crate::id::{AccountId, NodeName, SessionId, VirtualRoomId};
use crate::mutation::Mutations;
use crate::view::View;

pub use machine::Streams;

/// One piece of a stream.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Frame {
    /// What clients see as its id; random.
    pub id: i64,
    /// For applications; none from binary pushes.
    pub dtype: Option<i8>,
    /// The data.
    pub body: Bytes,
}

/// How a subscriber wants frames.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Form {
    /// As a struct (command 94).
    Struct,
    /// As raw bytes (command 97).
    Binary,
}

/// What a session wants of a room.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Operation {
    /// Make it.
    Create {
        /// Who owns it.
        owner: AccountId,
    },
    /// End it; nothing happens when somebody else asks than its owner.
    Remove {
        /// Who asks.
        by: AccountId,
    },
    /// Let an account push.
    Grant {
        /// Who asks.
        by: AccountId,
        /// Whom.
        to: AccountId,
    },
    /// Let an account push no more.
    Withdraw {
        /// Who asks.
        by: AccountId,
        /// Whom.
        from: AccountId,
    },
    /// Get what is pushed from now on; once more with another form changes the form.
    Subscribe(Form),
    /// Get nothing more.
    Unsubscribe,
}

/// What became of an operation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// It is done.
    Done,
    /// Only the owner may do that.
    Denied,
    /// There is no such room.
    NoSuchRoom,
    /// A limit is reached: rooms of a node, pushers of a room, subscriptions of a session.
    TooMany,
    /// No node that could know has answered in time.
    Unavailable,
}

/// What a relay says to a push.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// It went out, and so did all with lower numbers of this session.
    Relayed,
    /// The account may not push, or the room was removed.
    Denied,
    /// This node does not know the room; another one may.
    Unknown,
}

/// A room as one of its two nodes tells the other.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RoomState {
    /// Which room.
    pub room: VirtualRoomId,
    /// Who owns it.
    pub owner: AccountId,
    /// Who else may push, in order of their names.
    pub pushers: Vec<AccountId>,
    /// Of two states the higher version counts.
    pub version: u64,
    /// It was removed; told so that an older state does not bring it back.
    pub removed: bool,
    /// Milliseconds since the last push.
    pub idle_ms: u64,
    /// Nodes that have subscribers.
    pub subscribers: Vec<NodeName>,
}

/// What nodes say to each other.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Message {
    /// A session's operation, to a node that has the room or shall have it.
    Ask {
        /// The answer names it.
        request: u64,
        /// Which room.
        room: VirtualRoomId,
        /// What.
        operation: Operation,
    },
    /// What became of it. [`Outcome::NoSuchRoom`] means: not known here.
    Answer {
        /// Which question.
        request: u64,
        /// What.
        outcome: Outcome,
    },
    /// A frame, to a node that has the room.
    Push {
        /// Which room.
        room: VirtualRoomId,
        /// Who pushes.
        session: SessionId,
        /// Its account.
        account: AccountId,
        /// Rises with every push of the session.
        number: u64,
        /// The frame.
        frame: Frame,
    },
    /// What became of a push.
    Settled {
        /// Which room.
        room: VirtualRoomId,
        /// Whose push.
        session: SessionId,
        /// Which.
        number: u64,
        /// What.
        verdict: Verdict,
    },
    /// A frame, to a node that has subscribers.
    Fan {
        /// Which room.
        room: VirtualRoomId,
        /// Its owner, whom subscribers are told as the sender.
        owner: AccountId,
        /// Who pushed.
        session: SessionId,
        /// The number of the push.
        number: u64,
        /// The frame.
        frame: Frame,
    },
    /// The sending node has, or has no more, subscribers in these rooms.
    Announce {
        /// Which rooms.
        rooms: Vec<VirtualRoomId>,
        /// Whether it has.
        subscribed: bool,
    },
    /// A room, to the other node that has it or shall have it.
    Put(RoomState),
}

impl Message {
    /// Bytes of content, which queues are bounded by; nothing for what must not be dropped.
    #[must_use]
    pub fn content_bytes(&self) -> usize {
        match self {
            Self::Push { frame, .. } | Self::Fan { frame, .. } => frame.body.len() + FRAME_OVERHEAD_BYTES,
            _ => 0,
        }
    }
}

/// What a frame without data counts in queues.
pub const FRAME_OVERHEAD_BYTES: usize = 256;

/// What happens to the streams of a node.
#[derive(Debug, Clone)]
pub enum Event {
    /// A session wants something of a room.
    Asked {
        /// Which session.
        session: SessionId,
        /// The outcome names it; a number is used once.
        request: u64,
        /// Which room.
        room: VirtualRoomId,
        /// What.
        operation: Operation,
    },
    /// A session pushes.
    Pushed {
        /// Which session.
        session: SessionId,
        /// Its account.
        account: AccountId,
        /// Into which room.
        room: VirtualRoomId,
        /// What.
        frame: Frame,
    },
    /// A session ended, and with it its subscriptions.
    SessionClosed(SessionId),
    /// Another node says something.
    Received {
        /// Which node.
        from: NodeName,
        /// What.
        message: Message,
    },
    /// Something that was sent to this node has not arrived.
    Unreached(NodeName),
    /// Another set of nodes serves.
    ViewChanged(Arc<View>),
    /// A deadline was reached.
    Timer,
}

/// What the shell has to do for the streams.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Effect {
    /// Say something to another node; in order per node, losing it is allowed and told by [`Event::Unreached`].
    Send {
        /// Which node.
        to: NodeName,
        /// What.
        message: Message,
    },
    /// Answer a session's operation.
    Answered {
        /// Which operation.
        request: u64,
        /// What became of it.
        outcome: Outcome,
    },
    /// Give a frame to sessions of this node.
    Deliver {
        /// From which room.
        room: VirtualRoomId,
        /// Its owner.
        owner: AccountId,
        /// What.
        frame: Frame,
        /// To whom, and how.
        to: Vec<(SessionId, Form)>,
    },
    /// Tell a session that its push was refused.
    Refused {
        /// Which session.
        session: SessionId,
        /// Which room.
        room: VirtualRoomId,
    },
    /// So many pushes found no relay in time.
    Dropped(u64),
}

/// Limits and waits of the streams.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Config {
    /// A room without a push for so long is removed, in milliseconds.
    pub idle_ms: u64,
    /// Most rooms one node holds.
    pub max_rooms: usize,
    /// Most accounts a room's owner lets push.
    pub max_pushers: usize,
    /// Most rooms one session subscribes to.
    pub max_subscriptions: usize,
    /// Most bytes of one session's frames that are kept for being sent again.
    pub max_unsettled_bytes: usize,
    /// A relay that says nothing for so long is passed over, in milliseconds.
    pub answer_timeout_ms: u64,
    /// Wait before both owners of a room are tried once more, in milliseconds.
    pub retry_ms: u64,
    /// How long an operation is tried, in milliseconds.
    pub operation_timeout_ms: u64,
    /// A push that has found no relay for so long is dropped, in milliseconds.
    pub push_lifetime_ms: u64,
    /// How often a node says in which rooms it has subscribers, in milliseconds; believed three times as long.
    pub announce_interval_ms: u64,
    /// After a change of the view, "not known" is no proof for so long, in milliseconds.
    pub settle_ms: u64,
    /// Planted bugs; none outside the simulator.
    pub mutations: Mutations,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            idle_ms: 300_000,
            max_rooms: 100_000,
            max_pushers: 256,
            max_subscriptions: 64,
            max_unsettled_bytes: 1 << 20,
            answer_timeout_ms: 300,
            retry_ms: 100,
            operation_timeout_ms: 4_000,
            push_lifetime_ms: 4_000,
            announce_interval_ms: 5_000,
            settle_ms: 2_000,
            mutations: Mutations::default(),
        }
    }
}
