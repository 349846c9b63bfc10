//! Presence: which sessions an account has, and on which nodes.
//!
//! 4,096 shards, each held in memory by two owners. Both are primaries, each for the accounts whose hash names it
//! ([`crate::placement::writer`]): it is written and asked for them, the other follows and stands in. [`Owner`] is
//! a node's part as owner of shards, [`Registrar`] its part as the node of sessions.

mod devices;
mod owner;
mod registrar;
mod shard;
#[cfg(test)]
mod tests;

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::id::{AccountId, DeviceClass, Generation, NodeName, SessionId, ShardId, ViewHash};
use crate::view::View;

pub use devices::{DeviceLimit, DeviceLimits, TooManyDevices};
pub use owner::Owner;
pub use registrar::Registrar;
pub use shard::Shard;

/// One session of an account, as the registry knows it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SessionEntry {
    /// Which session.
    pub session: SessionId,
    /// The node that has its socket.
    pub node: NodeName,
    /// Class of the device.
    pub class: DeviceClass,
    /// Of two entries of one session the higher generation counts.
    pub generation: Generation,
    /// When it logged in: Unix milliseconds, always later than the account's sessions that its node knew of.
    pub logged_in_ms: u64,
}

/// A session to be registered.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Registration {
    /// Whose session.
    pub account: AccountId,
    /// The entry.
    pub entry: SessionEntry,
}

/// What an owner says about an account.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Lookup {
    /// These, and no others.
    Found(Vec<SessionEntry>),
    /// Certainly no session.
    Nobody,
    /// The one asked cannot be certain: it stands in, does not hold the shard, or is not complete. Ask again.
    Unknown {
        /// What it happens to know.
        seen: Vec<SessionEntry>,
    },
}

/// Writes that one owner passes on to the other owner of their shards.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Replication {
    /// Sessions registered or registered again.
    pub upserts: Vec<Registration>,
    /// Sessions that ended.
    pub removals: Vec<Registration>,
    /// Sessions whose node said they live.
    pub renewals: Vec<SessionId>,
}

/// A shard as one owner has it, for the other one that has just become owner.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Snapshot {
    /// The shard.
    pub shard: ShardId,
    /// Whether the sender was certain about the accounts whose primary the asker is now.
    pub complete: bool,
    /// Its entries, each with the milliseconds since it was renewed.
    pub entries: Vec<(Registration, u64)>,
}

/// What happens to a node as owner of shards.
#[derive(Debug, Clone)]
pub enum OwnerEvent {
    /// A node registers sessions.
    Register {
        /// Which node.
        from: NodeName,
        /// Its question's number.
        request: u64,
        /// What.
        registrations: Vec<Registration>,
    },
    /// A node's session ended.
    Unregister {
        /// What.
        registrations: Vec<Registration>,
    },
    /// A node says that these sessions live; all those of it whose primary this node is, by its view.
    Heartbeat {
        /// Which node.
        from: NodeName,
        /// Its question's number.
        request: u64,
        /// By which view.
        view: ViewHash,
        /// Whether this is the last part of its whole list for this view.
        whole: bool,
        /// The sessions.
        sessions: Vec<SessionId>,
    },
    /// A home asks.
    Lookup {
        /// Which node.
        from: NodeName,
        /// Its question's number.
        request: u64,
        /// For whom.
        accounts: Vec<AccountId>,
    },
    /// The other owner's writes.
    Replicate {
        /// Which node.
        from: NodeName,
        /// The writes.
        changes: Replication,
    },
    /// The other owner has become one and asks for the shards.
    SnapshotAsked {
        /// Which node.
        from: NodeName,
        /// Which shards.
        shards: Vec<ShardId>,
    },
    /// The other owner's shards.
    SnapshotArrived {
        /// Which node.
        from: NodeName,
        /// The shards.
        snapshots: Vec<Snapshot>,
    },
    /// Another set of nodes serves.
    ViewChanged(Arc<View>),
    /// The node found itself late or declared dead: everything is forgotten.
    GiveUp,
    /// A deadline was reached.
    Timer,
}

/// What the shell has to do for an owner. All of it may be lost: heartbeats repair.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum OwnerEffect {
    /// Answer a registration.
    Registered {
        /// To whom.
        to: NodeName,
        /// Which question.
        request: u64,
        /// Sessions for which this node is not the primary by its view; to be registered again elsewhere or later.
        refused: Vec<SessionId>,
    },
    /// Answer a heartbeat.
    HeartbeatAnswer {
        /// To whom.
        to: NodeName,
        /// Which question.
        request: u64,
        /// Sessions that are not here: register them anew.
        missing: Vec<SessionId>,
    },
    /// Answer a look-up.
    LookupAnswer {
        /// To whom.
        to: NodeName,
        /// Which question.
        request: u64,
        /// One per account.
        lookups: Vec<Lookup>,
    },
    /// Pass writes on to the other owner.
    Replicate {
        /// To whom.
        to: NodeName,
        /// The writes.
        changes: Replication,
    },
    /// Ask the other owner for shards.
    AskSnapshot {
        /// Whom.
        to: NodeName,
        /// Which shards.
        shards: Vec<ShardId>,
    },
    /// Give the other owner shards.
    SendSnapshot {
        /// To whom.
        to: NodeName,
        /// The shards.
        snapshots: Vec<Snapshot>,
    },
    /// End sessions: newer ones of their accounts have taken their places.
    Yield {
        /// The node of the sessions.
        to: NodeName,
        /// The sessions.
        sessions: Vec<SessionId>,
    },
}

/// What happens to a node as the node of sessions.
#[derive(Debug, Clone)]
pub enum RegistrarEvent {
    /// A session logged in.
    SessionOpened(Registration),
    /// A session ended.
    SessionClosed(SessionId),
    /// An owner took registrations, except the refused ones.
    Registered {
        /// Which question.
        request: u64,
        /// To be registered again.
        refused: Vec<SessionId>,
    },
    /// An owner answered a heartbeat.
    HeartbeatAnswered {
        /// Which question.
        request: u64,
        /// To be registered anew.
        missing: Vec<SessionId>,
    },
    /// An owner could not be reached with a question.
    Failed {
        /// Which question.
        request: u64,
    },
    /// Another set of nodes serves.
    ViewChanged(Arc<View>),
    /// A deadline was reached.
    Timer,
}

/// What the shell has to do for a registrar.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RegistrarEffect {
    /// Register sessions with their primary.
    Register {
        /// Which owner.
        to: NodeName,
        /// Answer with this.
        request: u64,
        /// What.
        registrations: Vec<Registration>,
    },
    /// A session ended; tell both owners, losing it is allowed.
    Unregister {
        /// Which owner.
        to: NodeName,
        /// What.
        registrations: Vec<Registration>,
    },
    /// These sessions live.
    Heartbeat {
        /// Which owner.
        to: NodeName,
        /// Answer with this.
        request: u64,
        /// By which view.
        view: ViewHash,
        /// Whether this is the last part of the whole list.
        whole: bool,
        /// The sessions.
        sessions: Vec<SessionId>,
    },
    /// The session is registered (again): it looks for undelivered messages now, not before.
    Registered(SessionId),
}

/// Times and limits of presence.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Config {
    /// A node says this often that its sessions live, in milliseconds.
    pub heartbeat_ms: u64,
    /// An entry not renewed for so many heartbeats is gone.
    pub missed_heartbeats: u64,
    /// Most sessions in one message.
    pub max_batch: usize,
    /// Sessions registered anew after a change of view, per 100 ms.
    pub reregister_per_100ms: usize,
    /// How long an owner may take to answer, in milliseconds.
    pub answer_timeout_ms: u64,
    /// Wait before a refused or failed registration is tried again, in milliseconds.
    pub retry_ms: u64,
    /// Most sessions of an account; `None` is no limit.
    pub devices: Option<DeviceLimits>,
}

impl Config {
    /// How long an entry lives without being renewed, in milliseconds.
    #[must_use]
    pub fn expiry_ms(&self) -> u64 {
        self.heartbeat_ms * self.missed_heartbeats
    }
}

impl Default for Config {
    fn default() -> Self {
        Self {
            heartbeat_ms: 5_000,
            missed_heartbeats: 3,
            max_batch: 1_000,
            reregister_per_100ms: 1_000,
            answer_timeout_ms: 1_000,
            retry_ms: 200,
            devices: None,
        }
    }
}
