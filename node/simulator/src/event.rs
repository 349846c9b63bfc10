//! Everything that can happen.

use std::sync::Arc;

use tim_core::conversation::{BatchResult, ConversationBatch, Entry, Operation, Submission};
use tim_core::delivery::Push;
use tim_core::home::{Load, RequestId};
use tim_core::id::{AccountId, ConversationId, Epoch, Seq, SessionId, ShardId, Tenure, ViewHash};
use tim_core::presence::{Lookup, Registration, Replication, Snapshot};
use tim_core::session::Position;
use tim_core::submit::{Answer, LaneId, LaneStamp, OpenRefusal};

pub(crate) type NodeIndex = usize;
pub(crate) type ClientIndex = usize;
pub(crate) type DatabaseIndex = usize;

/// The machines of a node that have a timer of their own.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Machine {
    Home,
    Submitter,
    Delivery,
    Owner,
    Registrar,
}

#[derive(Debug, Clone)]
pub(crate) enum Event {
    /// A message reaches a node. `epoch` is the stream's; `None` for one that travels alone.
    Peer {
        from: NodeIndex,
        to: NodeIndex,
        epoch: Option<u64>,
        boot: u64,
        message: PeerMessage,
    },
    StreamBroken {
        at: NodeIndex,
        boot: u64,
        node: NodeIndex,
    },
    Timer {
        node: NodeIndex,
        boot: u64,
        machine: Machine,
    },
    SessionTimer {
        node: NodeIndex,
        boot: u64,
        session: SessionId,
    },
    /// An observer's opinion about a node may have to change.
    Opinion {
        observer: NodeIndex,
        subject: NodeIndex,
    },
    Database {
        database: DatabaseIndex,
        event: DatabaseEvent,
    },
    Reply {
        node: NodeIndex,
        boot: u64,
        reply: DatabaseReply,
    },
    FromClient {
        node: NodeIndex,
        boot: u64,
        session: SessionId,
        frame: ClientFrame,
    },
    /// The node notices that a socket is gone.
    SocketGone {
        node: NodeIndex,
        boot: u64,
        session: SessionId,
    },
    ToClient {
        client: ClientIndex,
        session: SessionId,
        sent_at: u64,
        frame: NodeFrame,
    },
    Client {
        client: ClientIndex,
        nonce: u64,
        action: ClientAction,
    },
    Fault(Fault),
    Probe,
}

#[derive(Debug, Clone)]
pub(crate) enum PeerMessage {
    // On ordered streams:
    Open {
        lane: LaneId,
        attempt: u64,
    },
    Opened {
        lane: LaneId,
        attempt: u64,
        tenure: Tenure,
    },
    OpenRefused {
        lane: LaneId,
        attempt: u64,
        reason: OpenRefusal,
    },
    Submit {
        stamp: LaneStamp,
        submission: Arc<Submission>,
    },
    Answer {
        lane: LaneId,
        attempt: u64,
        index: u32,
        answer: Answer,
    },
    // Each for itself:
    Push(Vec<Push>),
    Ask {
        request: u64,
        accounts: Vec<AccountId>,
    },
    AskAnswer {
        request: u64,
        lookups: Vec<Lookup>,
    },
    Register {
        request: u64,
        registrations: Vec<Registration>,
    },
    Registered {
        request: u64,
        refused: Vec<SessionId>,
    },
    Unregister {
        registrations: Vec<Registration>,
    },
    Heartbeat {
        request: u64,
        view: ViewHash,
        whole: bool,
        sessions: Vec<SessionId>,
    },
    HeartbeatAnswer {
        request: u64,
        missing: Vec<SessionId>,
    },
    Replicate {
        changes: Replication,
    },
    AskSnapshot {
        shards: Vec<ShardId>,
    },
    SendSnapshot {
        snapshots: Vec<Snapshot>,
    },
}

impl PeerMessage {
    pub(crate) fn is_streamed(&self) -> bool {
        matches!(
            self,
            Self::Open { .. }
                | Self::Opened { .. }
                | Self::OpenRefused { .. }
                | Self::Submit { .. }
                | Self::Answer { .. }
        )
    }
}

/// Who asks a database; the answer goes to this life of the node only.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Asker {
    pub(crate) node: NodeIndex,
    pub(crate) boot: u64,
}

#[derive(Debug, Clone)]
pub(crate) enum DatabaseEvent {
    /// A transaction's first statement arrives.
    Begin {
        asker: Asker,
        request: RequestId,
        batches: Vec<ConversationBatch>,
    },
    /// Its commit arrives.
    Commit { transaction: u64, tries: u32 },
    /// The database ends it, or the connection is found dead.
    Abort { transaction: u64 },
    /// A commit that was under way when the connection broke.
    LateCommit { transaction: u64 },
    /// Anything else: one statement.
    Statement { asker: Asker, statement: Statement },
}

#[derive(Debug, Clone)]
pub(crate) enum Statement {
    Load {
        request: RequestId,
        conversations: Vec<(ConversationId, Epoch)>,
    },
    Fetch {
        session: SessionId,
        member: Member,
        conversation: ConversationId,
        after: Option<Seq>,
        limit: u32,
    },
    MoveCursor {
        session: SessionId,
        member: Member,
        conversation: ConversationId,
        from: Seq,
        to: Seq,
    },
    /// The list of an account's conversations.
    List { search: u64, account: usize },
    /// Cursor and head of listed conversations.
    Positions {
        search: u64,
        member: Member,
        conversations: Vec<ConversationId>,
    },
    /// Puts a conversation on an account's list.
    Enlist {
        session: SessionId,
        account: usize,
        conversation: ConversationId,
    },
}

/// An account and a class of its devices.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Member {
    pub(crate) account: usize,
    pub(crate) class: i8,
}

#[derive(Debug, Clone)]
pub(crate) enum DatabaseReply {
    Loaded {
        request: RequestId,
        found: Option<Vec<Load>>,
    },
    Batch {
        request: RequestId,
        result: BatchResult,
    },
    Fetched {
        session: SessionId,
        conversation: ConversationId,
        found: Option<Fetched>,
    },
    CursorMoved {
        session: SessionId,
        conversation: ConversationId,
        cursor: Option<Seq>,
    },
    Listed {
        search: u64,
        conversations: Option<Vec<ConversationId>>,
    },
    Positions {
        search: u64,
        positions: Option<Vec<Position>>,
    },
    Enlisted {
        session: SessionId,
        account: usize,
        conversation: ConversationId,
        done: bool,
    },
}

/// What a fetch found.
#[derive(Debug, Clone)]
pub(crate) struct Fetched {
    pub(crate) entries: Vec<Arc<Entry>>,
    pub(crate) skip: Option<(Seq, Seq)>,
    pub(crate) cursor: Seq,
    pub(crate) head: Seq,
}

/// What a client asks a conversation; `tag` is the text, unique per thing said.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Said {
    pub(crate) tag: u64,
    pub(crate) peer: usize,
    /// To which room, if not to the peer alone.
    pub(crate) room: Option<usize>,
    pub(crate) operation: Operation,
    pub(crate) client_id: Option<i64>,
}

#[derive(Debug, Clone)]
pub(crate) enum ClientFrame {
    Login { client: ClientIndex },
    Say(Said),
    Confirm(u32),
    AskOffline,
    Ping,
}

#[derive(Debug, Clone)]
pub(crate) enum NodeFrame {
    LoggedIn,
    Entry {
        sync_id: Option<u32>,
        conversation: ConversationId,
        entry: Arc<Entry>,
    },
    Offline {
        sync_id: u32,
        entries: Vec<(ConversationId, Arc<Entry>)>,
    },
    OfflineEnd,
    /// The system has told somebody.
    Told {
        tag: u64,
    },
    Refused {
        tag: u64,
    },
    Busy {
        tag: u64,
    },
}

#[derive(Debug, Clone)]
pub(crate) enum ClientAction {
    Connect,
    /// Nothing came of the login.
    GiveUpLogin,
    /// Something of its own accord.
    Act,
    Ping,
    Leave,
    /// The socket broke.
    Disconnected,
    Confirm {
        sync_id: u32,
        entries: Vec<(ConversationId, Seq)>,
    },
    AskOffline,
    Say {
        peer: usize,
        operation: Operation,
    },
}

#[derive(Debug, Clone)]
pub(crate) enum Fault {
    /// The weather changes between quiet and storm.
    Weather {
        storm: bool,
    },
    /// Another link is the slow one.
    SlowLink,
    /// Something happens in the storm.
    Strike,
    Stop {
        node: NodeIndex,
        away: u64,
    },
    Restart {
        node: NodeIndex,
    },
    Wake {
        node: NodeIndex,
        boot: u64,
    },
    Heal {
        one: NodeIndex,
        other: NodeIndex,
    },
    DatabaseWell {
        database: DatabaseIndex,
    },
    /// No fault any more; everybody comes online and stays.
    Calm,
}
