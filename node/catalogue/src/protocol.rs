//! Class P: the client protocol.

use crate::{Cause, Severity};

/// A command is not known, or not offered by this version.
pub static NOT_SUPPORTED: Cause = Cause {
    code: "TIM-P101",
    name: "command_not_supported",
    reason: "CommandNotSupported",
    what: "A command is not known, or not offered by this version.",
    why: "The client sent a command this server does not serve.",
    meaning: "Nothing happened; the connection stays open.",
    remedy: "leave the command out",
    severity: Severity::Stays,
};

/// A frame holds a field outside its valid set.
pub static INVALID_FIELD: Cause = Cause {
    code: "TIM-P104",
    name: "invalid_field",
    reason: "InvalidField",
    what: "A frame holds a field outside its valid set.",
    why: "The client sent a wrong or missing value.",
    meaning: "Nothing was stored; the connection stays open.",
    remedy: "correct the field that the message names",
    severity: Severity::Stays,
};

/// Every cause of this class, by number.
pub(crate) static ALL: &[&Cause] = &[&NOT_SUPPORTED, &INVALID_FIELD];
