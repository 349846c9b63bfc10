//! Why bytes from the network are not what they claim to be.

use crate::ErrorCode;

/// A payload that cannot be read. Decoding changes no state, and the same bytes fail again.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum DecodeError {
    /// The payload ends inside a value.
    #[error("thrift: ends at byte {position}, in the middle of a value")]
    Truncated {
        /// Where the missing bytes should have begun.
        position: usize,
    },
    /// A length or an element count is larger than what is left of the payload.
    #[error("thrift: length {length} at byte {position} is more than the {remaining} bytes left")]
    Length {
        /// What was announced.
        length: u64,
        /// Where.
        position: usize,
        /// What is there.
        remaining: usize,
    },
    /// A number has more digits than its type can hold.
    #[error("thrift: number at byte {position} does not fit its type")]
    Varint {
        /// Where it begins.
        position: usize,
    },
    /// A type code the compact protocol does not have.
    #[error("thrift: unknown type code {code} at byte {position}")]
    Kind {
        /// The code.
        code: u8,
        /// Where.
        position: usize,
    },
    /// Text that is not UTF-8.
    #[error("thrift: text at byte {position} is not UTF-8")]
    Text {
        /// Where the text begins.
        position: usize,
    },
    /// Structs, lists or maps inside each other deeper than [`crate::thrift::DEPTH_MAX`].
    #[error("thrift: nested deeper than {limit}")]
    Depth {
        /// The limit.
        limit: usize,
    },
    /// Many tiny elements that would take far more memory than the frame has bytes.
    #[error("thrift: would take more than {limit} bytes of memory")]
    Memory {
        /// The limit for a payload of this length.
        limit: usize,
    },
    /// Not JSON, or not an object.
    #[error("json: {reason}")]
    Json {
        /// What the parser says; names a line and a column, no content.
        reason: String,
    },
    /// A frame without a command byte, or a confirmation without its sync id.
    #[error("frame of {length} bytes is too short")]
    FrameTooShort {
        /// Its length.
        length: usize,
    },
}

impl DecodeError {
    /// The code the reference answers with: 4113 for broken JSON, else 4104 (section 5).
    #[must_use]
    pub const fn wire_code(&self) -> ErrorCode {
        match self {
            Self::Json { .. } => ErrorCode::Format,
            _ => ErrorCode::Parameters,
        }
    }
}
