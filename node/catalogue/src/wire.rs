//! The four-digit codes of the wire protocol (`TimAck.error.code`), for `tim explain 4104`.

/// What a code of the wire protocol says.
#[derive(Debug, PartialEq, Eq)]
pub struct WireCode {
    /// The number in `TimAck.error.code`.
    pub code: i32,
    /// Its name in the protocol.
    pub name: &'static str,
    /// What it means for a client.
    pub meaning: &'static str,
}

/// Looks a wire code up.
pub fn explain(code: i32) -> Option<&'static WireCode> {
    ALL.iter().find(|known| known.code == code)
}

/// Every wire code, by number. Source: the tim protocol, section "errors".
pub static ALL: &[WireCode] = &[
    WireCode {
        code: 4101,
        name: "HASEXIST",
        meaning: "The account, friend or member exists already.",
    },
    WireCode {
        code: 4102,
        name: "NOPASS",
        meaning: "The password is wrong (token request).",
    },
    WireCode {
        code: 4103,
        name: "EXPIREOP",
        meaning: "The operation has been overtaken by another one.",
    },
    WireCode {
        code: 4104,
        name: "PARAMS",
        meaning: "A field of the frame is missing, wrong, or the command is not offered.",
    },
    WireCode {
        code: 4105,
        name: "PERM_DENIED",
        meaning: "Not allowed: wrong login, not friends, not a member, or not the owner.",
    },
    WireCode {
        code: 4106,
        name: "ACCOUNT",
        meaning: "The account or room id is malformed or does not exist.",
    },
    WireCode {
        code: 4107,
        name: "INTERFACE",
        meaning: "The operation is not offered with this user system.",
    },
    WireCode {
        code: 4108,
        name: "CANCEL",
        meaning: "The room was cancelled.",
    },
    WireCode {
        code: 4109,
        name: "NOEXIST",
        meaning: "There is nothing to act on.",
    },
    WireCode {
        code: 4110,
        name: "BLOCK",
        meaning: "The other side has blocked the caller.",
    },
    WireCode {
        code: 4111,
        name: "OVERENTRY",
        meaning: "Too many devices are logged in to this account.",
    },
    WireCode {
        code: 4112,
        name: "MODIFYAUTH",
        meaning: "The password was not changed.",
    },
    WireCode {
        code: 4113,
        name: "FORMAT",
        meaning: "The JSON of the frame cannot be read.",
    },
    WireCode {
        code: 4114,
        name: "BIGDATA",
        meaning: "A big-data frame is longer than it says.",
    },
    WireCode {
        code: 4115,
        name: "TOKEN",
        meaning: "The login token is unknown, used, or has run out.",
    },
    WireCode {
        code: 4116,
        name: "PING",
        meaning: "Too many pings without an answer.",
    },
    WireCode {
        code: 4117,
        name: "REPEAT",
        meaning: "The operation has been done already.",
    },
    WireCode {
        code: 5101,
        name: "UNDEFINED",
        meaning: "An unexpected failure; the node's log has the cause.",
    },
    WireCode {
        code: 5102,
        name: "BLOCKHANDLE",
        meaning: "The operation is blocked just now.",
    },
    WireCode {
        code: 5103,
        name: "DATABASE",
        meaning: "The database did not take the operation; nothing was stored.",
    },
    WireCode {
        code: 5104,
        name: "OVERLOAD",
        meaning: "The node is at one of its limits; try again later.",
    },
    WireCode {
        code: 5105,
        name: "OVERHZ",
        meaning: "More frames than the client may send in a second.",
    },
];
