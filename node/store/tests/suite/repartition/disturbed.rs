//! Moves that are cancelled, repeated, left alone or raced.

use std::collections::BTreeMap;

use tim_core::conversation::{ConversationOutcome, FenceRefusal};
use tim_core::id::Term;
use tim_core::placement::{self};
use tim_core::repartition::{Done, OperationId, Plan, Step};
use tim_store::{FenceState, StoreError};

use crate::support::{EPOCH, Engine, NOW_NS, Raw, database_name, until, whole};

use super::fixture::*;
use crate::support::on_every_engine;

on_every_engine!(
    a_cancelled_move_leaves_the_source_as_it_was,
    a_difference_is_found,
    noted_rows_are_left_out_of_a_comparison,
    a_note_goes_only_with_the_version_that_was_copied,
    a_raise_waits_for_what_is_under_way,
    a_stale_copy_does_not_overwrite,
    a_dead_coordinator_stops_nobody,
    a_target_that_holds_something_is_refused,
    a_preparation_that_came_too_late_stops_no_later_move,
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
    assert_eq!(fences(&store, "d1").await, []);
    assert_eq!(split.target.sql("SELECT COUNT(*) FROM tim_message").await, "0");
    assert_eq!(split.target.sql("SELECT COUNT(*) FROM tim_copy").await, "0");
    let fences = fences(&store, "d0").await;
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
    assert!(split.is_equal(&store).await);
    split.target.sql("UPDATE tim_conversation SET head = head + 1 WHERE slot = (SELECT s FROM (SELECT MIN(slot) AS s FROM tim_conversation) x)").await;
    assert!(!split.is_equal(&store).await);
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
    assert!(split.is_equal(&store).await);
    split.source.sql("DELETE FROM tim_change").await;
    assert!(!split.is_equal(&store).await);
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
    assert!(split.is_equal(&store).await);
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
    assert!(split.is_equal(&store).await);
}

async fn a_stale_copy_does_not_overwrite(engine: Engine) {
    let split = Split::new(engine, engine).await;
    let store = split.node().await;
    let database = store.database(&database_name("d0")).unwrap();
    let pair = moving_pair();
    pair.befriend(&database).await;
    split.copied(&store).await;
    // The target has a newer row than a copy that begins again from the start.
    split
        .target
        .sql("UPDATE tim_conversation SET version = 50, head = 9")
        .await;
    split.target.sql("DELETE FROM tim_copy").await;
    split.copy_all(&store).await;
    assert_eq!(split.target.sum("head", "tim_conversation").await, "9");
}

async fn a_dead_coordinator_stops_nobody(engine: Engine) {
    let split = Split::new(engine, engine).await;
    let store = split.node().await;
    let database = store.database(&database_name("d0")).unwrap();
    let moving = moving_pair();
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
    assert!(split.is_equal(&store).await);
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

/// Found by the simulator: the step left a stopped process when its move had been cancelled and cleaned already.
async fn a_preparation_that_came_too_late_stops_no_later_move(engine: Engine) {
    let split = Split::new(engine, engine).await;
    let store = split.node().await;
    assert_eq!(split.step(&store, Step::PrepareTarget).await, Done::Ok);
    let later = Plan {
        operation: OperationId("a-later-move".to_owned()),
        ..split.plan.clone()
    };
    let prepared = store.run_step(&later, Term(2), &Step::PrepareTarget).await;
    assert_eq!(prepared.unwrap(), Done::Ok);
    let copied = store.run_step(&split.plan, Term(1), &Step::CopyChunk).await;
    assert!(copied.is_err(), "{copied:?}");
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
    for table in MOVED_TABLES {
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
    // A new coordinator may begin with any step.
    for (step, expected) in [
        (Step::Verify, Done::Verified { equal: true }),
        (Step::DrainChanges, Done::Drained { left: 0 }),
        (
            Step::CopyChunk,
            Done::Copied {
                rows: 0,
                finished: true,
            },
        ),
        (Step::MarkSource, Done::Ok),
        (Step::PrepareTarget, Done::Ok),
        (Step::Verify, Done::Verified { equal: true }),
    ] {
        term += 1;
        let done = store.run_step(&split.plan, Term(term), &step).await;
        assert_eq!(done.unwrap(), expected, "{step:?}");
    }
}

async fn large_rows_are_copied_in_small_pieces(engine: Engine) {
    let split = Split::new(engine, engine).await;
    let store = split.node().await;
    let database = store.database(&database_name("d0")).unwrap();
    let pair = moving_pair();
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
    let pieces = split.copied_pieces(&store).await;
    assert!(pieces.iter().all(|rows| *rows <= 6), "{pieces:?}");
    assert!(split.is_equal(&store).await);
}
