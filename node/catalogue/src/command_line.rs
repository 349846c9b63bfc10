//! Class L: the command line.

use crate::{Cause, Severity};

/// There is no local cluster here.
pub static NOT_A_CLUSTER_DIRECTORY: Cause = Cause {
    code: "TIM-L101",
    name: "no_local_cluster",
    reason: "NoLocalCluster",
    what: "There is no local cluster here.",
    why: "The directory holds no .tim folder.",
    meaning: "Nothing was contacted.",
    remedy: "run tim up here, or name the directory with --dir",
    severity: Severity::Stays,
};

/// The wanted port is used by another process.
pub static PORT_TAKEN: Cause = Cause {
    code: "TIM-L102",
    name: "port_taken",
    reason: "PortTaken",
    what: "The wanted port is used by another process.",
    why: "Somebody listens on it.",
    meaning: "Nothing was started.",
    remedy: "name another one with --port, or leave --port out to take a free one",
    severity: Severity::Stays,
};

/// The local cluster is being run by another tim up.
pub static ALREADY_RUNNING: Cause = Cause {
    code: "TIM-L103",
    name: "already_running",
    reason: "AlreadyRunning",
    what: "The local cluster is being run by another tim up.",
    why: "Its lock is held.",
    meaning: "Nothing was changed.",
    remedy: "use that one, or end it first",
    severity: Severity::Stays,
};

/// There is no cluster of that name.
pub static UNKNOWN_CLUSTER: Cause = Cause {
    code: "TIM-L104",
    name: "unknown_cluster",
    reason: "UnknownCluster",
    what: "There is no cluster of that name.",
    why: "The name is misspelt, or it is somewhere else.",
    meaning: "Nothing was contacted.",
    remedy: "use one of the names that the message lists",
    severity: Severity::Stays,
};

/// There is no cause of that code.
pub static UNKNOWN_CODE: Cause = Cause {
    code: "TIM-L105",
    name: "unknown_code",
    reason: "UnknownCode",
    what: "There is no cause of that code.",
    why: "The code is misspelt, or of another version.",
    meaning: "Nothing happened.",
    remedy: "run tim explain without a code for the list",
    severity: Severity::Stays,
};

/// Every cause of this class, by number.
pub(crate) static ALL: &[&Cause] = &[
    &NOT_A_CLUSTER_DIRECTORY,
    &PORT_TAKEN,
    &ALREADY_RUNNING,
    &UNKNOWN_CLUSTER,
    &UNKNOWN_CODE,
];
