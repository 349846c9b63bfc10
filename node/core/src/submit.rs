//! The session's node on the way to a home: lanes that keep the order of a sender.
//!
//! A lane belongs to one session and one conversation. It holds every message without an outcome, in order, and
//! uses one home at a time: first it *opens* the conversation there and learns the tenure, then it sends its
//! messages with numbers 0, 1, 2 … within this attempt. When the home changes, the stream breaks, or the home
//! reports a conflict, the lane opens again under a higher attempt number and sends everything without an outcome
//! again, in order, ahead of later messages. Answers to older attempts are ignored: whatever they say, the
//! repetition finds out under the lock.

mod lane;
mod machine;
#[cfg(test)]
mod tests;

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::conversation::{Entry, KnownEntry, Refusal, Submission};
use crate::id::{ConversationId, MessageKey, NodeName, Seq, SessionId, Tenure};
use crate::map::PartitionMap;
use crate::view::View;

pub use lane::rebuild;
pub use machine::Submitter;

/// One session's messages to one conversation.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct LaneId {
    /// The sending session.
    pub session: SessionId,
    /// Where to.
    pub conversation: ConversationId,
}

/// Where a submission stands in its lane; the home accepts only the next index of the newest attempt.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct LaneStamp {
    /// The lane.
    pub lane: LaneId,
    /// The stay of the conversation at the home, as told when it was opened.
    pub tenure: Tenure,
    /// Grows with every opening, over all lanes of a node's life.
    pub attempt: u64,
    /// 0, 1, 2 … within the attempt.
    pub index: u32,
}

/// Why a home does not open a conversation. The lane waits a little and opens again where its view says.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum OpenRefusal {
    /// By its own view it is not the home, or it is leaving.
    NotHome,
    /// Its queues are full, or the database does not answer.
    Busy,
}

/// A home's answer to one submission.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Answer {
    /// Stored and durable.
    Stored {
        /// As stored.
        entry: Arc<Entry>,
        /// Told to the sender although something was stored (4117).
        refusal: Option<Refusal>,
        /// The delivered cursor of the sending device's class, where the home knows it.
        cursor: Option<Seq>,
    },
    /// It had been stored before.
    Known {
        /// What is stored.
        known: KnownEntry,
        /// The delivered cursor of the sending device's class, where the home knows it.
        cursor: Option<Seq>,
    },
    /// Not allowed, and not stored by any earlier attempt either.
    Refused(Refusal),
    /// No outcome: the tenure ended. Open again.
    Conflict,
    /// No outcome: the home's queue is full. Open again later.
    Busy,
}

/// What a sender is told, once per submission and in order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// Stored and durable: hand `entry` to the session's delivery as accepted.
    Stored {
        /// As stored, with the submission's body.
        entry: Arc<Entry>,
        /// Told although something was stored (4117).
        refusal: Option<Refusal>,
        /// The delivered cursor of the sending device's class, where known.
        cursor: Option<Seq>,
        /// The client sent it again: it was stored under another key, so this is an echo of its own.
        repeated: bool,
    },
    /// Not allowed.
    Refused(Refusal),
    /// Too much is under way for this session; nothing was sent and nothing will be stored.
    Busy,
}

/// What happens to the lanes.
#[derive(Debug, Clone)]
pub enum Event {
    /// A session submits; `attempt` of the submission is set by the lane.
    Submit {
        /// Which session.
        session: SessionId,
        /// What.
        submission: Submission,
    },
    /// A home opened a conversation.
    Opened {
        /// Which home.
        from: NodeName,
        /// For which lane.
        lane: LaneId,
        /// For which attempt.
        attempt: u64,
        /// The stay that submissions must name.
        tenure: Tenure,
    },
    /// A home did not open a conversation.
    OpenRefused {
        /// Which home.
        from: NodeName,
        /// For which lane.
        lane: LaneId,
        /// For which attempt.
        attempt: u64,
        /// Why.
        reason: OpenRefusal,
    },
    /// A home answered a submission.
    Answered {
        /// For which lane.
        lane: LaneId,
        /// For which attempt.
        attempt: u64,
        /// Which submission of the attempt.
        index: u32,
        /// The answer.
        answer: Answer,
    },
    /// The stream to a node broke: what was sent on it may be lost.
    StreamBroken {
        /// To which node.
        node: NodeName,
    },
    /// Another set of nodes serves.
    ViewChanged(Arc<View>),
    /// A newer partition map is known.
    MapChanged(Arc<PartitionMap>),
    /// A session ended. What it sent is still carried to its outcome, which then nobody is told.
    SessionClosed(SessionId),
    /// A deadline was reached.
    Timer,
}

/// What the shell has to do for the lanes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Effect {
    /// Ask a home to open a conversation.
    SendOpen {
        /// Which home.
        to: NodeName,
        /// For which lane.
        lane: LaneId,
        /// For which attempt.
        attempt: u64,
    },
    /// Send a submission; on one ordered stream per home.
    SendSubmission {
        /// Which home.
        to: NodeName,
        /// Its place.
        stamp: LaneStamp,
        /// What.
        submission: Arc<Submission>,
    },
    /// Tell the sender.
    Outcome {
        /// Which session.
        session: SessionId,
        /// Which conversation.
        conversation: ConversationId,
        /// Which submission.
        key: MessageKey,
        /// What.
        outcome: Outcome,
    },
}

/// Limits and waits of the lanes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Config {
    /// Messages without an outcome per session; more are answered [`Outcome::Busy`].
    pub max_pending_per_session: usize,
    /// How long a home may take to open or to answer before the lane opens again, in milliseconds.
    pub answer_timeout_ms: u64,
    /// First wait after a refused opening, in milliseconds; doubles.
    pub retry_min_ms: u64,
    /// Longest wait after a refused opening, in milliseconds.
    pub retry_max_ms: u64,
    /// A lane without messages is forgotten after this many milliseconds.
    pub idle_ms: u64,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            max_pending_per_session: 512,
            answer_timeout_ms: 10_000,
            retry_min_ms: 50,
            retry_max_ms: 1_000,
            idle_ms: 60_000,
        }
    }
}
