//! Hostile payloads: every announced size is checked against what is there.

use bytes::Bytes;

use super::*;
use crate::structs::{TimAck, TimMessage, TimMessageList, TimNodes};
use crate::{DecodeError, Encoding, WireStruct};

fn read<T: WireStruct>(bytes: &[u8]) -> Result<T, DecodeError> {
    T::decode_payload(&Bytes::copy_from_slice(bytes), Encoding::Thrift)
}

#[test]
fn lengths_beyond_the_payload_are_refused() {
    // Field 10, a text of 2^32 bytes; field 16, a map of 2^28 pairs; field 17, a list of 2^28 elements.
    let text = [0xa8, 0x80, 0x80, 0x80, 0x80, 0x10, b'x'];
    let map = [0x0b, 0x20, 0x80, 0x80, 0x80, 0x80, 0x01, 0x88, 0, 0];
    let list = [0x09, 0x22, 0xf8, 0x80, 0x80, 0x80, 0x80, 0x01, 0];
    let short_list = [0x09, 0x22, 0xe8, 0];
    for bytes in [&text[..], &map, &list, &short_list] {
        assert!(
            matches!(read::<TimMessage>(bytes), Err(DecodeError::Length { .. })),
            "{bytes:x?}"
        );
    }
}

#[test]
fn numbers_that_are_too_long_are_refused() {
    let eleven_bytes = [&[0x36][..], &[0xff; 10], &[1, 0]].concat();
    let over_64_bits = [&[0x36][..], &[0xff; 9], &[2, 0]].concat();
    // Field 13 is an i16, here 2^20.
    let over_16_bits = [0xd4, 0x80, 0x80, 0x80, 0x01, 0];
    for bytes in [&eleven_bytes[..], &over_64_bits, &over_16_bits] {
        assert!(
            matches!(read::<TimMessage>(bytes), Err(DecodeError::Varint { .. })),
            "{bytes:x?}"
        );
    }
    let widest = [&[0x36][..], &[0xff; 9], &[1, 0]].concat();
    assert_eq!(read::<TimMessage>(&widest).unwrap().id, Some(i64::MIN));
}

#[test]
fn unknown_kinds_end_the_reading() {
    assert_eq!(
        read::<TimAck>(&[0x1e, 0]),
        Err(DecodeError::Kind {
            code: 14,
            position: 0
        })
    );
    assert_eq!(read::<TimAck>(&[]), Err(DecodeError::Truncated { position: 0 }));
}

#[test]
fn nesting_is_limited_in_skipped_values_too() {
    let structs = [0x1c; 100_000];
    assert_eq!(
        read::<TimAck>(&structs),
        Err(DecodeError::Depth { limit: DEPTH_MAX })
    );
    let lists = [&[0x19][..], &[0x19; 100_000]].concat();
    assert_eq!(
        read::<TimAck>(&lists),
        Err(DecodeError::Depth { limit: DEPTH_MAX })
    );
    let mut allowed = vec![0x8c; DEPTH_MAX - 1];
    allowed.extend(vec![0; DEPTH_MAX]);
    assert_eq!(read::<TimAck>(&allowed), Ok(TimAck::default()));
}

#[test]
fn many_tiny_elements_cannot_take_much_memory() {
    // A list of empty messages: one byte each on the wire, hundreds in memory.
    let mut writer = Writer::new();
    writer.field(0, 2, Kind::List);
    writer.list(Kind::Struct, 100_000);
    writer.raw(&[0; 100_000]);
    writer.stop();
    let limit = ELEMENT_MEMORY_BASE + ELEMENT_MEMORY_PER_BYTE * 100_006;
    let payload = writer.into_bytes();
    assert_eq!(payload.len(), 100_006);
    assert_eq!(
        read::<TimMessageList>(&payload),
        Err(DecodeError::Memory { limit })
    );
}

#[test]
fn honest_large_lists_are_read() {
    let nodes = TimNodes {
        nodelist: Some((0..100_000).map(|number| format!("node{number:07}")).collect()),
        ..TimNodes::default()
    };
    assert_eq!(
        read::<TimNodes>(&nodes.encode_payload(Encoding::Thrift)),
        Ok(nodes)
    );
}

#[test]
fn text_must_be_utf8_wherever_it_is() {
    assert_eq!(
        read::<TimAck>(&[0x58, 2, 0xc3, 0x28, 0]),
        Err(DecodeError::Text { position: 1 })
    );
}

#[test]
fn fields_may_come_in_any_order() {
    let mut writer = Writer::new();
    writer.field(0, 5, Kind::Binary);
    writer.binary(b"n");
    writer.field(5, 1, Kind::True);
    writer.field(1, -3, Kind::I8);
    writer.byte(1);
    writer.field(-3, 2, Kind::I8);
    writer.byte(16);
    writer.stop();
    let ack = read::<TimAck>(&writer.into_bytes()).unwrap();
    assert_eq!((ack.ok, ack.tim_type, ack.n.as_deref()), (true, 16, Some("n")));
}
