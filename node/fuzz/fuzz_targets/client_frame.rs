//! What a client sends: any frame is read or refused.
#![no_main]

use bytes::Bytes;
use libfuzzer_sys::fuzz_target;
use tim_wire::ClientFrame;
use tim_wire::frame::client_frame;

fuzz_target!(|bytes: &[u8]| {
    let Ok(frame) = ClientFrame::parse(Bytes::copy_from_slice(bytes)) else {
        assert!(bytes.is_empty());
        return;
    };
    if let Some(command) = frame.command() {
        assert_eq!(client_frame(command, frame.encoding, &frame.payload), bytes);
    }
    let _ = frame.request();
});
