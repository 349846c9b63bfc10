//! Reads the compact protocol from a byte slice.

use bytes::Bytes;

use super::{DEPTH_MAX, ELEMENT_MEMORY_BASE, ELEMENT_MEMORY_PER_BYTE, Kind};
use crate::DecodeError;

/// Number and kind of a field.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FieldHeader {
    /// The field's number in its struct.
    pub id: i16,
    /// What follows.
    pub kind: Kind,
}

/// A position in a payload. Every method either moves forward over what it returns or fails; after a
/// failure the reader is of no further use.
#[derive(Debug)]
pub struct Reader<'a> {
    bytes: &'a [u8],
    position: usize,
    /// The buffer behind `bytes`, so that binaries can share it instead of being copied.
    shared: Option<&'a Bytes>,
    depth: usize,
    element_memory_left: usize,
}

impl<'a> Reader<'a> {
    /// Reads a slice; binaries are copied out of it.
    #[must_use]
    pub fn new(bytes: &'a [u8]) -> Self {
        Self {
            bytes,
            position: 0,
            shared: None,
            depth: 0,
            element_memory_left: element_memory(bytes.len()),
        }
    }

    /// Reads a shared buffer; binaries stay slices of it.
    #[must_use]
    pub fn of_shared(bytes: &'a Bytes) -> Self {
        Self {
            shared: Some(bytes),
            ..Self::new(bytes)
        }
    }

    /// How many bytes were read.
    #[must_use]
    pub const fn position(&self) -> usize {
        self.position
    }

    fn remaining(&self) -> usize {
        self.bytes.len() - self.position
    }

    /// Enters a struct, a list or a map.
    pub(crate) fn enter(&mut self) -> Result<(), DecodeError> {
        if self.depth == DEPTH_MAX {
            return Err(DecodeError::Depth { limit: DEPTH_MAX });
        }
        self.depth += 1;
        Ok(())
    }

    /// Leaves what was entered last.
    pub(crate) fn leave(&mut self) {
        self.depth = self.depth.saturating_sub(1);
    }

    /// Books memory for one element about to be kept.
    pub(crate) fn charge(&mut self, memory: usize) -> Result<(), DecodeError> {
        match self.element_memory_left.checked_sub(memory) {
            Some(left) => {
                self.element_memory_left = left;
                Ok(())
            }
            None => Err(DecodeError::Memory {
                limit: element_memory(self.bytes.len()),
            }),
        }
    }

    /// One byte.
    ///
    /// # Errors
    /// At the end of the payload.
    pub fn byte(&mut self) -> Result<u8, DecodeError> {
        let byte = *self.bytes.get(self.position).ok_or(DecodeError::Truncated {
            position: self.position,
        })?;
        self.position += 1;
        Ok(byte)
    }

    fn take(&mut self, length: usize) -> Result<&'a [u8], DecodeError> {
        let end = self
            .position
            .checked_add(length)
            .filter(|end| *end <= self.bytes.len());
        let end = end.ok_or(DecodeError::Truncated {
            position: self.position,
        })?;
        let taken = &self.bytes[self.position..end];
        self.position = end;
        Ok(taken)
    }

    /// An unsigned LEB128 number.
    ///
    /// # Errors
    /// When it is cut off or longer than 64 bits.
    pub fn varint(&mut self) -> Result<u64, DecodeError> {
        let begin = self.position;
        let mut value = 0_u64;
        for shift in (0..64).step_by(7) {
            let byte = self.byte()?;
            let digit = u64::from(byte & 0x7f);
            if shift == 63 && digit > 1 {
                break;
            }
            value |= digit << shift;
            if byte & 0x80 == 0 {
                return Ok(value);
            }
        }
        Err(DecodeError::Varint { position: begin })
    }

    /// A zigzag number.
    ///
    /// # Errors
    /// As [`Self::varint`].
    pub fn i64(&mut self) -> Result<i64, DecodeError> {
        let raw = self.varint()?;
        Ok((raw >> 1).cast_signed() ^ -((raw & 1).cast_signed()))
    }

    /// A zigzag number that fits a smaller type.
    ///
    /// # Errors
    /// As [`Self::varint`], and when it does not fit.
    pub fn small<T: TryFrom<i64>>(&mut self) -> Result<T, DecodeError> {
        let begin = self.position;
        T::try_from(self.i64()?).map_err(|_| DecodeError::Varint { position: begin })
    }

    /// A length or count, of items that take at least `bytes_each` bytes: never more than what is left.
    fn length(&mut self, bytes_each: usize) -> Result<usize, DecodeError> {
        let begin = self.position;
        let length = self.varint()?;
        self.bounded(length, bytes_each, begin)
    }

    fn bounded(&self, length: u64, bytes_each: usize, begin: usize) -> Result<usize, DecodeError> {
        let remaining = self.remaining();
        usize::try_from(length)
            .ok()
            .filter(|length| length.saturating_mul(bytes_each) <= remaining)
            .ok_or(DecodeError::Length {
                length,
                position: begin,
                remaining,
            })
    }

    /// Raw bytes with their length in front.
    ///
    /// # Errors
    /// When the length is more than what is left.
    pub fn binary(&mut self) -> Result<&'a [u8], DecodeError> {
        let length = self.length(1)?;
        self.take(length)
    }

    /// Raw bytes to keep: a slice of the shared buffer, or a copy when there is none.
    ///
    /// # Errors
    /// As [`Self::binary`].
    pub fn binary_shared(&mut self) -> Result<Bytes, DecodeError> {
        let taken = self.binary()?;
        Ok(match self.shared {
            Some(shared) => shared.slice(self.position - taken.len()..self.position),
            None => Bytes::copy_from_slice(taken),
        })
    }

    /// Text.
    ///
    /// # Errors
    /// As [`Self::binary`], and when it is not UTF-8.
    pub fn text(&mut self) -> Result<&'a str, DecodeError> {
        let begin = self.position;
        std::str::from_utf8(self.binary()?).map_err(|_| DecodeError::Text { position: begin })
    }

    /// The header of the field after the one numbered `previous`, or nothing at the end of the struct.
    ///
    /// # Errors
    /// When it is cut off, has an unknown kind, or its number leaves the range of 16 bits.
    pub fn field(&mut self, previous: i16) -> Result<Option<FieldHeader>, DecodeError> {
        let begin = self.position;
        let byte = self.byte()?;
        if byte == 0 {
            return Ok(None);
        }
        let kind = self.kind(byte & 0x0f, begin)?;
        let id = match i16::from(byte >> 4) {
            0 => self.small()?,
            delta => previous
                .checked_add(delta)
                .ok_or(DecodeError::Varint { position: begin })?,
        };
        Ok(Some(FieldHeader { id, kind }))
    }

    fn kind(&self, code: u8, position: usize) -> Result<Kind, DecodeError> {
        Kind::from_code(code).ok_or(DecodeError::Kind { code, position })
    }

    /// The kind and number of a list's elements.
    ///
    /// # Errors
    /// When the list cannot be as long as it says.
    pub fn list(&mut self) -> Result<(Kind, usize), DecodeError> {
        let begin = self.position;
        let byte = self.byte()?;
        let kind = self.kind(byte & 0x0f, begin)?;
        let count = match byte >> 4 {
            15 => self.length(1)?,
            short => self.bounded(u64::from(short), 1, begin)?,
        };
        Ok((kind, count))
    }

    /// The kinds of a map's keys and values, and their number; nothing when it is empty.
    ///
    /// # Errors
    /// When the map cannot be as long as it says.
    pub fn map(&mut self) -> Result<Option<(Kind, Kind, usize)>, DecodeError> {
        let count = self.length(2)?;
        if count == 0 {
            return Ok(None);
        }
        let begin = self.position;
        let byte = self.byte()?;
        Ok(Some((
            self.kind(byte >> 4, begin)?,
            self.kind(byte & 0x0f, begin)?,
            count,
        )))
    }

    /// Moves over the value of a field.
    ///
    /// # Errors
    /// When the value is broken: its end would not be known.
    pub fn skip(&mut self, kind: Kind) -> Result<(), DecodeError> {
        match kind {
            Kind::True | Kind::False => Ok(()),
            Kind::I8 => self.byte().map(drop),
            Kind::I16 | Kind::I32 | Kind::I64 => self.varint().map(drop),
            Kind::Double => self.take(8).map(drop),
            Kind::Uuid => self.take(16).map(drop),
            Kind::Binary => self.binary().map(drop),
            Kind::List | Kind::Set => {
                let (element, count) = self.list()?;
                self.skip_elements(element, count)
            }
            Kind::Map => match self.map()? {
                Some((key, value, count)) => self.skip_pairs(key, value, count),
                None => Ok(()),
            },
            Kind::Struct => self.skip_struct(),
        }
    }

    pub(crate) fn skip_elements(&mut self, kind: Kind, count: usize) -> Result<(), DecodeError> {
        self.enter()?;
        for _ in 0..count {
            self.skip_element(kind)?;
        }
        self.leave();
        Ok(())
    }

    pub(crate) fn skip_pairs(&mut self, key: Kind, value: Kind, count: usize) -> Result<(), DecodeError> {
        self.enter()?;
        for _ in 0..count {
            self.skip_element(key)?;
            self.skip_element(value)?;
        }
        self.leave();
        Ok(())
    }

    /// In lists and maps a bool is a byte of its own; everything else is as in a field.
    fn skip_element(&mut self, kind: Kind) -> Result<(), DecodeError> {
        match kind {
            Kind::True | Kind::False => self.byte().map(drop),
            other => self.skip(other),
        }
    }

    fn skip_struct(&mut self) -> Result<(), DecodeError> {
        self.enter()?;
        let mut previous = 0;
        while let Some(header) = self.field(previous)? {
            previous = header.id;
            self.skip(header.kind)?;
        }
        self.leave();
        Ok(())
    }

    /// The bytes between two positions of this payload.
    pub(crate) fn between(&self, begin: usize, end: usize) -> &'a [u8] {
        self.bytes.get(begin..end).unwrap_or_default()
    }
}

const fn element_memory(payload_length: usize) -> usize {
    ELEMENT_MEMORY_BASE.saturating_add(payload_length.saturating_mul(ELEMENT_MEMORY_PER_BYTE))
}
