//! Random numbers for the pure cores, which have none of their own.

use rand::Rng;
use tim_core::id::{MessageKey, SessionId};

/// 64 random bits.
pub(crate) fn number() -> u64 {
    rand::rng().random()
}

/// Bytes for keys and nonces.
pub(crate) fn bytes<const LENGTH: usize>() -> [u8; LENGTH] {
    let mut bytes = [0; LENGTH];
    rand::rng().fill(&mut bytes[..]);
    bytes
}

/// The identity of a new message: the millisecond in front, as in a UUID of version 7, so that the databases' index over
/// these keys grows at its end instead of everywhere; the rest is random.
pub(crate) fn message_key() -> MessageKey {
    let mut key: [u8; 16] = bytes();
    let [_, _, time @ ..] = crate::clock::wall_ms().to_be_bytes();
    for (byte, of_time) in key.iter_mut().zip(time) {
        *byte = of_time;
    }
    MessageKey(key)
}

/// The identity of a new session; never zero.
pub(crate) fn session_id() -> SessionId {
    SessionId(number().max(1))
}

/// A wait between half and one and a half of `middle_ms`, so that many do not act at once.
pub(crate) fn jittered_ms(middle_ms: u64) -> u64 {
    middle_ms / 2 + rand::rng().random_range(0..=middle_ms)
}
