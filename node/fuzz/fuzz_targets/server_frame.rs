//! What a server sends to our client library.
#![no_main]

use bytes::Bytes;
use libfuzzer_sys::fuzz_target;
use tim_wire::ServerFrame;
use tim_wire::frame::server_frame;

fuzz_target!(|bytes: &[u8]| {
    let Ok(frame) = ServerFrame::parse(Bytes::copy_from_slice(bytes)) else {
        assert!(bytes.len() < 5);
        return;
    };
    if let Some(command) = frame.command() {
        assert_eq!(server_frame(command, frame.sync_id, &frame.payload), bytes);
    }
});
