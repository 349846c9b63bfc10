//! Ranges that move while nodes write: nothing is lost, and every planted bug of the moving is found.

use tim_simulator::moving::{Report, run};
use tim_simulator::{Mutation, Options};

/// Seeds within which each bug has to show itself.
const SEEDS: u64 = 200;

fn moves(seed: u64, mutation: Option<Mutation>) -> Report {
    run(&Options {
        minutes: 3,
        mutation,
        ..Options::new(seed)
    })
}

#[track_caller]
fn is_found(mutation: Mutation) {
    let found = (1..=SEEDS).find(|seed| !moves(*seed, Some(mutation)).violations.is_empty());
    assert!(found.is_some(), "{} in {SEEDS} seeds", mutation.name());
}

#[test]
fn ranges_move_back_and_forth_and_nothing_is_lost() {
    let reports: Vec<Report> = (1..=10).map(|seed| moves(seed, None)).collect();
    for report in &reports {
        assert_eq!(report.violations, [], "seed {}", report.seed);
    }
    let sum = |count: fn(&Report) -> u64| reports.iter().map(count).sum::<u64>();
    let happened = [
        sum(|report| report.written) > 1_000,
        sum(|report| report.completed) > 10,
        sum(|report| report.canceled) > 3,
        sum(|report| report.elections) > 10,
    ];
    assert_eq!(happened, [true; 4], "{reports:?}");
}

#[test]
fn a_move_of_the_same_seed_has_the_same_trace() {
    let (one, again) = (moves(7, None), moves(7, None));
    assert_eq!((one.trace_hash, one.events), (again.trace_hash, again.events));
    assert_ne!(one.trace_hash, moves(8, None).trace_hash);
}

#[test]
fn a_fence_that_is_read_without_its_lock_is_found() {
    is_found(Mutation::FenceWithoutLock);
}

#[test]
fn a_change_table_that_is_read_as_a_log_is_found() {
    is_found(Mutation::ChangesAsLog);
}

#[test]
fn a_copier_of_an_older_term_is_found() {
    is_found(Mutation::StaleCopier);
}
