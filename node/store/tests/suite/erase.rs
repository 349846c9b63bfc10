//! Deleting an account, step by step: afterwards nothing of it is left but what the rule says, on every engine.

use tim_core::conversation::{EntryKind, Operation, Relations, RoomOperation, SentMessages, Standing};
use tim_core::id::{AccountId, ConversationId, DeviceClass, Seq};
use tim_core::placement;
use tim_store::{
    Account, Block, Created, CursorAdvance, Database, DeletedId, Deletion, Detached, EntriesAfter,
    HistoryQuery, ListEntry, Listed, ListedConversation, Listing, Removal,
};

use crate::repartition::{HALF, Split};
use crate::room::Room;
use crate::support::{
    EPOCH, Engine, Fresh, Pair, account, append_one, on_every_engine, state_of, stored, submission,
};

on_every_engine!(
    nothing_is_left_of_a_deleted_account,
    messages_stay_where_that_is_wanted,
    a_room_goes_to_whoever_is_in_it_longest,
    the_task_is_found_by_others_and_begins_once,
    rows_go_only_where_nobody_copies_them,
    a_database_of_the_version_before_gets_its_tables,
);

fn made(id: &AccountId) -> Account {
    Account {
        id: id.clone(),
        password_hash: "$argon2id$v=19$abc".to_owned(),
        created_ns: 42,
        profile: b"what alice says of herself".to_vec(),
    }
}

fn wanted(id: &AccountId, sent: SentMessages) -> Deletion {
    Deletion {
        account: id.clone(),
        begun_ms: 1_000,
        sent,
    }
}

async fn list(database: &Database, owner: &AccountId, conversation: ConversationId, what: Listed) -> Listing {
    let entry = ListEntry {
        account: owner.clone(),
        epoch: EPOCH,
        listed: ListedConversation { conversation, what },
    };
    let listed = database.list_conversations(&[entry]).await.unwrap();
    listed[0].clone().unwrap()
}

async fn confirm(database: &Database, conversation: ConversationId, of: &AccountId) {
    let advance = CursorAdvance {
        conversation,
        epoch: EPOCH,
        account: of.clone(),
        class: DeviceClass(1),
        from: Seq(0),
        to: Seq(1),
    };
    database.advance_cursors(&[advance]).await.unwrap();
}

/// Two friends who have talked, each with a list, cursors and an account.
async fn friends(database: &Database) -> Pair {
    let pair = Pair::new("alice", "bob");
    for (own, peer) in [(&pair.one, &pair.other), (&pair.other, &pair.one)] {
        assert_eq!(
            database.create_account(EPOCH, &made(own)).await.unwrap(),
            Created::New
        );
        list(database, own, pair.id, Listed::Direct(peer.clone())).await;
    }
    pair.befriend(database).await;
    let mut said = pair.message(b"a secret of alice");
    said.client_id = Some(7);
    let answer = submission(
        &pair,
        &pair.other,
        &pair.one,
        Operation::Message,
        b"an answer of bob",
    );
    stored(&append_one(database, pair.batch(2, vec![said, answer])).await);
    for own in [&pair.one, &pair.other] {
        confirm(database, pair.id, own).await;
    }
    pair
}

/// A room of a founder, with members that came in this order.
async fn room_of(database: &Database, founder: &str, members: &[&str]) -> Room {
    let mut room = Room::named(&format!("room of {founder}"));
    room.ask(database, founder, founder, RoomOperation::Create)
        .await
        .unwrap();
    for member in members {
        room.ask(database, founder, member, RoomOperation::Pull)
            .await
            .unwrap();
    }
    for member in members.iter().chain([&founder]) {
        let what = Listed::Room(room.id.clone());
        list(database, &account(member), room.conversation, what).await;
        room.ask(database, member, member, RoomOperation::Message)
            .await
            .unwrap();
        confirm(database, room.conversation, &account(member)).await;
    }
    room
}

/// All steps, as a node does them.
async fn delete(database: &Database, deletion: &Deletion) {
    let account = &deletion.account;
    let lists = database
        .conversations_of(&[(account.clone(), EPOCH)])
        .await
        .unwrap();
    for listed in lists[0].clone().unwrap() {
        match &listed.what {
            Listed::Direct(peer) => {
                database
                    .detach_from_chat(EPOCH, &listed.conversation)
                    .await
                    .unwrap();
                let removed = database.remove_listing(EPOCH, peer, &listed.conversation).await;
                assert_eq!(removed.unwrap(), Removal::Done);
            }
            Listed::Room(room) => {
                let done = database.detach_from_room(EPOCH, room, account).await.unwrap();
                assert_eq!(done, Detached::Done);
            }
        }
        let mut behind = Seq(0);
        while let Some(last) = database
            .erase_entries(EPOCH, &listed.conversation, deletion, behind)
            .await
            .unwrap()
        {
            behind = last;
        }
        let removed = database.remove_traces(EPOCH, &listed.conversation, account).await;
        assert_eq!(removed.unwrap(), Removal::Done);
        let removed = database
            .remove_listing(EPOCH, account, &listed.conversation)
            .await;
        assert_eq!(removed.unwrap(), Removal::Done);
    }
    let system = placement::system_conversation(account);
    while database.remove_conversation(EPOCH, &system).await.unwrap() == Removal::Some {}
    assert_eq!(
        database
            .finish_deletion(EPOCH, account, DeletedId::Taken)
            .await
            .unwrap(),
        Removal::Done
    );
}

async fn entries(database: &Database, conversation: ConversationId) -> Vec<tim_core::conversation::Entry> {
    let query = EntriesAfter {
        conversation,
        epoch: EPOCH,
        after: Seq(0),
        limit: 100,
        max_bytes: usize::MAX,
    };
    database.entries_after(query).await.unwrap()
}

/// Rows that name a deleted account by its key, in all tables but that of accounts.
async fn rows_that_name_it(fresh: &Fresh) -> String {
    let key = "(SELECT account FROM tim_account WHERE LENGTH(credential) = 0)";
    let tables = [
        "account_conversation",
        "member",
        "room_member",
        "account_block",
        "account_deletion",
    ];
    let counts = tables.map(|table| format!("(SELECT COUNT(*) FROM tim_{table} WHERE account = {key})"));
    fresh.sql(&format!("SELECT {}", counts.join(" + "))).await
}

/// A message of the system to an account.
async fn told_by_the_system(database: &Database, id: &AccountId) {
    let conversation = placement::system_conversation(id);
    let pair = Pair {
        one: AccountId::system(),
        other: id.clone(),
        id: conversation,
    };
    for version in 0..3 {
        let told = submission(&pair, &pair.one, &pair.other, Operation::System, b"you have won");
        stored(&append_one(database, pair.batch(version, vec![told])).await);
    }
    confirm(database, conversation, id).await;
}

async fn nothing_is_left_of_a_deleted_account(engine: Engine) {
    let fresh = Fresh::new(engine).await;
    let database = fresh.node().await;
    let pair = friends(&database).await;
    let (alice, bob) = (&pair.one, &pair.other);
    let mut room = room_of(&database, "bob", &["alice", "carol"]).await;
    room.ask(&database, "dora", "dora", RoomOperation::Join)
        .await
        .unwrap();
    told_by_the_system(&database, alice).await;
    let block = Block {
        account: alice.clone(),
        until_ms: i64::MAX,
    };
    database.block_account(EPOCH, &block, 1).await.unwrap();
    let rows_before = fresh.sql("SELECT COUNT(*) FROM tim_message").await;

    let deletion = wanted(alice, SentMessages::Erased);
    let begun = database
        .begin_deletion(EPOCH, &deletion, false)
        .await
        .unwrap()
        .unwrap();
    assert_eq!(begun, deletion);
    // From here on nobody logs in, registers, or begins anything with it.
    assert_eq!(database.find_account(EPOCH, alice).await.unwrap(), None);
    assert_eq!(
        database.create_account(EPOCH, &made(alice)).await.unwrap(),
        Created::Exists
    );
    let change = |account: &mut Account| {
        account.profile = vec![1];
        true
    };
    assert_eq!(
        database.change_account(EPOCH, alice, &change).await.unwrap(),
        None
    );
    let found = database
        .find_accounts(&[(alice.clone(), EPOCH), (bob.clone(), EPOCH)])
        .await
        .unwrap();
    assert_eq!(found, [Ok(None), Ok(Some(made(bob)))]);
    let other = Pair::new("alice", "erin");
    assert_eq!(
        list(&database, alice, other.id, Listed::Direct(account("erin"))).await,
        Listing::Deleted
    );
    assert_eq!(
        list(
            &database,
            &account("erin"),
            other.id,
            Listed::Direct(alice.clone())
        )
        .await,
        Listing::Listed
    );

    // Twice over all of it, as when the first attempt was cut off somewhere.
    delete(&database, &begun).await;
    delete(&database, &begun).await;

    assert_eq!(rows_that_name_it(&fresh).await, "0");
    assert_eq!(
        fresh.sql("SELECT COUNT(*) FROM tim_account").await,
        "2",
        "its id is not given to anybody"
    );
    let emptied = "SELECT COUNT(*) FROM tim_account WHERE LENGTH(credential) = 0 AND LENGTH(profile) = 0";
    assert_eq!(fresh.sql(emptied).await, "1");
    let system = placement::system_conversation(alice);
    assert_eq!(entries(&database, system).await, []);
    assert_eq!(
        fresh.sql("SELECT COUNT(*) FROM tim_message").await,
        (rows_before.parse::<u32>().unwrap() - 3).to_string(),
        "other places stay"
    );
    // The chat: what bob has said is his.
    let chat = entries(&database, pair.id).await;
    assert!(
        chat.iter()
            .all(|entry| entry.sender != *alice && !entry.audience.contains(alice)),
        "{chat:#?}"
    );
    let left: Vec<_> = chat.iter().filter(|entry| !entry.body.is_empty()).collect();
    assert_eq!((left.len(), &left[0].body[..]), (1, &b"an answer of bob"[..]));
    assert_eq!(state_of(&database, &pair).await.relations, Relations::default());
    let of_bob = database.conversations_of(&[(bob.clone(), EPOCH)]).await.unwrap();
    assert_eq!(of_bob[0].as_ref().unwrap().len(), 1, "the room alone");
    // The room.
    let said = entries(&database, room.conversation).await;
    assert!(
        said.iter()
            .all(|entry| entry.sender != *alice && !entry.audience.contains(alice)),
        "{said:#?}"
    );
    assert_eq!(
        said.iter()
            .filter(|entry| entry.kind == EntryKind::RoomMessage)
            .count(),
        2
    );
    let state = database
        .open_conversations(&[(room.conversation, EPOCH)])
        .await
        .unwrap();
    let left = state[0].clone().unwrap().room.unwrap();
    assert_eq!((left.members, &left.founder, left.cancelled), (2, bob, false));
    let members = database
        .room_accounts(&room.conversation, EPOCH, &[Standing::MEMBER])
        .await
        .unwrap();
    assert!(!members.contains(alice) && members.len() == 2);
    assert_eq!(
        database.begin_deletion(EPOCH, &deletion, false).await.unwrap(),
        None,
        "it is done"
    );
}

async fn messages_stay_where_that_is_wanted(engine: Engine) {
    let fresh = Fresh::new(engine).await;
    let database = fresh.node().await;
    let pair = friends(&database).await;
    let deletion = wanted(&pair.one, SentMessages::Kept);
    database.begin_deletion(EPOCH, &deletion, false).await.unwrap();
    delete(&database, &deletion).await;
    let query = HistoryQuery {
        conversation: pair.id,
        epoch: EPOCH,
        up_to: None,
        not_after_ns: None,
        limit: 10,
    };
    let history = database.history(query).await.unwrap();
    let said: Vec<_> = history.iter().map(|entry| &entry.body[..]).collect();
    assert_eq!(said, [&b"an answer of bob"[..], b"a secret of alice"]);
    assert_eq!(rows_that_name_it(&fresh).await, "0");
}

async fn a_room_goes_to_whoever_is_in_it_longest(engine: Engine) {
    let fresh = Fresh::new(engine).await;
    let database = fresh.node().await;
    let (alice, carol) = (account("alice"), account("carol"));
    let room = room_of(&database, "alice", &["carol", "bob"]).await;
    let of = |id: &Room| {
        let asked = [(id.conversation, EPOCH)];
        let database = database.clone();
        async move {
            let states = database.open_conversations(&asked).await.unwrap();
            states[0].clone().unwrap().room.unwrap()
        }
    };
    for _ in 0..2 {
        let done = database.detach_from_room(EPOCH, &room.id, &alice).await.unwrap();
        assert_eq!(done, Detached::Done);
        let left = of(&room).await;
        assert_eq!(
            (&left.founder, left.members),
            (&carol, 2),
            "carol came before bob"
        );
    }
    for (leaving, founder) in [("carol", account("bob")), ("bob", AccountId::system())] {
        let done = database
            .detach_from_room(EPOCH, &room.id, &account(leaving))
            .await
            .unwrap();
        assert_eq!(done, Detached::Done);
        assert_eq!(of(&room).await.founder, founder);
    }
    assert!(of(&room).await.cancelled, "nobody is left");
}

async fn the_task_is_found_by_others_and_begins_once(engine: Engine) {
    let fresh = Fresh::new(engine).await;
    let (database, other) = (fresh.node().await, fresh.node().await);
    let alice = account("alice");
    let kept = wanted(&alice, SentMessages::Kept);
    assert_eq!(database.begin_deletion(EPOCH, &kept, false).await.unwrap(), None);
    database.create_account(EPOCH, &made(&alice)).await.unwrap();
    database.begin_deletion(EPOCH, &kept, false).await.unwrap();
    assert_eq!(other.deletions().await.unwrap(), std::slice::from_ref(&kept));
    let later = Deletion {
        begun_ms: 5_000,
        sent: SentMessages::Erased,
        ..kept.clone()
    };
    let begun = other.begin_deletion(EPOCH, &later, false).await.unwrap().unwrap();
    assert_eq!((begun.begun_ms, begun.sent), (1_000, SentMessages::Erased));
    let again = other.begin_deletion(EPOCH, &kept, false).await.unwrap().unwrap();
    assert_eq!(again, begun, "who has asked for less does not get less");
    assert_eq!(database.deletions().await.unwrap(), [begun]);
    database
        .finish_deletion(EPOCH, &alice, DeletedId::Taken)
        .await
        .unwrap();
    assert_eq!(other.deletions().await.unwrap(), []);
    // Of users of another system there is no account here, and yet there may be something to delete.
    let stranger = wanted(&account("stranger"), SentMessages::Erased);
    assert!(
        database
            .begin_deletion(EPOCH, &stranger, true)
            .await
            .unwrap()
            .is_some()
    );
    let stranger = stranger.account;
    assert!(database.is_deleted(EPOCH, &stranger).await.unwrap());
    // The id is theirs: it comes back as somebody new, who is not deleted with what is left of a deletion.
    for id in [&stranger, &alice] {
        let begun = database
            .begin_deletion(EPOCH, &wanted(id, SentMessages::Erased), true)
            .await;
        assert!(begun.unwrap().is_some());
        let finished = database.finish_deletion(EPOCH, id, DeletedId::Free).await;
        assert_eq!(finished.unwrap(), Removal::Done);
        assert!(!database.is_deleted(EPOCH, id).await.unwrap());
        assert_eq!(
            database.create_account(EPOCH, &made(id)).await.unwrap(),
            Created::New
        );
        let finished = database.finish_deletion(EPOCH, id, DeletedId::Free).await;
        assert_eq!(finished.unwrap(), Removal::Done);
        assert_eq!(database.find_account(EPOCH, id).await.unwrap(), Some(made(id)));
    }
}

async fn rows_go_only_where_nobody_copies_them(engine: Engine) {
    let split = Split::new(engine, Engine::Sqlite).await;
    let store = split.node().await;
    let database = store.database(&crate::support::database_name("d0")).unwrap();
    let moves = |id: &AccountId| placement::slot(id.as_bytes()) >= HALF;
    let alice = (0..)
        .map(|number| account(&format!("alice-{number}")))
        .find(moves)
        .unwrap();
    database.create_account(EPOCH, &made(&alice)).await.unwrap();
    split.copied(&store).await;
    let deletion = wanted(&alice, SentMessages::Erased);
    database
        .begin_deletion(EPOCH, &deletion, false)
        .await
        .unwrap()
        .unwrap();
    assert_eq!(
        database
            .finish_deletion(EPOCH, &alice, DeletedId::Taken)
            .await
            .unwrap(),
        Removal::Copying
    );
    split.drain_all(&store).await;
    assert!(
        split.is_equal(&store).await,
        "what was written meanwhile is carried over"
    );
    split.finish(&store).await;
    let target = store.database(&crate::support::database_name("d1")).unwrap();
    assert_eq!(target.deletions().await.unwrap(), [deletion]);
    let epoch = tim_core::id::Epoch(2);
    assert_eq!(target.find_account(epoch, &alice).await.unwrap(), None);
    let removed = target
        .finish_deletion(epoch, &alice, DeletedId::Taken)
        .await
        .unwrap();
    assert_eq!(
        (removed, target.deletions().await.unwrap()),
        (Removal::Done, vec![])
    );
}

async fn a_database_of_the_version_before_gets_its_tables(engine: Engine) {
    let fresh = Fresh::new(engine).await;
    drop(fresh.node().await);
    let mut raw = crate::support::Raw::open(&fresh).await;
    raw.run("DROP TABLE tim_account_deletion").await;
    raw.run("DROP TABLE tim_trimmed").await;
    raw.run("DELETE FROM tim_migration WHERE version = 'm0003_deletion'")
        .await;
    let database = fresh.node().await;
    assert_eq!(database.deletions().await.unwrap(), []);
}
