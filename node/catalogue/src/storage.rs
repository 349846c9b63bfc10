//! Class S: databases.

use crate::{Cause, Severity};

/// A DSN has a scheme that is not known.
pub static UNKNOWN_SCHEME: Cause = Cause {
    code: "TIM-S101",
    name: "unknown_database_scheme",
    reason: "UnknownDatabaseScheme",
    what: "A DSN has a scheme that is not known.",
    why: "Known are sqlite, postgres, postgresql, mysql and mariadb.",
    meaning: "Nothing was changed. It will not change by itself.",
    remedy: "correct the DSN in its Secret",
    severity: Severity::Stays,
};

/// The Secret that holds a DSN, or its key, does not exist.
pub static SECRET_MISSING: Cause = Cause {
    code: "TIM-S102",
    name: "database_secret_missing",
    reason: "DatabaseSecretMissing",
    what: "The Secret that holds a DSN, or its key, does not exist.",
    why: "It was not applied yet, or has another name or key.",
    meaning: "Nothing is lost; the cluster starts as soon as it is there.",
    remedy: "apply the Secret with the key that databases[].dsnSecretRef names",
    severity: Severity::Retried,
};

/// A database does not answer.
pub static UNREACHABLE: Cause = Cause {
    code: "TIM-S103",
    name: "storage_unavailable",
    reason: "DatabaseUnreachable",
    what: "A database does not answer.",
    why: "It is down, the network refuses, or the address is wrong.",
    meaning: "Messages for its slots wait at the sender, none that was acknowledged is lost; other databases work.",
    remedy: "check that the database runs and accepts connections from the nodes",
    severity: Severity::Retried,
};

/// A database refuses the user.
pub static ACCESS_DENIED: Cause = Cause {
    code: "TIM-S104",
    name: "database_access_denied",
    reason: "DatabaseAccessDenied",
    what: "A database refuses the user.",
    why: "User, password or rights in the DSN are wrong.",
    meaning: "Nothing was changed; it is tried again.",
    remedy: "correct user and password in the Secret, or grant the rights",
    severity: Severity::Retried,
};

/// A database belongs to another cluster.
pub static FOREIGN_CLUSTER: Cause = Cause {
    code: "TIM-S105",
    name: "database_of_other_cluster",
    reason: "DatabaseOfOtherCluster",
    what: "A database belongs to another cluster.",
    why: "It was bound to another clusterId when it was first used.",
    meaning: "Nothing was changed; it is not used.",
    remedy: "give the cluster a database of its own, or the clusterId that the database is bound to",
    severity: Severity::Stays,
};

/// A database has a schema of a newer version.
pub static SCHEMA_TOO_NEW: Cause = Cause {
    code: "TIM-S106",
    name: "database_schema_too_new",
    reason: "DatabaseSchemaTooNew",
    what: "A database has a schema of a newer version.",
    why: "A newer node has migrated it.",
    meaning: "Nothing was changed; this node does not use it.",
    remedy: "run the version that migrated it, or a newer one",
    severity: Severity::Stays,
};

/// A database has no space left.
pub static DISK_FULL: Cause = Cause {
    code: "TIM-S107",
    name: "database_disk_full",
    reason: "DatabaseDiskFull",
    what: "A database has no space left.",
    why: "The volume or the tablespace is full.",
    meaning: "Writes are refused, reads go on, nothing acknowledged is lost. It will not change by itself.",
    remedy: "make room: raise spec.storage.size, or free space on the database server",
    severity: Severity::Retried,
};

/// A database was sealed with another storage key.
pub static WRONG_STORAGE_KEY: Cause = Cause {
    code: "TIM-S108",
    name: "wrong_storage_key",
    reason: "WrongStorageKey",
    what: "A database was sealed with another storage key.",
    why: "The storage key Secret was replaced, or belongs to another cluster.",
    meaning: "Nothing was changed; nothing can be read without the right key.",
    remedy: "restore the Secret that holds the storage key",
    severity: Severity::Stays,
};

/// A database did not answer in time.
pub static TIMEOUT: Cause = Cause {
    code: "TIM-S109",
    name: "storage_timeout",
    reason: "DatabaseTimeout",
    what: "A database did not answer in time.",
    why: "It is overloaded, or a lock is held.",
    meaning: "The outcome is settled before anything is said to the sender.",
    remedy: "look at the load of the database",
    severity: Severity::Retried,
};

/// Every cause of this class, by number.
pub(crate) static ALL: &[&Cause] = &[
    &UNKNOWN_SCHEME,
    &SECRET_MISSING,
    &UNREACHABLE,
    &ACCESS_DENIED,
    &FOREIGN_CLUSTER,
    &SCHEMA_TOO_NEW,
    &DISK_FULL,
    &WRONG_STORAGE_KEY,
    &TIMEOUT,
];
