//! How the group writes things down: JSON, by field name, so that versions N and N-1 read each other.

use serde::Serialize;
use serde::de::DeserializeOwned;
use std::io;

/// Version of what goes between members.
pub(super) const VERSION: u32 = 1;

pub(super) fn encode(value: &impl Serialize) -> io::Result<Vec<u8>> {
    serde_json::to_vec(value).map_err(io::Error::other)
}

pub(super) fn decode<T: DeserializeOwned>(bytes: &[u8]) -> io::Result<T> {
    serde_json::from_slice(bytes).map_err(|error| io::Error::new(io::ErrorKind::InvalidData, error))
}
