//! Moves to databases that still know of earlier moves of the same slots.

use tim_core::id::{Epoch, Slot, Term};
use tim_core::placement::SLOT_COUNT;
use tim_core::repartition::{Done, OperationId, Plan, Step};
use tim_store::FenceState;

use super::fixture::*;
use crate::support::{EPOCH, Engine, database_name, on_every_engine};

on_every_engine!(
    a_preparation_that_came_too_late_stops_no_other_range,
    a_part_of_what_moved_comes_back,
);

/// Slots that went away come back in another division than they left.
async fn a_part_of_what_moved_comes_back(engine: Engine) {
    let split = Split::new(engine, engine).await;
    let store = split.node().await;
    let pairs = pairs(30);
    fill(&store, &pairs).await;
    split.copied(&store).await;
    split.finish(&store).await;
    let quarter = Slot(SLOT_COUNT / 4);
    let three_quarters = Slot(HALF.0 + quarter.0);
    let back = Plan {
        operation: OperationId("split-2".to_owned()),
        from: three_quarters,
        source: database_name("d1"),
        source_epoch: Epoch(2),
        target: database_name("d0"),
        target_epoch: Epoch(3),
        ..split.plan.clone()
    };
    let back = Split { plan: back, ..split };
    back.copied(&store).await;
    back.finish(&store).await;
    let of = async |name: &str| {
        fences(&store, name)
            .await
            .into_iter()
            .map(|fence| (fence.from, fence.to, fence.epoch, fence.state))
            .collect::<Vec<_>>()
    };
    let moved = |to: &str| FenceState::Moved(database_name(to));
    let end = Slot(SLOT_COUNT);
    assert_eq!(
        of("d0").await,
        [
            (Slot(0), HALF, EPOCH, FenceState::Open),
            (HALF, three_quarters, Epoch(2), moved("d1")),
            (three_quarters, end, Epoch(3), FenceState::Open),
        ]
    );
    assert_eq!(
        of("d1").await,
        [
            (HALF, three_quarters, Epoch(2), FenceState::Open),
            (three_quarters, end, Epoch(3), moved("d0")),
        ]
    );
}

/// An `incoming` of a move that is over lies across the range of a later one.
async fn a_preparation_that_came_too_late_stops_no_other_range(engine: Engine) {
    let split = Split::new(engine, engine).await;
    let store = split.node().await;
    assert_eq!(split.step(&store, Step::PrepareTarget).await, Done::Ok);
    for (operation, from, until) in [
        ("inside", HALF.0 + 10, HALF.0 + 20),
        ("over", HALF.0 - 10, HALF.0 + 15),
    ] {
        let later = Plan {
            operation: OperationId(operation.to_owned()),
            from: Slot(from),
            until: Slot(until),
            ..split.plan.clone()
        };
        let prepared = store.run_step(&later, Term(2), &Step::PrepareTarget).await;
        assert_eq!(prepared.unwrap(), Done::Ok);
    }
    let fences = fences(&store, "d1").await;
    let bounds: Vec<(u32, u32)> = fences.iter().map(|fence| (fence.from.0, fence.to.0)).collect();
    let half = HALF.0;
    assert_eq!(
        bounds,
        [
            (half - 10, half + 15),
            (half + 15, half + 20),
            (half + 20, SLOT_COUNT)
        ]
    );
}
