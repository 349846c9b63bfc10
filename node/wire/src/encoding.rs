//! The two encodings a payload can have.

/// How a payload is written. From a client it is chosen per frame; towards a client it is fixed by the
/// frame that logged in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum Encoding {
    /// Apache Thrift compact protocol, a bare struct.
    #[default]
    Thrift,
    /// UTF-8 JSON of the same struct, binaries as base64.
    Json,
}

impl Encoding {
    /// Both, in the order of their index.
    pub const ALL: [Self; 2] = [Self::Thrift, Self::Json];

    /// A small number to index per-encoding caches with.
    #[must_use]
    pub const fn index(self) -> usize {
        match self {
            Self::Thrift => 0,
            Self::Json => 1,
        }
    }
}
