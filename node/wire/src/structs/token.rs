//! The token of a login, in the forms of all client generations.

use std::fmt;

use crate::json::{JsonValue, write_integer, write_text};
use crate::thrift::{Kind, Reader, ThriftValue, Writer};
use crate::{DecodeError, LoginToken};

/// What a client sent as its token: a number (2.0 clients), or text (2.1 clients), which may be a decimal
/// number as well.
#[derive(Clone, PartialEq, Eq)]
pub enum Token {
    /// Thrift i64 or JSON number.
    Number(i64),
    /// Thrift or JSON string.
    Text(String),
}

impl Token {
    /// Whether it stands for "no token": 0 or empty text, which some clients send.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        match self {
            Self::Number(number) => *number == 0,
            Self::Text(text) => text.is_empty(),
        }
    }

    /// The token that is meant, when it is one that [`LoginToken`] makes.
    #[must_use]
    pub fn login_token(&self) -> Option<LoginToken> {
        match self {
            Self::Number(number) => LoginToken::from_number(*number),
            Self::Text(text) => LoginToken::from_text(text),
        }
    }
}

/// A token is a secret: never shown.
impl fmt::Debug for Token {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("Token(…)")
    }
}

impl ThriftValue for Token {
    fn kind(&self) -> Kind {
        match self {
            Self::Number(_) => Kind::I64,
            Self::Text(_) => Kind::Binary,
        }
    }

    fn accepts(kind: Kind) -> bool {
        matches!(kind, Kind::I64 | Kind::Binary)
    }

    fn read(reader: &mut Reader<'_>, kind: Kind) -> Result<Option<Self>, DecodeError> {
        Ok(Some(match kind {
            Kind::I64 => Self::Number(reader.i64()?),
            _ => Self::Text(reader.text()?.to_owned()),
        }))
    }

    fn write(&self, writer: &mut Writer) {
        match self {
            Self::Number(number) => writer.i64(*number),
            Self::Text(text) => writer.binary(text.as_bytes()),
        }
    }
}

impl JsonValue for Token {
    fn write_json(&self, out: &mut Vec<u8>) {
        match self {
            Self::Number(number) => write_integer(out, *number),
            Self::Text(text) => write_text(out, text),
        }
    }

    fn from_integer(value: i64) -> Option<Self> {
        Some(Self::Number(value))
    }

    fn from_text(value: &str) -> Option<Self> {
        Some(Self::Text(value.to_owned()))
    }
}
