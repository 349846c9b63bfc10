//! Section 14: presence.

use super::stage::{Person, Stage};
use super::statements;
use tim_wire::{Command, Tid, TimPresence, WireStruct};

statements!(
    "14" "a presence reaches those it names, who need not be friends" => named_ones,
    "14" "a presence to nobody is answered 4106" => nobody_named,
    "14" "a presence to all reaches friends and nobody else" => all_friends,
    "14" "the server tells friends when the last session has ended" => the_last_session,
);

async fn presence(person: &mut Person) -> TimPresence {
    let frame = person.frame(Command::Presence).await;
    assert_eq!(frame.sync_id, None);
    TimPresence::decode_payload(&frame.payload, person.encoding).unwrap()
}

fn at_the_sea() -> TimPresence {
    TimPresence {
        offline: Some(true),
        sub_status: Some(1),
        show: Some(7),
        status: Some("at the sea".to_owned()),
        ..TimPresence::default()
    }
}

async fn named_ones(stage: &Stage) {
    let mut alice = stage.person(stage.near(), "alice").await;
    let mut bob = stage.person(stage.far(), "bob").await;
    let mut carol = stage.person(stage.near(), "carol").await;
    let to_one = TimPresence {
        to_tid: Some(Tid::of(bob.id.as_str())),
        ..at_the_sea()
    };
    let to_both = TimPresence {
        to_list: Some(vec![bob.id.clone(), carol.id.clone()]),
        ..at_the_sea()
    };
    alice.send_struct(Command::Presence, &to_one).await;
    alice.send_struct(Command::Presence, &to_both).await;
    for (person, times) in [(&mut bob, 2), (&mut carol, 1)] {
        for _ in 0..times {
            let seen = presence(person).await;
            assert_eq!((seen.sub_status, seen.show), (Some(1), Some(7)));
            assert_eq!(seen.status.as_deref(), Some("at the sea"));
            assert_eq!(seen.from_tid.unwrap().node, alice.id);
            assert_eq!(seen.to_tid, Some(Tid::of(person.id.as_str())));
            assert_eq!((seen.offline, seen.to_list), (None, None));
            assert!(seen.id.is_some());
        }
    }
    alice.has_nothing_of(Command::Ack).await;
}

async fn nobody_named(stage: &Stage) {
    let mut alice = stage.person(stage.near(), "alice").await;
    let to_nobody = TimPresence {
        to_tid: Some(Tid::of("9Du8P7srDKT")),
        ..at_the_sea()
    };
    for (place, presence) in [at_the_sea(), to_nobody].iter().enumerate() {
        assert_eq!(
            alice.is_refused(Command::Presence, presence).await,
            4106,
            "presence {place}"
        );
    }
}

async fn all_friends(stage: &Stage) {
    let (mut alice, mut bob) = stage.friends().await;
    let mut carol = stage.person(stage.far(), "carol").await;
    alice.send_struct(Command::BroadcastPresence, &at_the_sea()).await;
    let seen = presence(&mut bob).await;
    assert_eq!((seen.id, seen.offline), (None, None));
    assert_eq!(seen.from_tid.unwrap().node, alice.id);
    carol.has_nothing_of(Command::Presence).await;
}

async fn the_last_session(stage: &Stage) {
    let (alice, mut bob) = stage.friends().await;
    let id = alice.id.clone();
    let second = stage.login(stage.near(), "alice").await;
    alice.leaves().await;
    second.close().await;
    let told = presence(&mut bob).await;
    assert_eq!((told.offline, told.from_tid.unwrap().node), (Some(true), id));
    bob.has_nothing_of(Command::Presence).await;
}
