//! Events for others outside: one per message, in its transaction, until it has been handed over.

use tim_core::conversation::{ConversationOutcome, Operation, RoomOperation};
use tim_store::{Announce, Event, Happened, Recipient, RoomNews, StorageKeys, Store, StoreConfig};

use crate::room::Room;
use crate::support::{
    CLUSTER, EPOCH, Engine, Fresh, KEY, NOW_NS, Pair, Raw, account, append_one, database_name,
    on_every_engine, stored, submission, whole,
};

async fn announcing(fresh: &Fresh, content: bool) -> tim_store::Database {
    let config = StoreConfig {
        cluster: CLUSTER.to_owned(),
        keys: StorageKeys::single(KEY.into()).unwrap(),
    };
    let announce = Announce {
        messages: true,
        rooms: true,
        content,
    };
    let store = Store::announcing(config, announce);
    let name = database_name("d0");
    store.configure([(name.clone(), fresh.dsn.as_str())]).unwrap();
    let database = store.database(&name).unwrap();
    database.prepare().await.unwrap();
    database.create_fences(&whole("d0")).await.unwrap();
    database
}

fn texts(events: &[Event]) -> Vec<&[u8]> {
    events
        .iter()
        .map(|event| match &event.happened {
            Some(Happened::Message { entry, .. }) => &entry.body[..],
            other => panic!("{other:?}"),
        })
        .collect()
}

async fn every_message_leaves_one_event_until_it_is_removed(engine: Engine) {
    let fresh = Fresh::new(engine).await;
    let database = announcing(&fresh, true).await;
    let pair = Pair::new("alice", "bob");
    pair.befriend(&database).await;
    let messages = [pair.message(b"one"), pair.message(b"two")];
    let outcome = append_one(&database, pair.batch(2, messages.to_vec())).await;
    assert_eq!(stored(&outcome).len(), 2);
    // A repetition is known and no news.
    append_one(&database, pair.batch(3, messages.to_vec())).await;
    let events = database.waiting_events(Recipient::Webhook, 10).await.unwrap();
    assert_eq!(events.len(), 2, "and none of the friend requests: {events:?}");
    let mut found = texts(&events);
    found.sort_unstable();
    assert_eq!(found, [&b"one"[..], b"two"]);
    let Some(Happened::Message {
        conversation,
        to,
        entry,
    }) = &events[0].happened
    else {
        panic!("{events:?}");
    };
    assert_eq!(
        (conversation, to, &entry.sender),
        (&pair.id, &pair.other, &pair.one)
    );
    assert_eq!((events[0].id, events[0].at_ns), (entry.key.0, entry.timestamp_ns));
    assert_eq!(
        database.count_waiting_events(Recipient::Webhook).await.unwrap(),
        2
    );
    database.remove_events(&events[..1]).await.unwrap();
    let left = database.waiting_events(Recipient::Webhook, 10).await.unwrap();
    assert_eq!(left, &events[1..]);
    database.remove_events(&events).await.unwrap();
    assert_eq!(
        database.count_waiting_events(Recipient::Webhook).await.unwrap(),
        0
    );
}

async fn without_a_wish_there_is_no_content_and_no_event(engine: Engine) {
    let fresh = Fresh::new(engine).await;
    let database = announcing(&fresh, false).await;
    let pair = Pair::new("alice", "bob");
    pair.befriend(&database).await;
    append_one(&database, pair.batch(2, vec![pair.message(b"secret")])).await;
    let events = database.waiting_events(Recipient::Webhook, 10).await.unwrap();
    assert_eq!(texts(&events), [&b""[..]]);
    let silent = fresh.node().await;
    append_one(&silent, pair.batch(3, vec![pair.message(b"more")])).await;
    let refused = submission(&pair, &pair.one, &account("carol"), Operation::Message, b"x");
    let outcome = append_one(&silent, pair.batch(4, vec![refused])).await;
    assert!(matches!(outcome, ConversationOutcome::Done { .. }));
    assert_eq!(silent.count_waiting_events(Recipient::Webhook).await.unwrap(), 1);
}

async fn rooms_tell_what_is_said_and_what_changes(engine: Engine) {
    let fresh = Fresh::new(engine).await;
    let database = announcing(&fresh, true).await;
    let mut room = Room::named("room");
    for (sender, target, operation) in [
        ("f", "f", RoomOperation::Create),
        ("f", "p", RoomOperation::Pull),
        ("a", "a", RoomOperation::Join),
        ("p", "p", RoomOperation::Message),
        ("f", "p", RoomOperation::Kick),
        ("f", "f", RoomOperation::Cancel),
    ] {
        room.ask(&database, sender, target, operation).await.unwrap();
    }
    let events = database.waiting_events(Recipient::Webhook, 10).await.unwrap();
    let (mut changes, mut said) = (Vec::new(), 0);
    for event in &events {
        match event.happened.as_ref().unwrap() {
            Happened::RoomChanged { room: of, change, by } => {
                assert_eq!((of, by), (&room.id, &account("f")));
                changes.push(change.clone());
            }
            Happened::RoomMessage { room: of, entry } => {
                assert_eq!((of, &entry.sender), (&room.id, &account("p")));
                assert_eq!(&entry.body[..], b"something said in the room");
                said += 1;
            }
            other => panic!("{other:?}"),
        }
    }
    assert_eq!(said, 1);
    // An application changes nothing. All were made at one moment, so they come in any order.
    let expected = [
        RoomNews::Created,
        RoomNews::Joined(account("p")),
        RoomNews::Left(account("p")),
        RoomNews::Cancelled,
    ];
    assert_eq!(changes.len(), expected.len());
    assert!(expected.iter().all(|news| changes.contains(news)), "{changes:?}");
}

async fn presence_waits_for_each_recipient_on_its_own(engine: Engine) {
    let fresh = Fresh::new(engine).await;
    let database = fresh.node().await;
    let alice = account("alice");
    let recipients = [(Recipient::Webhook, [1; 16]), (Recipient::LoginStates, [2; 16])];
    for _ in 0..2 {
        database
            .put_presence_event(EPOCH, (&alice, true), &recipients, NOW_NS)
            .await
            .unwrap();
    }
    for (to, id) in recipients {
        let events = database.waiting_events(to, 10).await.unwrap();
        let [event] = &events[..] else {
            panic!("{events:?}");
        };
        let happened = Happened::Presence {
            account: alice.clone(),
            online: true,
        };
        assert_eq!((event.id, event.happened.as_ref()), (id, Some(&happened)));
        database.remove_events(&events).await.unwrap();
        assert!(database.waiting_events(to, 10).await.unwrap().is_empty());
    }
}

async fn a_database_of_the_version_before_gets_its_outbox(engine: Engine) {
    let fresh = Fresh::new(engine).await;
    drop(fresh.node().await);
    let mut raw = Raw::open(&fresh).await;
    raw.run("DROP TABLE tim_outbox").await;
    raw.run("DELETE FROM tim_migration WHERE version = 'm0002_outbox'")
        .await;
    let database = fresh.node().await;
    let alice = account("alice");
    let recipients = [(Recipient::Webhook, [1; 16])];
    database
        .put_presence_event(EPOCH, (&alice, false), &recipients, NOW_NS)
        .await
        .unwrap();
    assert_eq!(
        database.count_waiting_events(Recipient::Webhook).await.unwrap(),
        1
    );
}

on_every_engine!(
    every_message_leaves_one_event_until_it_is_removed,
    without_a_wish_there_is_no_content_and_no_event,
    rooms_tell_what_is_said_and_what_changes,
    presence_waits_for_each_recipient_on_its_own,
    a_database_of_the_version_before_gets_its_outbox,
);
