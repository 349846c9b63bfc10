//! What the command line says to the shell. The meanings are a promise to scripts (`tim help exit-codes`).

use std::process::ExitCode;

/// How a command ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Exit {
    /// Done, or healthy.
    Done,
    /// It failed.
    Failed,
    /// The command line cannot be carried out as written; nothing was contacted.
    Usage,
    /// It answered, but the cluster is not healthy or a check failed.
    Unhealthy,
    /// The time given with `--timeout` ran out.
    TimedOut,
    /// A safety rule refused it.
    Refused,
    /// Interrupted by Ctrl-C.
    Interrupted,
}

impl Exit {
    /// All of them, in the order of their numbers.
    pub const ALL: [Self; 7] = [
        Self::Done,
        Self::Failed,
        Self::Usage,
        Self::Unhealthy,
        Self::TimedOut,
        Self::Refused,
        Self::Interrupted,
    ];

    /// The number the shell sees.
    pub fn code(self) -> u8 {
        match self {
            Self::Done => 0,
            Self::Failed => 1,
            Self::Usage => 2,
            Self::Unhealthy => 3,
            Self::TimedOut => 4,
            Self::Refused => 5,
            Self::Interrupted => 130,
        }
    }

    /// What it means, for `tim help exit-codes`.
    pub fn meaning(self) -> &'static str {
        match self {
            Self::Done => "done, or healthy",
            Self::Failed => "failed",
            Self::Usage => "the command line cannot be carried out as written; nothing was contacted",
            Self::Unhealthy => "answered, but the cluster is not healthy, or a check failed",
            Self::TimedOut => "the time of --timeout ran out while waiting",
            Self::Refused => "refused by a safety rule",
            Self::Interrupted => "interrupted by Ctrl-C",
        }
    }
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(exit.code())
    }
}
