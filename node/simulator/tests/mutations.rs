//! Every planted bug is found: what the checker does not find there it would not find in earnest.

use tim_simulator::{Mutation, Options, run};

/// Seeds within which each bug has to show itself.
const SEEDS: u64 = 200;

/// Runs seed after seed until the bug breaks one of the invariants it is expected to break.
#[track_caller]
fn is_found(mutation: Mutation, invariants: &[&str]) {
    let found = (1..=SEEDS).find(|seed| {
        let options = Options {
            mutation: Some(mutation),
            ..Options::new(*seed)
        };
        let violations = run(&options).violations;
        violations
            .iter()
            .any(|violation| invariants.contains(&violation.invariant))
    });
    assert!(found.is_some(), "{} in {SEEDS} seeds", mutation.name());
}

#[test]
fn acknowledging_before_the_commit_is_found() {
    is_found(Mutation::AcknowledgeBeforeCommit, &["I1"]);
}

#[test]
fn a_home_that_retries_by_itself_is_found() {
    is_found(Mutation::RetryInHome, &["I1"]);
}

#[test]
fn a_refusal_that_does_not_raise_the_version_is_found() {
    is_found(Mutation::RefuseWithoutVersion, &["I1"]);
}

#[test]
fn asking_the_replica_that_follows_is_found() {
    is_found(Mutation::OtherReplica, &["I4"]);
}

#[test]
fn remembering_that_nobody_is_there_is_found() {
    is_found(Mutation::NobodyCached, &["I4"]);
}

#[test]
fn a_home_that_keeps_the_members_it_began_with_is_found() {
    is_found(Mutation::KeepMembers, &["I1"]);
}

#[test]
fn a_session_that_begins_without_its_cursor_is_found() {
    is_found(Mutation::CursorWithoutBase, &["I1", "I2"]);
}

#[test]
fn live_messages_that_overtake_the_backlog_are_found() {
    is_found(Mutation::LiveBeforeBacklog, &["I1"]);
}

#[test]
fn a_home_that_does_not_know_of_shared_cursors_is_found() {
    is_found(Mutation::IgnoreCursorSets, &["I1", "I2"]);
}
