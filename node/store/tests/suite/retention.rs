//! What is too old, or too much, goes; what is waited for stays as long as that is wanted. Time is what the tests say.

use tim_core::conversation::{Operation, RoomOperation};
use tim_core::id::{AccountId, ConversationId, DeviceClass, Seq};
use tim_core::placement;
use tim_store::{CursorAdvance, Database, EntriesAfter, Keep, Retention, Walked};

use crate::repartition::{HALF, Split};
use crate::room::Room;
use crate::support::{
    EPOCH, Engine, Fresh, NOW_NS, Pair, account, append_one, database_name, on_every_engine, stored,
    submission,
};

on_every_engine!(
    what_is_old_goes_and_nothing_else,
    a_long_conversation_goes_in_pieces,
    only_so_many_entries_stay,
    what_waits_for_a_device_has_a_time_of_its_own,
    every_kind_of_conversation_has_its_own_time,
    a_walk_sees_every_conversation_once,
    a_range_that_is_copied_is_left_alone,
);

const HOUR_NS: i64 = 3_600_000_000_000;

fn older_than(hours: i64) -> Keep {
    Keep {
        age_ns: Some(hours * HOUR_NS),
        ..Keep::default()
    }
}

fn direct(keep: Keep) -> Retention {
    Retention {
        direct: keep,
        ..Retention::default()
    }
}

/// A whole walk; how many entries have gone.
async fn walk(database: &Database, retention: &Retention, now_ns: i64) -> u64 {
    let mut behind = None;
    let mut removed = 0;
    loop {
        let walked = database.trim_page(retention, behind, now_ns).await.unwrap();
        removed += walked.removed;
        behind = walked.next;
        if behind.is_none() {
            return removed;
        }
    }
}

async fn say(database: &Database, pair: &Pair, version: u64, count: usize, at_ns: i64) {
    let said = (0..count).map(|_| pair.message(b"said")).collect();
    let outcomes = database
        .append(&[pair.batch(version, said)], at_ns)
        .await
        .unwrap();
    assert_eq!(stored(&outcomes[0]).len(), count);
}

async fn left(database: &Database, conversation: ConversationId) -> Vec<u64> {
    let query = EntriesAfter {
        conversation,
        epoch: EPOCH,
        after: Seq(0),
        limit: 500,
        max_bytes: usize::MAX,
    };
    let entries = database.entries_after(query).await.unwrap();
    entries.iter().map(|entry| entry.seq.0).collect()
}

async fn confirm(database: &Database, conversation: ConversationId, of: &AccountId, to: u64) {
    let advance = CursorAdvance {
        conversation,
        epoch: EPOCH,
        account: of.clone(),
        class: DeviceClass(1),
        from: Seq(0),
        to: Seq(to),
    };
    database.advance_cursors(&[advance]).await.unwrap();
}

async fn what_is_old_goes_and_nothing_else(engine: Engine) {
    let fresh = Fresh::new(engine).await;
    let database = fresh.node().await;
    let pair = Pair::new("alice", "bob");
    pair.befriend(&database).await;
    say(&database, &pair, 2, 3, NOW_NS + HOUR_NS).await;
    say(&database, &pair, 3, 2, NOW_NS + 5 * HOUR_NS).await;
    let now_ns = NOW_NS + 6 * HOUR_NS;
    assert_eq!(walk(&database, &Retention::default(), now_ns).await, 0);
    assert_eq!(walk(&database, &direct(older_than(24)), now_ns).await, 0);
    assert_eq!(database.trimmed_up_to(EPOCH, &pair.id).await.unwrap(), Seq(0));
    let retention = direct(older_than(3));
    assert_eq!(walk(&database, &retention, now_ns).await, 5);
    assert_eq!(left(&database, pair.id).await, [6, 7]);
    assert_eq!(database.trimmed_up_to(EPOCH, &pair.id).await.unwrap(), Seq(5));
    assert_eq!(
        walk(&database, &retention, now_ns).await,
        0,
        "nothing is left to do"
    );
    // The conversation goes on where it was, and is still between friends.
    say(&database, &pair, 4, 1, now_ns).await;
    assert_eq!(left(&database, pair.id).await, [6, 7, 8]);
}

async fn a_long_conversation_goes_in_pieces(engine: Engine) {
    let fresh = Fresh::new(engine).await;
    let database = fresh.node().await;
    let pair = Pair::new("alice", "bob");
    pair.befriend(&database).await;
    for version in 2..6 {
        say(&database, &pair, version, 300, NOW_NS).await;
    }
    assert_eq!(
        walk(&database, &direct(older_than(1)), NOW_NS + 2 * HOUR_NS).await,
        1_202
    );
    assert_eq!(left(&database, pair.id).await, [0; 0]);
    assert_eq!(database.trimmed_up_to(EPOCH, &pair.id).await.unwrap(), Seq(1_202));
    assert_eq!(fresh.sql("SELECT COUNT(*) FROM tim_trimmed").await, "1");
}

async fn only_so_many_entries_stay(engine: Engine) {
    let fresh = Fresh::new(engine).await;
    let database = fresh.node().await;
    let pair = Pair::new("alice", "bob");
    pair.befriend(&database).await;
    say(&database, &pair, 2, 20, NOW_NS).await;
    let most = Keep {
        entries_max: Some(5),
        ..Keep::default()
    };
    assert_eq!(walk(&database, &direct(most), NOW_NS).await, 17);
    assert_eq!(left(&database, pair.id).await, [18, 19, 20, 21, 22]);
}

async fn what_waits_for_a_device_has_a_time_of_its_own(engine: Engine) {
    let fresh = Fresh::new(engine).await;
    let database = fresh.node().await;
    let pair = Pair::new("alice", "bob");
    pair.befriend(&database).await;
    say(&database, &pair, 2, 8, NOW_NS).await;
    let retention = direct(Keep {
        undelivered_ns: Some(24 * HOUR_NS),
        ..older_than(1)
    });
    let now_ns = NOW_NS + 2 * HOUR_NS;
    confirm(&database, pair.id, &pair.one, 10).await;
    assert_eq!(
        walk(&database, &retention, now_ns).await,
        0,
        "bob has confirmed nothing at all"
    );
    confirm(&database, pair.id, &pair.other, 6).await;
    assert_eq!(walk(&database, &retention, now_ns).await, 6);
    assert_eq!(left(&database, pair.id).await, [7, 8, 9, 10]);
    assert_eq!(walk(&database, &retention, NOW_NS + 25 * HOUR_NS).await, 4);
}

async fn every_kind_of_conversation_has_its_own_time(engine: Engine) {
    let fresh = Fresh::new(engine).await;
    let database = fresh.node().await;
    let pair = Pair::new("alice", "bob");
    pair.befriend(&database).await;
    let mut room = Room::named("room");
    room.ask(&database, "alice", "alice", RoomOperation::Create)
        .await
        .unwrap();
    room.ask(&database, "alice", "alice", RoomOperation::Message)
        .await
        .unwrap();
    let alice = account("alice");
    let system = Pair {
        one: AccountId::system(),
        other: alice.clone(),
        id: placement::system_conversation(&alice),
    };
    let told = submission(&system, &system.one, &alice, Operation::System, b"hello");
    stored(&append_one(&database, system.batch(0, vec![told])).await);
    let now_ns = NOW_NS + 2 * HOUR_NS;
    let counts = |database: Database| async move {
        let direct = left(&database, pair.id).await.len();
        let room = left(&database, placement::room_conversation(&room.id))
            .await
            .len();
        (direct, room, left(&database, system.id).await.len())
    };
    let only = Retention {
        system: older_than(1),
        ..Retention::default()
    };
    assert_eq!(walk(&database, &only, now_ns).await, 1);
    let only = Retention {
        room: Keep {
            undelivered_ns: Some(i64::MAX),
            ..older_than(1)
        },
        ..Retention::default()
    };
    assert_eq!(walk(&database, &only, now_ns).await, 2, "rooms wait for nobody");
    assert_eq!(counts(database.clone()).await, (2, 0, 0));
}

async fn a_walk_sees_every_conversation_once(engine: Engine) {
    let fresh = Fresh::new(engine).await;
    let database = fresh.node().await;
    let pairs: Vec<Pair> = (0..450)
        .map(|number| Pair::new(&format!("one-{number}"), &format!("other-{number}")))
        .collect();
    for some in pairs.chunks(150) {
        let batches: Vec<_> = some
            .iter()
            .map(|pair| {
                pair.batch(
                    0,
                    vec![submission(
                        pair,
                        &pair.one,
                        &pair.other,
                        Operation::AddFriend,
                        b"",
                    )],
                )
            })
            .collect();
        database.append(&batches, NOW_NS).await.unwrap();
    }
    let retention = direct(older_than(1));
    let first = database.trim_page(&retention, None, NOW_NS).await.unwrap();
    assert!(
        matches!(
            first,
            Walked {
                removed: 0,
                next: Some(_)
            }
        ),
        "{first:?}"
    );
    assert_eq!(walk(&database, &retention, NOW_NS + 2 * HOUR_NS).await, 450);
}

async fn a_range_that_is_copied_is_left_alone(engine: Engine) {
    let split = Split::new(engine, Engine::Sqlite).await;
    let store = split.node().await;
    let (source, target) = ["d0", "d1"]
        .map(|name| store.database(&database_name(name)).unwrap())
        .into();
    let moves = |pair: &Pair| placement::slot(&pair.id.0) >= HALF;
    let pair = (0..)
        .map(|number| Pair::new("alice", &format!("bob-{number}")))
        .find(moves)
        .unwrap();
    pair.befriend(&source).await;
    let (retention, now_ns) = (direct(older_than(1)), NOW_NS + 2 * HOUR_NS);
    split.copied(&store).await;
    assert_eq!(walk(&source, &retention, now_ns).await, 0);
    assert!(split.is_equal(&store).await);
    split.finish(&store).await;
    assert_eq!(walk(&target, &retention, now_ns).await, 2);
    let epoch = tim_core::id::Epoch(2);
    assert_eq!(target.trimmed_up_to(epoch, &pair.id).await.unwrap(), Seq(2));
}
