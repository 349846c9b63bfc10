//! Connections of the server API: bytes in pieces, whose size the first of them chooses, until something is no call.
#![no_main]

use bytes::{Bytes, BytesMut};
use libfuzzer_sys::fuzz_target;
use tim_wire::server_api::{Call, Message, MessageKind, Scanner};

const LIMIT: usize = 64 << 10;

fuzz_target!(|bytes: &[u8]| {
    let Some((piece, bytes)) = bytes.split_first() else {
        return;
    };
    let mut scanner = Scanner::new(LIMIT);
    let mut received = BytesMut::new();
    for piece in bytes.chunks(usize::from(*piece).max(1)) {
        received.extend_from_slice(piece);
        loop {
            match scanner.scan(&received) {
                Ok(Some(length)) => message(received.split_to(length).freeze()),
                Ok(None) => break,
                Err(_) => return,
            }
            if received.is_empty() {
                break;
            }
        }
    }
});

/// A whole message has a head, and arguments that can be read come back as they were.
fn message(bytes: Bytes) {
    assert!(bytes.len() <= LIMIT);
    let message = Message::read(&bytes).expect("its end was found behind its head");
    let Ok(Some(call)) = Call::read(&message.name, &message.body) else {
        return;
    };
    let again = Message {
        kind: MessageKind::Call,
        sequence: message.sequence,
        name: call.name().to_owned(),
        body: call.arguments(),
    };
    let whole = again.to_bytes();
    assert_eq!(Scanner::new(usize::MAX).scan(&whole), Ok(Some(whole.len())));
    assert_eq!(Call::read(&again.name, &again.body), Ok(Some(call)));
}
