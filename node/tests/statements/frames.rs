//! Sections 1 to 6: transport, frames, commands, encodings.

use super::stage::{Stage, refusal};
use super::statements;
use crate::support::http;
use crate::support::raw::{self, Raw};
use bytes::Bytes;
use tim_wire::frame::{client_frame, confirmation_frame, empty_client_frame};
use tim_wire::structs::operation;
use tim_wire::{Command, Encoding, TimAck, TimMessage, WireStruct};

statements!(
    "1" "the path / is taken like /tim" => the_root_is_taken,
    "1" "another path is answered 404" => another_path,
    "1" "an ack on /tim2 never carries the JSON bit" => acks_over_http,
    "1" "another command or nothing on /tim2 is answered by nothing" => other_commands_over_http,
    "2" "a ping is echoed by one byte" => a_ping_is_echoed,
    "2" "one connection may use both encodings and is answered in that of its login" => encodings_mix,
    "2" "a confirmation may have the JSON bit and more bytes" => confirmations_of_both_kinds,
    "2" "bytes behind the end of a struct are ignored" => trailing_bytes,
    "3" "an unknown command is answered 4104 with its number" => unknown_commands,
    "3" "register, token and logout over the WebSocket are answered 4104 after the login" => commands_of_the_other_channel,
    "3" "before the login a ping is taken and not answered, anything else closes" => before_the_login,
    "4" "unknown and mistyped fields are skipped" => unknown_fields,
    "6" "names in JSON match in any case, and null is unset" => json_names,
    "7" "broken JSON in a message is answered 4113" => broken_json,
);

async fn the_root_is_taken(stage: &Stage) {
    stage.register("alice").await;
    for path in ["/tim", "/"] {
        let mut client = Raw::connect_at(stage.near(), path).await;
        client.encoding = stage.encoding;
        assert!(client.login(&stage.name("alice"), "secret").await.ok);
    }
}

async fn another_path(stage: &Stage) {
    for path in ["/tim/", "/other"] {
        let (code, _) = http::request(stage.near(), "GET", path, b"").await.unwrap();
        assert_eq!(code, 404, "{path}");
    }
}

async fn acks_over_http(stage: &Stage) {
    let auth = raw::auth(&stage.name("alice"), "secret");
    let frame = client_frame(
        Command::Register,
        stage.encoding,
        &auth.encode_payload(stage.encoding),
    );
    let (code, body) = http::request(stage.near(), "POST", "/tim2", &frame)
        .await
        .unwrap();
    assert_eq!((code, body[0]), (200, 0x0C));
    let ack = TimAck::decode_payload(&Bytes::copy_from_slice(&body[1..]), stage.encoding).unwrap();
    assert!(ack.ok && ack.tim_type == 14, "{ack:?}");
}

async fn other_commands_over_http(stage: &Stage) {
    let ping = empty_client_frame(Command::Ping, stage.encoding);
    for frame in [&ping[..], b""] {
        let (code, body) = http::request(stage.near(), "POST", "/tim2", frame).await.unwrap();
        assert_eq!((code, body.len()), (200, 0));
    }
}

async fn a_ping_is_echoed(stage: &Stage) {
    let mut alice = stage.person(stage.near(), "alice").await;
    alice
        .send(empty_client_frame(Command::Ping, stage.encoding))
        .await;
    let frame = alice.frame(Command::Ping).await;
    assert_eq!((frame.sync_id, frame.payload.len()), (None, 0));
}

async fn encodings_mix(stage: &Stage) {
    let (mut alice, mut bob) = stage.friends().await;
    for encoding in Encoding::ALL {
        let mut message = TimMessage::direct(&bob.id, operation::NORMAL);
        message.data_string = Some("either way".to_owned());
        let frame = client_frame(Command::Message, encoding, &message.encode_payload(encoding));
        alice.send(frame).await;
        // Read by the encoding of the login.
        assert_eq!(alice.message().await.data_string.as_deref(), Some("either way"));
        assert_eq!(bob.message().await.data_string.as_deref(), Some("either way"));
    }
}

async fn confirmations_of_both_kinds(stage: &Stage) {
    let (mut alice, mut bob) = stage.friends().await;
    for encoding in Encoding::ALL {
        alice.says(&bob.id, "confirm").await;
        let (_, sync_id) = bob.unconfirmed_message().await;
        let mut frame = confirmation_frame(sync_id.unwrap(), encoding).to_vec();
        frame.extend_from_slice(b"more");
        bob.send(frame.into()).await;
    }
    bob.ping().await;
    bob.leaves().await;
    // Nothing is left to be delivered: both counted.
    super::stage::until("both confirmations count", || async {
        let mut bob = stage.connect(stage.far()).await;
        bob.login(&stage.name("bob"), "secret").await;
        let waited = bob.offline().await;
        bob.close().await;
        waited.is_empty()
    })
    .await;
}

async fn trailing_bytes(stage: &Stage) {
    let (mut alice, mut bob) = stage.friends().await;
    let mut message = TimMessage::direct(&bob.id, operation::NORMAL);
    message.data_string = Some("a long buffer".to_owned());
    let mut payload = message.encode_payload(stage.encoding).to_vec();
    match stage.encoding {
        Encoding::Thrift => payload.extend_from_slice(&[0, 0, 0, 0x19, 0xff]),
        // White space is all that may follow there.
        Encoding::Json => payload.extend_from_slice(b" \n"),
    }
    alice
        .send(client_frame(Command::Message, stage.encoding, &payload))
        .await;
    assert_eq!(bob.message().await.data_string.as_deref(), Some("a long buffer"));
}

async fn unknown_commands(stage: &Stage) {
    let mut alice = stage.person(stage.near(), "alice").await;
    for number in [1_u8, 77, 127] {
        alice.send(vec![number, 0].into()).await;
        let frame = alice.frame(Command::Ack).await;
        let ack = TimAck::decode_payload(&frame.payload, stage.encoding).unwrap();
        assert_eq!((ack.tim_type, refusal(&ack)), (number.cast_signed(), 4104));
    }
}

async fn commands_of_the_other_channel(stage: &Stage) {
    let mut alice = stage.person(stage.near(), "alice").await;
    let auth = raw::auth(&stage.name("alice"), "secret");
    for command in [Command::Register, Command::Token, Command::Logout] {
        assert_eq!(alice.is_refused(command, &auth).await, 4104, "{command:?}");
    }
}

async fn before_the_login(stage: &Stage) {
    let mut stranger = stage.connect(stage.near()).await;
    stranger
        .send(empty_client_frame(Command::Ping, stage.encoding))
        .await;
    stranger.ask_offline().await;
    assert_eq!(stranger.next().await, None, "closed, and nothing said before");
}

async fn unknown_fields(stage: &Stage) {
    let (mut alice, mut bob) = stage.friends().await;
    let payload = match stage.encoding {
        Encoding::Thrift => {
            let id = bob.id.as_bytes();
            let length = u8::try_from(id.len()).unwrap();
            // msType, odType, toTid, dataString; field 11, a flag, as a string; field 30, which nobody knows.
            let head = [0x13, 2, 0x13, 1, 0x5C, 0x18, length];
            let tail = b"\x00\x38\x02hi\x18\x01x\x08\x3C\x03new\x00";
            [&head[..], id, tail].concat()
        }
        Encoding::Json => format!(
            r#"{{"msType":2,"odType":1,"toTid":{{"node":"{}"}},"dataString":"hi","udtype":"text","news":[1,{{"a":null}}]}}"#,
            bob.id
        )
        .into_bytes(),
    };
    alice
        .send(client_frame(Command::Message, stage.encoding, &payload))
        .await;
    let message = bob.message().await;
    assert_eq!(
        (message.data_string.as_deref(), message.udtype),
        (Some("hi"), None)
    );
}

async fn json_names(stage: &Stage) {
    let (mut alice, mut bob) = stage.friends().await;
    let payload = format!(
        r#"{{"MSTYPE":2,"odtype":1,"totid":{{"NODE":"{}","domain":null}},"datastring":"any case","extend":null}}"#,
        bob.id
    );
    alice
        .send(client_frame(Command::Message, Encoding::Json, payload.as_bytes()))
        .await;
    assert_eq!(bob.message().await.data_string.as_deref(), Some("any case"));
}

async fn broken_json(stage: &Stage) {
    let mut alice = stage.person(stage.near(), "alice").await;
    alice
        .send(client_frame(Command::Message, Encoding::Json, b"{\"msType\":2,"))
        .await;
    assert_eq!(refusal(&alice.ack(Command::Message).await), 4113);
    alice.ping().await;
}
