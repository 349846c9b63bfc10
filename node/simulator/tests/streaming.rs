//! Live streams over nodes that die, stop and come back.

use tim_simulator::streaming::{Report, run};
use tim_simulator::{Mutation, Options};

/// Seeds within which each bug has to show itself.
const SEEDS: u64 = 50;

fn stream(seed: u64, mutation: Option<Mutation>) -> Report {
    run(&Options {
        mutation,
        ..Options::new(seed)
    })
}

#[track_caller]
fn is_found(mutation: Mutation) {
    let found = (1..=SEEDS).find(|seed| !stream(*seed, Some(mutation)).violations.is_empty());
    assert!(found.is_some(), "{} in {SEEDS} seeds", mutation.name());
}

#[test]
fn a_stream_goes_on_in_order_whatever_dies() {
    for seed in 1..=20 {
        let report = stream(seed, None);
        assert_eq!(report.violations, [], "seed {seed}");
        assert!(report.faults > 10 && report.heard > report.pushed, "{report:?}");
    }
}

#[test]
fn a_stream_of_the_same_seed_has_the_same_trace() {
    let (one, again) = (stream(7, None), stream(7, None));
    assert_eq!((one.trace_hash, one.events), (again.trace_hash, again.events));
    assert_ne!(one.trace_hash, stream(8, None).trace_hash);
}

#[test]
fn a_node_that_passes_on_what_it_has_heard_before_is_found() {
    is_found(Mutation::HearAnyNumber);
}

#[test]
fn a_pusher_that_keeps_to_a_dead_relay_is_found() {
    is_found(Mutation::KeepToRelay);
}
