//! The JSON form of the structs (section 6): forgiving in what it reads, plain in what it writes.
//!
//! A member of the wrong type is left out and the others are kept, as clients of the reference rely on;
//! text that is not JSON at all is an error.

mod lenient;
mod value;
mod writer;

#[cfg(test)]
mod tests;

pub(crate) use lenient::{Lenient, read};
pub(crate) use value::JsonValue;
pub(crate) use writer::{ObjectWriter, write_integer, write_text};
