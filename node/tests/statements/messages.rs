//! Section 10: messages between two accounts.

use super::stage::{Person, Stage};
use super::statements;
use std::collections::BTreeMap;
use tim_wire::structs::{message_kind, operation};
use tim_wire::{Command, Tid, TimMessage};

statements!(
    "10.1" "a kind or an operation that clients may not use is answered 4104" => reserved_numbers,
    "10.1" "operations of applications are stored for who is away and are no history" => operations_of_applications,
    "10.2" "the server fills in sender, time and number, and keeps the client's id" => filled_in,
    "10.2" "what is for applications passes untouched" => passed_through,
    "10.2" "a list of receivers and the mark of waiting are dropped" => what_clients_may_not_say,
    "10.2" "a business notice of a client is answered 4104" => foreign_notices,
    "10.3" "a stranger is answered 4105" => strangers,
    "10.3" "an account that is none is answered 4106" => unknown_accounts,
    "10.3" "a message to oneself is answered 4105" => oneself,
    "10.3" "the end of a friendship counts at once" => the_end_of_a_friendship,
    "10.5" "a message is taken back by its sender: an ack, and the message to both" => taken_back,
    "10.5" "taking back without a number, twice, or what another one said is refused" => not_taken_back,
    "10.6" "a message is burnt by its receiver alone" => burnt,
    "10.7" "a stream message reaches who is online, without echo, number or store" => stream_messages,
    "10.7" "kind and operation 0 with bytes count as a stream message" => stream_messages_of_atim,
);

fn said(to: &str, text: &str) -> TimMessage {
    TimMessage {
        data_string: Some(text.to_owned()),
        ..TimMessage::direct(to, operation::NORMAL)
    }
}

async fn reserved_numbers(stage: &Stage) {
    let (mut alice, bob) = stage.friends().await;
    for (ms_type, od_type) in [(1, 1), (0, 1), (4, 1), (-1, 1), (2, 0), (2, -5), (2, 8), (2, 30)] {
        let message = TimMessage {
            ms_type,
            od_type,
            ..said(&bob.id, "no")
        };
        assert_eq!(
            alice.is_refused(Command::Message, &message).await,
            4104,
            "{ms_type} {od_type}"
        );
    }
}

async fn operations_of_applications(stage: &Stage) {
    let (mut alice, bob) = stage.friends().await;
    let id = bob.id.clone();
    bob.leaves().await;
    for od_type in [31, 127] {
        let message = TimMessage {
            od_type,
            ..said(&id, "poll")
        };
        alice.send_struct(Command::Message, &message).await;
        assert_eq!(alice.message().await.od_type, od_type);
    }
    let mut bob = stage.connect(stage.far()).await;
    bob.login(&stage.name("bob"), "secret").await;
    let waited: Vec<i8> = bob
        .offline()
        .await
        .iter()
        .map(|message| message.od_type)
        .collect();
    assert_eq!(waited, [31, 127]);
}

async fn filled_in(stage: &Stage) {
    let (mut alice, mut bob) = stage.friends().await;
    let message = TimMessage {
        id: Some(4_711),
        mid: Some(99),
        timestamp: Some(1),
        from_tid: Some(Tid::of("somebody else")),
        ..said(&bob.id, "who is it?")
    };
    alice.send_struct(Command::Message, &message).await;
    let echo = alice.message().await;
    let delivered = bob.message().await;
    for message in [&echo, &delivered] {
        let from = message.from_tid.as_ref().unwrap();
        assert_eq!(
            (from.node.as_str(), from.resource.as_deref()),
            (&*alice.id, Some("android"))
        );
        assert_eq!((from.termtyp, message.id), (Some(1), Some(4_711)));
        assert!(message.timestamp.unwrap() > 1_600_000_000_000_000_000);
        assert_eq!(message.to_node(), Some(&*bob.id));
    }
    assert_eq!((echo.mid, echo.timestamp), (delivered.mid, delivered.timestamp));
    assert!((1..1 << 53).contains(&echo.mid.unwrap()));
}

async fn passed_through(stage: &Stage) {
    let (mut alice, mut bob) = stage.friends().await;
    let message = TimMessage {
        data_binary: Some(bytes::Bytes::from_static(&[0, 1, 254, 255])),
        udtype: Some(-3),
        udshow: Some(300),
        extend: Some(BTreeMap::from([("key".to_owned(), "value 哈".to_owned())])),
        extra: Some(BTreeMap::from([(
            "raw".to_owned(),
            bytes::Bytes::from_static(&[0, 200]),
        )])),
        ..said(&bob.id, "line\nline \"quoted\" <b> 哈 \u{1F600}")
    };
    alice.send_struct(Command::Message, &message).await;
    let delivered = bob.message().await;
    assert_eq!(delivered.data_string, message.data_string);
    assert_eq!(delivered.data_binary, message.data_binary);
    assert_eq!((delivered.udtype, delivered.udshow), (Some(-3), Some(300)));
    assert_eq!(
        (delivered.extend, delivered.extra),
        (message.extend, message.extra)
    );
}

async fn what_clients_may_not_say(stage: &Stage) {
    let (mut alice, mut bob) = stage.friends().await;
    let mut carol = stage.person(stage.near(), "carol").await;
    let message = TimMessage {
        to_list: Some(vec![carol.id.clone()]),
        is_offline: Some(true),
        ..said(&bob.id, "to you alone")
    };
    alice.send_struct(Command::Message, &message).await;
    let delivered = bob.message().await;
    assert_eq!((delivered.to_list, delivered.is_offline), (None, None));
    carol.has_nothing_of(Command::Message).await;
}

async fn foreign_notices(stage: &Stage) {
    let (mut alice, bob) = stage.friends().await;
    let notice = TimMessage {
        od_type: operation::BUSINESS,
        bn_type: Some(5),
        ..said(&bob.id, "we are friends")
    };
    assert_eq!(alice.is_refused(Command::Message, &notice).await, 4104);
}

async fn strangers(stage: &Stage) {
    let mut alice = stage.person(stage.near(), "alice").await;
    let bob = stage.person(stage.far(), "bob").await;
    for od_type in [operation::NORMAL, operation::STREAM] {
        let message = TimMessage {
            od_type,
            ..said(&bob.id, "hello?")
        };
        assert_eq!(
            alice.is_refused(Command::Message, &message).await,
            4105,
            "{od_type}"
        );
    }
}

async fn unknown_accounts(stage: &Stage) {
    let mut alice = stage.person(stage.near(), "alice").await;
    // The first has no valid check byte; the second is the id of a name that nobody has.
    for nobody in ["UHuS8PoK2Mi", "9Du8P7srDKT"] {
        assert_eq!(
            alice.is_refused(Command::Message, &said(nobody, "hello?")).await,
            4106,
            "{nobody}"
        );
    }
}

async fn oneself(stage: &Stage) {
    let mut alice = stage.person(stage.near(), "alice").await;
    let message = said(&alice.id, "a note");
    assert_eq!(alice.is_refused(Command::Message, &message).await, 4105);
}

async fn the_end_of_a_friendship(stage: &Stage) {
    let (mut alice, mut bob) = stage.friends().await;
    bob.asks(6, &alice.id).await;
    assert!(bob.ack(Command::Business).await.ok);
    assert_eq!(
        alice
            .is_refused(Command::Message, &said(&bob.id, "still there?"))
            .await,
        4105
    );
    assert_eq!(
        bob.is_refused(Command::Message, &said(&alice.id, "and you?"))
            .await,
        4105
    );
}

fn erasing(od_type: i8, with: &str, mid: Option<i64>) -> TimMessage {
    TimMessage {
        mid,
        ..TimMessage::direct(with, od_type)
    }
}

/// The ack to who did it, and the message to both.
async fn erased(who: &mut Person, other: &mut Person, command: Command, mid: i64) {
    let ack = who.ack(command).await;
    assert_eq!((ack.ok, ack.tim_type, ack.t), (true, command.tim_type(), Some(2)));
    assert_eq!((ack.n.as_deref(), ack.t2), (Some(&*other.id), Some(mid)));
    let by = who.id.clone();
    for client in [who, other] {
        let message = client.message().await;
        assert_eq!((message.ms_type, message.mid), (message_kind::DIRECT, Some(mid)));
        assert_eq!(message.od_type, command.tim_type() - 90);
        assert_eq!(message.from_node(), Some(&*by));
    }
}

async fn taken_back(stage: &Stage) {
    let (mut alice, mut bob) = stage.friends().await;
    let mid = alice.says(&bob.id, "a word too much").await;
    bob.message().await;
    alice
        .send_struct(
            Command::RevokeMessage,
            &erasing(operation::REVOKE, &bob.id, Some(mid)),
        )
        .await;
    erased(&mut alice, &mut bob, Command::RevokeMessage, mid).await;
}

async fn not_taken_back(stage: &Stage) {
    let (mut alice, mut bob) = stage.friends().await;
    let mid = alice.says(&bob.id, "said").await;
    let revoke = |with: &str, mid| erasing(operation::REVOKE, with, mid);
    for (number, code) in [(None, 4104), (Some(0), 4104), (Some(mid + 1_000), 4104)] {
        let refused = alice
            .is_refused(Command::RevokeMessage, &revoke(&bob.id, number))
            .await;
        assert_eq!(refused, code, "{number:?}");
    }
    let foreign = revoke(&alice.id, Some(mid));
    assert_eq!(bob.is_refused(Command::RevokeMessage, &foreign).await, 4105);
    let once = revoke(&bob.id, Some(mid));
    alice.send_struct(Command::RevokeMessage, &once).await;
    assert!(alice.ack(Command::RevokeMessage).await.ok);
    assert_eq!(
        alice.is_refused(Command::RevokeMessage, &once).await,
        4104,
        "twice"
    );
}

async fn burnt(stage: &Stage) {
    let (mut alice, mut bob) = stage.friends().await;
    let mid = alice.says(&bob.id, "only for you").await;
    bob.message().await;
    let own = erasing(operation::BURN, &bob.id, Some(mid));
    assert_eq!(alice.is_refused(Command::BurnMessage, &own).await, 4105);
    bob.send_struct(
        Command::BurnMessage,
        &erasing(operation::BURN, &alice.id, Some(mid)),
    )
    .await;
    erased(&mut bob, &mut alice, Command::BurnMessage, mid).await;
}

async fn stream_messages(stage: &Stage) {
    let (mut alice, mut bob) = stage.friends().await;
    let message = TimMessage {
        od_type: operation::STREAM,
        ..said(&bob.id, "now or never")
    };
    alice.send_struct(Command::Message, &message).await;
    let (delivered, sync_id) = bob.unconfirmed_message().await;
    assert_eq!((delivered.mid, sync_id), (None, None));
    assert_eq!(delivered.data_string, message.data_string);
    alice.has_nothing_of(Command::Message).await;
}

async fn stream_messages_of_atim(stage: &Stage) {
    let (mut alice, mut bob) = stage.friends().await;
    let message = TimMessage {
        ms_type: 0,
        od_type: 0,
        data_binary: Some(bytes::Bytes::from_static(b"bytes")),
        ..TimMessage::direct(&bob.id, 0)
    };
    alice.send_struct(Command::Message, &message).await;
    let delivered = bob.message().await;
    assert_eq!((delivered.ms_type, delivered.od_type), (2, operation::STREAM));
    assert_eq!(delivered.data_binary, message.data_binary);
}
