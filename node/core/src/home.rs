//! The home of conversations: numbers and stores what is submitted, many conversations per transaction.
//!
//! A conversation is at home here from the time it was loaded until its *tenure* ends. While it lasts the home
//! knows the version the database must have; a commit that finds another one is a conflict, which ends the tenure.
//! The home never retries a conflict by itself and never settles an unknown outcome by itself: everything without
//! an outcome is answered [`crate::submit::Answer::Conflict`], in order, and the lanes open anew and send again.
//! So a home that was stopped for an hour and wakes can only meet conflicts.

mod batch;
mod held_back;
mod hosted;
mod machine;
mod members;
#[cfg(test)]
mod tests;

use std::sync::Arc;

use crate::conversation::{BatchResult, ConversationBatch, Submission};
use crate::cursor_sets::CursorSets;
use crate::delivery::Committed;
use crate::id::{AccountId, ConversationId, DatabaseName, Epoch, NodeName, Seq, Tenure, Version};
use crate::map::PartitionMap;
use crate::mutation::Mutations;
use crate::submit::{Answer, LaneId, LaneStamp, OpenRefusal};
use crate::view::View;

pub use machine::Home;

/// Names a batch or load under way.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct RequestId(pub u64);

/// What a load found for one conversation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Load {
    /// The row's version (0 for a conversation that does not exist yet).
    Version(Version),
    /// The version of a room, and who is in it.
    Room {
        /// The row's version.
        version: Version,
        /// Who takes part, in order. Read at that version or a later one, which the next commit will meet as a conflict.
        members: Vec<AccountId>,
        /// [`crate::conversation::Room::members_since`].
        members_since: Seq,
    },
    /// The fence refused.
    Fenced(crate::conversation::FenceRefusal),
}

/// What happens to a home.
#[derive(Debug, Clone)]
pub enum Event {
    /// A lane asks to open a conversation.
    Open {
        /// The lane's node.
        from: NodeName,
        /// Which lane.
        lane: LaneId,
        /// Its attempt.
        attempt: u64,
        /// A fresh random number, used if a tenure begins.
        tenure: Tenure,
    },
    /// A lane submits.
    Submit {
        /// The lane's node.
        from: NodeName,
        /// The place in the lane.
        stamp: LaneStamp,
        /// What.
        submission: Arc<Submission>,
    },
    /// [`Effect::Load`] has an answer; one per conversation, in order. `None` when the database did not answer.
    Loaded {
        /// Which load.
        request: RequestId,
        /// What was found.
        found: Option<Vec<Load>>,
    },
    /// [`Effect::RunBatch`] has ended.
    BatchDone {
        /// Which batch.
        request: RequestId,
        /// How.
        result: BatchResult,
    },
    /// Another set of nodes serves. Conversations that have another home now are given up.
    ViewChanged(Arc<View>),
    /// A newer partition map is known.
    MapChanged(Arc<PartitionMap>),
    /// The node found itself late or declared dead: every tenure ends.
    GiveUp,
    /// A deadline was reached.
    Timer,
}

/// What the shell has to do for a home.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Effect {
    /// Read the versions of conversations, under their fences, in one transaction.
    Load {
        /// Answer with this.
        request: RequestId,
        /// Which database.
        database: DatabaseName,
        /// Which conversations, each with the epoch of its range.
        conversations: Vec<(ConversationId, Epoch)>,
    },
    /// Run one transaction as [`crate::conversation`] describes.
    RunBatch {
        /// Answer with this.
        request: RequestId,
        /// Which database.
        database: DatabaseName,
        /// The conversations, in key order.
        conversations: Vec<ConversationBatch>,
    },
    /// A conversation is open.
    Opened {
        /// The lane's node.
        to: NodeName,
        /// Which lane.
        lane: LaneId,
        /// Its attempt.
        attempt: u64,
        /// The stay to name.
        tenure: Tenure,
    },
    /// A conversation is not opened.
    OpenRefused {
        /// The lane's node.
        to: NodeName,
        /// Which lane.
        lane: LaneId,
        /// Its attempt.
        attempt: u64,
        /// Why.
        reason: OpenRefusal,
    },
    /// Answer one submission.
    Answer {
        /// The lane's node.
        to: NodeName,
        /// Which lane.
        lane: LaneId,
        /// Its attempt.
        attempt: u64,
        /// Which submission of the attempt.
        index: u32,
        /// The answer.
        answer: Answer,
    },
    /// Entries are durable: look up the recipients and send ([`crate::delivery`]).
    Committed(Committed),
    /// A fence knows of a change this node does not: take the newer map from any peer.
    NeedMap,
}

/// Limits and waits of a home.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Config {
    /// Most submissions in one transaction.
    pub max_batch: usize,
    /// Most submissions waiting in one conversation; more are answered busy.
    pub max_queue_per_conversation: usize,
    /// Most submissions waiting altogether; more are answered busy.
    pub max_queue: usize,
    /// Transactions in flight per database whose conversations share a home (SQLite has one writer).
    pub in_flight_per_database: usize,
    /// Transactions in flight per database of conversations with homes of their own.
    pub in_flight_per_server: usize,
    /// Conversations that have to wait before a transaction is started beside one that is under way. Fewer wait for its
    /// end and go together: several small transactions cost more than one, and are no faster where the server has
    /// little time to spare.
    pub ready_for_another: usize,
    /// After so long another is started all the same, in milliseconds: the one under way may wait for a lock.
    pub another_after_ms: u64,
    /// First wait after a failed transaction, in milliseconds; doubles.
    pub retry_min_ms: u64,
    /// Longest wait after a failed transaction, in milliseconds.
    pub retry_max_ms: u64,
    /// Wait before a conversation that a fence refused is tried again, in milliseconds.
    pub fence_retry_ms: u64,
    /// Most members of a room.
    pub room_members_max: u32,
    /// Most conversations kept in memory; beyond, those used longest ago are forgotten. Those at work are kept all the same,
    /// of which there are no more than may wait.
    pub max_conversations: usize,
    /// Most members of all rooms kept in memory; beyond, the rooms used longest ago are forgotten. One room may have more.
    pub max_room_members_held: usize,
    /// A conversation that was not used for this long is forgotten, in milliseconds.
    pub idle_ms: u64,
    /// Which classes of devices share a cursor.
    pub cursor_sets: CursorSets,
    /// Planted bugs; none outside the simulator.
    pub mutations: Mutations,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            max_batch: 512,
            max_queue_per_conversation: 4_096,
            max_queue: 65_536,
            in_flight_per_database: 1,
            in_flight_per_server: 4,
            ready_for_another: 64,
            another_after_ms: 100,
            retry_min_ms: 10,
            retry_max_ms: 1_000,
            fence_retry_ms: 20,
            room_members_max: 100_000,
            max_conversations: 200_000,
            max_room_members_held: 2_000_000,
            idle_ms: 300_000,
            cursor_sets: CursorSets::default(),
            mutations: Mutations::default(),
        }
    }
}
