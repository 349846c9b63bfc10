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

/// The command line cannot be carried out as written.
pub static USAGE: Cause = Cause {
    code: "TIM-L106",
    name: "usage",
    reason: "Usage",
    what: "The command line cannot be carried out as written.",
    why: "An option or argument is unknown, missing, or holds a value outside its valid set.",
    meaning: "Nothing was contacted.",
    remedy: "run tim help, or the verb with --help",
    severity: Severity::Stays,
};

/// Something failed that nobody foresaw.
pub static UNEXPECTED: Cause = Cause {
    code: "TIM-L107",
    name: "unexpected",
    reason: "Unexpected",
    what: "Something failed that nobody foresaw.",
    why: "The message holds what the system or a library said.",
    meaning: "What was acknowledged before is kept.",
    remedy: "look into the logs (tim logs), and report it with the message",
    severity: Severity::Stays,
};

/// The program tim-node is not there.
pub static NODE_PROGRAM_MISSING: Cause = Cause {
    code: "TIM-L108",
    name: "node_program_missing",
    reason: "NodeProgramMissing",
    what: "The program tim-node is not there.",
    why: "It is looked for beside tim.",
    meaning: "Nothing was started.",
    remedy: "install tim-node beside tim, or start through cargo tim up, which builds it",
    severity: Severity::Stays,
};

/// cargo could not build tim-node.
pub static BUILD_FAILED: Cause = Cause {
    code: "TIM-L109",
    name: "build_failed",
    reason: "BuildFailed",
    what: "cargo could not build tim-node.",
    why: "The compiler's messages above say why.",
    meaning: "Nothing was started.",
    remedy: "mend what the compiler names",
    severity: Severity::Stays,
};

/// The documents do not hold exactly one TimCluster.
pub static NOT_ONE_CLUSTER: Cause = Cause {
    code: "TIM-L110",
    name: "not_one_cluster",
    reason: "NotOneCluster",
    what: "The documents do not hold exactly one TimCluster.",
    why: "tim up runs one cluster at a time.",
    meaning: "Nothing was changed.",
    remedy: "give each TimCluster a file of its own, and start each with tim up FILE",
    severity: Severity::Stays,
};

/// The wait was longer than --timeout allows.
pub static WAIT_RAN_OUT: Cause = Cause {
    code: "TIM-L111",
    name: "wait_ran_out",
    reason: "WaitRanOut",
    what: "The wait was longer than --timeout allows.",
    why: "What was waited for has not come about yet.",
    meaning: "The work goes on; only the wait ended.",
    remedy: "look with tim status, or wait again",
    severity: Severity::Retried,
};

/// The command destroys or moves data and was not confirmed.
pub static NEEDS_CONFIRMATION: Cause = Cause {
    code: "TIM-L112",
    name: "needs_confirmation",
    reason: "NeedsConfirmation",
    what: "The command destroys or moves data and was not confirmed.",
    why: "Nobody can be asked here, or the name was not typed.",
    meaning: "Nothing was changed.",
    remedy: "add --yes",
    severity: Severity::Stays,
};

/// A node ends again and again.
pub static NODE_DOES_NOT_START: Cause = Cause {
    code: "TIM-L113",
    name: "node_does_not_start",
    reason: "NodeDoesNotStart",
    what: "A node ends again and again.",
    why: "Its last log lines say why.",
    meaning: "It is started again with growing pauses; the other nodes go on.",
    remedy: "read the log that the message names",
    severity: Severity::Retried,
};

/// No tim server answers at an address.
pub static SERVER_UNREACHABLE: Cause = Cause {
    code: "TIM-L114",
    name: "server_unreachable",
    reason: "ServerUnreachable",
    what: "No tim server answers at an address.",
    why: "It is down, or the address is another one.",
    meaning: "Nothing was sent.",
    remedy: "look at the addresses with tim status",
    severity: Severity::Retried,
};

/// The server refused an account of tim chat or tim bench.
pub static ACCOUNT_REFUSED: Cause = Cause {
    code: "TIM-L115",
    name: "account_refused",
    reason: "AccountRefused",
    what: "The server refused an account of tim chat or tim bench.",
    why: "The name is taken with another password, or is not a valid name.",
    meaning: "Nothing was sent.",
    remedy: "choose another name with --as",
    severity: Severity::Stays,
};

/// The load tool found a message lost, doubled, out of order or without an answer.
pub static CHECK_FAILED: Cause = Cause {
    code: "TIM-L116",
    name: "check_failed",
    reason: "CheckFailed",
    what: "The load tool found a message lost, doubled, out of order or without an answer.",
    why: "The counts say how many of which.",
    meaning: "The server broke a promise, or was not reachable long enough for the tool to see the end.",
    remedy: "run it again; if it repeats, report it with the JSON output",
    severity: Severity::Stays,
};

/// Nobody supervises the local cluster.
pub static SUPERVISOR_GONE: Cause = Cause {
    code: "TIM-L117",
    name: "supervisor_gone",
    reason: "SupervisorGone",
    what: "Nobody supervises the local cluster.",
    why: "The process of tim up was killed; the nodes go on without it.",
    meaning: "Nodes that run go on and are not started again if they end; nothing was changed.",
    remedy: "run tim up, it adopts nodes that still run",
    severity: Severity::Stays,
};

/// The process of tim up in the background ended.
pub static SUPERVISOR_FAILED: Cause = Cause {
    code: "TIM-L118",
    name: "supervisor_failed",
    reason: "SupervisorFailed",
    what: "The process of tim up in the background ended.",
    why: "Its log says why.",
    meaning: "Nodes it had started go on.",
    remedy: "read the log that the message names",
    severity: Severity::Stays,
};

/// The nodes did not begin to serve in time.
pub static NOT_STARTED: Cause = Cause {
    code: "TIM-L119",
    name: "not_started",
    reason: "NotStarted",
    what: "The nodes did not begin to serve in time.",
    why: "The message says what they wait for.",
    meaning: "They are still being tried.",
    remedy: "read the logs, or look with tim status",
    severity: Severity::Retried,
};

/// Two objects have the same name.
pub static NAMES_COLLIDE: Cause = Cause {
    code: "TIM-L121",
    name: "names_collide",
    reason: "NamesCollide",
    what: "Two objects have the same name.",
    why: "They are told apart by namespace on Kubernetes; .tim has only one.",
    meaning: "Nothing was changed.",
    remedy: "give them different names, or run them in different directories",
    severity: Severity::Stays,
};

/// Some lines of accounts were not imported.
pub static LINES_REFUSED: Cause = Cause {
    code: "TIM-L122",
    name: "lines_refused",
    reason: "LinesRefused",
    what: "Some lines of accounts were not imported.",
    why: "Each is named with its number and what is wrong with it.",
    meaning: "The other lines were imported.",
    remedy: "correct the lines and import the file again: accounts that are there stay as they are",
    severity: Severity::Stays,
};

/// An import of accounts has stopped before its end.
pub static IMPORT_STOPPED: Cause = Cause {
    code: "TIM-L123",
    name: "import_stopped",
    reason: "ImportStopped",
    what: "An import of accounts has stopped before its end.",
    why: "The server did not take a call, or the lines could not be read.",
    meaning: "The lines before the one that is named were imported.",
    remedy: "import the whole input again when the reason is gone: accounts that are there stay as they are",
    severity: Severity::Stays,
};

/// Every cause of this class, by number.
pub(crate) static ALL: &[&Cause] = &[
    &NOT_A_CLUSTER_DIRECTORY,
    &PORT_TAKEN,
    &ALREADY_RUNNING,
    &UNKNOWN_CLUSTER,
    &UNKNOWN_CODE,
    &USAGE,
    &UNEXPECTED,
    &NODE_PROGRAM_MISSING,
    &BUILD_FAILED,
    &NOT_ONE_CLUSTER,
    &WAIT_RAN_OUT,
    &NEEDS_CONFIRMATION,
    &NODE_DOES_NOT_START,
    &SERVER_UNREACHABLE,
    &ACCOUNT_REFUSED,
    &CHECK_FAILED,
    &SUPERVISOR_GONE,
    &SUPERVISOR_FAILED,
    &NOT_STARTED,
    &NAMES_COLLIDE,
    &LINES_REFUSED,
    &IMPORT_STOPPED,
];
