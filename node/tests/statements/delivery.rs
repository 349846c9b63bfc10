//! Sections 9 and 11: confirmations, what waits for who is away, history.

use super::stage::{Person, SHARED_CLASSES, Stage, refusal};
use super::statements;
use std::time::Duration;
use tim_wire::structs::operation;
use tim_wire::{Command, TimMessage, TimMessageList, TimReq, WireStruct};

statements!(
    "9" "messages want a confirmation, the sender's echo does not" => who_confirms,
    "9" "without a confirmation a message comes again after 10 s, under another number and the same id" => once_more,
    "9" "messages of one sender arrive in the order sent" => the_order_sent,
    "9" "each device of an account gets every message" => every_device,
    "11.1" "where nothing waits the end comes at once" => nothing_waits,
    "11.1" "what waits comes in batches of ten, oldest first, each after the confirmation of the one before, then the end" => batches,
    "11.1" "what was taken back comes as a notice with its number" => a_notice_waits,
    "11.1" "a batch that is not confirmed waits for the next login" => an_unconfirmed_batch,
    "11.1" "devices that share a cursor get what waited once together, and all others get it as well" => a_shared_cursor,
    "11.2" "history is inclusive, newest first, and counted" => history_by_number,
    "11.2" "history goes back from a time" => history_by_time,
    "11.2" "an empty history is answered by an empty list" => an_empty_history,
    "11.2" "history needs kind, place, number and count" => history_needs_its_fields,
    "11.2" "messages in history are as stored" => history_as_stored,
);

async fn who_confirms(stage: &Stage) {
    let (mut alice, mut bob) = stage.friends().await;
    alice.say(&bob.id, "hello").await;
    let (echo, sync_id) = alice.unconfirmed_message().await;
    assert!(sync_id.is_none() && echo.mid.is_some(), "{echo:?}");
    let (message, sync_id) = bob.unconfirmed_message().await;
    assert!(sync_id.is_some());
    assert_eq!((message.mid, message.id), (echo.mid, echo.id));
}

async fn once_more(stage: &Stage) {
    let (mut alice, mut bob) = stage.friends().await;
    alice.says(&bob.id, "did you get it?").await;
    let (first, first_number) = bob.unconfirmed_message().await;
    let asked = tokio::time::Instant::now();
    let (second, second_number) = bob.unconfirmed_message().await;
    assert!(asked.elapsed() > Duration::from_secs(9), "{:?}", asked.elapsed());
    assert_eq!((first.id, first.mid), (second.id, second.mid));
    assert_ne!(first_number, second_number);
}

async fn the_order_sent(stage: &Stage) {
    let (mut alice, mut bob) = stage.friends().await;
    for number in 0..25 {
        alice.say(&bob.id, &number.to_string()).await;
    }
    let mut last = 0;
    for number in 0..25 {
        let message = bob.message().await;
        assert_eq!(message.data_string, Some(number.to_string()));
        assert!(message.mid.unwrap() > last);
        last = message.mid.unwrap();
    }
}

async fn every_device(stage: &Stage) {
    let (mut alice, mut bob) = stage.friends().await;
    let mut tablet = stage.login(stage.near(), "bob").await;
    let mut own = stage.login(stage.far(), "alice").await;
    let mid = alice.says(&bob.id, "to all of you").await;
    for device in [&mut *bob, &mut tablet, &mut own] {
        assert_eq!(device.message().await.mid, Some(mid));
    }
}

async fn nothing_waits(stage: &Stage) {
    let mut alice = stage.person(stage.near(), "alice").await;
    assert_eq!(alice.offline().await, []);
    assert_eq!(alice.offline().await, [], "as often as it is asked");
}

/// Bob goes, and Alice says something meanwhile; the numbers.
async fn says_to_who_is_away(alice: &mut Person, bob: Person, count: usize) -> Vec<i64> {
    let id = bob.id.clone();
    bob.leaves().await;
    let mut mids = Vec::new();
    for number in 0..count {
        mids.push(alice.says(&id, &number.to_string()).await);
    }
    mids
}

async fn batches(stage: &Stage) {
    let (mut alice, bob) = stage.friends().await;
    let mids = says_to_who_is_away(&mut alice, bob, 23).await;
    let mut bob = stage.connect(stage.far()).await;
    bob.login(&stage.name("bob"), "secret").await;
    bob.ask_offline().await;
    let mut sizes = Vec::new();
    let mut waited = Vec::new();
    loop {
        let frame = bob
            .frame_where(|frame| {
                [Some(Command::OfflineMessages), Some(Command::OfflineEnd)].contains(&frame.command())
            })
            .await;
        if frame.command() == Some(Command::OfflineEnd) {
            assert!(frame.payload.is_empty() && frame.sync_id.is_none());
            break;
        }
        let list = TimMessageList::decode_payload(&frame.payload, stage.encoding).unwrap();
        let messages = list.message_list.unwrap();
        sizes.push(messages.len());
        waited.extend(messages);
        assert!(
            bob.silent(Command::OfflineMessages, Duration::from_millis(100))
                .await,
            "it waits"
        );
        bob.confirm(frame.sync_id.unwrap()).await;
    }
    assert_eq!(sizes, [10, 10, 3]);
    let found: Vec<i64> = waited.iter().filter_map(|message| message.mid).collect();
    assert_eq!(found, mids);
    for message in waited {
        assert_eq!(message.is_offline, Some(true));
        let from = message.from_tid.unwrap();
        assert_eq!((from.node.as_str(), &from.resource), (alice.id.as_str(), &None));
    }
}

async fn a_notice_waits(stage: &Stage) {
    let (mut alice, bob) = stage.friends().await;
    let id = bob.id.clone();
    let mids = says_to_who_is_away(&mut alice, bob, 2).await;
    let revoke = TimMessage {
        mid: Some(mids[1]),
        ..TimMessage::direct(&id, operation::REVOKE)
    };
    alice.send_struct(Command::RevokeMessage, &revoke).await;
    assert!(alice.ack(Command::RevokeMessage).await.ok);
    let mut bob = stage.connect(stage.far()).await;
    bob.login(&stage.name("bob"), "secret").await;
    let waited: Vec<_> = bob
        .offline()
        .await
        .into_iter()
        .map(|message| (message.od_type, message.mid, message.data_string))
        .collect();
    assert_eq!(
        waited,
        [
            (operation::NORMAL, Some(mids[0]), Some("0".to_owned())),
            (operation::REVOKE, Some(mids[1]), None),
        ]
    );
}

async fn an_unconfirmed_batch(stage: &Stage) {
    let (mut alice, bob) = stage.friends().await;
    let mids = says_to_who_is_away(&mut alice, bob, 3).await;
    let mut hasty = stage.connect(stage.far()).await;
    hasty.login(&stage.name("bob"), "secret").await;
    hasty.ask_offline().await;
    hasty.frame(Command::OfflineMessages).await;
    hasty.close().await;
    let mut bob = stage.connect(stage.near()).await;
    bob.login(&stage.name("bob"), "secret").await;
    let again: Vec<_> = bob
        .offline()
        .await
        .iter()
        .filter_map(|message| message.mid)
        .collect();
    assert_eq!(again, mids);
}

async fn a_shared_cursor(stage: &Stage) {
    let (mut alice, bob) = stage.friends().await;
    let id = bob.id.clone();
    bob.leaves().await;
    for text in ["one", "two", "three"] {
        alice.says(&id, text).await;
    }
    let [phone, tablet] = SHARED_CLASSES;
    let (device, waited) = stage.device(stage.near(), "bob", phone).await;
    assert_eq!(waited, ["one", "two", "three"]);
    device.close().await;
    // What was confirmed is durable once the class itself is given nothing more.
    loop {
        let (device, waited) = stage.device(stage.near(), "bob", phone).await;
        device.close().await;
        if waited.is_empty() {
            break;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    let (mut tablet, waited) = stage.device(stage.far(), "bob", tablet).await;
    assert_eq!(waited, [""; 0], "the other device of the set has it");
    let (mut other, waited) = stage.device(stage.far(), "bob", 1).await;
    assert_eq!(waited, ["one", "two", "three"], "it has a cursor of its own");
    let mid = alice.says(&id, "to all of you").await;
    for device in [&mut tablet, &mut other] {
        assert_eq!(device.message().await.mid, Some(mid));
    }
}

async fn pull(person: &mut Person, request: &TimReq) -> Vec<TimMessage> {
    person.send_struct(Command::PullMessages, request).await;
    let frame = person.frame(Command::PullMessages).await;
    assert_eq!(frame.sync_id, None);
    let list = TimMessageList::decode_payload(&frame.payload, person.encoding).unwrap();
    assert_eq!(list.id, None);
    list.message_list.unwrap()
}

fn request(with: &str, number: i64, count: i64) -> TimReq {
    TimReq {
        rtype: Some(1),
        node: Some(with.to_owned()),
        req_int: Some(number),
        req_int2: Some(count),
        ..TimReq::default()
    }
}

fn numbers(messages: &[TimMessage]) -> Vec<i64> {
    messages.iter().filter_map(|message| message.mid).collect()
}

async fn history_by_number(stage: &Stage) {
    let (mut alice, mut bob) = stage.friends().await;
    let mut mids = Vec::new();
    for number in 0..6 {
        mids.push(alice.says(&bob.id, &number.to_string()).await);
    }
    mids.reverse();
    assert_eq!(
        numbers(&pull(&mut alice, &request(&bob.id, 0, 4)).await),
        mids[..4]
    );
    let from_the_third = request(&alice.id, mids[2], 2);
    assert_eq!(numbers(&pull(&mut bob, &from_the_third).await), mids[2..4]);
    assert_eq!(
        numbers(&pull(&mut bob, &request(&alice.id, 0, 1_000_000)).await),
        mids
    );
}

async fn history_by_time(stage: &Stage) {
    let (mut alice, mut bob) = stage.friends().await;
    let first = alice.says(&bob.id, "then").await;
    let then = bob.message().await.timestamp.unwrap();
    alice.says(&bob.id, "now").await;
    let by_time = TimReq {
        node2: Some(then.to_string()),
        ..request(&bob.id, 0, 10)
    };
    assert_eq!(numbers(&pull(&mut alice, &by_time).await), [first]);
}

async fn an_empty_history(stage: &Stage) {
    let (mut alice, bob) = stage.friends().await;
    assert_eq!(pull(&mut alice, &request(&bob.id, 0, 10)).await, []);
}

async fn history_needs_its_fields(stage: &Stage) {
    let mut alice = stage.person(stage.near(), "alice").await;
    let whole = request(&alice.id, 0, 10);
    let without: [fn(&mut TimReq); 5] = [
        |request| request.rtype = None,
        |request| request.node = None,
        |request| request.req_int = None,
        |request| request.req_int2 = None,
        |request| request.node = Some("no id".to_owned()),
    ];
    for (place, change) in without.into_iter().enumerate() {
        let mut request = whole.clone();
        change(&mut request);
        let ack = {
            alice.send_struct(Command::PullMessages, &request).await;
            alice.ack(Command::PullMessages).await
        };
        assert_eq!(refusal(&ack), 4104, "request {place}");
    }
}

async fn history_as_stored(stage: &Stage) {
    let (mut alice, mut bob) = stage.friends().await;
    let mut message = TimMessage::direct(&bob.id, operation::NORMAL);
    message.data_string = Some("text".to_owned());
    message.data_binary = Some(bytes::Bytes::from_static(&[0, 255, 10]));
    message.udtype = Some(5);
    alice.send_struct(Command::Message, &message).await;
    let delivered = bob.message().await;
    let stored = pull(&mut bob, &request(&alice.id, 0, 1)).await.remove(0);
    assert_eq!(stored.data_string, delivered.data_string);
    assert_eq!(
        (stored.data_binary, stored.udtype),
        (message.data_binary, Some(5))
    );
    assert_eq!(
        (stored.mid, stored.timestamp),
        (delivered.mid, delivered.timestamp)
    );
    let from = stored.from_tid.unwrap();
    assert_eq!(
        (from.node, from.resource, from.termtyp),
        (alice.id.clone(), None, None)
    );
}
