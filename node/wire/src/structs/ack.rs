//! The result of an operation.

use crate::wire_struct::wire_struct;
use crate::{Command, ErrorCode};

wire_struct! {
    /// Why an operation failed.
    #[derive(Debug)]
    pub struct TimError {
        /// One of [`ErrorCode`].
        optional 1 "code" code: i32,
        /// For people.
        optional 2 "info" info: String,
    }
}

wire_struct! {
    /// The result of an operation. What `t`, `n`, `t2` and `n2` mean depends on the command.
    #[derive(Debug)]
    pub struct TimAck {
        /// Whether it succeeded.
        required 1 "ok" ok: bool,
        /// The command it answers.
        required 2 "timType" tim_type: i8,
        /// Why not.
        optional 3 "error" error: TimError,
        /// A first number.
        optional 4 "t" t: i64,
        /// A first text, mostly an account or a room.
        optional 5 "n" n: String,
        /// A second number.
        optional 6 "t2" t2: i64,
        /// A second text.
        optional 7 "n2" n2: String,
    }
}

impl TimAck {
    /// Success.
    #[must_use]
    pub fn success(command: Command) -> Self {
        Self {
            ok: true,
            tim_type: command.tim_type(),
            ..Self::default()
        }
    }

    /// Failure of a known command, with the text of the reference.
    #[must_use]
    pub fn failure(command: Command, code: ErrorCode) -> Self {
        Self::failure_of(command.tim_type(), code.error())
    }

    /// Failure of any command number, also an unknown one.
    #[must_use]
    pub fn failure_of(tim_type: i8, error: TimError) -> Self {
        Self {
            ok: false,
            tim_type,
            error: Some(error),
            ..Self::default()
        }
    }
}
