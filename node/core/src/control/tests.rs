use super::*;
use crate::id::{DatabaseName, Epoch, Slot};
use crate::map::HomePlacement;
use crate::placement::SLOT_COUNT;

fn name(name: &str) -> DatabaseName {
    DatabaseName::new(name).unwrap()
}

fn map() -> PartitionMap {
    let databases = [
        (name("d0"), HomePlacement::PerDatabase),
        (name("d1"), HomePlacement::PerDatabase),
    ];
    PartitionMap::even(&databases).unwrap()
}

fn plan(operation: &str) -> Plan {
    Plan {
        operation: OperationId(operation.to_owned()),
        from: Slot(1_000),
        until: Slot(524_288),
        source: name("d0"),
        source_epoch: Epoch(1),
        target: name("d2"),
        target_epoch: Epoch(2),
        homes: HomePlacement::PerDatabase,
    }
}

fn with_map() -> ControlState {
    let mut state = ControlState::default();
    assert_eq!(state.apply(Command::Initialise(map())), Response::Done);
    state
}

fn report(term: u64, phase: Phase) -> Command {
    Command::Report {
        term: Term(term),
        progress: Progress {
            phase,
            ..Progress::new(plan("a"))
        },
    }
}

#[test]
fn the_first_map_stays() {
    let mut state = with_map();
    let other = PartitionMap::even(&[(name("x"), HomePlacement::PerDatabase)]).unwrap();
    assert_eq!(state.apply(Command::Initialise(other.clone())), Response::Done);
    assert_eq!(state.map, Some(map()));
    let refused = Response::Refused(Refused::NotNewer { version: 1 });
    assert_eq!(state.apply(Command::RestoreMap(other)), refused);
}

#[test]
fn starting_twice_is_starting_once_and_one_at_a_time() {
    let mut state = with_map();
    assert_eq!(state.apply(Command::Start(plan("a"))), Response::Done);
    assert_eq!(state.apply(Command::Start(plan("a"))), Response::Done);
    assert_eq!(state.repartitions.len(), 1);
    let other = Plan {
        target: name("d3"),
        ..plan("a")
    };
    assert_eq!(
        state.apply(Command::Start(other)),
        Response::Refused(Refused::OtherPlan)
    );
    let running = Refused::Running(OperationId("a".to_owned()));
    assert_eq!(state.apply(Command::Start(plan("b"))), Response::Refused(running));
}

#[test]
fn plans_have_to_fit_the_map() {
    let mut state = ControlState::default();
    assert_eq!(
        state.apply(Command::Start(plan("a"))),
        Response::Refused(Refused::NoMap)
    );
    let mut state = with_map();
    for bad in [
        Plan {
            from: Slot(0),
            ..plan("a")
        },
        Plan {
            until: Slot(2_000),
            ..plan("a")
        },
        Plan {
            from: Slot(SLOT_COUNT + 5),
            until: Slot(SLOT_COUNT),
            source: name("d1"),
            ..plan("a")
        },
        Plan {
            source: name("d1"),
            ..plan("a")
        },
        Plan {
            source_epoch: Epoch(9),
            target_epoch: Epoch(10),
            ..plan("a")
        },
        Plan {
            target: name("d0"),
            ..plan("a")
        },
        Plan {
            target_epoch: Epoch(1),
            ..plan("a")
        },
    ] {
        assert!(
            matches!(
                state.apply(Command::Start(bad.clone())),
                Response::Refused(Refused::BadPlan(_))
            ),
            "{bad:?}"
        );
    }
}

#[test]
fn publishing_changes_the_map_once() {
    let mut state = with_map();
    state.apply(Command::Start(plan("a")));
    assert_eq!(
        state.apply(Command::Publish(OperationId("a".to_owned()))),
        Response::Done
    );
    let after = state.map.clone().unwrap();
    assert_eq!(
        (after.version(), after.range_of(Slot(1_000)).database.clone()),
        (2, name("d2"))
    );
    assert_eq!(
        state.apply(Command::Publish(OperationId("a".to_owned()))),
        Response::Done
    );
    assert_eq!(state.map, Some(after));
}

#[test]
fn old_terms_and_wakened_endings_are_refused() {
    let mut state = with_map();
    state.apply(Command::Start(plan("a")));
    assert_eq!(state.apply(report(5, Phase::Copying)), Response::Done);
    assert_eq!(
        state.apply(report(4, Phase::Preparing)),
        Response::Refused(Refused::OldTerm(Term(5)))
    );
    assert_eq!(state.apply(report(6, Phase::Completed)), Response::Done);
    let over = Refused::Over(OperationId("a".to_owned()));
    assert_eq!(state.apply(report(7, Phase::Copying)), Response::Refused(over));
    assert_eq!(state.apply(report(7, Phase::Completed)), Response::Done);
    assert_eq!(state.running(), None);
}

#[test]
fn cancelling_has_an_end() {
    let mut state = with_map();
    state.apply(Command::Start(plan("a")));
    let cancel = || Command::Cancel(OperationId("a".to_owned()));
    state.apply(report(1, Phase::CuttingOver));
    assert_eq!(state.apply(cancel()), Response::Refused(Refused::TooLate));
    state.apply(report(1, Phase::Copying));
    assert_eq!(state.apply(cancel()), Response::Done);
    assert!(state.running().unwrap().cancel);
    let unknown = Refused::Unknown(OperationId("z".to_owned()));
    assert_eq!(
        state.apply(Command::Cancel(OperationId("z".to_owned()))),
        Response::Refused(unknown)
    );
}

#[test]
fn survives_serialisation_and_forgets_the_oldest() {
    let mut state = with_map();
    for number in 0..(MAX_FINISHED + 5) {
        let plan = plan(&format!("op-{number}"));
        assert_eq!(state.apply(Command::Start(plan.clone())), Response::Done);
        let progress = Progress {
            phase: Phase::Completed,
            ..Progress::new(plan)
        };
        state.apply(Command::Report {
            term: Term(1),
            progress,
        });
    }
    assert!(state.repartitions.len() <= MAX_FINISHED + 1);
    assert!(!state.repartitions.contains_key(&OperationId("op-0".to_owned())));
    let settings = Command::Set {
        name: "a".to_owned(),
        value: "b".to_owned(),
    };
    assert_eq!(state.apply(settings), Response::Done);
    let text = serde_json::to_string(&state.settings).unwrap();
    assert_eq!(
        serde_json::from_str::<BTreeMap<String, String>>(&text).unwrap(),
        state.settings
    );
    let bad = Command::Set {
        name: String::new(),
        value: "b".to_owned(),
    };
    assert_eq!(state.apply(bad), Response::Refused(Refused::BadSetting));
}
