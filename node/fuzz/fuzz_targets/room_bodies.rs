//! What makes or changes a room, chosen by the first byte: what can be read comes back when it is written.
#![no_main]

use bytes::Bytes;
use libfuzzer_sys::fuzz_target;
use tim_core::conversation::{RoomBody, RoomChange, RoomCreation};

fuzz_target!(|bytes: &[u8]| {
    let Some((kind, bytes)) = bytes.split_first() else {
        return;
    };
    let body = Bytes::copy_from_slice(bytes);
    if kind % 2 == 0 {
        if let Some(made) = RoomCreation::from_body(&body) {
            assert_eq!(RoomCreation::from_body(&made.to_body()), Some(made));
        }
    } else if let Some(change) = RoomChange::from_body(&body) {
        assert_eq!(RoomChange::from_body(&change.to_body()), Some(change));
    }
});
