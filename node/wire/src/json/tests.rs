//! What the JSON form forgives and what it does not.

use bytes::Bytes;

use crate::structs::{TimAck, TimAuth, TimMessage, TimNodes, TimReq, TimStream, Token};
use crate::{DecodeError, Encoding, ErrorCode, LoginToken, WireStruct};

fn read<T: WireStruct>(text: &str) -> Result<T, DecodeError> {
    T::decode_payload(&Bytes::copy_from_slice(text.as_bytes()), Encoding::Json)
}

fn written(value: &impl WireStruct) -> String {
    String::from_utf8(value.encode_payload(Encoding::Json).to_vec()).unwrap()
}

#[test]
fn required_members_are_always_written_and_unset_ones_never() {
    assert_eq!(written(&TimAck::default()), r#"{"ok":false,"timType":0}"#);
    assert_eq!(
        written(&TimStream::default()),
        r#"{"id":0,"VNode":"","fromNode":""}"#
    );
    assert_eq!(written(&TimNodes::default()), r#"{"ntype":0}"#);
    assert_eq!(written(&TimReq::default()), "{}");
}

#[test]
fn a_login_reply_is_written_as_the_reference_does() {
    let ack = TimAck {
        t: Some(-1_610_835_149),
        n: Some("CpsQjjWDkV".to_owned()),
        n2: Some("LwtDaVtjHik".to_owned()),
        ..TimAck::success(crate::Command::Auth)
    };
    assert_eq!(
        written(&ack),
        r#"{"ok":true,"timType":16,"t":-1610835149,"n":"CpsQjjWDkV","n2":"LwtDaVtjHik"}"#
    );
}

#[test]
fn the_login_of_timjs_is_read() {
    let auth: TimAuth = read(
        r#"{"name":null,"pwd":null,"domain":null,"resource":"web","termtyp":2,"token":5000000000000001,"extend":null}"#,
    )
    .unwrap();
    assert_eq!(auth.name, None);
    assert_eq!(auth.termtyp, Some(2));
    assert_eq!(auth.extend, None);
    assert_eq!(
        auth.token.unwrap().login_token(),
        LoginToken::from_number(5_000_000_000_000_001)
    );
    let auth: TimAuth = read(r#"{"token":"5000000000000001"}"#).unwrap();
    assert_eq!(auth.token, Some(Token::Text("5000000000000001".to_owned())));
}

#[test]
fn names_may_have_any_case() {
    let stream: TimStream = read(r#"{"id":0,"vNode":"room","FROMNODE":null,"body":"AQID"}"#).unwrap();
    assert_eq!(stream.v_node, "room");
    assert_eq!(stream.body.as_deref(), Some(&[1, 2, 3][..]));
}

#[test]
fn a_wrong_type_leaves_the_other_members() {
    let message: TimMessage = read(
        r#"{"msType":"2","odType":1,"toTid":{"node":"bob","termtyp":[{"a":[]}]},"mid":1.5,"udtype":70000,
            "dataBinary":"not base64!","extend":{"a":1,"b":"c","d":{"e":"f"}},"dataString":"hi","unknown":[[{}]],
            "roomTid":"room","ToList":{"x":1},"isOffline":0,"id":2.0}"#,
    )
    .unwrap();
    assert_eq!((message.ms_type, message.od_type), (0, 1));
    assert_eq!(message.to_node(), Some("bob"));
    assert_eq!(message.data_string.as_deref(), Some("hi"));
    assert_eq!(
        message.extend.unwrap().into_iter().collect::<Vec<_>>(),
        [("b".to_owned(), "c".to_owned())]
    );
    assert_eq!((message.mid, message.udtype, message.id), (None, None, Some(2)));
    assert!(message.data_binary.is_none() && message.room_tid.is_none());
    assert!(message.to_list.is_none() && message.is_offline.is_none());
}

#[test]
fn broken_text_is_an_error_with_the_code_of_the_reference() {
    let deep = "[".repeat(100_000);
    let texts = [
        "",
        "{",
        "[]",
        "1",
        "\"a\"",
        "{\"n\":\"",
        "{} x",
        "{\"ok\":tru}",
        "{\"n\":\"\u{1}\"}",
        &deep,
    ];
    for text in texts {
        let error = read::<TimAck>(text).unwrap_err();
        assert_eq!(error.wire_code(), ErrorCode::Format, "{error}");
    }
    assert_eq!(read::<TimAck>(" null "), Ok(TimAck::default()));
}

#[test]
fn errors_hold_no_content() {
    let error = read::<TimMessage>(r#"{"dataString":"secret words" oops"#)
        .unwrap_err()
        .to_string();
    assert!(!error.contains("secret"), "{error}");
}

#[test]
fn numbers_are_exact_to_the_last_digit() {
    let request: TimReq = read(r#"{"reqInt":9223372036854775807,"reqInt2":-9223372036854775808}"#).unwrap();
    assert_eq!(
        (request.req_int, request.req_int2),
        (Some(i64::MAX), Some(i64::MIN))
    );
    assert_eq!(
        read::<TimReq>(r#"{"reqInt":9223372036854775808}"#)
            .unwrap()
            .req_int,
        None
    );
}

#[test]
fn text_is_escaped_so_that_any_parser_reads_it() {
    let text: String = ('\0'..='\u{80}').chain(['\u{2028}', '哈', '😀']).collect();
    let ack = TimAck {
        n: Some(text.clone()),
        ..TimAck::default()
    };
    let parsed: serde_json::Value = serde_json::from_str(&written(&ack)).unwrap();
    assert_eq!(parsed["n"], text);
}
