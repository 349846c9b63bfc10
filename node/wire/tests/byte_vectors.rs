//! The bytes that were captured from the reference server (section 22), read and written.

#![allow(clippy::unwrap_used, reason = "a test stops at the first surprise")]

use bytes::Bytes;
use tim_wire::frame::{
    BigData, BigDataPiece, client_frame, confirmation_frame, empty_client_frame, server_frame,
};
use tim_wire::structs::{business, operation};
use tim_wire::*;

const NODE: &str = "UHuS8PoK2LX";
const TEXT: Encoding = Encoding::Thrift;

/// Hexadecimal digits and words in single quotes, which stand for their characters.
fn bytes(vector: &str) -> Bytes {
    let mut out = Vec::new();
    for (index, part) in vector.split('\'').enumerate() {
        if index % 2 == 1 {
            out.extend_from_slice(part.as_bytes());
            continue;
        }
        let digits: String = part.split_whitespace().collect();
        for pair in digits.as_bytes().chunks(2) {
            out.push(u8::from_str_radix(std::str::from_utf8(pair).unwrap(), 16).unwrap());
        }
    }
    out.into()
}

fn same_from_client<T: WireStruct + PartialEq + std::fmt::Debug>(command: Command, value: &T, vector: &str) {
    let expected = bytes(vector);
    assert_eq!(
        client_frame(command, TEXT, &value.encode_payload(TEXT)),
        expected,
        "{vector}"
    );
    let frame = ClientFrame::parse(expected).unwrap();
    assert_eq!(frame.command(), Some(command), "{vector}");
    assert_eq!(frame.decode::<T>().as_ref(), Ok(value), "{vector}");
}

fn same_from_server<T: WireStruct + PartialEq + std::fmt::Debug>(
    command: Command,
    sync_id: Option<i32>,
    value: &T,
    vector: &str,
) {
    let expected = bytes(vector);
    assert_eq!(
        server_frame(command, sync_id, &value.encode_payload(TEXT)),
        expected,
        "{vector}"
    );
    let frame = ServerFrame::parse(expected).unwrap();
    assert_eq!(
        (frame.command(), frame.sync_id),
        (Some(command), sync_id),
        "{vector}"
    );
    assert_eq!(
        T::decode_payload(&frame.payload, TEXT).as_ref(),
        Ok(value),
        "{vector}"
    );
}

fn text(text: &str) -> Option<String> {
    Some(text.to_owned())
}

fn credentials() -> TimAuth {
    TimAuth {
        name: text("tim1"),
        pwd: text("123"),
        domain: text("tlnet.top"),
        ..TimAuth::default()
    }
}

#[test]
fn register_and_token() {
    same_from_client(
        Command::Register,
        &credentials(),
        "0e 18 04 74696d31 18 03 313233 18 09 746c6e65742e746f70 00",
    );
    let registered = TimAck {
        n: text(NODE),
        ..TimAck::success(Command::Register)
    };
    same_from_server(
        Command::Ack,
        None,
        &registered,
        "0c 11 13 0e 38 0b 5548755338506f4b324c58 00",
    );
    let exists = TimAck::failure(Command::Register, ErrorCode::HasExist);
    same_from_server(
        Command::Ack,
        None,
        &exists,
        "0c 12 13 0e 1c 15 8a40 18 09 686173206578697374 00 00",
    );
    let token = TimAck {
        n: text("NRKxQdJEzAo"),
        ..TimAck::success(Command::Token)
    };
    same_from_server(Command::Ack, None, &token, "0c 11 13 0f 38 0b 'NRKxQdJEzAo' 00");
}

#[test]
fn login() {
    let auth = TimAuth {
        resource: text("android"),
        termtyp: Some(1),
        ..credentials()
    };
    same_from_client(
        Command::Auth,
        &auth,
        "10 18 04 74696d31 18 03 313233 18 09 746c6e65742e746f70 18 07 616e64726f6964 13 01 00",
    );
    let done = TimAck {
        t: Some(-1_610_835_149),
        n: text(NODE),
        n2: text("LwtDaVtjHik"),
        ..TimAck::success(Command::Auth)
    };
    same_from_server(
        Command::Ack,
        None,
        &done,
        "0c 11 13 10 26 99939b800c 18 0b 'UHuS8PoK2LX' 28 0b 'LwtDaVtjHik' 00",
    );
    let wrong = TimAck::failure(Command::Auth, ErrorCode::PermissionDenied);
    same_from_server(
        Command::Ack,
        None,
        &wrong,
        "0c 12 13 10 1c 15 9240 18 11 'permission denied' 00 00",
    );
    same_from_server(
        Command::Ack,
        None,
        &TimAck::success(Command::Auth),
        "0c 11 13 10 00",
    );
}

#[test]
fn frames_without_payload() {
    assert_eq!(empty_client_frame(Command::Ping, TEXT), bytes("0d"));
    assert_eq!(empty_client_frame(Command::Ping, Encoding::Json), bytes("8d"));
    assert_eq!(server_frame(Command::Ping, None, &[]), bytes("0d"));
    assert_eq!(empty_client_frame(Command::OfflineMessages, TEXT), bytes("11"));
    assert_eq!(server_frame(Command::OfflineEnd, None, &[]), bytes("12"));
    assert_eq!(confirmation_frame(1, TEXT), bytes("0c 00000001"));
    let confirmation = ClientFrame::parse(bytes("0c 00000001")).unwrap();
    assert_eq!(confirmation.request(), Ok(ClientRequest::Confirm { sync_id: 1 }));
}

#[test]
fn roster_and_profile() {
    let roster = TimReq {
        rtype: Some(business::ROSTER),
        ..TimReq::default()
    };
    same_from_client(Command::Business, &roster, "29 15 02 00");
    let friends = TimNodes {
        ntype: 1,
        nodelist: Some(vec![NODE.to_owned()]),
        ..TimNodes::default()
    };
    same_from_server(
        Command::Nodes,
        None,
        &friends,
        "2a 15 02 19 18 0b 'UHuS8PoK2LX' 00",
    );
    let add = TimReq {
        rtype: Some(4),
        node: text(NODE),
        req_str: text("hi"),
        ..TimReq::default()
    };
    same_from_client(
        Command::Business,
        &add,
        "29 15 08 18 0b 'UHuS8PoK2LX' 48 02 6869 00",
    );
    let query = TimNodes { ntype: 4, ..friends };
    same_from_client(Command::Nodes, &query, "2a 15 08 19 18 0b 'UHuS8PoK2LX' 00");
    let updated = TimAck {
        t: Some(6),
        ..TimAck::success(Command::Nodes)
    };
    same_from_server(Command::Ack, None, &updated, "0c 11 13 2a 26 0c 00");
}

#[test]
fn message_with_everything_a_client_sends() {
    let message = TimMessage {
        data_string: text("hello哈"),
        udshow: Some(3),
        udtype: Some(4),
        extend: Some([("k".to_owned(), "v".to_owned())].into()),
        extra: Some([("e".to_owned(), Bytes::from_static(&[1, 2]))].into()),
        ..TimMessage::direct(NODE, operation::NORMAL)
    };
    same_from_client(
        Command::Message,
        &message,
        "5a 13 02 13 01 5c 18 0b 'UHuS8PoK2LX' 00 38 08 68656c6c6fe59388 34 08 14 06 1b 01 88 016b 0176
         1b 01 88 0165 020102 00",
    );
}

#[test]
fn echo_and_delivery() {
    let message = TimMessage {
        id: Some(5),
        mid: Some(1),
        from_tid: Some(Tid {
            node: NODE.to_owned(),
            domain: text("tlnet.top"),
            resource: text("android"),
            termtyp: Some(1),
            extend: None,
        }),
        to_tid: Some(Tid {
            domain: text("tlnet.top"),
            ..Tid::of("QdH6CCms5EU")
        }),
        ..TimMessage::direct("", operation::NORMAL)
    };
    let body = "13 02 13 01 16 0a 16 02 2c 18 0b 'UHuS8PoK2LX' 18 09 'tlnet.top' 18 07 'android' 13 01 00
                1c 18 0b 'QdH6CCms5EU' 18 09 'tlnet.top' 00 00";
    same_from_server(Command::Message, None, &message, &format!("5a {body}"));
    same_from_server(
        Command::Message,
        Some(4),
        &message,
        &format!("da 00000004 {body}"),
    );
}

#[test]
fn revoke_and_history() {
    let revoke = TimMessage {
        ms_type: 2,
        od_type: operation::REVOKE,
        mid: Some(4),
        to_tid: Some(Tid::of(NODE)),
        ..TimMessage::default()
    };
    same_from_client(
        Command::RevokeMessage,
        &revoke,
        "5c 13 02 13 02 26 08 3c 18 0b 'UHuS8PoK2LX' 00 00",
    );
    let history = TimReq {
        rtype: Some(1),
        node: text(NODE),
        req_int: Some(0),
        req_int2: Some(10),
        ..TimReq::default()
    };
    same_from_client(
        Command::PullMessages,
        &history,
        "15 15 02 18 0b 'UHuS8PoK2LX' 26 00 16 14 00",
    );
}

#[test]
fn offline_batch() {
    let message = TimMessage {
        is_offline: Some(true),
        ..TimMessage {
            ms_type: 2,
            od_type: 1,
            ..TimMessage::default()
        }
    };
    let list = TimMessageList {
        id: Some(1),
        message_list: Some(vec![message]),
    };
    same_from_server(
        Command::OfflineMessages,
        Some(7),
        &list,
        "91 00000007 16 02 19 1c 13 02 13 01 91 00 00",
    );
}

#[test]
fn virtual_rooms() {
    let create = TimReq {
        rtype: Some(1),
        ..TimReq::default()
    };
    same_from_client(Command::VirtualRoom, &create, "16 15 02 00");
    let created = TimAck {
        t: Some(1),
        n: text(NODE),
        ..TimAck::success(Command::VirtualRoom)
    };
    same_from_server(
        Command::Ack,
        None,
        &created,
        "0c 11 13 16 26 02 18 0b 'UHuS8PoK2LX' 00",
    );
    let subscribe = TimReq {
        rtype: Some(5),
        node: text(NODE),
        req_int: Some(1),
        ..TimReq::default()
    };
    same_from_client(
        Command::VirtualRoom,
        &subscribe,
        "16 15 0a 18 0b 'UHuS8PoK2LX' 26 02 00",
    );
    let push = TimStream {
        v_node: NODE.to_owned(),
        dtype: Some(1),
        body: Some(Bytes::from_static(&[1, 2, 3])),
        ..TimStream::default()
    };
    same_from_client(
        Command::Stream,
        &push,
        "5e 16 00 18 0b 'UHuS8PoK2LX' 13 01 18 03 010203 18 00 00",
    );
    let delivered = TimStream {
        id: 9,
        from_node: "QdH6CCms5EU".to_owned(),
        ..push
    };
    same_from_server(
        Command::Stream,
        None,
        &delivered,
        "5e 16 12 18 0b 'UHuS8PoK2LX' 13 01 18 03 010203 18 0b 'QdH6CCms5EU' 00",
    );
}

#[test]
fn big_data() {
    let stream = BigData {
        command: Command::BigBinaryStream,
        node: NODE.to_owned(),
        data: Bytes::from_static(&[1, 2, 3]),
    };
    assert_eq!(stream.server_frame(), bytes("61 'UHuS8PoK2LX' 83 010203"));
    let string = BigData {
        command: Command::BigString,
        node: NODE.to_owned(),
        data: Bytes::from_static(b"BIGSTR"),
    };
    let from_client = bytes("5f 00000017 'UHuS8PoK2LX' 7c 424947535452");
    assert_eq!(string.client_frame(), from_client);
    assert_eq!(
        BigData::parse(&from_client, 1 << 20),
        BigDataPiece::Complete(string.clone())
    );
    assert_eq!(string.server_frame(), bytes("5f 'UHuS8PoK2LX' 7c 424947535452"));
}

#[test]
fn trailing_garbage_of_java_clients_is_ignored() {
    let frame = ClientFrame::parse(bytes("29 15 02 00 00000000 ff")).unwrap();
    let roster = TimReq {
        rtype: Some(business::ROSTER),
        ..TimReq::default()
    };
    assert_eq!(frame.request(), Ok(ClientRequest::Business(roster)));
}
