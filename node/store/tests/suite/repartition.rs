//! Moving a range between databases of any two engines while people write, and every way it can be disturbed.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use tim_core::conversation::{ConversationOutcome, FenceRefusal, Submission, Verdict};
use tim_core::id::{Epoch, Seq, Slot, Term};
use tim_core::map::HomePlacement;
use tim_core::placement::{self, SLOT_COUNT};
use tim_core::repartition::{Done, OperationId, Plan, Step, StepError};
use tim_store::{
    Account, CursorAdvance, Database, EntriesAfter, FenceState, ListEntry, ListedConversation, Store,
    StoreError, step_result,
};

use crate::support::{
    EPOCH, Engine, Fresh, NOW_NS, Pair, Raw, database_name, node_with, until, whole, within_limit,
};

const HALF: Slot = Slot(SLOT_COUNT / 2);

/// Two databases, of which d1 is empty, and the plan to move the upper half of d0 there.
struct Split {
    source: Fresh,
    target: Fresh,
    plan: Plan,
}

impl Split {
    async fn new(source: Engine, target: Engine) -> Self {
        let plan = Plan {
            operation: OperationId("split-1".to_owned()),
            from: HALF,
            until: Slot(SLOT_COUNT),
            source: database_name("d0"),
            source_epoch: EPOCH,
            target: database_name("d1"),
            target_epoch: Epoch(2),
            homes: HomePlacement::PerConversation,
        };
        Self {
            source: Fresh::new(source).await,
            target: Fresh::new(target).await,
            plan,
        }
    }

    /// A node that knows both databases.
    async fn node(&self) -> Store {
        let (store, source) = node_with(
            crate::support::CLUSTER,
            crate::support::KEY,
            "d0",
            &self.source.dsn,
        );
        store
            .configure([(database_name("d1"), &self.target.dsn)])
            .unwrap();
        source.prepare().await.unwrap();
        source.create_fences(&whole("d0")).await.unwrap();
        store
    }

    async fn step(&self, store: &Store, step: Step) -> Done {
        store.run_step(&self.plan, Term(1), &step).await.unwrap()
    }

    async fn copy_all(&self, store: &Store) {
        while !matches!(
            self.step(store, Step::CopyChunk).await,
            Done::Copied { finished: true, .. }
        ) {}
    }

    async fn drain_all(&self, store: &Store) {
        while !matches!(
            self.step(store, Step::DrainChanges).await,
            Done::Drained { left: 0 }
        ) {}
    }

    /// From preparing to a copy that is equal as long as nobody writes.
    async fn copied(&self, store: &Store) {
        assert_eq!(self.step(store, Step::PrepareTarget).await, Done::Ok);
        assert_eq!(self.step(store, Step::MarkSource).await, Done::Ok);
        self.copy_all(store).await;
        self.drain_all(store).await;
    }

    /// The cut-over and everything behind it.
    async fn finish(&self, store: &Store) {
        assert_eq!(self.step(store, Step::Close { attempt: 1 }).await, Done::Ok);
        self.drain_all(store).await;
        assert_eq!(
            self.step(store, Step::Move { attempt: 1 }).await,
            Done::Moved(true)
        );
        assert_eq!(self.step(store, Step::OpenTarget).await, Done::Ok);
        while self.step(store, Step::CleanSource).await != (Done::Cleaned { finished: true }) {}
    }
}

/// Where a conversation is after the split, and under which epoch.
fn place(store: &Store, pair: &Pair, moved: bool) -> (Database, Epoch) {
    if moved && placement::slot(&pair.id.0) >= HALF {
        (store.database(&database_name("d1")).unwrap(), Epoch(2))
    } else {
        (store.database(&database_name("d0")).unwrap(), EPOCH)
    }
}

fn pairs(count: usize) -> Vec<Pair> {
    (0..count)
        .map(|number| Pair::new(&format!("one-{number}"), &format!("other-{number}")))
        .collect()
}

/// Accounts, tokens, lists, cursors and messages, for every table to have rows on both sides of the cut.
async fn fill(store: &Store, pairs: &[Pair]) {
    let database = store.database(&database_name("d0")).unwrap();
    for (number, pair) in pairs.iter().enumerate() {
        pair.befriend(&database).await;
        let messages = (0..number % 5).map(|_| pair.message(b"before")).collect();
        database.append(&[pair.batch(2, messages)], NOW_NS).await.unwrap();
        let made = Account {
            id: pair.one.clone(),
            password_hash: "hash".to_owned(),
            created_ns: 1,
            profile: vec![7],
        };
        database.create_account(EPOCH, &made).await.unwrap();
        database
            .put_token(EPOCH, format!("token-{number}").as_bytes(), &pair.one, i64::MAX)
            .await
            .unwrap();
        let listed = ListedConversation {
            conversation: pair.id,
            peer: pair.other.clone(),
        };
        let entry = ListEntry {
            account: pair.one.clone(),
            epoch: EPOCH,
            listed,
        };
        database.list_conversations(&[entry]).await.unwrap();
        let advance = CursorAdvance {
            conversation: pair.id,
            epoch: EPOCH,
            account: pair.other.clone(),
            class: tim_core::id::DeviceClass(1),
            from: Seq(0),
            to: Seq(1),
        };
        database.advance_cursors(&[advance]).await.unwrap();
    }
}

async fn check_filled(store: &Store, pairs: &[Pair]) {
    for (number, pair) in pairs.iter().enumerate() {
        let (database, epoch) = place(store, pair, true);
        let query = EntriesAfter {
            conversation: pair.id,
            epoch,
            after: Seq(0),
            limit: 500,
            max_bytes: usize::MAX,
        };
        assert_eq!(
            database.entries_after(query).await.unwrap().len(),
            2 + number % 5,
            "pair {number}"
        );
        let by_slot = |slot: Slot| {
            if slot >= HALF {
                ("d1", Epoch(2))
            } else {
                ("d0", EPOCH)
            }
        };
        let (name, epoch) = by_slot(placement::slot(pair.one.as_bytes()));
        let database = store.database(&database_name(name)).unwrap();
        let found = database.find_account(epoch, &pair.one).await.unwrap().unwrap();
        assert_eq!(found.profile, [7]);
        let lists = database
            .conversations_of(&[(pair.one.clone(), epoch)])
            .await
            .unwrap();
        assert_eq!(lists[0].as_ref().unwrap().len(), 1);
        let token = format!("token-{number}");
        let (name, epoch) = by_slot(placement::slot(token.as_bytes()));
        let database = store.database(&database_name(name)).unwrap();
        assert_eq!(
            database
                .take_token(epoch, token.as_bytes(), 0)
                .await
                .unwrap()
                .as_ref(),
            Some(&pair.one)
        );
    }
}

macro_rules! between {
    ($($name:ident: $source:ident -> $target:ident),+ $(,)?) => {$(
        mod $name {
            use super::*;
            #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn a_quiet_range_moves_whole() {
                within_limit(a_quiet_range_moves(Engine::$source, Engine::$target)).await;
            }
            #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn a_range_moves_under_load() {
                within_limit(a_range_moves_while_people_write(Engine::$source, Engine::$target)).await;
            }
            #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn steps_are_idempotent_and_bound_to_their_term() {
                within_limit(every_step_twice_and_none_of_a_lower_term(Engine::$source, Engine::$target)).await;
            }
        }
    )+};
}

between!(
    sqlite_to_sqlite: Sqlite -> Sqlite,
    postgres_to_postgres: Postgres -> Postgres,
    sqlite_to_postgres: Sqlite -> Postgres,
    postgres_to_mariadb: Postgres -> MariaDb,
    mariadb_to_sqlite: MariaDb -> Sqlite,
    mariadb_to_mariadb: MariaDb -> MariaDb,
);

async fn a_quiet_range_moves(source: Engine, target: Engine) {
    let split = Split::new(source, target).await;
    let store = split.node().await;
    let pairs = pairs(40);
    fill(&store, &pairs).await;
    split.copied(&store).await;
    assert_eq!(
        split.step(&store, Step::Verify).await,
        Done::Verified { equal: true }
    );
    split.finish(&store).await;
    check_filled(&store, &pairs).await;
    // Nothing of the range is left behind, and the fence row points to who has it.
    for table in [
        "account",
        "token",
        "account_conversation",
        "conversation",
        "member",
        "message",
        "change",
    ] {
        let text = format!("SELECT COUNT(*) FROM tim_{table} WHERE slot >= {}", HALF.0);
        assert_eq!(split.source.sql(&text).await, "0", "{table}");
    }
    let fences = store
        .database(&database_name("d0"))
        .unwrap()
        .fences()
        .await
        .unwrap();
    assert_eq!(
        (fences[0].from, fences[0].to, fences[0].epoch),
        (Slot(0), HALF, EPOCH)
    );
    assert_eq!((&fences[0].state, &fences[0].moving), (&FenceState::Open, &None));
    assert_eq!(fences[1].state, FenceState::Moved(database_name("d1")));
    assert_eq!((fences[1].from, fences[1].epoch), (HALF, Epoch(2)));
}

/// One sender per pair; follows the fences as a node does, and knows what was acknowledged.
async fn write_until_done(store: Store, pair: Pair, done: Arc<AtomicBool>) -> Vec<u32> {
    let mut acknowledged = Vec::new();
    let mut moved = false;
    let mut waiting: Option<Submission> = None;
    let mut number = 0_u32;
    while !done.load(Ordering::SeqCst) || waiting.is_some() {
        let (database, epoch) = place(&store, &pair, moved);
        let submission = waiting
            .take()
            .unwrap_or_else(|| pair.message(&number.to_be_bytes()));
        let states = database.open_conversations(&[(pair.id, epoch)]).await.unwrap();
        let outcome = match &states[0] {
            Err(refusal) => ConversationOutcome::Fenced(refusal.clone()),
            Ok(state) => {
                let mut batch = pair.batch(state.version.0, vec![submission.clone()]);
                batch.epoch = epoch;
                database.append(&[batch], NOW_NS).await.unwrap().remove(0)
            }
        };
        match outcome {
            ConversationOutcome::Done { verdicts, .. } => {
                assert!(matches!(verdicts[0], Verdict::Store { .. }), "{verdicts:?}");
                acknowledged.push(number);
                number += 1;
            }
            ConversationOutcome::Fenced(FenceRefusal::Moved { to, epoch }) => {
                assert_eq!((to, epoch), (database_name("d1"), Epoch(2)));
                moved = true;
                store
                    .finish_move(&database_name("d0"), placement::slot(&pair.id.0))
                    .await
                    .unwrap();
                waiting = Some(submission);
            }
            ConversationOutcome::Fenced(_) => {
                tokio::task::yield_now().await;
                waiting = Some(submission);
            }
            ConversationOutcome::Conflict { .. } => panic!("nobody else writes to this conversation"),
        }
    }
    acknowledged
}

async fn a_range_moves_while_people_write(source: Engine, target: Engine) {
    let split = Split::new(source, target).await;
    let store = split.node().await;
    let pairs = pairs(8);
    for pair in &pairs {
        pair.befriend(&store.database(&database_name("d0")).unwrap())
            .await;
    }
    assert!(pairs.iter().any(|pair| placement::slot(&pair.id.0) >= HALF));
    let done = Arc::new(AtomicBool::new(false));
    let mut writers = Vec::new();
    for pair in &pairs {
        writers.push(tokio::spawn(write_until_done(
            split.node().await,
            pair.clone(),
            done.clone(),
        )));
    }
    assert_eq!(split.step(&store, Step::PrepareTarget).await, Done::Ok);
    assert_eq!(split.step(&store, Step::MarkSource).await, Done::Ok);
    split.copy_all(&store).await;
    for _ in 0..5 {
        split.step(&store, Step::DrainChanges).await;
    }
    assert_eq!(
        split.step(&store, Step::Verify).await,
        Done::Verified { equal: true }
    );
    split.finish(&store).await;
    // People go on writing behind the cut, at the new place.
    tokio::time::sleep(std::time::Duration::from_millis(100)).await;
    done.store(true, Ordering::SeqCst);
    for (pair, writer) in pairs.iter().zip(writers) {
        let acknowledged = writer.await.unwrap();
        let (database, epoch) = place(&store, pair, true);
        let mut entries = Vec::new();
        loop {
            let after = entries
                .last()
                .map_or(Seq(0), |entry: &tim_core::conversation::Entry| entry.seq);
            let query = EntriesAfter {
                conversation: pair.id,
                epoch,
                after,
                limit: 500,
                max_bytes: usize::MAX,
            };
            let more = database.entries_after(query).await.unwrap();
            if more.is_empty() {
                break;
            }
            entries.extend(more);
        }
        assert!(
            entries
                .iter()
                .enumerate()
                .all(|(place, entry)| entry.seq.0 == place as u64 + 1)
        );
        let bodies: Vec<u32> = entries[2..]
            .iter()
            .map(|entry| u32::from_be_bytes(entry.body.as_ref().try_into().unwrap()))
            .collect();
        assert_eq!(bodies, acknowledged);
    }
}

async fn every_step_twice_and_none_of_a_lower_term(source: Engine, target: Engine) {
    let split = Split::new(source, target).await;
    let store = split.node().await;
    fill(&store, &pairs(6)).await;
    let twice = async |step: Step, expected: Done| {
        for _ in 0..2 {
            assert_eq!(
                store.run_step(&split.plan, Term(5), &step).await.unwrap(),
                expected,
                "{step:?}"
            );
        }
        let stale = store.run_step(&split.plan, Term(4), &step).await;
        if step != Step::OpenTarget {
            assert!(
                matches!(stale, Err(StoreError::StaleTerm { seen: Term(5), .. })),
                "{step:?}: {stale:?}"
            );
            assert_eq!(step_result(stale), Err(StepError::OldTerm));
        }
    };
    twice(Step::PrepareTarget, Done::Ok).await;
    twice(Step::MarkSource, Done::Ok).await;
    while store
        .run_step(&split.plan, Term(5), &Step::CopyChunk)
        .await
        .unwrap()
        != (Done::Copied {
            rows: 0,
            finished: true,
        })
    {}
    twice(
        Step::CopyChunk,
        Done::Copied {
            rows: 0,
            finished: true,
        },
    )
    .await;
    twice(Step::DrainChanges, Done::Drained { left: 0 }).await;
    twice(Step::Verify, Done::Verified { equal: true }).await;
    twice(Step::Close { attempt: 1 }, Done::Ok).await;
    twice(Step::Reopen { attempt: 1 }, Done::Ok).await;
    // The `close` of an attempt that was given up comes too late.
    let late = store
        .run_step(&split.plan, Term(5), &Step::Close { attempt: 1 })
        .await;
    assert!(matches!(late, Err(StoreError::StepRefused { .. })), "{late:?}");
    twice(Step::Move { attempt: 1 }, Done::Moved(false)).await;
    twice(Step::Close { attempt: 2 }, Done::Ok).await;
    twice(Step::Move { attempt: 2 }, Done::Moved(true)).await;
    // Whatever of before comes late finds the work done and changes nothing.
    twice(Step::Reopen { attempt: 2 }, Done::Moved(true)).await;
    twice(Step::MarkSource, Done::Ok).await;
    twice(Step::DrainChanges, Done::Drained { left: 0 }).await;
    twice(Step::OpenTarget, Done::Ok).await;
    twice(Step::PrepareTarget, Done::Ok).await;
    twice(Step::CleanSource, Done::Cleaned { finished: true }).await;
    let never = step_result(store.run_step(&split.plan, Term(5), &Step::CleanTarget).await);
    assert!(matches!(never, Err(StepError::Never(_))), "{never:?}");
    let never = step_result(store.run_step(&split.plan, Term(5), &Step::UnmarkSource).await);
    assert!(matches!(never, Err(StepError::Never(_))), "{never:?}");
}

macro_rules! on_each {
    ($($test:ident),+ $(,)?) => { crate::support::on_every_engine!($($test),+); };
}

on_each!(
    a_cancelled_move_leaves_the_source_as_it_was,
    a_difference_is_found,
    noted_rows_are_left_out_of_a_comparison,
    a_note_goes_only_with_the_version_that_was_copied,
    a_raise_waits_for_what_is_under_way,
    a_stale_copy_does_not_overwrite,
    a_dead_coordinator_stops_nobody,
    a_target_that_holds_something_is_refused,
    a_new_coordinator_goes_on_where_the_old_one_ended,
    large_rows_are_copied_in_small_pieces,
);

async fn a_cancelled_move_leaves_the_source_as_it_was(engine: Engine) {
    let split = Split::new(engine, engine).await;
    let store = split.node().await;
    let pairs = pairs(10);
    fill(&store, &pairs).await;
    split.copied(&store).await;
    split.step(&store, Step::Close { attempt: 1 }).await;
    assert_eq!(split.step(&store, Step::UnmarkSource).await, Done::Ok);
    while split.step(&store, Step::CleanTarget).await != (Done::Cleaned { finished: true }) {}
    assert_eq!(
        store
            .database(&database_name("d1"))
            .unwrap()
            .fences()
            .await
            .unwrap(),
        []
    );
    assert_eq!(split.target.sql("SELECT COUNT(*) FROM tim_message").await, "0");
    assert_eq!(split.target.sql("SELECT COUNT(*) FROM tim_copy").await, "0");
    let fences = store
        .database(&database_name("d0"))
        .unwrap()
        .fences()
        .await
        .unwrap();
    assert_eq!(
        (fences.len(), &fences[0].state, fences[0].copying),
        (1, &FenceState::Open, false)
    );
    // And it can be done again, under another name.
    let again = Split {
        plan: Plan {
            operation: OperationId("split-2".to_owned()),
            ..split.plan.clone()
        },
        ..split
    };
    again.copied(&store).await;
    again.finish(&store).await;
    check_filled(&store, &pairs).await;
}

async fn a_difference_is_found(engine: Engine) {
    let split = Split::new(engine, engine).await;
    let store = split.node().await;
    fill(&store, &pairs(10)).await;
    split.copied(&store).await;
    assert_eq!(
        split.step(&store, Step::Verify).await,
        Done::Verified { equal: true }
    );
    split.target.sql("UPDATE tim_conversation SET head = head + 1 WHERE slot = (SELECT s FROM (SELECT MIN(slot) AS s FROM tim_conversation) x)").await;
    assert_eq!(
        split.step(&store, Step::Verify).await,
        Done::Verified { equal: false }
    );
}

async fn noted_rows_are_left_out_of_a_comparison(engine: Engine) {
    let split = Split::new(engine, engine).await;
    let store = split.node().await;
    let database = store.database(&database_name("d0")).unwrap();
    let pair = moving_pair();
    split.copied(&store).await;
    pair.befriend(&database).await;
    // The conversation's row and two entries.
    assert_eq!(split.source.sql("SELECT COUNT(*) FROM tim_change").await, "3");
    assert_eq!(
        split.step(&store, Step::Verify).await,
        Done::Verified { equal: true }
    );
    split.source.sql("DELETE FROM tim_change").await;
    assert_eq!(
        split.step(&store, Step::Verify).await,
        Done::Verified { equal: false }
    );
}

/// A row that is written again between the copying of its state and the removal of its note keeps the note.
async fn a_note_goes_only_with_the_version_that_was_copied(engine: Engine) {
    let split = Split::new(engine, engine).await;
    let store = split.node().await;
    let database = store.database(&database_name("d0")).unwrap();
    let pair = moving_pair();
    split.copied(&store).await;
    pair.befriend(&database).await;
    // Whoever holds the fence keeps the step from removing notes, but not from copying.
    let mut raw = Raw::open(&split.source).await;
    raw.run(match engine {
        Engine::Sqlite => "BEGIN IMMEDIATE",
        Engine::Postgres => "BEGIN; SELECT pg_advisory_xact_lock(1414090054, 0)",
        Engine::MariaDb => "BEGIN",
    })
    .await;
    if engine == Engine::MariaDb {
        raw.run("SELECT from_slot FROM tim_fence FOR UPDATE").await;
    }
    let drain = {
        let (store, plan) = (store.clone(), split.plan.clone());
        tokio::spawn(async move { store.run_step(&plan, Term(1), &Step::DrainChanges).await })
    };
    until("the rows are copied", || async {
        split.target.sql("SELECT COUNT(*) FROM tim_message").await == "2"
    })
    .await;
    raw.run("UPDATE tim_conversation SET last_timestamp_ns = 5, version = version + 1")
        .await;
    raw.run("UPDATE tim_change SET version = version + 1 WHERE table_code = 4")
        .await;
    raw.run("COMMIT").await;
    assert_eq!(drain.await.unwrap().unwrap(), Done::Drained { left: 1 });
    split.drain_all(&store).await;
    assert_eq!(
        split.step(&store, Step::Verify).await,
        Done::Verified { equal: true }
    );
}

/// A transaction that began under the old fence is waited for: otherwise it would commit without noting its writes.
async fn a_raise_waits_for_what_is_under_way(engine: Engine) {
    if engine == Engine::Sqlite {
        // There a writer has the whole file.
        return;
    }
    let split = Split::new(engine, engine).await;
    let store = split.node().await;
    let database = store.database(&database_name("d0")).unwrap();
    let pair = moving_pair();
    pair.befriend(&database).await;
    split.step(&store, Step::PrepareTarget).await;
    // Holds the append between its fence and its commit.
    let mut raw = Raw::open(&split.source).await;
    raw.run("BEGIN").await;
    raw.run("SELECT slot FROM tim_conversation FOR UPDATE").await;
    let append = {
        let (database, pair) = (database.clone(), pair.clone());
        tokio::spawn(async move {
            database
                .append(&[pair.batch(2, vec![pair.message(b"under way")])], NOW_NS)
                .await
        })
    };
    let waiting = match engine {
        Engine::MariaDb => {
            "SELECT COUNT(*) FROM information_schema.innodb_trx t JOIN information_schema.processlist p \
             ON p.id = t.trx_mysql_thread_id WHERE p.db = DATABASE() AND t.trx_state = 'LOCK WAIT'"
        }
        _ => {
            "SELECT COUNT(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'"
        }
    };
    until("the append waits", || waiters(&split.source, waiting, "1")).await;
    let mark = {
        let (store, plan) = (store.clone(), split.plan.clone());
        tokio::spawn(async move { store.run_step(&plan, Term(1), &Step::MarkSource).await })
    };
    until("the raise waits, too", || async {
        mark.is_finished() || waiters(&split.source, waiting, "2").await
    })
    .await;
    if mark.is_finished() {
        // Only right if the append has given up and begins anew: then it sees the mark. Else it commits behind this
        // copy without a note, and the comparison below finds out.
        split.copy_all(&store).await;
    }
    raw.run("COMMIT").await;
    let outcomes = append.await.unwrap().unwrap();
    assert!(
        matches!(outcomes[0], ConversationOutcome::Done { .. }),
        "{outcomes:?}"
    );
    assert_eq!(mark.await.unwrap().unwrap(), Done::Ok);
    split.copy_all(&store).await;
    assert_eq!(
        split.step(&store, Step::Verify).await,
        Done::Verified { equal: true }
    );
}

async fn waiters(fresh: &Fresh, query: &str, expected: &str) -> bool {
    // MariaDB shows what it showed before when it is asked again within 100 ms.
    tokio::time::sleep(std::time::Duration::from_millis(130)).await;
    fresh.sql(query).await == expected
}

/// A pair whose conversation is in the upper half.
fn moving_pair() -> Pair {
    pairs(20)
        .into_iter()
        .find(|pair| placement::slot(&pair.id.0) >= HALF)
        .unwrap()
}

async fn a_stale_copy_does_not_overwrite(engine: Engine) {
    let split = Split::new(engine, engine).await;
    let store = split.node().await;
    let database = store.database(&database_name("d0")).unwrap();
    let pair = pairs(20)
        .into_iter()
        .find(|pair| placement::slot(&pair.id.0) >= HALF)
        .unwrap();
    pair.befriend(&database).await;
    split.copied(&store).await;
    // The target has a newer row than a copy that begins again from the start.
    split
        .target
        .sql("UPDATE tim_conversation SET version = 50, head = 9")
        .await;
    split.target.sql("DELETE FROM tim_copy").await;
    split.copy_all(&store).await;
    assert_eq!(
        split
            .target
            .sql(
                "SELECT CAST(SUM(head) AS SIGNED) FROM tim_conversation"
                    .replace(
                        "SIGNED",
                        if engine == Engine::MariaDb {
                            "SIGNED"
                        } else {
                            "BIGINT"
                        }
                    )
                    .as_str()
            )
            .await,
        "9"
    );
}

async fn a_dead_coordinator_stops_nobody(engine: Engine) {
    let split = Split::new(engine, engine).await;
    let store = split.node().await;
    let database = store.database(&database_name("d0")).unwrap();
    let moving = pairs(20)
        .into_iter()
        .find(|pair| placement::slot(&pair.id.0) >= HALF)
        .unwrap();
    let staying = pairs(20)
        .into_iter()
        .find(|pair| placement::slot(&pair.id.0) < HALF)
        .unwrap();
    for pair in [&moving, &staying] {
        pair.befriend(&database).await;
    }
    split.copied(&store).await;
    split.step(&store, Step::Close { attempt: 1 }).await;
    let batches = [&moving, &staying].map(|pair| pair.batch(2, vec![pair.message(b"text")]));
    let outcomes = database.append(&batches, NOW_NS).await.unwrap();
    assert_eq!(outcomes[0], ConversationOutcome::Fenced(FenceRefusal::Closing));
    assert!(matches!(outcomes[1], ConversationOutcome::Done { .. }));
    // Reading goes on.
    assert!(database.open_conversations(&[(moving.id, EPOCH)]).await.unwrap()[0].is_ok());
    let slot = placement::slot(&moving.id.0);
    assert_eq!(database.closing(slot).await.unwrap(), Some(1));
    assert!(!database.reopen_closing(slot, 2).await.unwrap());
    assert!(database.reopen_closing(slot, 1).await.unwrap());
    assert!(!database.reopen_closing(slot, 1).await.unwrap());
    assert_eq!(database.closing(slot).await.unwrap(), None);
    let outcomes = database.append(&batches[..1], NOW_NS).await.unwrap();
    assert!(matches!(outcomes[0], ConversationOutcome::Done { .. }));
    // The coordinator wakes: its move is refused, and what was written meanwhile is still noted.
    assert_eq!(
        split.step(&store, Step::Move { attempt: 1 }).await,
        Done::Moved(false)
    );
    assert_ne!(
        split.step(&store, Step::DrainChanges).await,
        Done::Drained { left: 9 }
    );
    assert_eq!(
        split.step(&store, Step::Verify).await,
        Done::Verified { equal: true }
    );
}

async fn a_target_that_holds_something_is_refused(engine: Engine) {
    let split = Split::new(engine, engine).await;
    let store = split.node().await;
    let target = store.database(&database_name("d1")).unwrap();
    target.prepare().await.unwrap();
    target.create_fences(&whole("d1")).await.unwrap();
    let refused = store.run_step(&split.plan, Term(1), &Step::PrepareTarget).await;
    assert!(
        matches!(refused, Err(StoreError::StepRefused { .. })),
        "{refused:?}"
    );
    split.target.sql("DELETE FROM tim_fence").await;
    split
        .target
        .sql(&format!(
            "INSERT INTO tim_change (slot, table_code, row_key, version) SELECT 1, 1, {} , 1",
            if engine == Engine::Postgres {
                "'\\x00'::bytea"
            } else {
                "x'00'"
            }
        ))
        .await;
    assert_eq!(split.step(&store, Step::PrepareTarget).await, Done::Ok);
    let written = store.run_step(&split.plan, Term(1), &Step::OpenTarget).await;
    assert!(
        matches!(written, Err(StoreError::StepRefused { .. })),
        "{written:?}"
    );
}

async fn a_new_coordinator_goes_on_where_the_old_one_ended(engine: Engine) {
    let split = Split::new(engine, engine).await;
    let store = split.node().await;
    let pairs = pairs(30);
    fill(&store, &pairs).await;
    split.step(&store, Step::PrepareTarget).await;
    split.step(&store, Step::MarkSource).await;
    let mut copied = BTreeMap::new();
    let mut term = 1;
    loop {
        // Another node coordinates every piece.
        term += 1;
        let store = split.node().await;
        store
            .database(&database_name("d1"))
            .unwrap()
            .prepare()
            .await
            .unwrap();
        let done = store
            .run_step(&split.plan, Term(term), &Step::CopyChunk)
            .await
            .unwrap();
        let Done::Copied { rows, finished } = done else {
            panic!("{done:?}")
        };
        copied.insert(term, rows);
        if finished {
            break;
        }
    }
    let total: u64 = copied.values().sum();
    let mut there = 0;
    for table in [
        "account",
        "token",
        "account_conversation",
        "conversation",
        "member",
        "message",
    ] {
        there += split
            .target
            .sql(&format!("SELECT COUNT(*) FROM tim_{table}"))
            .await
            .parse::<u64>()
            .unwrap();
    }
    assert_eq!(total, there, "nothing was copied twice");
    let stale = store.run_step(&split.plan, Term(1), &Step::CopyChunk).await;
    assert!(matches!(stale, Err(StoreError::StaleTerm { .. })), "{stale:?}");
    let done = store
        .run_step(&split.plan, Term(term), &Step::Verify)
        .await
        .unwrap();
    assert_eq!(done, Done::Verified { equal: true });
}

async fn large_rows_are_copied_in_small_pieces(engine: Engine) {
    let split = Split::new(engine, engine).await;
    let store = split.node().await;
    let database = store.database(&database_name("d0")).unwrap();
    let pair = pairs(20)
        .into_iter()
        .find(|pair| placement::slot(&pair.id.0) >= HALF)
        .unwrap();
    pair.befriend(&database).await;
    let large = vec![b'x'; 1 << 20];
    for version in 2..12 {
        database
            .append(&[pair.batch(version, vec![pair.message(&large)])], NOW_NS)
            .await
            .unwrap();
    }
    split.step(&store, Step::PrepareTarget).await;
    split.step(&store, Step::MarkSource).await;
    let mut pieces = Vec::new();
    loop {
        let done = split.step(&store, Step::CopyChunk).await;
        let Done::Copied { rows, finished } = done else {
            panic!("{done:?}")
        };
        pieces.push(rows);
        if finished {
            break;
        }
    }
    assert!(pieces.iter().all(|rows| *rows <= 6), "{pieces:?}");
    assert_eq!(
        split.step(&store, Step::Verify).await,
        Done::Verified { equal: true }
    );
}
