//! Round trips of every struct in both encodings, and what mixing generations needs: unknown fields and
//! fields of another type change nothing else.

use bytes::Bytes;
use proptest::prelude::*;

use super::sample::Sample;
use super::*;
use crate::thrift::{Kind, RawFields, Writer};
use crate::{Encoding, WireStruct};

fn comes_back<T: WireStruct + Sample + PartialEq>(seed: u64) -> bool {
    let value = T::from_seed(seed);
    Encoding::ALL.into_iter().all(|encoding| {
        let payload = value.encode_payload(encoding);
        T::decode_payload(&payload, encoding).as_ref() == Ok(&value)
    })
}

/// Writes a field that no struct has, or that has a type no struct expects there.
fn write_strange_field(writer: &mut Writer, previous: i16, id: i16, shape: u8) {
    match shape % 5 {
        0 => {
            writer.field(previous, id, Kind::Double);
            writer.raw(&[7; 8]);
        }
        1 => {
            writer.field(previous, id, Kind::Set);
            writer.list(Kind::True, 3);
            writer.raw(&[1, 2, 1]);
        }
        2 => {
            writer.field(previous, id, Kind::Map);
            writer.map(Kind::I32, Kind::List, 1);
            writer.i64(-5);
            writer.list(Kind::Uuid, 1);
            writer.raw(&[9; 16]);
        }
        3 => {
            writer.field(previous, id, Kind::Uuid);
            writer.raw(&[9; 16]);
        }
        _ => {
            writer.field(previous, id, Kind::Map);
            writer.map(Kind::I32, Kind::Struct, 0);
        }
    }
}

/// The same struct with strange fields strewn in: unknown numbers, and known numbers with other types.
fn with_strange_fields(payload: &[u8], shape: u8) -> Bytes {
    let mut writer = Writer::new();
    let mut fields = RawFields::new(payload);
    let mut previous = 0;
    while let Some(field) = fields.next_field().unwrap() {
        let id = if shape.is_multiple_of(2) {
            field.id
        } else {
            field.id + 900
        };
        let shape = if shape.is_multiple_of(2) { shape % 4 } else { shape };
        write_strange_field(&mut writer, previous, id, shape);
        writer.field(id, field.id, field.kind);
        writer.raw(field.value);
        previous = field.id;
    }
    write_strange_field(&mut writer, previous, 900, shape);
    writer.stop();
    writer.into_bytes().into()
}

fn survives_strange_fields<T: WireStruct + Sample + PartialEq>(seed: u64, shape: u8) -> bool {
    let value = T::from_seed(seed);
    let payload = with_strange_fields(&value.encode_payload(Encoding::Thrift), shape);
    T::decode_payload(&payload, Encoding::Thrift).as_ref() == Ok(&value)
}

proptest! {
    #[test]
    fn every_struct_comes_back_in_both_encodings(seed in any::<u64>()) {
        prop_assert!(comes_back::<TimError>(seed));
        prop_assert!(comes_back::<TimAck>(seed));
        prop_assert!(comes_back::<TimReq>(seed));
        prop_assert!(comes_back::<Tid>(seed));
        prop_assert!(comes_back::<TimAuth>(seed));
        prop_assert!(comes_back::<TimUserBean>(seed));
        prop_assert!(comes_back::<TimRoomBean>(seed));
        prop_assert!(comes_back::<TimPresence>(seed));
        prop_assert!(comes_back::<TimMessage>(seed));
        prop_assert!(comes_back::<TimStream>(seed));
        prop_assert!(comes_back::<TimNodes>(seed));
        prop_assert!(comes_back::<TimMessageList>(seed));
    }

    #[test]
    fn strange_fields_change_nothing(seed in any::<u64>(), shape in any::<u8>()) {
        prop_assert!(survives_strange_fields::<TimAck>(seed, shape));
        prop_assert!(survives_strange_fields::<TimReq>(seed, shape));
        prop_assert!(survives_strange_fields::<Tid>(seed, 1));
        prop_assert!(survives_strange_fields::<TimAuth>(seed, 1));
        prop_assert!(survives_strange_fields::<TimMessage>(seed, 1 | shape));
        prop_assert!(survives_strange_fields::<TimStream>(seed, shape));
        prop_assert!(survives_strange_fields::<TimNodes>(seed, 1 | shape));
    }

    #[test]
    fn bytes_after_the_struct_are_ignored(seed in any::<u64>(), rest in prop::collection::vec(any::<u8>(), 0..40)) {
        let message = TimMessage::from_seed(seed);
        let payload = [&message.encode_payload(Encoding::Thrift)[..], &rest].concat();
        prop_assert_eq!(TimMessage::decode_payload(&payload.into(), Encoding::Thrift), Ok(message));
    }

    #[test]
    fn cut_off_payloads_are_refused(seed in any::<u64>(), cut in any::<prop::sample::Index>()) {
        for encoding in Encoding::ALL {
            let payload = TimMessage::from_seed(seed).encode_payload(encoding);
            let payload = payload.slice(..cut.index(payload.len()));
            prop_assert!(TimMessage::decode_payload(&payload, encoding).is_err());
        }
    }

    #[test]
    fn any_bytes_are_read_or_refused(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        let payload = Bytes::from(bytes);
        for encoding in Encoding::ALL {
            let _ = TimMessage::decode_payload(&payload, encoding);
            let _ = TimNodes::decode_payload(&payload, encoding);
            let _ = TimAuth::decode_payload(&payload, encoding);
        }
    }
}

#[test]
fn a_list_of_another_type_is_skipped_and_the_rest_is_kept() {
    let mut writer = Writer::new();
    writer.field(0, 1, Kind::I32);
    writer.i64(4);
    writer.field(1, 2, Kind::List);
    writer.list(Kind::I64, 2);
    writer.i64(1);
    writer.i64(2);
    writer.field(2, 5, Kind::Binary);
    writer.binary(b"room");
    writer.stop();
    let nodes = TimNodes::decode_payload(&writer.into_bytes().into(), Encoding::Thrift).unwrap();
    assert_eq!(
        (nodes.ntype, nodes.nodelist, nodes.node.as_deref()),
        (4, None, Some("room"))
    );
}

#[test]
fn both_generations_of_tokens_are_read() {
    for token in [
        Token::Number(4_294_967_296),
        Token::Text("h3NZByXYMA9".to_owned()),
    ] {
        let auth = TimAuth {
            token: Some(token),
            ..TimAuth::default()
        };
        for encoding in Encoding::ALL {
            assert_eq!(
                TimAuth::decode_payload(&auth.encode_payload(encoding), encoding).unwrap(),
                auth
            );
        }
    }
    assert!(Token::Number(0).is_empty() && Token::Text(String::new()).is_empty());
}

#[test]
fn early_room_beans_are_read_without_their_moved_fields() {
    // 7 createtime i64, 8 extend: the numbers of early 2.0.0.
    let mut writer = Writer::new();
    writer.field(0, 4, Kind::Binary);
    writer.binary(b"topic");
    writer.field(4, 7, Kind::I64);
    writer.i64(5);
    writer.field(7, 8, Kind::Map);
    writer.map(Kind::Binary, Kind::Binary, 1);
    writer.binary(b"k");
    writer.binary(b"v");
    writer.stop();
    let room = TimRoomBean::decode_payload(&writer.into_bytes().into(), Encoding::Thrift).unwrap();
    assert_eq!(
        (room.topic.as_deref(), room.kind, room.create_time),
        (Some("topic"), Some(5), None)
    );
}

#[test]
fn binaries_share_the_frame() {
    let message = TimMessage {
        data_binary: Some(Bytes::from(vec![7; 100])),
        ..TimMessage::direct("a", 5)
    };
    let payload = message.encode_payload(Encoding::Thrift);
    let read = TimMessage::decode_payload(&payload, Encoding::Thrift).unwrap();
    let place = read.data_binary.unwrap().as_ptr() as usize;
    assert!((payload.as_ptr() as usize..payload.as_ptr() as usize + payload.len()).contains(&place));
}

#[test]
fn nothing_secret_or_personal_is_shown() {
    let auth = TimAuth {
        name: Some("alice".to_owned()),
        pwd: Some("wonder".to_owned()),
        token: Some(Token::Text("h3NZByXYMA9".to_owned())),
        ..TimAuth::default()
    };
    let mut message = TimMessage::direct("bob-id", 1);
    message.data_string = Some("meet me".to_owned());
    let shown = format!("{auth:?} {message:?}");
    for word in ["alice", "wonder", "h3NZ", "bob", "meet"] {
        assert!(!shown.contains(word), "{shown}");
    }
}
