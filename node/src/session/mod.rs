//! One logged-in connection: the shell around the pure delivery machine, and what its own messages wait for.
//!
//! Everything about a session happens in its connection's task. Others post an [`Input`] into its mailbox and never
//! wait. The machine (`tim_core::session`) decides; this module writes frames and asks databases for it.

mod envelope;
pub(crate) mod frames;
mod live;
mod local_accounts;
mod pending;
mod routes;
mod stream_frame;
mod table;

pub(crate) use envelope::Envelope;
pub(crate) use live::{Live, Sender};
pub(crate) use local_accounts::{LocalAccounts, OnlineAccount, SharedMeter, part_of};
pub(crate) use pending::{Pending, PendingQueue};
pub(crate) use routes::{Receiver, Route, Routes};
pub(crate) use stream_frame::StreamFrame;
pub(crate) use table::SessionTable;

use std::sync::Arc;
use tim_core::conversation::Entry;
use tim_core::id::{ConversationId, MessageKey, Seq, VirtualRoomId};
use tim_core::stream::Form;
use tim_core::{session, submit};
use tim_telemetry::TraceContext;
use tokio::sync::oneshot;

/// The traces that sampled messages belong to; empty for nearly all.
pub(crate) type Traces = Vec<(MessageKey, TraceContext)>;

/// What others post to a session.
#[derive(Debug)]
pub(crate) enum Input {
    /// A home committed entries for it.
    Pushed {
        conversation: ConversationId,
        entries: Vec<Arc<Entry>>,
        cursor: Option<Seq>,
        traces: Traces,
    },
    /// An answer or a news for the delivery machine.
    Core(Box<session::Event>),
    /// Its own submission has an outcome.
    Outcome {
        key: MessageKey,
        conversation: ConversationId,
        outcome: submit::Outcome,
    },
    /// What is not stored.
    Relayed(Arc<Relayed>),
    /// A frame of a virtual room that it has subscribed to.
    Stream { frame: Arc<StreamFrame>, form: Form },
    /// It may not push into this virtual room, or the room is gone.
    PushRefused(VirtualRoomId),
    /// Deliver nothing new, and tell when nothing is outstanding.
    Settle(oneshot::Sender<()>),
    /// Deliver again: the node stays.
    Resume,
    /// End the session and tell the client to stay away: a newer login has taken its place, or the account is blocked.
    LogOut,
    /// A message in its name, from an administrator; told when it was taken.
    SendAs {
        frame: bytes::Bytes,
        taken: oneshot::Sender<()>,
    },
    /// Close the connection.
    Close(CloseReason),
}

/// What goes to online sessions only.
#[derive(Debug)]
pub(crate) enum Relayed {
    /// A message that is not stored (odType 5).
    Message {
        /// Client's id, or a random one.
        wire_id: i64,
        /// Wall clock of the sender's node.
        timestamp_ns: i64,
        /// Addresses and body as [`Envelope`] has them.
        body: bytes::Bytes,
    },
    /// Presence, as the thrift form of the struct.
    Presence(bytes::Bytes),
    /// Unstructured data; its node is the sender.
    BigData(tim_wire::frame::BigData),
}

impl Relayed {
    /// Bytes of content, which queues are bounded by.
    pub(crate) fn content_bytes(&self) -> usize {
        match self {
            Self::Message { body, .. } => body.len(),
            Self::Presence(presence) => presence.len(),
            Self::BigData(big_data) => big_data.data.len(),
        }
    }
}

/// Why the server closes a connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum CloseReason {
    /// No login in time, or a frame that is not allowed before it.
    Unauthenticated,
    /// The client has not pinged for too long.
    Silent,
    /// The client does not read what it is sent.
    TooSlow,
    /// The node leaves.
    Restart,
    /// The session was ended by a newer login or a block.
    LoggedOut,
    /// A frame is larger than it may be.
    TooLarge,
    /// What the client sends is not WebSocket.
    Malformed,
    /// Nobody has logged in, and somebody else needs the place.
    Yields,
}

impl CloseReason {
    /// Close code of RFC 6455 and its registry.
    pub(crate) fn code(self) -> u16 {
        match self {
            Self::Unauthenticated => 1008,
            Self::Silent => 1001,
            Self::TooSlow | Self::Yields => 1013,
            Self::Restart => 1012,
            Self::LoggedOut => 1008,
            Self::TooLarge => 1009,
            Self::Malformed => 1002,
        }
    }
}
