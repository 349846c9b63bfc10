//! The error codes that clients know by number, with the texts of the reference server (section 7).

use crate::structs::TimError;

/// Why an operation failed, as told in `TimAck.error`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[repr(i32)]
pub enum ErrorCode {
    /// It exists already.
    HasExist = 4101,
    /// Wrong password when asking for a token.
    NoPass = 4102,
    /// The operation came too late.
    ExpireOperation = 4103,
    /// A parameter is missing or wrong; also any unknown command.
    Parameters = 4104,
    /// Not allowed; clients call it `ERR_AUTH`.
    PermissionDenied = 4105,
    /// No such account, or not a well-formed account id.
    Account = 4106,
    /// The operation is not offered here.
    Interface = 4107,
    /// The object was cancelled.
    Cancelled = 4108,
    /// The object does not exist.
    NotExist = 4109,
    /// Blocked by the other side.
    Blocked = 4110,
    /// Too many: sessions of one account, entries of a list.
    OverEntry = 4111,
    /// The password was not changed.
    ModifyPassword = 4112,
    /// The payload cannot be read.
    Format = 4113,
    /// A big-data frame is longer than it says.
    BigData = 4114,
    /// Unknown, used or expired token.
    Token = 4115,
    /// Wrong number of pings.
    Ping = 4116,
    /// It was done before.
    Repeated = 4117,
    /// Anything without a code of its own.
    Undefined = 5101,
    /// The operation is held up.
    BlockHandle = 5102,
    /// The database could not do it.
    Database = 5103,
    /// The server is too busy.
    Overload = 5104,
    /// The client is too fast.
    OverFrequency = 5105,
}

impl ErrorCode {
    /// Every code, ascending.
    pub const ALL: [Self; 22] = [
        Self::HasExist,
        Self::NoPass,
        Self::ExpireOperation,
        Self::Parameters,
        Self::PermissionDenied,
        Self::Account,
        Self::Interface,
        Self::Cancelled,
        Self::NotExist,
        Self::Blocked,
        Self::OverEntry,
        Self::ModifyPassword,
        Self::Format,
        Self::BigData,
        Self::Token,
        Self::Ping,
        Self::Repeated,
        Self::Undefined,
        Self::BlockHandle,
        Self::Database,
        Self::Overload,
        Self::OverFrequency,
    ];

    /// The code of that number, if it is one of ours.
    #[must_use]
    pub fn from_number(number: i32) -> Option<Self> {
        Self::ALL.into_iter().find(|code| code.number() == number)
    }

    /// Its number on the wire.
    #[must_use]
    pub const fn number(self) -> i32 {
        self as i32
    }

    /// The text the reference sends with it.
    #[must_use]
    pub const fn info(self) -> &'static str {
        match self {
            Self::HasExist => "has exist",
            Self::NoPass => "no pass",
            Self::ExpireOperation => "expire operate",
            Self::Parameters => "parameter incorrect",
            Self::PermissionDenied => "permission denied",
            Self::Account => "account incorrect",
            Self::Interface => "interface incorrect",
            Self::Cancelled => "must not be a cancle object",
            Self::NotExist => "must not be a no exist object",
            Self::Blocked => "blocked object",
            Self::OverEntry => "over entry",
            Self::ModifyPassword => "modify password failed",
            Self::Format => "format error",
            Self::BigData => "big data error",
            Self::Token => "error token",
            Self::Ping => "error ping count",
            Self::Repeated => "error repetitive operation",
            Self::Undefined => "undefined error",
            Self::BlockHandle => "blocking operation",
            Self::Database => "database error",
            Self::Overload => "heavy server load",
            Self::OverFrequency => "freq out of limit",
        }
    }

    /// The error object with the reference's text.
    #[must_use]
    pub fn error(self) -> TimError {
        self.error_with(self.info())
    }

    /// The error object with a text of our own, which begins with the `TIM-` code of the cause.
    #[must_use]
    pub fn error_with(self, info: impl Into<String>) -> TimError {
        TimError {
            code: Some(self.number()),
            info: Some(info.into()),
        }
    }

    /// Whether the same request may succeed later without any change by the sender.
    #[must_use]
    pub const fn is_temporary(self) -> bool {
        matches!(
            self,
            Self::BlockHandle | Self::Database | Self::Overload | Self::OverFrequency
        )
    }
}
