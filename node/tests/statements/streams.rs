//! Sections 15 and 16: big data, virtual rooms and streams.

use super::stage::{Stage, refusal};
use super::statements;
use crate::support::stream::big_frame;
use bytes::Bytes;
use tim_wire::structs::virtual_room;
use tim_wire::{Command, TimAck, TimReq, WireStruct};

statements!(
    "15" "big data reaches a friend, with its length or without" => big_data,
    "15" "big data may come in pieces" => pieces,
    "15" "a frame longer than it says is answered 4114" => too_long,
    "15" "big data to a stranger is answered 4105, to nobody 4106" => strangers,
    "16" "rooms are made, subscribed, pushed into and removed" => a_room,
    "16" "both forms of push reach both forms of subscription" => forms,
    "16" "who may not push is answered 4105 with the room" => foreign_pushes,
    "16" "the right to push is granted and withdrawn" => rights,
    "16" "who is no longer subscribed gets nothing" => unsubscribed,
    "16" "a request without its fields is answered 4104" => missing_fields,
);

async fn big_data(stage: &Stage) {
    let (mut alice, mut bob) = stage.friends().await;
    for (command, separator) in [(Command::BigString, b'|'), (Command::BigBinary, 0x83)] {
        let data = b"some|bytes\x00\x01".as_slice();
        let short = [&[command.number()][..], bob.id.as_bytes(), &[separator], data].concat();
        for frame in [big_frame(command, &bob.id, data), Bytes::from(short)] {
            alice.send(frame).await;
            assert_eq!(bob.big(command).await, (alice.id.clone(), data.to_vec()));
        }
    }
    alice.has_nothing_of(Command::Ack).await;
}

async fn pieces(stage: &Stage) {
    let (mut alice, mut bob) = stage.friends().await;
    let data = vec![7; 10_000];
    let frame = big_frame(Command::BigBinary, &bob.id, &data);
    for piece in frame.chunks(3_000) {
        alice.send(Bytes::copy_from_slice(piece)).await;
    }
    assert_eq!(bob.big(Command::BigBinary).await.1, data);
    alice.ping().await;
}

async fn too_long(stage: &Stage) {
    let (mut alice, bob) = stage.friends().await;
    let mut frame = big_frame(Command::BigString, &bob.id, b"data").to_vec();
    frame.extend_from_slice(b"more");
    alice.send(frame.into()).await;
    let answer = alice.frame(Command::Ack).await;
    let ack = TimAck::decode_payload(&answer.payload, stage.encoding).unwrap();
    assert_eq!(refusal(&ack), 4114);
    alice.ping().await;
}

async fn strangers(stage: &Stage) {
    let mut alice = stage.person(stage.near(), "alice").await;
    let bob = stage.register("bob").await;
    for (to, code) in [(bob.as_str(), 4105), ("9Du8P7srDKT", 4106)] {
        alice.send_big(Command::BigBinary, to, b"data").await;
        assert_eq!(alice.refusal(Command::BigBinary).await.0, code, "{to}");
    }
}

async fn a_room(stage: &Stage) {
    let mut alice = stage.person(stage.near(), "alice").await;
    let mut bob = stage.person(stage.far(), "bob").await;
    let room = alice.create_room().await;
    let ack = bob.subscribe(&room, false).await;
    assert_eq!((ack.ok, ack.t, ack.n.as_deref()), (true, Some(5), Some(&*room)));
    alice.push(&room, b"frame").await;
    let heard = bob.stream().await;
    assert_eq!(
        (heard.room.as_str(), heard.body.as_slice()),
        (&*room, &b"frame"[..])
    );
    assert_eq!(
        heard.of_struct,
        Some((Some(7), alice.id.clone())),
        "its owner is the sender"
    );
    alice.done(virtual_room::REMOVE, &room, None).await;
    alice.push(&room, b"too late").await;
    assert_eq!(alice.refusal(Command::Stream).await.0, 4105);
}

async fn forms(stage: &Stage) {
    let mut alice = stage.person(stage.near(), "alice").await;
    let mut bob = stage.person(stage.far(), "bob").await;
    let room = alice.create_room().await;
    for binary in [false, true, false] {
        assert!(
            bob.subscribe(&room, binary).await.ok,
            "once more changes the form"
        );
        alice.push(&room, b"struct").await;
        alice.send_big(Command::BigBinaryStream, &room, b"raw").await;
        for body in [&b"struct"[..], b"raw"] {
            let heard = bob.stream().await;
            assert_eq!((heard.body.as_slice(), heard.of_struct.is_none()), (body, binary));
        }
    }
    alice.has_nothing_of(Command::Stream).await;
}

async fn foreign_pushes(stage: &Stage) {
    let mut alice = stage.person(stage.near(), "alice").await;
    let mut bob = stage.person(stage.far(), "bob").await;
    let room = alice.create_room().await;
    bob.push(&room, b"mine").await;
    let ack = bob.ack(Command::Stream).await;
    assert_eq!((refusal(&ack), ack.n), (4105, Some(room)));
}

async fn rights(stage: &Stage) {
    let mut alice = stage.person(stage.near(), "alice").await;
    let mut bob = stage.person(stage.far(), "bob").await;
    let room = alice.create_room().await;
    assert!(alice.subscribe(&room, true).await.ok);
    alice.done(virtual_room::GRANT, &room, Some(&bob.id)).await;
    bob.push(&room, b"with leave").await;
    assert_eq!(alice.stream().await.body, b"with leave");
    alice.done(virtual_room::WITHDRAW, &room, Some(&bob.id)).await;
    bob.push(&room, b"without").await;
    assert_eq!(bob.refusal(Command::Stream).await.0, 4105);
}

async fn unsubscribed(stage: &Stage) {
    let mut alice = stage.person(stage.near(), "alice").await;
    let mut bob = stage.person(stage.far(), "bob").await;
    let (one, other) = (alice.create_room().await, alice.create_room().await);
    for room in [&one, &other] {
        assert!(bob.subscribe(room, false).await.ok);
    }
    bob.done(virtual_room::UNSUBSCRIBE, &one, None).await;
    alice.push(&one, b"unheard").await;
    alice.push(&other, b"heard").await;
    assert_eq!(bob.stream().await.room, other, "one room less leaves the others");
    bob.has_nothing_of(Command::Stream).await;
}

async fn missing_fields(stage: &Stage) {
    let mut alice = stage.person(stage.near(), "alice").await;
    for rtype in [None, Some(0), Some(7), Some(2), Some(3), Some(5), Some(6)] {
        let request = TimReq {
            rtype,
            ..TimReq::default()
        };
        assert_eq!(
            alice.is_refused(Command::VirtualRoom, &request).await,
            4104,
            "{rtype:?}"
        );
    }
}
