//! What callers of the two older interfaces are told: the same answers, for which each interface has a struct of its own.

use super::problem::Problem;
use tim_core::id::AccountId;
use tim_wire::server_api::AdmAck;
use tim_wire::{Command, ErrorCode, LoginToken, TimAck};

/// An answer that is no list.
#[derive(Debug)]
pub(super) enum Ack {
    /// It is done, or so.
    Done,
    /// It is done, to whatever has this id or name.
    Named(String),
    /// A login token of an account.
    Token(AccountId, LoginToken),
    /// Name and password are nobody's.
    WrongPassword,
    /// It is not so.
    No,
    /// It is not done.
    Refused(ErrorCode, String),
}

impl Ack {
    pub(super) fn named(name: &str) -> Self {
        Self::Named(name.to_owned())
    }

    /// So many accounts were to be told something; those that were not, and why. A repetition with the same `message.id`
    /// doubles nothing.
    pub(super) fn of_untold(count: usize, mut untold: Vec<(AccountId, Problem)>) -> Self {
        let left = untold.len();
        let Some((_, problem)) = untold.pop() else {
            return Self::Done;
        };
        // There is no place for who was told.
        let (code, text) = problem.wire();
        Self::Refused(
            code,
            format!("{text} ({} of {count} accounts were told)", count - left),
        )
    }
}

impl From<&Problem> for Ack {
    fn from(problem: &Problem) -> Self {
        let (code, text) = problem.wire();
        Self::Refused(code, text)
    }
}

impl From<Ack> for AdmAck {
    fn from(ack: Ack) -> Self {
        let done = Self {
            ok: Some(true),
            ..Self::default()
        };
        let refused = |code: ErrorCode, text: Option<String>| Self {
            ok: Some(false),
            errcode: Some(code.number()),
            // The struct has no other place for words, and who succeeded finds an id there.
            n2: text,
            ..Self::default()
        };
        match ack {
            Ack::Done => done,
            Ack::Named(name) => Self {
                n: Some(name),
                ..done
            },
            Ack::Token(account, token) => Self {
                tim_type: Some(Command::Token.tim_type()),
                t: Some(token.number()),
                n: Some(account.as_str().to_owned()),
                n2: Some(token.text()),
                ..done
            },
            Ack::WrongPassword => refused(ErrorCode::NoPass, Some(ErrorCode::NoPass.info().to_owned())),
            Ack::No => refused(ErrorCode::PermissionDenied, None),
            Ack::Refused(code, text) => refused(code, Some(text)),
        }
    }
}

impl From<Ack> for TimAck {
    fn from(ack: Ack) -> Self {
        let done = Self {
            ok: true,
            ..Self::default()
        };
        match ack {
            Ack::Done => done,
            Ack::Named(name) => Self {
                n: Some(name),
                ..done
            },
            Ack::Token(account, token) => Self {
                t: Some(token.number()),
                n: Some(account.as_str().to_owned()),
                n2: Some(token.text()),
                ..Self::success(Command::Token)
            },
            Ack::WrongPassword => Self::failure(Command::Token, ErrorCode::NoPass),
            Ack::No => Self::failure_of(0, ErrorCode::PermissionDenied.error()),
            Ack::Refused(code, text) => Self::failure_of(0, code.error_with(text)),
        }
    }
}
