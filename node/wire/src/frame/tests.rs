//! Frames of both directions, and the two forms of big data.

use bytes::Bytes;
use proptest::prelude::*;

use super::*;
use crate::{Command, Encoding, TimAck, WireStruct};

const LENGTH_MAX: usize = 1 << 20;

fn parse(frame: &[u8]) -> BigDataPiece {
    BigData::parse(&Bytes::copy_from_slice(frame), LENGTH_MAX)
}

fn big(command: Command, node: &str, data: &[u8]) -> BigData {
    BigData {
        command,
        node: node.to_owned(),
        data: Bytes::copy_from_slice(data),
    }
}

#[test]
fn the_flag_bit_means_json_from_clients_and_confirmation_from_servers() {
    let frame = ClientFrame::parse(Bytes::from_static(&[0x90, b'{', b'}'])).unwrap();
    assert_eq!(
        (frame.command(), frame.encoding),
        (Some(Command::Auth), Encoding::Json)
    );
    let frame = ServerFrame::parse(Bytes::from_static(&[0xda, 0, 0, 0, 4, 0x13])).unwrap();
    assert_eq!(
        (frame.command(), frame.sync_id, &frame.payload[..]),
        (Some(Command::Message), Some(4), &[0x13][..])
    );
    let frame = ServerFrame::parse(Bytes::from_static(&[0x5a])).unwrap();
    assert_eq!((frame.sync_id, frame.payload.len()), (None, 0));
}

#[test]
fn frames_that_end_too_early_are_refused() {
    assert!(ClientFrame::parse(Bytes::new()).is_err());
    assert!(ServerFrame::parse(Bytes::new()).is_err());
    assert!(ServerFrame::parse(Bytes::from_static(&[0xda, 0, 0, 0])).is_err());
    let frame = ClientFrame::parse(Bytes::from_static(&[0x0c, 0, 0, 1])).unwrap();
    assert!(frame.request().is_err());
}

#[test]
fn confirmations_of_all_clients_are_read() {
    for bytes in [
        &[0x0c, 0, 0, 0, 1][..],
        &[0x8c, 0, 0, 0, 1],
        &[0x0c, 0, 0, 0, 1, 9, 9],
    ] {
        let frame = ClientFrame::parse(Bytes::copy_from_slice(bytes)).unwrap();
        assert_eq!(frame.request(), Ok(ClientRequest::Confirm { sync_id: 1 }));
    }
    assert_eq!(
        confirmation_frame(-2, Encoding::Json)[..],
        [0x8c, 0xff, 0xff, 0xff, 0xfe]
    );
}

#[test]
fn commands_a_client_cannot_send_are_unknown() {
    for number in [0, 18, 20, 23, 127] {
        let frame = ClientFrame::parse(Bytes::copy_from_slice(&[number, 1, 2])).unwrap();
        assert_eq!(frame.request(), Ok(ClientRequest::Unknown { number }));
        assert_eq!(i32::from(frame.tim_type()), i32::from(number));
    }
}

#[test]
fn command_numbers_come_back() {
    for command in Command::ALL {
        assert_eq!(Command::from_number(command.number()), Some(command));
    }
    assert_eq!(Command::from_number(0x8c), None);
}

#[test]
fn one_payload_serves_all_sessions() {
    let payload = TimAck::success(Command::Auth).encode_payload(Encoding::Thrift);
    let first = server_frame(Command::Message, Some(1), &payload);
    let second = server_frame(Command::Message, Some(2), &payload);
    assert_eq!(first[..5], [0xda, 0, 0, 0, 1]);
    assert_eq!(second[..5], [0xda, 0, 0, 0, 2]);
    assert_eq!(first[5..], second[5..]);
}

#[test]
fn both_forms_of_big_data_are_told_apart() {
    let expected = BigDataPiece::Complete(big(Command::BigString, "ZsV5WMTqYAv", b"BIGSTR"));
    let long = [&[0x5f, 0, 0, 0, 23][..], b"ZsV5WMTqYAv|BIGSTR"].concat();
    let long_json = [&[0xdf, 0, 0, 0, 23][..], b"ZsV5WMTqYAv|BIGSTR"].concat();
    let short = [&[0x5f][..], b"ZsV5WMTqYAv|BIGSTR"].concat();
    for frame in [long, long_json, short] {
        assert_eq!(parse(&frame), expected, "{frame:x?}");
    }
    let binary = [&[0x60][..], b"node", &[0x83, 1, 0x83, 2]].concat();
    assert_eq!(
        parse(&binary),
        BigDataPiece::Complete(big(Command::BigBinary, "node", &[1, 0x83, 2]))
    );
}

#[test]
fn odd_big_data_is_refused_as_the_reference_does() {
    assert_eq!(parse(&[0x5f, 0, 0, 0, 5]), BigDataPiece::Ignored);
    assert_eq!(parse(&[0x5f, 0, 0, 0, 6, b'a', b'|']), BigDataPiece::TooLong);
    assert_eq!(
        parse(&[0x5f, 0, 0, 0, 7, b'a', b'b']),
        BigDataPiece::Ignored,
        "no separator"
    );
    assert_eq!(
        parse(&[0x60, 0, 0, 0, 7, 0xff, 0x83]),
        BigDataPiece::Ignored,
        "no text"
    );
    assert_eq!(
        parse(&[0x5a, 0, 0, 0, 7, b'a', b'|']),
        BigDataPiece::Ignored,
        "another command"
    );
}

#[test]
fn a_begun_frame_takes_whatever_comes_next() {
    let whole = big(Command::BigBinaryStream, "room", &[13; 40]).client_frame();
    let mut assembler = BigDataAssembler::new(LENGTH_MAX);
    assert_eq!(assembler.push(whole.slice(..10)), Ok(None));
    assert!(assembler.is_open());
    // Begins with 0x0d, a ping anywhere else.
    assert_eq!(assembler.push(whole.slice(10..20)), Ok(None));
    let piece = assembler.push(whole.slice(20..)).unwrap();
    assert_eq!(
        piece,
        Some(BigDataPiece::Complete(big(
            Command::BigBinaryStream,
            "room",
            &[13; 40]
        )))
    );
    assert!(!assembler.is_open());
}

#[test]
fn what_overshoots_stands_for_itself() {
    let whole = big(Command::BigString, "node", b"text").client_frame();
    let mut assembler = BigDataAssembler::new(LENGTH_MAX);
    assert_eq!(assembler.push(whole.slice(..whole.len() - 1)), Ok(None));
    let other = Bytes::from_static(&[0x0d, 0x0d]);
    assert_eq!(assembler.push(other.clone()), Err(other));
    assert!(!assembler.is_open());
}

proptest! {
    #[test]
    fn big_data_comes_back(node in "[1-9A-Za-z]{1,64}", data in prop::collection::vec(any::<u8>(), 0..100)) {
        for command in [Command::BigString, Command::BigBinary, Command::BigBinaryStream] {
            let frame = big(command, &node, &data);
            prop_assert_eq!(parse(&frame.client_frame()), BigDataPiece::Complete(frame.clone()));
            let from_server = ServerFrame::parse(frame.server_frame()).unwrap();
            prop_assert_eq!(BigData::parse_from_server(command, &from_server.payload), Some(frame));
        }
    }

    #[test]
    fn however_a_frame_is_split_it_is_the_same(
        node in "[1-9A-Za-z]{1,64}",
        data in prop::collection::vec(any::<u8>(), 1..100),
        mut cuts in prop::collection::vec(any::<prop::sample::Index>(), 0..6),
    ) {
        for command in [Command::BigString, Command::BigBinary, Command::BigBinaryStream] {
            let frame = big(command, &node, &data);
            let whole = frame.client_frame();
            // A beginning of less than six bytes means nothing.
            let mut places: Vec<usize> = cuts.iter_mut().map(|cut| 6 + cut.index(whole.len() - 6)).collect();
            places.extend([0, whole.len()]);
            places.sort_unstable();
            places.dedup();
            let mut assembler = BigDataAssembler::new(LENGTH_MAX);
            for (place, ends) in places.windows(2).enumerate() {
                let last = place + 2 == places.len();
                let expected = last.then(|| BigDataPiece::Complete(frame.clone()));
                prop_assert_eq!(assembler.push(whole.slice(ends[0]..ends[1])), Ok(expected));
            }
            prop_assert!(!assembler.is_open());
        }
    }

    #[test]
    fn any_messages_are_joined_within_the_limit(
        messages in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..30), 0..10),
    ) {
        let mut assembler = BigDataAssembler::new(200);
        for mut message in messages {
            message.insert(0, 0x5f);
            let _ = assembler.push(message.into());
            prop_assert!(assembler.collected_length() <= 200);
        }
    }
}
