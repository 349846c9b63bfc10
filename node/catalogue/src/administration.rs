//! Class A: the interfaces of administrators.

use crate::{Cause, Severity};

/// Nobody may call the API.
pub static NOT_CONFIGURED: Cause = Cause {
    code: "TIM-A101",
    name: "admin_not_configured",
    reason: "AdminNotConfigured",
    what: "Nobody may call the administrators' API.",
    why: "No token is configured, or the file that holds them cannot be used; there is no default one.",
    meaning: "Nothing was changed.",
    remedy: "make a token with tim-node admin-token NAME --role ROLE and put what it prints into admin.tokens_file",
    severity: Severity::Stays,
};

/// A caller has not said who it is.
pub static NOT_AUTHENTICATED: Cause = Cause {
    code: "TIM-A102",
    name: "not_authenticated",
    reason: "NotAuthenticated",
    what: "A caller of the administrators' API has not said who it is.",
    why: "Token or password are missing or wrong.",
    meaning: "Nothing was changed.",
    remedy: "send the header Authorization: Bearer TOKEN with a token that is configured",
    severity: Severity::Stays,
};

/// A token may not do that.
pub static ROLE_TOO_LOW: Cause = Cause {
    code: "TIM-A103",
    name: "role_too_low",
    reason: "RoleTooLow",
    what: "A token may not do what was asked.",
    why: "Its role is lower than the one that the message names.",
    meaning: "Nothing was changed.",
    remedy: "use a token of that role",
    severity: Severity::Stays,
};

/// A request cannot be understood.
pub static INVALID_REQUEST: Cause = Cause {
    code: "TIM-A104",
    name: "invalid_request",
    reason: "InvalidRequest",
    what: "A request of an administrator cannot be understood.",
    why: "The body is not JSON, or a field is missing or outside its valid set.",
    meaning: "Nothing was changed.",
    remedy: "correct what the message names; /api/v1/openapi.json describes every request",
    severity: Severity::Stays,
};

/// There is no such account.
pub static NO_SUCH_ACCOUNT: Cause = Cause {
    code: "TIM-A105",
    name: "no_such_account",
    reason: "NoSuchAccount",
    what: "There is no such account.",
    why: "The id is misspelt, or is of another cluster.",
    meaning: "Nothing was changed.",
    remedy: "find the id by GET /api/v1/accounts?name=NAME&domain=DOMAIN",
    severity: Severity::Stays,
};

/// There is an account of that name.
pub static ACCOUNT_EXISTS: Cause = Cause {
    code: "TIM-A106",
    name: "account_exists",
    reason: "AccountExists",
    what: "There is an account of that name already.",
    why: "Somebody registered it.",
    meaning: "Nothing was changed.",
    remedy: "choose another name or domain",
    severity: Severity::Stays,
};

/// There is nothing under that path.
pub static NO_SUCH_PATH: Cause = Cause {
    code: "TIM-A107",
    name: "no_such_path",
    reason: "NoSuchPath",
    what: "There is nothing under the path of a request, or not for its method.",
    why: "Path or method are misspelt, or belong to another version.",
    meaning: "Nothing was changed.",
    remedy: "see /api/v1/openapi.json for what there is",
    severity: Severity::Stays,
};

/// The body is too large.
pub static BODY_TOO_LARGE: Cause = Cause {
    code: "TIM-A108",
    name: "body_too_large",
    reason: "BodyTooLarge",
    what: "The body of an administrator's request is larger than it may be.",
    why: "It has more bytes than admin.body_bytes_max.",
    meaning: "Nothing was changed.",
    remedy: "send less at once, or raise admin.body_bytes_max",
    severity: Severity::Stays,
};

/// A request has taken too long.
pub static TIMED_OUT: Cause = Cause {
    code: "TIM-A109",
    name: "admin_request_timed_out",
    reason: "AdminRequestTimedOut",
    what: "An administrator's request has taken longer than it may.",
    why: "A database or another node is slow, or the body of the request did not arrive.",
    meaning: "It is not known whether it was done; the audit log tells when it ends.",
    remedy: "look what is there and ask again; admin.request_timeout_millis is the limit",
    severity: Severity::Retried,
};

/// No node has a connection of that id.
pub static NO_SUCH_CONNECTION: Cause = Cause {
    code: "TIM-A110",
    name: "no_such_connection",
    reason: "NoSuchConnection",
    what: "There is no connection of that id.",
    why: "The client has left or has logged in anew, which gives it another id.",
    meaning: "Nothing was sent.",
    remedy: "use the id that the answer to the newest login names (n2)",
    severity: Severity::Stays,
};

/// There is no such room.
pub static NO_SUCH_ROOM: Cause = Cause {
    code: "TIM-A120",
    name: "no_such_room",
    reason: "NoSuchRoom",
    what: "There is no such room.",
    why: "The id is misspelt or is of another cluster, or the room has ended.",
    meaning: "Nothing was changed.",
    remedy: "find the id by GET /api/v1/accounts/ACCOUNT/rooms",
    severity: Severity::Stays,
};

/// The rules of rosters and rooms do not allow it.
pub static AGAINST_THE_RULES: Cause = Cause {
    code: "TIM-A121",
    name: "against_the_rules",
    reason: "AgainstTheRules",
    what: "The rules of rosters and rooms do not allow what was asked.",
    why: "The account in whose name it was asked could not do it either; the message names the rule.",
    meaning: "Nothing was changed.",
    remedy: "look at the room or the roster as it is now, and ask in the name of somebody who may",
    severity: Severity::Stays,
};

/// Every cause of this class, by number.
pub(crate) static ALL: &[&Cause] = &[
    &NOT_CONFIGURED,
    &NOT_AUTHENTICATED,
    &ROLE_TOO_LOW,
    &INVALID_REQUEST,
    &NO_SUCH_ACCOUNT,
    &ACCOUNT_EXISTS,
    &NO_SUCH_PATH,
    &BODY_TOO_LARGE,
    &TIMED_OUT,
    &NO_SUCH_CONNECTION,
    &NO_SUCH_ROOM,
    &AGAINST_THE_RULES,
];
