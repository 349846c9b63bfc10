//! From a commit to the recipients' nodes: look up where their sessions are, then send.
//!
//! The order is commit, then look up; a session registers, then looks for undelivered messages. As both meet at
//! one copy of the presence shard, one of them sees the other. "Nobody" is never remembered; "unknown" is asked
//! again for a while and then left to the sessions' own search for undelivered messages.

mod machine;
#[cfg(test)]
mod tests;

use std::sync::Arc;

use imbl::OrdSet;
use serde::{Deserialize, Serialize};

use crate::conversation::{Entry, MemberCursor};
use crate::cursor_sets::CursorSets;
use crate::id::{AccountId, ConversationId, NodeName, Seq, SessionId, ViewHash};
use crate::mutation::Mutations;
use crate::presence::Lookup;
use crate::view::View;

pub use machine::Delivery;

/// Entries of one conversation that have just become durable.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Committed {
    /// Which conversation.
    pub conversation: ConversationId,
    /// Who is in the room, shared with its home, as there may be very many; nobody in other conversations.
    pub members: OrdSet<AccountId>,
    /// Who else is told: both sides of a conversation of two, or who was in the room until now.
    pub others: Vec<AccountId>,
    /// In order; each with the session whose submission it was, which is told by the answer to it.
    pub entries: Vec<(Arc<Entry>, SessionId)>,
    /// Places of messages that these entries erased: what still waits for its receiver goes without them.
    pub erased: Vec<Seq>,
    /// Delivered cursors as of the commit; empty when not known, and in rooms.
    pub cursors: Vec<MemberCursor>,
}

/// Entries for one session, as sent to its node.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Push {
    /// Which session.
    pub session: SessionId,
    /// Which conversation.
    pub conversation: ConversationId,
    /// In order, without gap unless the session's own are left out.
    pub entries: Vec<Arc<Entry>>,
    /// The delivered cursor of the session's class as of the commit, where known.
    pub cursor: Option<Seq>,
}

/// What happens to the deliveries.
#[derive(Debug, Clone)]
pub enum Event {
    /// Entries have become durable.
    Committed(Vec<Committed>),
    /// An owner answered; one look-up per account asked for, in order.
    Answered {
        /// Which question.
        request: u64,
        /// The answers.
        lookups: Vec<Lookup>,
    },
    /// An owner could not be asked.
    AskFailed {
        /// Which question.
        request: u64,
    },
    /// Another set of nodes serves.
    ViewChanged(Arc<View>),
    /// A deadline was reached.
    Timer,
}

/// What the shell has to do for the deliveries.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Effect {
    /// Ask an owner where accounts are.
    Ask {
        /// Which owner.
        to: NodeName,
        /// Answer with this.
        request: u64,
        /// The view in which it is the owner.
        view: ViewHash,
        /// Whom.
        accounts: Vec<AccountId>,
    },
    /// Send entries to the node of sessions; one batch per node, losing it is allowed.
    Send {
        /// Which node.
        to: NodeName,
        /// What.
        pushes: Vec<Push>,
    },
}

/// Limits and waits of the deliveries.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Config {
    /// Most accounts whose whereabouts are being asked; beyond, the sessions' own search has to do.
    pub max_pending: usize,
    /// Most accounts in one question: a room of any size asks with several, side by side.
    pub max_accounts_per_ask: usize,
    /// How long an owner may take to answer, in milliseconds.
    pub ask_timeout_ms: u64,
    /// First wait after "unknown", in milliseconds; doubles.
    pub retry_min_ms: u64,
    /// Longest wait after "unknown", in milliseconds.
    pub retry_max_ms: u64,
    /// How often an account is asked for at most.
    pub max_asks: u32,
    /// Which classes of devices share a cursor.
    pub cursor_sets: CursorSets,
    /// Planted bugs; none outside the simulator.
    pub mutations: Mutations,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            max_pending: 1 << 18,
            max_accounts_per_ask: 8_192,
            ask_timeout_ms: 1_000,
            retry_min_ms: 100,
            retry_max_ms: 2_000,
            max_asks: 12,
            cursor_sets: CursorSets::default(),
            mutations: Mutations::default(),
        }
    }
}
