//! Writes the compact protocol.

use super::Kind;

/// A payload being written.
#[derive(Debug, Default)]
pub struct Writer {
    bytes: Vec<u8>,
}

impl Writer {
    /// An empty payload.
    #[must_use]
    pub const fn new() -> Self {
        Self { bytes: Vec::new() }
    }

    /// An empty payload with room for `capacity` bytes.
    #[must_use]
    pub fn with_capacity(capacity: usize) -> Self {
        Self {
            bytes: Vec::with_capacity(capacity),
        }
    }

    /// What was written.
    #[must_use]
    pub fn into_bytes(self) -> Vec<u8> {
        self.bytes
    }

    /// One byte.
    pub fn byte(&mut self, byte: u8) {
        self.bytes.push(byte);
    }

    /// Bytes as they are.
    pub fn raw(&mut self, bytes: &[u8]) {
        self.bytes.extend_from_slice(bytes);
    }

    /// An unsigned LEB128 number.
    pub fn varint(&mut self, mut value: u64) {
        while value >= 0x80 {
            self.byte((value & 0x7f) as u8 | 0x80);
            value >>= 7;
        }
        self.byte(value as u8);
    }

    /// A zigzag number of any width.
    pub fn i64(&mut self, value: i64) {
        self.varint(((value << 1) ^ (value >> 63)).cast_unsigned());
    }

    /// Bytes with their length in front.
    pub fn binary(&mut self, bytes: &[u8]) {
        self.varint(bytes.len() as u64);
        self.raw(bytes);
    }

    /// The header of field `id` after the one numbered `previous`.
    pub fn field(&mut self, previous: i16, id: i16, kind: Kind) {
        match i32::from(id) - i32::from(previous) {
            delta @ 1..=15 => self.byte((delta as u8) << 4 | kind.code()),
            _ => {
                self.byte(kind.code());
                self.i64(i64::from(id));
            }
        }
    }

    /// The end of a struct.
    pub fn stop(&mut self) {
        self.byte(0);
    }

    /// The beginning of a list.
    pub fn list(&mut self, kind: Kind, count: usize) {
        if count < 15 {
            self.byte((count as u8) << 4 | kind.code());
        } else {
            self.byte(0xf0 | kind.code());
            self.varint(count as u64);
        }
    }

    /// The beginning of a map.
    pub fn map(&mut self, key: Kind, value: Kind, count: usize) {
        self.varint(count as u64);
        if count > 0 {
            self.byte(key.code() << 4 | value.code());
        }
    }
}
