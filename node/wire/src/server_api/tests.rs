//! Calls come back from their bytes, whatever the pieces; and the end of a message is where a reader of the whole finds it.

use bytes::Bytes;
use proptest::prelude::*;
use rand::SeedableRng as _;
use rand::rngs::StdRng;

use super::*;
use crate::thrift::{Kind, Reader, Writer};

const LIMIT: usize = 1 << 20;

fn message(call: &Call, sequence: u32) -> Message {
    Message {
        kind: MessageKind::Call,
        sequence,
        name: call.name().to_owned(),
        body: call.arguments(),
    }
}

#[test]
fn a_call_is_written_as_the_specification_says() {
    let auth = Call::Auth(AuthBean {
        username: Some("root".to_owned()),
        ..AuthBean::default()
    });
    let wanted = [
        &[0x82, 0x21, 5, 4][..],
        b"Auth",
        &[0x1c, 0x18, 4],
        b"root",
        &[0, 0],
    ];
    assert_eq!(message(&auth, 5).to_bytes(), wanted.concat());
    let reply = message(&auth, 5).reply(&AdmAck {
        ok: Some(true),
        ..AdmAck::default()
    });
    // Number 0 has no short form.
    let wanted = [&[0x82, 0x41, 5, 4][..], b"Auth", &[0x0c, 0, 0x11, 0, 0]];
    assert_eq!(reply.to_bytes(), wanted.concat());
    assert_eq!(result::<AdmAck>(&reply.body).unwrap().unwrap().ok, Some(true));
}

#[test]
fn an_unknown_method_is_none() {
    assert_eq!(Call::read("Nothing", &Bytes::from_static(&[0])), Ok(None));
    assert_eq!(
        Call::read("Ping", &Bytes::from_static(&[0])),
        Ok(Some(Call::Ping))
    );
}

#[test]
fn what_is_no_message_is_refused_at_its_first_bytes() {
    for (bytes, wanted) in [
        (&b"GET / HTTP/1.1"[..], "begins with 0x47"),
        (&[0x82, 0x22, 0, 0], "begins with 0x82 0x22"),
        (&[0x82, 0x01, 0, 0], "begins with 0x82 0x01"),
        (&[0x82, 0x21, 0, 0xff, 0x01], "255 bytes"),
        (&[0x82, 0x21, 0, 1, b'a', 0x1e], "unknown type code 14"),
    ] {
        let told = Scanner::new(LIMIT).scan(bytes).unwrap_err().to_string();
        assert!(told.contains(wanted), "{told}");
    }
}

#[test]
fn size_and_depth_are_limited_before_the_bytes_are_there() {
    let begin = [0x82, 0x21, 0, 1, b'a'];
    let text = [&begin[..], &[0x18, 0xff, 0xff, 0x7f], &[b'x'; 40]].concat();
    assert_eq!(
        Scanner::new(32).scan(&text),
        Err(ProtocolError::TooLarge { limit: 32 })
    );
    let deep = [&begin[..], &[0x1c; 40]].concat();
    assert!(matches!(
        Scanner::new(LIMIT).scan(&deep),
        Err(ProtocolError::Content(DecodeError::Depth { .. }))
    ));
}

#[test]
fn the_next_message_begins_behind_the_first() {
    let (ping, list) = (
        message(&Call::Ping, 1).to_bytes(),
        message(&Call::SysBlockList, 2).to_bytes(),
    );
    let both = [&ping[..], &list].concat();
    let mut scanner = Scanner::new(LIMIT);
    assert_eq!(scanner.scan(&both), Ok(Some(ping.len())));
    assert_eq!(scanner.scan(&both[ping.len()..]), Ok(Some(list.len())));
}

/// Strange fields of every kind, between and around those of a call.
fn strange(seed: u8) -> Bytes {
    let mut writer = Writer::new();
    writer.field(0, 1000, Kind::Map);
    writer.map(Kind::Binary, Kind::List, 2);
    for text in ["a", "longer than fifteen bytes"] {
        writer.binary(text.as_bytes());
        writer.list(Kind::True, usize::from(seed % 40));
        writer.raw(&vec![1; usize::from(seed % 40)]);
    }
    writer.field(1000, 1001, Kind::Set);
    writer.list(Kind::Struct, 2);
    writer.field(0, 1, Kind::Double);
    writer.raw(&[7; 8]);
    writer.stop();
    writer.stop();
    writer.field(1001, 1002, Kind::Uuid);
    writer.raw(&[9; 16]);
    writer.field(1002, 1003, Kind::Map);
    writer.map(Kind::I32, Kind::Struct, 0);
    writer.stop();
    writer.into_bytes().into()
}

fn in_pieces(bytes: &[u8], piece: usize) -> Option<usize> {
    let mut scanner = Scanner::new(LIMIT);
    for end in (piece..bytes.len()).step_by(piece) {
        if let Some(length) = scanner.scan(&bytes[..end]).unwrap() {
            return Some(length);
        }
    }
    scanner.scan(bytes).unwrap()
}

proptest! {
    #[test]
    fn every_call_comes_back_in_any_pieces(seed: u64, sequence: u32, piece in 1_usize..40) {
        for call in Call::samples(&mut StdRng::seed_from_u64(seed)) {
            let bytes = message(&call, sequence).to_bytes();
            let more = [&bytes[..], b"more"].concat();
            prop_assert_eq!(in_pieces(&more, piece), Some(bytes.len()));
            let read = Message::read(&bytes).unwrap();
            prop_assert_eq!((read.kind, read.sequence), (MessageKind::Call, sequence));
            prop_assert_eq!(Call::read(&read.name, &read.body), Ok(Some(call)));
        }
    }

    #[test]
    fn the_end_is_where_a_reader_finds_it(seed: u8, piece in 1_usize..40) {
        let body = strange(seed);
        let whole = body.clone();
        let mut reader = Reader::new(&whole);
        reader.skip(Kind::Struct).unwrap();
        let strange = Message { kind: MessageKind::OneWay, sequence: 0, name: String::new(), body };
        let bytes = strange.to_bytes();
        prop_assert_eq!(in_pieces(&bytes, piece), Some(bytes.len()));
        prop_assert_eq!(reader.position(), bytes.len() - 4);
    }

    #[test]
    fn whatever_comes_is_looked_at_without_harm(bytes: Vec<u8>, piece in 1_usize..20) {
        let bytes = [&[0x82, 0x21, 0, 0][..], &bytes].concat();
        let mut scanner = Scanner::new(LIMIT);
        for end in (1..=bytes.len()).step_by(piece) {
            match scanner.scan(&bytes[..end]) {
                Ok(None) => {}
                Ok(Some(length)) => {
                    prop_assert!(length <= end);
                    break;
                }
                Err(_) => break,
            }
        }
    }
}
