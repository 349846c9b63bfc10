//! Stored message bodies, completed for delivery: splicing and decoding must agree.
#![no_main]

use bytes::Bytes;
use libfuzzer_sys::fuzz_target;
use tim_wire::{Encoding, MessageBody, MessageStamp, Tid, TimMessage, WireStruct};

fuzz_target!(|bytes: &[u8]| {
    let Ok(body) = MessageBody::from_bytes(Bytes::copy_from_slice(bytes)) else {
        return;
    };
    let _ = body.kind();
    let stamp = MessageStamp { id: Some(1), mid: Some(2), from_tid: Some(Tid::of("a")), ..Default::default() };
    let spliced = body.payload(&stamp, Encoding::Thrift);
    assert!(spliced.is_ok(), "a body that was accepted cannot be delivered");
    let Ok(message) = TimMessage::decode_payload(body.as_bytes(), Encoding::Thrift) else {
        return;
    };
    // Only for bodies that were made by `split` is more promised.
    let (body, _) = MessageBody::split(message);
    let spliced = body.payload(&stamp, Encoding::Thrift);
    let filled_in = body.message(stamp).map(|message| message.encode_payload(Encoding::Thrift));
    assert_eq!(spliced, filled_in);
});
