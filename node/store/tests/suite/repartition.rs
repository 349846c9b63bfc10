//! Moving a range between databases of any two engines while people write, and every way it can be disturbed.

#[path = "repartition/coordinated.rs"]
mod coordinated;
#[path = "repartition/disturbed.rs"]
mod disturbed;
#[path = "repartition/fixture.rs"]
mod fixture;
#[path = "repartition/over_earlier_moves.rs"]
mod over_earlier_moves;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use tim_core::id::{Epoch, Slot, Term};
use tim_core::placement::{self};
use tim_core::repartition::{Done, Step, StepError};
use tim_store::{FenceState, StoreError, step_result};

use crate::support::{EPOCH, Engine, database_name, within_limit};

use fixture::*;
pub(crate) use fixture::{HALF, Split};

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
    assert!(split.is_equal(&store).await);
    split.finish(&store).await;
    check_filled(&store, &pairs).await;
    // Nothing of the range is left behind, and the fence row points to who has it.
    for table in MOVED_TABLES.into_iter().chain(["change"]) {
        let text = format!("SELECT COUNT(*) FROM tim_{table} WHERE slot >= {}", HALF.0);
        assert_eq!(split.source.sql(&text).await, "0", "{table}");
    }
    let fences = fences(&store, "d0").await;
    assert_eq!(
        (fences[0].from, fences[0].to, fences[0].epoch),
        (Slot(0), HALF, EPOCH)
    );
    assert_eq!((&fences[0].state, &fences[0].moving), (&FenceState::Open, &None));
    assert_eq!(fences[1].state, FenceState::Moved(database_name("d1")));
    assert_eq!((fences[1].from, fences[1].epoch), (HALF, Epoch(2)));
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
    assert!(split.is_equal(&store).await);
    split.finish(&store).await;
    // People go on writing behind the cut, at the new place.
    tokio::time::sleep(Duration::from_millis(100)).await;
    done.store(true, Ordering::SeqCst);
    for (pair, writer) in pairs.iter().zip(writers) {
        check_written(&store, pair, &writer.await.unwrap()).await;
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
    twice(Step::Close { attempt: 1 }, Done::Ok).await;
    let closing = store
        .database(&database_name("d0"))
        .unwrap()
        .closing(HALF)
        .await
        .unwrap();
    assert_eq!(closing, None);
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
    twice(Step::UnmarkSource, Done::Moved(true)).await;
}
