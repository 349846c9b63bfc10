//! The plans of the statements that chat consists of, on every engine, in databases that hold something: none of them
//! reads a whole table.
//!
//! ```text
//! TIM_WRITE_PLANS=1 cargo test -p tim-store --features explain --test plans
//! ```
//! writes `docs/reference/statements.md` anew.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    reason = "tests stop at the first surprise"
)]

#[path = "../../../e2e/src/database.rs"]
#[allow(
    dead_code,
    unreachable_pub,
    reason = "shared with the end-to-end tests, which use all of it"
)]
mod database;

#[path = "suite/support.rs"]
#[allow(
    dead_code,
    unused_macros,
    unused_imports,
    reason = "shared with the suite, which uses all of it"
)]
mod support;

#[path = "plans/forgetting.rs"]
mod forgetting;
#[path = "plans/rooms.rs"]
mod rooms;

use std::fmt::Write as _;

use support::{EPOCH, Engine, Fresh, NOW_NS, Pair, Raw, submission};
use tim_core::conversation::{ConversationBatch, Operation};
use tim_core::id::{DeviceClass, Seq};
use tim_store::explain::Explained;
use tim_store::{
    Account, CursorAdvance, Database, EntriesAfter, HistoryQuery, ListEntry, Listed, ListedConversation,
    PositionQuery,
};

const PAIRS: usize = 300;
const ROUNDS: usize = 4;
/// The room that is talked in.
const ROOM: usize = 7;
const MESSAGES_PER_ROUND: usize = 10;
/// Far in the future of every test.
const LATER_MS: i64 = 4_000_000_000_000;
/// Read whole on purpose: one row for each range of the database, one for each account that is just being deleted, and the
/// 200 conversations of a page.
const SMALL: [&str; 4] = ["f", "tim_fence", "tim_account_deletion", "page"];
/// Searches that have to use these indexes: with another one they would read a conversation from its beginning.
const SEARCHES: [(&str, &str); 2] = [
    ("m.message = k.wanted", "tim_message_key"),
    ("m.client_key = k.wanted", "tim_message_client"),
];
const PAGE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/reference/statements.md");

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_statement_of_the_hot_path_reads_a_whole_table() {
    let mut page = String::from(HEAD);
    let mut offenders = Vec::new();
    for (engine, title) in [
        (Engine::Sqlite, "SQLite"),
        (Engine::Postgres, "PostgreSQL"),
        (Engine::MariaDb, "MariaDB"),
    ] {
        let fresh = Fresh::new(engine).await;
        let database = fresh.node().await;
        let pairs = fill(&database).await;
        let mut filled = rooms::fill(&database).await;
        analyze(&fresh).await;
        database.explain_from_now_on();
        chat(&database, &pairs).await;
        rooms::talk(&database, &mut filled[ROOM]).await;
        forgetting::old_messages(&database).await;
        forgetting::an_account(&database, &pairs[PAIRS / 3], &filled[ROOM]).await;
        let explained = database.explained();
        assert!(explained.len() > 12, "{title}: {}", explained.len());
        offenders.extend(explained.iter().filter(|one| reads_too_much(one)).cloned());
        write_section(&mut page, title, &explained);
    }
    if std::env::var_os("TIM_WRITE_PLANS").is_some() {
        std::fs::write(PAGE, page).unwrap();
    }
    assert!(offenders.is_empty(), "{offenders:#?}");
}

fn reads_too_much(explained: &Explained) -> bool {
    let misses = |(search, index): &(&str, &str)| {
        explained.text.contains(search) && !explained.plan.iter().any(|line| line.contains(index))
    };
    if SEARCHES.iter().any(misses) {
        return true;
    }
    explained
        .reads_all_of
        .iter()
        .any(|table| !SMALL.contains(&table.as_str()))
}

/// Accounts with friends and messages.
async fn fill(database: &Database) -> Vec<Pair> {
    let pairs: Vec<Pair> = (0..PAIRS)
        .map(|number| Pair::new(&format!("one-{number}"), &format!("other-{number}")))
        .collect();
    for pair in &pairs {
        for id in [&pair.one, &pair.other] {
            let made = Account {
                id: id.clone(),
                password_hash: "hash".to_owned(),
                created_ns: NOW_NS,
                profile: Vec::new(),
            };
            database.create_account(EPOCH, &made).await.unwrap();
            let token = [id.as_bytes(), b"-token"].concat();
            database.put_token(EPOCH, &token, id, LATER_MS).await.unwrap();
        }
        list(database, pair).await;
        pair.befriend(database).await;
    }
    for _ in 0..ROUNDS {
        say(database, &pairs, MESSAGES_PER_ROUND).await;
    }
    for pair in &pairs {
        confirm(database, pair, [0, 2]).await;
    }
    pairs
}

/// Both move their cursors.
async fn confirm(database: &Database, pair: &Pair, [from, to]: [u64; 2]) {
    let advances = [&pair.one, &pair.other].map(|account| CursorAdvance {
        conversation: pair.id,
        epoch: EPOCH,
        account: account.clone(),
        class: DeviceClass(1),
        from: Seq(from),
        to: Seq(to),
    });
    database.advance_cursors(&advances).await.unwrap();
}

async fn list(database: &Database, pair: &Pair) {
    let entry = |account: &tim_core::id::AccountId, peer: &tim_core::id::AccountId| ListEntry {
        account: account.clone(),
        epoch: EPOCH,
        listed: ListedConversation {
            conversation: pair.id,
            what: Listed::Direct(peer.clone()),
        },
    };
    let entries = [entry(&pair.one, &pair.other), entry(&pair.other, &pair.one)];
    database.list_conversations(&entries).await.unwrap();
}

/// One group commit over all pairs.
async fn say(database: &Database, pairs: &[Pair], count: usize) {
    let conversations: Vec<_> = pairs.iter().map(|pair| (pair.id, EPOCH)).collect();
    let states = database.open_conversations(&conversations).await.unwrap();
    let batches: Vec<ConversationBatch> = pairs
        .iter()
        .zip(states)
        .map(|(pair, state)| {
            let said = (0..count)
                .map(|_| pair.message(b"as long as a message is"))
                .collect();
            pair.batch(state.unwrap().version.0, said)
        })
        .collect();
    for outcome in database.append(&batches, NOW_NS).await.unwrap() {
        assert_eq!(support::stored(&outcome).len(), count);
    }
}

/// As the engines do by themselves after a while.
async fn analyze(fresh: &Fresh) {
    let mut raw = Raw::open(fresh).await;
    match fresh.engine {
        Engine::Sqlite | Engine::Postgres => raw.run("ANALYZE").await,
        Engine::MariaDb => {
            raw.run("ANALYZE TABLE tim_account, tim_token, tim_account_conversation, tim_conversation, tim_member, tim_message, tim_room, tim_room_member")
                .await;
        }
    }
}

/// Everything that happens while people log in and chat.
async fn chat(database: &Database, pairs: &[Pair]) {
    let pair = &pairs[PAIRS / 2];
    database.find_account(EPOCH, &pair.one).await.unwrap().unwrap();
    let both = [(pair.one.clone(), EPOCH), (pair.other.clone(), EPOCH)];
    database.find_accounts(&both).await.unwrap();
    database.blocked_until(EPOCH, &pair.one, 0).await.unwrap();
    let token = [pair.one.as_bytes(), b"-token"].concat();
    assert_eq!(
        database.take_token(EPOCH, &token, 0).await.unwrap(),
        Some(pair.one.clone())
    );
    database
        .put_token(EPOCH, b"another", &pair.one, LATER_MS)
        .await
        .unwrap();
    database.conversations_of(&both).await.unwrap();
    list(database, &Pair::new("one-0", "other-1")).await;
    say(database, &pairs[..8], 3).await;
    take_back(database, pair).await;
    deliver(database, pair).await;
    let query = HistoryQuery {
        conversation: pair.id,
        epoch: EPOCH,
        up_to: None,
        not_after_ns: None,
        limit: 10,
    };
    let up_to = Some(Seq(20));
    for query in [
        query,
        HistoryQuery { up_to, ..query },
        HistoryQuery {
            not_after_ns: Some(NOW_NS),
            ..query
        },
        HistoryQuery {
            up_to,
            not_after_ns: Some(NOW_NS),
            ..query
        },
    ] {
        assert_eq!(database.history(query).await.unwrap().len(), 10);
    }
}

/// One message by its client's own id, and that message taken back.
async fn take_back(database: &Database, pair: &Pair) {
    let mut said = pair.message(b"a mistake");
    said.client_id = Some(77);
    let state = support::state_of(database, pair).await;
    let outcome = support::append_one(database, pair.batch(state.version.0, vec![said])).await;
    let target = support::stored(&outcome)[0];
    let revoke = submission(pair, &pair.one, &pair.other, Operation::Revoke(target), b"");
    let state = support::state_of(database, pair).await;
    let outcome = support::append_one(database, pair.batch(state.version.0, vec![revoke])).await;
    assert_eq!(support::stored(&outcome).len(), 1);
}

/// What a session's node reads and writes to deliver.
async fn deliver(database: &Database, pair: &Pair) {
    let positions: Vec<PositionQuery> = [&pair.one, &pair.other]
        .map(|account| PositionQuery {
            conversation: pair.id,
            epoch: EPOCH,
            account: account.clone(),
        })
        .into();
    database.positions(&positions).await.unwrap();
    let wanted = EntriesAfter {
        conversation: pair.id,
        epoch: EPOCH,
        after: Seq(3),
        limit: 10,
        max_bytes: 1 << 20,
    };
    assert_eq!(database.entries_after(wanted).await.unwrap().len(), 10);
    confirm(database, pair, [2, 5]).await;
}

const HEAD: &str = "# Statements and their plans

<!-- Generated: TIM_WRITE_PLANS=1 cargo test -p tim-store --features explain --test plans -->

What a node asks of its databases while people log in and chat, and while old messages and deleted accounts go, and how each engine says it will do it: in databases of
600 accounts, 300 conversations of two and 12,600 entries, and 30 rooms of 61 members, with fresh statistics. A test holds that none of these statements
reads all rows of a table (but for `tim_fence`, which has one row for each range, and `tim_account_deletion`, which has one for
each account that is just being deleted), or a conversation from its beginning.
Keys travel as one JSON text that the engine unpacks (`k`), so that a statement costs one round trip however many rows it
is about. INSERTs, which write up to 256 rows at once by their keys, have no plan worth showing.
";

fn write_section(page: &mut String, title: &str, explained: &[Explained]) {
    let _ = write!(page, "\n## {title}\n");
    for one in explained {
        let plan = one.plan.join("\n");
        let _ = write!(
            page,
            "\n### {}\n\n```sql\n{}\n```\n\n```text\n{plan}\n```\n",
            one.summary, one.text
        );
    }
}
