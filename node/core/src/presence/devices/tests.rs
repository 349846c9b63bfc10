use proptest::prelude::*;

use super::*;
use crate::fixture::node;
use crate::id::{Generation, SessionId};

fn session(number: u64, class: i8, logged_in_ms: u64) -> SessionEntry {
    SessionEntry {
        session: SessionId(number),
        node: node("n0"),
        class: DeviceClass(class),
        generation: Generation(1),
        logged_in_ms,
    }
}

fn limits(per_account: usize, per_class: usize) -> DeviceLimits {
    DeviceLimits {
        per_account,
        per_class,
        login_interval_ms: 10_000,
    }
}

fn numbers(sessions: &[SessionEntry]) -> Vec<u64> {
    let mut numbers: Vec<u64> = sessions.iter().map(|entry| entry.session.0).collect();
    numbers.sort_unstable();
    numbers
}

#[test]
fn the_oldest_yields_unless_the_login_before_was_a_moment_ago() {
    let one = [session(1, 1, 50_000)];
    let soon = limits(1, 1).admit(&one, DeviceClass(1), 57_000);
    let (limit, wait_ms) = (DeviceLimit::Class, 3_000);
    assert_eq!(soon, Err(TooManyDevices { limit, wait_ms }));
    assert_eq!(limits(1, 1).admit(&one, DeviceClass(1), 60_000), Ok(60_000));
    let both = vec![session(2, 1, 60_000), session(1, 1, 50_000)];
    assert_eq!(numbers(&limits(1, 1).excess(both)), [1]);
}

#[test]
fn a_class_has_a_limit_of_its_own() {
    let two = [session(1, 1, 50_000), session(2, 2, 50_001)];
    assert_eq!(limits(3, 1).admit(&two, DeviceClass(3), 50_002), Ok(50_002));
    let refused = limits(3, 1).admit(&two, DeviceClass(2), 50_002).unwrap_err();
    assert_eq!(refused.limit, DeviceLimit::Class);
    let refused = limits(2, 2).admit(&two, DeviceClass(2), 50_002).unwrap_err();
    assert_eq!(refused.limit, DeviceLimit::Account);
    // The newest of the class takes the place of the class's oldest, and not that of the account's.
    let three = vec![session(1, 1, 1), session(2, 2, 2), session(3, 2, 3)];
    assert_eq!(numbers(&limits(3, 1).excess(three.clone())), [2]);
    assert_eq!(numbers(&limits(1, 1).excess(three)), [1, 2]);
}

#[test]
fn clocks_that_differ_make_nobody_older_than_who_was_there_before() {
    let ahead = [session(1, 1, 90_000)];
    let logged_in_ms = limits(2, 2).admit(&ahead, DeviceClass(1), 50_000).unwrap();
    assert_eq!(logged_in_ms, 90_001);
    // Far ahead is no reason to wait.
    assert_eq!(limits(1, 1).admit(&ahead, DeviceClass(1), 50_000), Ok(90_001));
}

fn sessions() -> impl Strategy<Value = Vec<SessionEntry>> {
    let one = (0_i8..4, 0_u64..50);
    prop::collection::vec(one, 0..12).prop_map(|all| {
        let numbered = (1..).zip(all);
        numbered
            .map(|(number, (class, time))| session(number, class, time))
            .collect()
    })
}

/// What "older" means among sessions that logged in at one moment, too.
fn age(entry: &SessionEntry) -> (u64, SessionId) {
    (entry.logged_in_ms, entry.session)
}

proptest! {
    #[test]
    fn what_stays_is_within_the_limits_and_newer_than_what_yields(
        all in sessions(), per_account in 1_usize..5, per_class in 1_usize..5,
    ) {
        let limits = limits(per_account, per_class);
        let yielding = limits.excess(all.clone());
        let stays: Vec<SessionEntry> =
            all.iter().filter(|entry| !yielding.contains(entry)).cloned().collect();
        prop_assert!(stays.len() <= per_account);
        for class in (0..4).map(DeviceClass) {
            prop_assert!(stays.iter().filter(|entry| entry.class == class).count() <= per_class);
        }
        for entry in &yielding {
            let newer = stays.iter().filter(|other| age(other) > age(entry));
            let of_class = newer.clone().filter(|other| other.class == entry.class).count();
            prop_assert!(of_class == per_class || newer.count() == per_account, "yields for nobody");
        }
        if let Some(newest) = all.iter().max_by_key(|entry| age(entry)) {
            prop_assert!(stays.contains(newest));
        }
        prop_assert!(limits.excess(stays).is_empty(), "asked again, nobody more yields");
    }

    #[test]
    fn the_order_of_the_registry_does_not_matter(
        all in sessions(), per_account in 1_usize..5, per_class in 1_usize..5,
    ) {
        let limits = limits(per_account, per_class);
        let mut reversed = all.clone();
        reversed.reverse();
        prop_assert_eq!(numbers(&limits.excess(all)), numbers(&limits.excess(reversed)));
    }

    #[test]
    fn who_is_admitted_is_the_newest_and_stays(
        all in sessions(), per_account in 1_usize..5, per_class in 1_usize..5,
        class in 0_i8..4, now_ms in 0_u64..40_000,
    ) {
        let limits = limits(per_account, per_class);
        match limits.admit(&all, DeviceClass(class), now_ms) {
            Ok(logged_in_ms) => {
                prop_assert!(logged_in_ms >= now_ms);
                let mut with = all.clone();
                with.push(session(99, class, logged_in_ms));
                prop_assert!(!numbers(&limits.excess(with)).contains(&99));
            }
            Err(refused) => {
                // Only where somebody would have to yield, and for no longer than it takes.
                let mut with = all.clone();
                with.push(session(99, class, u64::MAX));
                prop_assert!(with.len() > per_account
                    || with.iter().filter(|entry| entry.class.0 == class).count() > per_class);
                // The clock of the login before may be ahead.
                prop_assert!((1..20_000).contains(&refused.wait_ms));
                let later = now_ms + refused.wait_ms;
                prop_assert!(limits.admit(&all, DeviceClass(class), later).is_ok());
            }
        }
    }
}
