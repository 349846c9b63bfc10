//! What a supervisor tells those who watch it: progress of the start, and afterwards only what a person would want to know.

use crate::changes::FieldChange;
use std::path::PathBuf;
use std::time::Duration;
use tim_catalogue::Report;

/// How many events may wait for a reader; more are dropped, since nodes come before words.
pub const EVENTS_MAX: usize = 1_024;

/// Steps of a start, in the order in which they are shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Step {
    /// Keys and certificates are there.
    Trust,
    /// Every database is reached, with its schema.
    Databases,
    /// All nodes serve.
    Nodes,
    /// The control group has a leader, and there is a partition map.
    Leader,
}

impl Step {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::Trust, Self::Databases, Self::Nodes, Self::Leader];
}

/// Something happened.
#[derive(Debug, Clone)]
pub enum Event {
    /// A step of the start is done.
    Done {
        /// Which.
        step: Step,
        /// Particulars, such as names.
        detail: String,
        /// Number of the databases' schema: with [`Step::Databases`], once they have told it.
        schema: Option<u64>,
    },
    /// What the start waits for.
    Waiting {
        /// Which step is not done.
        step: Step,
        /// For what it waits.
        detail: String,
    },
    /// Everything is as the spec wants it for the first time.
    Ready {
        /// Messages in all databases, if each has told it: as many as there were when the nodes started.
        messages: Option<u64>,
    },
    /// Something is wrong; said once while it stays.
    Problem(Report),
    /// A problem is over.
    Healed(Report),
    /// Nodes of an earlier supervisor were found running and go on.
    Adopted {
        /// Their names.
        nodes: Vec<String>,
    },
    /// A node ended although nobody had asked it to.
    Ended {
        /// Its name.
        node: String,
        /// How: `signal 9`, `exit code 1`.
        how: String,
    },
    /// It serves again.
    Recovered {
        /// Its name.
        node: String,
        /// How it had ended.
        how: String,
        /// How long it took to start it again.
        restarted_after: Duration,
        /// Sessions it had, and how long it took until as many were back somewhere.
        sessions_back: Option<(u64, Duration)>,
        /// Messages acknowledged and not arrived, as a load tool that runs counts them; nothing without such a tool.
        messages_lost: Option<u64>,
    },
    /// A node did not answer and was killed.
    Killed {
        /// Its name.
        node: String,
        /// For how long it had not answered.
        silent: Duration,
    },
    /// A node serves that did not before.
    Serving {
        /// Its name.
        node: String,
        /// How long it took since its start.
        after: Duration,
    },
    /// A node has stopped as it was asked to.
    Stopped {
        /// Its name.
        node: String,
        /// Whether it is started again with the present spec; otherwise it is not wanted any more.
        again: bool,
    },
    /// The object was changed: by the file, or by another command.
    Changed {
        /// The file, or nothing for another command.
        file: Option<PathBuf>,
        /// What.
        changes: Vec<FieldChange>,
        /// Those that take back what another command had changed.
        reverted: Vec<FieldChange>,
    },
    /// The file has mistakes; the cluster is left as it was.
    Refused {
        /// What is wrong, ready to be shown.
        message: String,
    },
    /// How far a repartition is.
    Repartition {
        /// Its name.
        name: String,
        /// Its phase.
        phase: String,
        /// What it waits for, or why it ended.
        reason: Option<String>,
    },
    /// The nodes are being stopped.
    Stopping {
        /// How many.
        nodes: usize,
    },
    /// All nodes have stopped.
    StoppedAll {
        /// How many had to be killed.
        killed: usize,
    },
}
