//! The subset of Apache Thrift's compact protocol that tim uses: a bare struct in a buffer.
//!
//! Written for hostile input: no length from the wire is believed before the bytes are there, nesting is
//! limited, and memory is limited by the payload's length. What is unknown or has another type than
//! expected is skipped, which is what lets client generations mix.

mod kind;
mod raw;
mod reader;
mod value;
mod writer;

#[cfg(test)]
mod tests;

pub use kind::Kind;
pub use raw::{RawField, RawFields};
pub use reader::{FieldHeader, Reader};
pub(crate) use value::ThriftValue;
pub use writer::Writer;

/// How deep structs, lists and maps may be inside each other. tim's own structs need four.
pub const DEPTH_MAX: usize = 16;

/// Memory for list and map elements that every payload may use, in bytes.
pub const ELEMENT_MEMORY_BASE: usize = 1 << 20;

/// Memory for list and map elements per byte of payload. A profile with only its creation time is 25 bytes
/// on the wire and some 350 in memory, so honest payloads stay below this.
pub const ELEMENT_MEMORY_PER_BYTE: usize = 32;
