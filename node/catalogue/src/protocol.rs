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

/// A command is switched off in this cluster.
pub static SWITCHED_OFF: Cause = Cause {
    code: "TIM-P102",
    name: "command_switched_off",
    reason: "CommandSwitchedOff",
    what: "A command is switched off in this cluster.",
    why: "Its number is in sessions.commands_off.",
    meaning: "Nothing happened; the connection stays open.",
    remedy: "leave the command out, or take its number off the list",
    severity: Severity::Stays,
};

/// A client does something more often than it may.
pub static TOO_FAST: Cause = Cause {
    code: "TIM-P103",
    name: "too_fast",
    reason: "TooFast",
    what: "A client does something more often than it may.",
    why: "A rate that is set in limits is used up.",
    meaning: "Nothing was stored; the connection stays open.",
    remedy: "send it again after the time that the message names, or raise the limit that it names",
    severity: Severity::Retried,
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

/// An account has as many sessions as it may.
pub static TOO_MANY_DEVICES: Cause = Cause {
    code: "TIM-P105",
    name: "too_many_devices",
    reason: "TooManyDevices",
    what: "An account has as many sessions as it may.",
    why: "Another device of it logged in a moment ago.",
    meaning: "The login is refused; the sessions that there are go on.",
    remedy: "log in again after the time that the message names, or raise the limit that it names",
    severity: Severity::Retried,
};

/// An account is blocked.
pub static ACCOUNT_BLOCKED: Cause = Cause {
    code: "TIM-P106",
    name: "account_blocked",
    reason: "AccountBlocked",
    what: "An account is blocked.",
    why: "Whoever runs the cluster has blocked it until the time that the message names.",
    meaning: "It cannot log in, and its sessions have ended. What it is sent waits for it.",
    remedy: "wait, or have the block lifted",
    severity: Severity::Stays,
};

/// A frame or request is larger than it may be.
pub static FRAME_TOO_LARGE: Cause = Cause {
    code: "TIM-P107",
    name: "frame_too_large",
    reason: "FrameTooLarge",
    what: "A frame or request is larger than it may be.",
    why: "It has more bytes than limits.frame_bytes_max.",
    meaning: "It was not read; as what follows it cannot be read either, the connection is closed.",
    remedy: "send smaller frames, or raise limits.frame_bytes_max",
    severity: Severity::Stays,
};

/// A request does not arrive.
pub static REQUEST_TOO_SLOW: Cause = Cause {
    code: "TIM-P108",
    name: "request_too_slow",
    reason: "RequestTooSlow",
    what: "A request does not arrive.",
    why: "The client, or the way to it, is too slow or has stopped.",
    meaning: "Nothing happened; the connection is closed.",
    remedy: "send it again",
    severity: Severity::Retried,
};

/// Every cause of this class, by number.
pub(crate) static ALL: &[&Cause] = &[
    &NOT_SUPPORTED,
    &SWITCHED_OFF,
    &TOO_FAST,
    &INVALID_FIELD,
    &TOO_MANY_DEVICES,
    &ACCOUNT_BLOCKED,
    &FRAME_TOO_LARGE,
    &REQUEST_TOO_SLOW,
];
