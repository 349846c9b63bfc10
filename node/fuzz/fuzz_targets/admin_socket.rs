//! Frames of the administrators' WebSocket. What can be read comes back from its bytes.
#![no_main]

use bytes::Bytes;
use libfuzzer_sys::fuzz_target;
use tim_wire::server_api::SocketFrame;

fuzz_target!(|bytes: &[u8]| {
    if let Ok(frame) = SocketFrame::read(&Bytes::copy_from_slice(bytes)) {
        assert_eq!(SocketFrame::read(&frame.to_bytes()), Ok(frame));
    }
});
