use super::*;
use crate::time::Moment;

fn run(drain: &mut Drain, now: u64, event: Event) -> Vec<Effect> {
    let mut effects = Vec::new();
    drain.handle(Moment(now), event, &mut effects);
    effects
}

fn closing(config: Config, sessions: u64) -> (Drain, Vec<Effect>) {
    let mut drain = Drain::new(config);
    assert_eq!(run(&mut drain, 0, Event::Asked), [Effect::LeaveView]);
    assert_eq!(run(&mut drain, 1, Event::LeftView), [Effect::HandOver]);
    assert_eq!(run(&mut drain, 2, Event::HandedOver), [Effect::ListSessions]);
    let effects = run(
        &mut drain,
        3,
        Event::Sessions((1..=sessions).map(SessionId).collect()),
    );
    (drain, effects)
}

#[test]
fn leaves_the_view_before_it_touches_a_session() {
    let (mut drain, effects) = closing(
        Config {
            parallel_sessions: 1,
            ..Config::default()
        },
        2,
    );
    assert_eq!(effects, [Effect::SettleSession(SessionId(1))]);
    let effects = run(&mut drain, 4, Event::Settled(SessionId(1)));
    assert_eq!(effects, [Effect::CloseSession(SessionId(1))]);
    let effects = run(&mut drain, 5, Event::Closed(SessionId(1)));
    assert_eq!(effects, [Effect::SettleSession(SessionId(2))]);
    run(&mut drain, 6, Event::Settled(SessionId(2)));
    assert_eq!(
        run(&mut drain, 7, Event::Closed(SessionId(2))),
        [Effect::ListSessions]
    );
    assert_eq!(run(&mut drain, 8, Event::Sessions(vec![])), [Effect::Drained]);
    assert_eq!(drain.phase(), Phase::Drained);
}

#[test]
fn a_session_that_does_not_settle_is_closed_in_time() {
    let (mut drain, _) = closing(Config::default(), 1);
    assert_eq!(drain.deadline(), Some(Moment(3_003)));
    assert_eq!(
        run(&mut drain, 3_003, Event::Timer),
        [Effect::CloseSession(SessionId(1))]
    );
    assert_eq!(run(&mut drain, 6_003, Event::Timer), [Effect::Drained]);
}

#[test]
fn the_deadline_closes_everything_at_once() {
    let config = Config {
        parallel_sessions: 1,
        deadline_ms: 100,
        settle_timeout_ms: 1_000,
        ..Config::default()
    };
    let (mut drain, _) = closing(config, 3);
    assert_eq!(drain.deadline(), Some(Moment(100)));
    let effects = run(&mut drain, 100, Event::Timer);
    assert_eq!(
        effects,
        [
            Effect::CloseSession(SessionId(2)),
            Effect::CloseSession(SessionId(3))
        ]
    );
}

#[test]
fn steps_that_nobody_confirms_end_by_themselves() {
    let mut drain = Drain::new(Config::default());
    run(&mut drain, 0, Event::Asked);
    assert_eq!(run(&mut drain, 5_000, Event::Timer), [Effect::HandOver]);
    assert_eq!(run(&mut drain, 10_000, Event::Timer), [Effect::ListSessions]);
}

#[test]
fn ends_when_nobody_asks_any_more() {
    let (mut drain, _) = closing(
        Config {
            settle_timeout_ms: 90_000,
            ..Config::default()
        },
        1,
    );
    run(&mut drain, 20_000, Event::Asked);
    assert_eq!(run(&mut drain, 49_999, Event::Timer), []);
    assert_eq!(
        run(&mut drain, 50_000, Event::Timer),
        [Effect::ResumeSession(SessionId(1)), Effect::JoinView]
    );
    assert_eq!(drain.phase(), Phase::Serving);
    assert_eq!(run(&mut drain, 50_001, Event::Asked), [Effect::LeaveView]);
}

#[test]
fn undrain_works_from_every_phase() {
    let (mut drain, _) = closing(Config::default(), 0);
    assert_eq!(drain.phase(), Phase::Drained);
    assert_eq!(run(&mut drain, 9, Event::Undrain), [Effect::JoinView]);
    assert_eq!(run(&mut drain, 10, Event::Undrain), []);
}

#[test]
fn sessions_that_were_to_settle_are_delivered_to_again() {
    let (mut drain, _) = closing(Config::default(), 3);
    run(&mut drain, 4, Event::Settled(SessionId(2)));
    assert_eq!(
        run(&mut drain, 5, Event::Undrain),
        [
            Effect::ResumeSession(SessionId(1)),
            Effect::ResumeSession(SessionId(3)),
            Effect::JoinView
        ]
    );
    // Its answer crossed with the change of mind.
    assert_eq!(run(&mut drain, 6, Event::Settled(SessionId(1))), []);
}
