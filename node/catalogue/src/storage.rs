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

/// A DSN cannot be understood.
pub static MALFORMED_DSN: Cause = Cause {
    code: "TIM-S110",
    name: "database_dsn_malformed",
    reason: "DatabaseDsnMalformed",
    what: "A DSN cannot be understood.",
    why: "Its scheme is known, but file, host, port or database name is missing or wrong.",
    meaning: "Nothing was changed. It will not change by itself.",
    remedy: "write sqlite:PATH, postgres://USER:PASSWORD@HOST:PORT/DATABASE or mysql://USER:PASSWORD@HOST:PORT/DATABASE",
    severity: Severity::Stays,
};

/// The partition map names a database that the configuration does not have.
pub static UNKNOWN_DATABASE: Cause = Cause {
    code: "TIM-S111",
    name: "database_not_configured",
    reason: "DatabaseNotConfigured",
    what: "The partition map names a database that the configuration does not have.",
    why: "Its entry or its Secret was removed, or has not arrived at this node yet.",
    meaning: "Messages for its slots wait at the sender, none that was acknowledged is lost.",
    remedy: "declare the database and its DSN again",
    severity: Severity::Retried,
};

/// The outcome of a commit is unknown.
pub static COMMIT_IN_DOUBT: Cause = Cause {
    code: "TIM-S112",
    name: "database_commit_in_doubt",
    reason: "DatabaseCommitInDoubt",
    what: "The outcome of a commit is unknown.",
    why: "The connection to the database broke while it committed.",
    meaning: "Messages are looked for before anything is said to their senders; none is lost or doubled.",
    remedy: "check the database and the network to it if this repeats",
    severity: Severity::Retried,
};

/// Two DSNs lead to one database.
pub static DATABASE_TWICE: Cause = Cause {
    code: "TIM-S113",
    name: "database_used_twice",
    reason: "DatabaseUsedTwice",
    what: "Two DSNs lead to one database.",
    why: "A database is bound to the name it was first used under, and the specification gives it another.",
    meaning: "Nothing was changed; it is not used under the second name.",
    remedy: "give each entry of databases a database of its own",
    severity: Severity::Stays,
};

/// A row of a database is damaged.
pub static DAMAGED_ROW: Cause = Cause {
    code: "TIM-S114",
    name: "database_row_damaged",
    reason: "DatabaseRowDamaged",
    what: "A row of a database is damaged.",
    why: "Its seal does not open with the storage key, or it stands where it does not belong.",
    meaning: "The row is not used; nothing was changed.",
    remedy: "restore the database from a backup, or find out who else writes to it",
    severity: Severity::Stays,
};

/// The fence of a range does not agree with a node's map.
pub static FENCE_REFUSED: Cause = Cause {
    code: "TIM-S115",
    name: "fence_refused",
    reason: "FenceRefused",
    what: "The fence of a range does not agree with a node's map.",
    why: "The range was moved, or is about to be; the node has an older map.",
    meaning: "Nothing was changed; the node takes the newer map and tries again.",
    remedy: "nothing, unless it lasts; then look at the running repartition",
    severity: Severity::Retried,
};

/// A database refused a statement.
pub static ENGINE: Cause = Cause {
    code: "TIM-S116",
    name: "database_error",
    reason: "DatabaseError",
    what: "A database refused a statement.",
    why: "The reason is in the log of the node and of the database.",
    meaning: "The transaction was rolled back; nothing acknowledged is lost. It is tried again.",
    remedy: "look at the log of the database",
    severity: Severity::Retried,
};

/// Something is larger than the store takes.
pub static TOO_LARGE: Cause = Cause {
    code: "TIM-S117",
    name: "row_too_large",
    reason: "RowTooLarge",
    what: "Something is larger than the store takes.",
    why: "A message's body or a profile is over the limit that every engine can hold.",
    meaning: "Nothing was changed.",
    remedy: "send large contents as a reference",
    severity: Severity::Stays,
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
    &MALFORMED_DSN,
    &UNKNOWN_DATABASE,
    &COMMIT_IN_DOUBT,
    &DATABASE_TWICE,
    &DAMAGED_ROW,
    &FENCE_REFUSED,
    &ENGINE,
    &TOO_LARGE,
];
