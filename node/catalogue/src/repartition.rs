//! Class R: moves of data between databases.

use crate::{Cause, Severity};

/// The target of a repartition cannot be used.
pub static TARGET_INVALID: Cause = Cause {
    code: "TIM-R101",
    name: "repartition_target_invalid",
    reason: "TargetInvalid",
    what: "The target of a repartition cannot be used.",
    why: "It is not declared, is the source itself, or holds data of the range.",
    meaning: "Nothing was changed.",
    remedy: "name a declared, empty database",
    severity: Severity::Stays,
};

/// A range cannot be split at that slot.
pub static SLOT_INVALID: Cause = Cause {
    code: "TIM-R102",
    name: "repartition_slot_invalid",
    reason: "SlotInvalid",
    what: "A range cannot be split at that slot.",
    why: "The slot is outside the range or its lower bound.",
    meaning: "Nothing was changed.",
    remedy: "choose a slot inside the range",
    severity: Severity::Stays,
};

/// A repartition waits for another one.
pub static ONE_AT_A_TIME: Cause = Cause {
    code: "TIM-R103",
    name: "repartition_queued",
    reason: "Queued",
    what: "A repartition waits for another one.",
    why: "One runs at a time.",
    meaning: "It starts by itself.",
    remedy: "wait, or watch the running one",
    severity: Severity::Retried,
};

/// Source and target of a repartition differ.
pub static VERIFY_MISMATCH: Cause = Cause {
    code: "TIM-R104",
    name: "repartition_verify_mismatch",
    reason: "VerifyMismatch",
    what: "Source and target of a repartition differ.",
    why: "Counts or checksums of a sub-range are not equal.",
    meaning: "Nothing was switched; the source serves on.",
    remedy: "start it again; if it repeats, report it",
    severity: Severity::Retried,
};

/// The cut-over would have paused writes longer than allowed.
pub static PAUSE_EXCEEDED: Cause = Cause {
    code: "TIM-R105",
    name: "repartition_pause_exceeded",
    reason: "PauseExceeded",
    what: "The cut-over would have paused writes longer than allowed.",
    why: "The change table could not be drained in time.",
    meaning: "Nothing was switched; it is tried again.",
    remedy: "lower the load, or wait",
    severity: Severity::Retried,
};

/// The target of a repartition does not answer.
pub static TARGET_UNREACHABLE: Cause = Cause {
    code: "TIM-R106",
    name: "repartition_target_unreachable",
    reason: "TargetUnreachable",
    what: "The target of a repartition does not answer.",
    why: "The database is down or refuses.",
    meaning: "The copy waits where it stands; chat goes on.",
    remedy: "bring the target database back",
    severity: Severity::Retried,
};

/// A step of a repartition came from a coordinator that has been replaced.
pub static STALE_TERM: Cause = Cause {
    code: "TIM-R107",
    name: "repartition_stale_term",
    reason: "StaleTerm",
    what: "A step of a repartition came from a coordinator that has been replaced.",
    why: "Another node leads the control group since.",
    meaning: "Nothing was changed; the new coordinator goes on.",
    remedy: "nothing",
    severity: Severity::Retried,
};

/// A step of a repartition does not fit the state of a database.
pub static STEP_REFUSED: Cause = Cause {
    code: "TIM-R108",
    name: "repartition_step_refused",
    reason: "StepRefused",
    what: "A step of a repartition does not fit the state of a database.",
    why: "Another step came first, or the range belongs to another repartition.",
    meaning: "Nothing was changed; the coordinator looks at the states and goes on from there.",
    remedy: "nothing, unless it lasts; then look at the running repartition",
    severity: Severity::Retried,
};

/// The cluster of a repartition does not exist.
pub static CLUSTER_MISSING: Cause = Cause {
    code: "TIM-R109",
    name: "repartition_cluster_missing",
    reason: "ClusterMissing",
    what: "The cluster of a repartition does not exist.",
    why: "spec.clusterRef names no TimCluster of the same namespace.",
    meaning: "Nothing is moved; it starts as soon as the cluster is there.",
    remedy: "create the TimCluster, or delete the TimRepartition",
    severity: Severity::Retried,
};

/// Every cause of this class, by number.
pub(crate) static ALL: &[&Cause] = &[
    &TARGET_INVALID,
    &SLOT_INVALID,
    &ONE_AT_A_TIME,
    &VERIFY_MISMATCH,
    &PAUSE_EXCEEDED,
    &TARGET_UNREACHABLE,
    &STALE_TERM,
    &STEP_REFUSED,
    &CLUSTER_MISSING,
];
