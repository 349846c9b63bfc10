//! Class C: what the user wrote.

use crate::{Cause, Severity};

/// A document or configuration file holds a field that does not exist.
pub static UNKNOWN_FIELD: Cause = Cause {
    code: "TIM-C101",
    name: "unknown_field",
    reason: "UnknownField",
    what: "A document or configuration file holds a field that does not exist.",
    why: "The name is misspelt, or belongs to another version.",
    meaning: "Nothing was changed.",
    remedy: "correct the field that the message names",
    severity: Severity::Stays,
};

/// A field holds a value outside its valid set.
pub static INVALID_VALUE: Cause = Cause {
    code: "TIM-C102",
    name: "invalid_value",
    reason: "InvalidValue",
    what: "A field holds a value outside its valid set.",
    why: "The value has the wrong type, range or form.",
    meaning: "Nothing was changed.",
    remedy: "use one of the values that the message lists",
    severity: Severity::Stays,
};

/// A configuration file cannot be read.
pub static UNREADABLE_FILE: Cause = Cause {
    code: "TIM-C103",
    name: "unreadable_file",
    reason: "UnreadableFile",
    what: "A configuration file cannot be read.",
    why: "It is missing, not readable for this user, or not valid YAML or TOML.",
    meaning: "Nothing was started or changed.",
    remedy: "check path and permissions of the file",
    severity: Severity::Stays,
};

/// A field that may not change was changed.
pub static IMMUTABLE_FIELD: Cause = Cause {
    code: "TIM-C104",
    name: "immutable_field",
    reason: "ImmutableField",
    what: "A field that may not change was changed.",
    why: "Data on disk or other objects are bound to its first value.",
    meaning: "Nothing was changed.",
    remedy: "set the field back to the value that the message names",
    severity: Severity::Stays,
};

/// A required field is missing.
pub static MISSING_FIELD: Cause = Cause {
    code: "TIM-C105",
    name: "missing_field",
    reason: "MissingField",
    what: "A required field is missing.",
    why: "The document leaves out a field without a default.",
    meaning: "Nothing was changed.",
    remedy: "add the field that the message names",
    severity: Severity::Stays,
};

/// A name that other names derive from is too long or malformed.
pub static INVALID_NAME: Cause = Cause {
    code: "TIM-C106",
    name: "invalid_name",
    reason: "InvalidName",
    what: "A name that other names derive from is too long or malformed.",
    why: "Names of pods, Services and Secrets are made from it and end at 63 characters.",
    meaning: "Nothing was changed.",
    remedy: "use at most 40 lower-case letters, digits and '-', beginning with a letter",
    severity: Severity::Stays,
};

/// A cluster without declared databases has more than one replica.
pub static SQLITE_ONE_REPLICA: Cause = Cause {
    code: "TIM-C107",
    name: "sqlite_one_replica",
    reason: "SqliteOneReplica",
    what: "A cluster without declared databases has more than one replica.",
    why: "Without databases the node keeps one SQLite file on its own volume, which no other node can open.",
    meaning: "Nothing was changed.",
    remedy: "set replicas to 1, or declare databases with a PostgreSQL or MySQL DSN",
    severity: Severity::Stays,
};

/// The ranges of a partition layout do not add up.
pub static INVALID_LAYOUT: Cause = Cause {
    code: "TIM-C108",
    name: "invalid_layout",
    reason: "InvalidLayout",
    what: "The ranges of a partition layout do not add up.",
    why: "No range begins at slot 0, two begin at the same slot, or one names a database that is not declared.",
    meaning: "Nothing was changed.",
    remedy: "let exactly one range begin at 0 and every range name one of spec.databases",
    severity: Severity::Stays,
};

/// A node would be killed while it still drains.
pub static GRACE_TOO_SHORT: Cause = Cause {
    code: "TIM-C109",
    name: "grace_too_short",
    reason: "GraceTooShort",
    what: "A node would be killed while it still drains.",
    why: "pod.terminationGracePeriodSeconds leaves less than 30 s beyond drain.timeoutSeconds.",
    meaning: "Nothing was changed.",
    remedy: "raise pod.terminationGracePeriodSeconds, or lower drain.timeoutSeconds",
    severity: Severity::Stays,
};

/// Every cause of this class, by number.
pub(crate) static ALL: &[&Cause] = &[
    &UNKNOWN_FIELD,
    &INVALID_VALUE,
    &UNREADABLE_FILE,
    &IMMUTABLE_FIELD,
    &MISSING_FIELD,
    &INVALID_NAME,
    &SQLITE_ONE_REPLICA,
    &INVALID_LAYOUT,
    &GRACE_TOO_SHORT,
];
