use serde_json::json;
use tim_crds::Time;

use super::*;
use crate::condition::is_true;

fn now() -> Timestamp {
    "2026-11-20T12:00:00Z".parse().unwrap_or_default()
}

fn observed() -> Observed {
    let spec = json!({"clusterRef": {"name": "chat"}, "operation": {"split": {"from": 0, "at": [262_144], "targets": [{"database": "d2"}]}}});
    let mut repartition = TimRepartition::new("split", serde_json::from_value(spec).expect("a spec"));
    repartition.metadata.uid = Some("op-1".into());
    repartition.metadata.creation_timestamp = Some(Time(now()));
    let databases = json!({"databases": [{"name": "d0", "dsnSecretRef": {"name": "s"}}, {"name": "d2", "dsnSecretRef": {"name": "t"}}]});
    let range = |from, database: &str| ReportedRange {
        from,
        database: database.into(),
        epoch: 1,
    };
    Observed {
        now: now(),
        repartition,
        cluster: Some(TimCluster::new(
            "chat",
            serde_json::from_value(databases).expect("a spec"),
        )),
        ranges: vec![range(0, "d0"), range(524_288, "d1")],
        others: Vec::new(),
        known: Known::Nothing,
        refusal: None,
    }
}

/// Carries a plan out as far as the object itself goes.
fn step(observed: &mut Observed) -> Plan {
    let plan = plan(observed);
    observed.repartition.status = Some(plan.status.clone());
    for action in &plan.actions {
        match action {
            Action::AddFinalizer => {
                observed.repartition.metadata.finalizers = Some(vec![labels::FINALIZER.into()])
            }
            Action::RemoveFinalizer => observed.repartition.metadata.finalizers = None,
            Action::Start(_) | Action::Cancel { .. } => {}
        }
    }
    plan
}

fn report(phase: RepartitionPhase, rows_copied: u64) -> Known {
    Known::Report(Box::new(OperationReport {
        phase,
        source: "d0".into(),
        target: "d2".into(),
        rows_total: 200,
        rows_copied,
        ..OperationReport::default()
    }))
}

fn start() -> Action {
    Action::Start(Start {
        operation_id: "op-1".into(),
        from: 0,
        at: 262_144,
        target: "d2".into(),
    })
}

#[test]
fn it_is_started_followed_and_left_alone_at_the_end() {
    let mut observed = observed();
    assert_eq!(step(&mut observed).actions, [Action::AddFinalizer, start()]);
    // The nodes have not noted it: the same operation is started again.
    assert_eq!(step(&mut observed).actions, [start()]);
    let mut shown = Vec::new();
    for (phase, rows) in [
        (RepartitionPhase::Copying, 100),
        (RepartitionPhase::Copying, 200),
        (RepartitionPhase::Copying, 50),
        (RepartitionPhase::CatchingUp, 200),
        (RepartitionPhase::Verifying, 200),
        (RepartitionPhase::CuttingOver, 200),
        (RepartitionPhase::Cleaning, 200),
        (RepartitionPhase::Completed, 200),
    ] {
        observed.known = report(phase, rows);
        let plan = step(&mut observed);
        assert!(plan.actions.is_empty());
        shown.push(plan.status.progress.map_or(-2, |progress| progress.percent));
    }
    assert_eq!(
        shown,
        [50, 99, 99, 100, 100, 100, 100, 100],
        "never falls, 100 only after the copy"
    );
    let plan = step(&mut observed);
    assert!(is_true(&plan.status.conditions, "Complete") && is_true(&plan.status.conditions, "CutOver"));
    observed.now += SignedDuration::from_hours(1);
    observed.known = Known::Nothing;
    let later = step(&mut observed);
    assert!(later.actions.is_empty(), "what has ended is not started again");
    assert_eq!(later.status, plan.status);
}

#[test]
fn what_it_waits_for_is_said_and_heals() {
    type Fault = fn(&mut Observed);
    let faults: [(Fault, &str, &str); 7] = [
        (
            |o| o.cluster = None,
            "TIM-R109",
            "clusterRef: there is no TimCluster chat",
        ),
        (
            |o| o.known = Known::Silence,
            "TIM-N104",
            "no node of chat answers",
        ),
        (
            |o| o.cluster.as_mut().expect("a cluster").spec.databases.truncate(1),
            "TIM-R101",
            "\"d2\" is not one of spec.databases",
        ),
        (
            |o| o.ranges.remove(0).from = 0,
            "TIM-R102",
            "no range begins at 0; ranges begin at 524288",
        ),
        (
            |o| o.ranges[1].from = 262_144,
            "TIM-R102",
            "slot 262144 is not inside the range 0 … 262143",
        ),
        (
            |o| o.ranges[0].database = "d2".into(),
            "TIM-R101",
            "\"d2\" holds the range 0 … 524287 already",
        ),
        (
            |o| o.refusal = Some(("TIM-R101".into(), "d2 holds rows".into())),
            "TIM-R101",
            "d2 holds rows",
        ),
    ];
    for (fault, code, words) in faults {
        let mut faulty = observed();
        step(&mut faulty);
        fault(&mut faulty);
        let plan = step(&mut faulty);
        let reason = plan.status.phase_reason.clone().unwrap_or_default();
        assert!(reason.starts_with("waiting: ") || code == "TIM-N104", "{reason}");
        assert!(
            reason.contains(words) || code == "TIM-N104",
            "{reason} lacks {words}"
        );
        assert!(is_true(&plan.status.conditions, "Waiting"), "{code}");
        let asks_again = faulty.refusal.is_some();
        assert_eq!(
            plan.actions.contains(&start()),
            asks_again,
            "{code}: {:?}",
            plan.actions
        );
        assert_eq!(plan.problem.map(|report| report.cause().code), Some(code));
    }
}

#[test]
fn one_runs_at_a_time_the_one_that_has_begun_then_the_oldest() {
    let other = |name: &str, seconds: i64, started| RepartitionSummary {
        name: name.into(),
        created: now() + SignedDuration::from_secs(seconds),
        started,
        targets: Vec::new(),
    };
    for (other, waits) in [
        (other("older", -5, false), true),
        (other("newer", 5, false), false),
        (other("begun", 5, true), true),
    ] {
        let name = other.name.clone();
        let mut observed = observed();
        observed.others = vec![other];
        let plan = step(&mut observed);
        assert_eq!(!plan.actions.contains(&start()), waits, "{name}");
        assert!(plan.problem.is_none(), "waiting for its turn is no problem");
        if waits {
            assert_eq!(
                plan.status.phase_reason,
                Some(format!(
                    "waiting: TIM-R103 {name} comes first: one repartition runs at a time"
                ))
            );
        }
    }
}

#[test]
fn cancelling_before_it_begins_ends_it_and_later_asks_the_nodes() {
    let mut early = observed();
    early.repartition.spec.cancel = true;
    assert_eq!(step(&mut early).status.phase, RepartitionPhase::Canceled);
    let mut late = observed();
    step(&mut late);
    late.repartition.spec.cancel = true;
    late.known = report(RepartitionPhase::Copying, 10);
    assert_eq!(
        step(&mut late).actions,
        [Action::Cancel {
            operation_id: "op-1".into()
        }]
    );
    late.known = report(RepartitionPhase::Cleaning, 200);
    assert!(step(&mut late).actions.is_empty(), "past the point of no return");
    late.known = report(RepartitionPhase::Completed, 200);
    assert_eq!(step(&mut late).status.phase, RepartitionPhase::Completed);
}

#[test]
fn deletion_cancels_waits_and_has_a_deadline() {
    let deleted = |known, after_minutes: i64| {
        let mut observed = observed();
        step(&mut observed);
        observed.known = known;
        observed.repartition.metadata.deletion_timestamp = Some(Time(now()));
        observed.now += SignedDuration::from_mins(after_minutes);
        observed
    };
    let cancel = Action::Cancel {
        operation_id: "op-1".into(),
    };
    assert_eq!(
        plan(&deleted(report(RepartitionPhase::Copying, 10), 0)).actions,
        [cancel]
    );
    assert_eq!(
        plan(&deleted(report(RepartitionPhase::Cleaning, 10), 0)).actions,
        []
    );
    assert_eq!(
        plan(&deleted(report(RepartitionPhase::Canceled, 10), 0)).actions,
        [Action::RemoveFinalizer]
    );
    assert_eq!(plan(&deleted(Known::Silence, 0)).actions, []);
    assert_eq!(
        plan(&deleted(Known::Silence, 10)).actions,
        [Action::RemoveFinalizer]
    );
    let mut orphan = deleted(Known::Silence, 0);
    orphan.cluster = None;
    assert_eq!(plan(&orphan).actions, [Action::RemoveFinalizer]);
}
