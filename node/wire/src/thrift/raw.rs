//! Walks over the fields of an encoded struct without decoding their values, so that a stored struct can
//! be completed by copying.

use super::{FieldHeader, Kind, Reader};
use crate::DecodeError;

/// One field, its value still encoded.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RawField<'a> {
    /// The field's number.
    pub id: i16,
    /// The kind of its value; a bool's value is in here.
    pub kind: Kind,
    /// The encoded value.
    pub value: &'a [u8],
}

/// The fields of one encoded struct, in the order written.
#[derive(Debug)]
pub struct RawFields<'a> {
    reader: Reader<'a>,
    previous: i16,
}

impl<'a> RawFields<'a> {
    /// Walks over an encoded struct.
    #[must_use]
    pub fn new(bytes: &'a [u8]) -> Self {
        Self {
            reader: Reader::new(bytes),
            previous: 0,
        }
    }

    /// The next field, or nothing at the end of the struct.
    ///
    /// # Errors
    /// When the bytes are not a struct.
    pub fn next_field(&mut self) -> Result<Option<RawField<'a>>, DecodeError> {
        let Some(FieldHeader { id, kind }) = self.reader.field(self.previous)? else {
            return Ok(None);
        };
        self.previous = id;
        let begin = self.reader.position();
        self.reader.skip(kind)?;
        Ok(Some(RawField {
            id,
            kind,
            value: self.reader.between(begin, self.reader.position()),
        }))
    }
}
