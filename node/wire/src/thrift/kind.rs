//! The type codes of the compact protocol.

/// What follows a field header, or what a list holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub enum Kind {
    /// A bool whose value, true, is in the header.
    True = 1,
    /// A bool whose value, false, is in the header.
    False = 2,
    /// One raw byte.
    I8 = 3,
    /// Zigzag varint.
    I16 = 4,
    /// Zigzag varint.
    I32 = 5,
    /// Zigzag varint.
    I64 = 6,
    /// Eight bytes.
    Double = 7,
    /// Varint length, then bytes; text is UTF-8.
    Binary = 8,
    /// Elements of one kind.
    List = 9,
    /// As a list.
    Set = 10,
    /// Pairs.
    Map = 11,
    /// Fields up to a stop byte.
    Struct = 12,
    /// Sixteen bytes.
    Uuid = 13,
}

impl Kind {
    /// The kind of that code, if it exists.
    #[must_use]
    pub const fn from_code(code: u8) -> Option<Self> {
        Some(match code {
            1 => Self::True,
            2 => Self::False,
            3 => Self::I8,
            4 => Self::I16,
            5 => Self::I32,
            6 => Self::I64,
            7 => Self::Double,
            8 => Self::Binary,
            9 => Self::List,
            10 => Self::Set,
            11 => Self::Map,
            12 => Self::Struct,
            13 => Self::Uuid,
            _ => return None,
        })
    }

    /// Its code.
    #[must_use]
    pub const fn code(self) -> u8 {
        self as u8
    }
}
