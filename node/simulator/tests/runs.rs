//! Runs without a planted bug: nothing is violated, and a seed is all there is to know of a run.

use tim_simulator::{Options, Report, run};

fn short(seed: u64) -> Report {
    run(&Options {
        minutes: 4,
        ..Options::new(seed)
    })
}

#[test]
fn the_same_seed_gives_the_same_trace() {
    for seed in 1..=5 {
        let (one, again) = (short(seed), short(seed));
        assert_eq!(
            (one.trace_hash, one.events),
            (again.trace_hash, again.events),
            "seed {seed}"
        );
        assert_eq!(
            (one.stored, one.delivered, one.faults),
            (again.stored, again.delivered, again.faults)
        );
    }
}

#[test]
fn another_seed_gives_another_trace() {
    assert_ne!(short(1).trace_hash, short(2).trace_hash);
}

#[test]
fn storms_and_quiet_times_violate_nothing() {
    for seed in 1..=5 {
        let report = run(&Options::new(seed));
        assert_eq!(report.violations, [], "seed {seed}");
        assert!(
            report.stored > 100 && report.delivered > report.stored && report.faults > 10,
            "{report:?}"
        );
    }
}
