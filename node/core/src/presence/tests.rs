use super::*;
use crate::fixture::{node, view};
use crate::placement;
use crate::time::Moment;

/// An account whose primary in a view is the node.
fn account_of(primary: &str, view: &View) -> AccountId {
    (0..)
        .map(|number| AccountId::new(format!("a{number}")).unwrap())
        .find(|account| placement::shard_owners_of(account, view).primary == Some(&node(primary)))
        .unwrap()
}

fn registration(account: &AccountId, session: u64, at: &str, generation: u64) -> Registration {
    let entry = SessionEntry {
        session: SessionId(session),
        node: node(at),
        class: DeviceClass(1),
        generation: Generation(generation),
        logged_in_ms: session,
    };
    Registration {
        account: account.clone(),
        entry,
    }
}

fn run(owner: &mut Owner, now: u64, event: OwnerEvent) -> Vec<OwnerEffect> {
    let mut effects = Vec::new();
    owner.handle(Moment(now), event, &mut effects);
    effects
}

fn heartbeat(from: &str, view: &View, sessions: &[u64]) -> OwnerEvent {
    OwnerEvent::Heartbeat {
        from: node(from),
        request: 1,
        view: view.hash(),
        whole: true,
        sessions: sessions.iter().map(|session| SessionId(*session)).collect(),
    }
}

fn register(owner: &mut Owner, now: u64, registration: Registration) -> Vec<OwnerEffect> {
    let from = registration.entry.node.clone();
    run(
        owner,
        now,
        OwnerEvent::Register {
            from,
            request: 1,
            registrations: vec![registration],
        },
    )
}

/// An owner that every node of the view has reported to.
fn complete(name: &str, view: &Arc<View>) -> Owner {
    let mut owner = Owner::new(Config::default(), node(name), view.clone(), Moment(0));
    for other in view.nodes() {
        run(&mut owner, 0, heartbeat(other.name.as_str(), view, &[]));
    }
    owner
}

#[test]
fn nobody_is_certain_only_when_every_node_has_reported() {
    let view = view(&["n0", "n1"]);
    let account = account_of("n0", &view);
    let mut owner = Owner::new(Config::default(), node("n0"), view.clone(), Moment(0));
    assert_eq!(
        owner.lookup(Moment(0), &account),
        Lookup::Unknown { seen: vec![] }
    );
    run(&mut owner, 0, heartbeat("n0", &view, &[]));
    assert_eq!(
        owner.lookup(Moment(0), &account),
        Lookup::Unknown { seen: vec![] }
    );
    run(&mut owner, 0, heartbeat("n1", &view, &[]));
    assert_eq!(owner.lookup(Moment(0), &account), Lookup::Nobody);
    let other = account_of("n1", &view);
    assert_eq!(owner.lookup(Moment(0), &other), Lookup::Unknown { seen: vec![] });
}

#[test]
fn a_report_with_something_missing_does_not_complete() {
    let view = view(&["n0", "n1"]);
    let account = account_of("n0", &view);
    let mut owner = Owner::new(Config::default(), node("n0"), view.clone(), Moment(0));
    run(&mut owner, 0, heartbeat("n0", &view, &[]));
    let effects = run(&mut owner, 0, heartbeat("n1", &view, &[9]));
    assert!(
        matches!(&effects[..], [OwnerEffect::HeartbeatAnswer { missing, .. }] if *missing == [SessionId(9)])
    );
    assert!(matches!(
        owner.lookup(Moment(0), &account),
        Lookup::Unknown { .. }
    ));
    register(&mut owner, 0, registration(&account, 9, "n1", 1));
    run(&mut owner, 0, heartbeat("n1", &view, &[9]));
    assert!(matches!(owner.lookup(Moment(0), &account), Lookup::Found(entries) if entries.len() == 1));
}

#[test]
fn the_primary_takes_writes_and_passes_them_on() {
    let view = view(&["n0", "n1"]);
    let account = account_of("n0", &view);
    let (mut primary, mut follower) = (complete("n0", &view), complete("n1", &view));
    let refused = register(&mut follower, 0, registration(&account, 1, "n1", 1));
    assert!(matches!(&refused[..], [OwnerEffect::Registered { refused, .. }] if *refused == [SessionId(1)]));
    let effects = register(&mut primary, 0, registration(&account, 1, "n1", 1));
    let [
        OwnerEffect::Replicate { to, changes },
        OwnerEffect::Registered { refused, .. },
    ] = &effects[..]
    else {
        panic!("{effects:?}")
    };
    assert_eq!((to, refused.len()), (&node("n1"), 0));
    run(
        &mut follower,
        0,
        OwnerEvent::Replicate {
            from: node("n0"),
            changes: changes.clone(),
        },
    );
    let Lookup::Unknown { seen } = follower.lookup(Moment(0), &account) else {
        panic!()
    };
    assert_eq!(seen.len(), 1);
}

#[test]
fn entries_expire_and_leave_with_their_node() {
    let two = view(&["n0", "n1"]);
    let account = account_of("n0", &two);
    let mut owner = complete("n0", &two);
    register(&mut owner, 0, registration(&account, 1, "n1", 1));
    run(&mut owner, 10_000, heartbeat("n1", &two, &[1]));
    assert!(matches!(owner.lookup(Moment(24_999), &account), Lookup::Found(_)));
    assert_eq!(owner.lookup(Moment(25_000), &account), Lookup::Nobody);
    register(&mut owner, 25_000, registration(&account, 2, "n1", 1));
    let one = view(&["n0"]);
    run(&mut owner, 25_001, OwnerEvent::ViewChanged(one.clone()));
    run(&mut owner, 25_002, heartbeat("n0", &one, &[]));
    assert_eq!(owner.lookup(Moment(25_003), &account), Lookup::Nobody);
    assert!(owner.is_empty());
}

#[test]
fn of_two_generations_the_higher_counts() {
    let view = view(&["n0"]);
    let account = account_of("n0", &view);
    let mut owner = complete("n0", &view);
    register(&mut owner, 0, registration(&account, 1, "n0", 5));
    register(&mut owner, 0, registration(&account, 1, "n0", 4));
    run(
        &mut owner,
        0,
        OwnerEvent::Unregister {
            registrations: vec![registration(&account, 1, "n0", 4)],
        },
    );
    let Lookup::Found(entries) = owner.lookup(Moment(0), &account) else {
        panic!()
    };
    assert_eq!(entries[0].generation, Generation(5));
    run(
        &mut owner,
        0,
        OwnerEvent::Unregister {
            registrations: vec![registration(&account, 1, "n0", 5)],
        },
    );
    assert_eq!(owner.lookup(Moment(0), &account), Lookup::Nobody);
}

#[test]
fn a_new_primary_warms_up_from_a_certain_one() {
    let before = view(&["n0"]);
    let after = view(&["n0", "n1"]);
    let account = account_of("n1", &after);
    let mut old = complete("n0", &before);
    register(&mut old, 0, registration(&account, 1, "n0", 1));
    register(&mut old, 0, registration(&account, 2, "n0", 1));
    run(&mut old, 1, OwnerEvent::ViewChanged(after.clone()));
    let mut new = Owner::new(Config::default(), node("n1"), view(&["n1"]), Moment(0));
    let effects = run(&mut new, 1, OwnerEvent::ViewChanged(after.clone()));
    assert!(effects.is_empty() || matches!(&effects[..], [OwnerEffect::AskSnapshot { .. }]));
    let shards = vec![placement::shard(&account)];
    let effects = run(
        &mut old,
        2,
        OwnerEvent::SnapshotAsked {
            from: node("n1"),
            shards,
        },
    );
    let [OwnerEffect::SendSnapshot { snapshots, .. }] = &effects[..] else {
        panic!("{effects:?}")
    };
    // A session that ended meanwhile does not come back with the snapshot.
    run(
        &mut new,
        2,
        OwnerEvent::Unregister {
            registrations: vec![registration(&account, 2, "n0", 1)],
        },
    );
    let snapshots = snapshots.clone();
    run(
        &mut new,
        3,
        OwnerEvent::SnapshotArrived {
            from: node("n0"),
            snapshots,
        },
    );
    let Lookup::Found(entries) = new.lookup(Moment(3), &account) else {
        panic!()
    };
    assert_eq!(
        entries.iter().map(|entry| entry.session).collect::<Vec<_>>(),
        [SessionId(1)]
    );
}

#[test]
fn giving_up_forgets_everything_and_is_certain_of_nothing() {
    let view = view(&["n0"]);
    let account = account_of("n0", &view);
    let mut owner = complete("n0", &view);
    register(&mut owner, 0, registration(&account, 1, "n0", 1));
    run(&mut owner, 0, OwnerEvent::GiveUp);
    assert_eq!(
        owner.lookup(Moment(0), &account),
        Lookup::Unknown { seen: vec![] }
    );
}

fn tell(registrar: &mut Registrar, now: u64, event: RegistrarEvent) -> Vec<RegistrarEffect> {
    let mut effects = Vec::new();
    registrar.handle(Moment(now), event, &mut effects);
    effects
}

#[test]
fn a_session_looks_for_messages_only_once_it_is_registered() {
    let view = view(&["n0", "n1"]);
    let account = account_of("n1", &view);
    let mut registrar = Registrar::new(Config::default(), node("n0"), view, Moment(0));
    let opened = RegistrarEvent::SessionOpened(registration(&account, 1, "n0", 1));
    let effects = tell(&mut registrar, 0, opened);
    let [RegistrarEffect::Register { to, request, .. }] = &effects[..] else {
        panic!("{effects:?}")
    };
    assert_eq!(to, &node("n1"));
    let done = RegistrarEvent::Registered {
        request: *request,
        refused: vec![],
    };
    assert_eq!(
        tell(&mut registrar, 1, done),
        [RegistrarEffect::Registered(SessionId(1))]
    );
    let closed = tell(&mut registrar, 2, RegistrarEvent::SessionClosed(SessionId(1)));
    assert_eq!(closed.len(), 2);
    assert!(registrar.is_empty());
}

#[test]
fn refused_unanswered_and_missing_sessions_are_registered_again() {
    let view = view(&["n0"]);
    let account = account_of("n0", &view);
    let mut registrar = Registrar::new(Config::default(), node("n0"), view, Moment(0));
    tell(&mut registrar, 0, RegistrarEvent::Timer);
    let opened = RegistrarEvent::SessionOpened(registration(&account, 1, "n0", 1));
    tell(&mut registrar, 0, opened);
    let again = |effects: &[RegistrarEffect]| match effects {
        [RegistrarEffect::Register { request, .. }] => *request,
        other => panic!("{other:?}"),
    };
    // No answer within a second, and a little wait.
    tell(&mut registrar, 1_000, RegistrarEvent::Timer);
    let request = again(&tell(&mut registrar, 1_200, RegistrarEvent::Timer));
    tell(
        &mut registrar,
        1_201,
        RegistrarEvent::Registered {
            request,
            refused: vec![SessionId(1)],
        },
    );
    let request = again(&tell(&mut registrar, 1_500, RegistrarEvent::Timer));
    tell(
        &mut registrar,
        1_501,
        RegistrarEvent::Registered {
            request,
            refused: vec![],
        },
    );
    let missing = RegistrarEvent::HeartbeatAnswered {
        request: 99,
        missing: vec![SessionId(1)],
    };
    again(&tell(&mut registrar, 1_700, missing));
}

#[test]
fn a_new_view_registers_in_portions_and_then_says_everything() {
    let config = Config {
        reregister_per_100ms: 2,
        ..Config::default()
    };
    let one = view(&["n0"]);
    let two = view(&["n0", "n1"]);
    let account = account_of("n1", &two);
    let mut registrar = Registrar::new(config, node("n0"), one, Moment(0));
    for session in 1..=3 {
        tell(
            &mut registrar,
            0,
            RegistrarEvent::SessionOpened(registration(&account, session, "n0", 1)),
        );
    }
    let count = |effects: &[RegistrarEffect]| -> (usize, usize) {
        let registered = effects.iter().map(|effect| match effect {
            RegistrarEffect::Register { registrations, .. } => registrations.len(),
            _ => 0,
        });
        let beats = effects
            .iter()
            .filter(|effect| matches!(effect, RegistrarEffect::Heartbeat { .. }));
        (registered.sum(), beats.count())
    };
    assert_eq!(
        count(&tell(&mut registrar, 10, RegistrarEvent::ViewChanged(two))),
        (2, 0)
    );
    assert_eq!(count(&tell(&mut registrar, 110, RegistrarEvent::Timer)), (1, 2));
}

#[test]
fn long_lists_are_said_in_parts() {
    let config = Config {
        max_batch: 2,
        ..Config::default()
    };
    let view = view(&["n0"]);
    let account = account_of("n0", &view);
    let mut registrar = Registrar::new(config, node("n0"), view, Moment(0));
    for session in 1..=5 {
        tell(
            &mut registrar,
            0,
            RegistrarEvent::SessionOpened(registration(&account, session, "n0", 1)),
        );
    }
    let wholes: Vec<bool> = tell(&mut registrar, 0, RegistrarEvent::Timer)
        .iter()
        .filter_map(|effect| match effect {
            RegistrarEffect::Heartbeat { whole, .. } => Some(*whole),
            _ => None,
        })
        .collect();
    assert_eq!(wholes, [false, false, true]);
}

fn yielding(effects: &[OwnerEffect]) -> Vec<(NodeName, Vec<SessionId>)> {
    let told = effects.iter().filter_map(|effect| match effect {
        OwnerEffect::Yield { to, sessions } => Some((to.clone(), sessions.clone())),
        _ => None,
    });
    told.collect()
}

#[test]
fn the_primary_tells_the_oldest_session_to_yield_wherever_it_is() {
    let view = view(&["n0", "n1"]);
    let account = account_of("n0", &view);
    let config = Config {
        devices: Some(DeviceLimits {
            per_account: 1,
            per_class: 1,
            login_interval_ms: 10_000,
        }),
        ..Config::default()
    };
    let mut primary = Owner::new(config, node("n0"), view.clone(), Moment(0));
    // Sessions of these tests have logged in at the moment that is their number.
    assert_eq!(
        yielding(&register(&mut primary, 0, registration(&account, 7, "n1", 1))),
        []
    );
    let told = yielding(&register(&mut primary, 0, registration(&account, 8, "n0", 1)));
    assert_eq!(told, [(node("n1"), vec![SessionId(7)])]);
    // Of two that did not know of each other the older one goes, also when it is registered last.
    let told = yielding(&register(&mut primary, 0, registration(&account, 6, "n1", 1)));
    assert_eq!(told, [(node("n1"), vec![SessionId(7), SessionId(6)])]);
    run(
        &mut primary,
        0,
        OwnerEvent::Unregister {
            registrations: vec![
                registration(&account, 6, "n1", 1),
                registration(&account, 7, "n1", 1),
            ],
        },
    );
    assert_eq!(
        yielding(&register(&mut primary, 0, registration(&account, 8, "n0", 2))),
        []
    );
}

#[test]
fn a_session_on_a_dead_node_takes_nobodys_place() {
    let both = view(&["n0", "n1"]);
    let account = account_of("n0", &both);
    let mut primary = complete("n0", &both);
    register(&mut primary, 0, registration(&account, 7, "n1", 1));
    run(&mut primary, 0, OwnerEvent::ViewChanged(view(&["n0"])));
    let (Lookup::Unknown { seen: known } | Lookup::Found(known)) = primary.lookup(Moment(0), &account) else {
        return;
    };
    assert_eq!(known, []);
}
