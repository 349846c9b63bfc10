//! What can go wrong, and what to do then.

use tim_wire::{ErrorCode, TimAck};

use crate::Address;

/// What the caller of a failed operation should do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Advice {
    /// The same again, after a moment, may succeed.
    RetryLater,
    /// Nobody knows whether it happened: only a repetition with the same message id is safe.
    RetryWithSameId,
    /// The same again fails again.
    DoNotRetry,
}

/// The server's reason for saying no.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{number}: {info}")]
pub struct Rejection {
    /// The code of the protocol.
    pub number: i32,
    /// The server's text; of this project's servers it begins with a `TIM-` code.
    pub info: String,
}

impl Rejection {
    pub(crate) fn of(ack: &TimAck) -> Self {
        let error = ack.error.clone().unwrap_or_default();
        let number = error.code.unwrap_or(ErrorCode::Undefined.number());
        Self {
            number,
            info: error.info.unwrap_or_else(|| "no reason given".to_owned()),
        }
    }

    /// The code, if it is one of the protocol's.
    #[must_use]
    pub fn code(&self) -> Option<ErrorCode> {
        ErrorCode::from_number(self.number)
    }

    /// What to do.
    #[must_use]
    pub fn advice(&self) -> Advice {
        match self.code() {
            Some(code) if code.is_temporary() => Advice::RetryLater,
            _ => Advice::DoNotRetry,
        }
    }
}

/// A connection or a login that failed. No state was changed at the server.
#[derive(Debug, thiserror::Error)]
pub enum ConnectError {
    /// The options name no address. Retrying does not help.
    #[error("no address was given")]
    NoAddress,
    /// A `wss` address without anybody to trust. Retrying does not help.
    #[error("{address} needs TLS, and no trusted certificates were given")]
    NoTrust {
        /// The address.
        address: Address,
    },
    /// Nobody answers there, or the certificate is refused. May be retried.
    #[error("{address}: {source}")]
    Unreachable {
        /// The address.
        address: Address,
        /// Why.
        source: std::io::Error,
    },
    /// It does not speak WebSocket there, or refuses to. May be retried.
    #[error("{address}: {reason}")]
    Handshake {
        /// The address.
        address: Address,
        /// Why.
        reason: String,
    },
    /// It took longer than allowed. May be retried.
    #[error("{address}: no {step} within {} s", limit.as_secs_f32())]
    Timeout {
        /// The address.
        address: Address,
        /// What was awaited.
        step: &'static str,
        /// The limit.
        limit: std::time::Duration,
    },
    /// The server knows better. Retrying helps as [`Rejection::advice`] says, and after a full house (4111).
    #[error("login refused: {0}")]
    LoginRefused(Rejection),
}

impl ConnectError {
    /// Whether another attempt, here or elsewhere, may succeed.
    #[must_use]
    pub fn may_heal(&self) -> bool {
        match self {
            Self::NoAddress | Self::NoTrust { .. } => false,
            Self::Unreachable { .. } | Self::Handshake { .. } | Self::Timeout { .. } => true,
            // A session that died unseen still counts for a while.
            Self::LoginRefused(rejection) => {
                rejection.advice() == Advice::RetryLater || rejection.code() == Some(ErrorCode::OverEntry)
            }
        }
    }
}

/// A registration or a token request that failed.
#[derive(Debug, thiserror::Error)]
pub enum AccountError {
    /// No connection; nothing was changed. May be retried.
    #[error(transparent)]
    Connect(#[from] ConnectError),
    /// The connection broke, or did not end in time: the account may exist. A repetition tells, by 4101.
    #[error("{address}: {reason}")]
    Broken {
        /// The address.
        address: Address,
        /// Why.
        reason: String,
    },
    /// What answers there is not a tim server. Retrying does not help.
    #[error("{address} does not answer as a tim server: {reason}")]
    NotTim {
        /// The address.
        address: Address,
        /// What it answered.
        reason: String,
    },
    /// The server said no; nothing was changed.
    #[error("refused: {0}")]
    Refused(Rejection),
}

/// A message without its echo.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SendError {
    /// The server did not take it.
    #[error("rejected: {0}")]
    Rejected(Rejection),
    /// The connection is gone; of a live message nothing is kept.
    #[error("not connected")]
    Disconnected,
    /// No outcome in time: it may or may not have been stored.
    #[error("no outcome within the time limit")]
    Timeout,
    /// The client was closed before an outcome: it may or may not have been stored.
    #[error("the client is closed")]
    Closed,
    /// Larger than frames may be; nothing was sent.
    #[error("{length} bytes are more than the {limit} a frame may have")]
    TooLarge {
        /// Its length.
        length: usize,
        /// The limit.
        limit: usize,
    },
}

impl SendError {
    /// What to do.
    #[must_use]
    pub fn advice(&self) -> Advice {
        match self {
            Self::Rejected(rejection) => rejection.advice(),
            Self::Disconnected => Advice::RetryLater,
            Self::Timeout | Self::Closed => Advice::RetryWithSameId,
            Self::TooLarge { .. } => Advice::DoNotRetry,
        }
    }
}

/// A question without an answer. Nothing was changed by it; all but a rejection may be retried.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum RequestError {
    /// The server refused to answer.
    #[error("rejected: {0}")]
    Rejected(Rejection),
    /// The connection broke first.
    #[error("not connected")]
    Disconnected,
    /// No answer in time.
    #[error("no answer within the time limit")]
    Timeout,
    /// The client is closed.
    #[error("the client is closed")]
    Closed,
}

/// Why a client ended.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CloseReason {
    /// The application wanted it.
    #[error("closed by the application")]
    ByApplication,
    /// An administrator logged the account out; a client should not come back by itself.
    #[error("logged out by the server")]
    ForcedLogout,
    /// Coming back is not wanted, not possible, or did not work.
    #[error("connection lost: {0}")]
    Lost(String),
}
