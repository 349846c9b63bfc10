//! Rooms whose members are said elsewhere.

use super::*;

const SYSTEM: &str = "|system";

impl World {
    /// A room with these members, as the system has made it.
    fn mirror(members: &[&str]) -> Self {
        let mut world = Self::default();
        world.become_mirror().unwrap();
        for member in members {
            world.done(SYSTEM, member, RoomOperation::Admit);
        }
        world
    }

    fn become_mirror(&mut self) -> Result<Entry, Refusal> {
        let body = RoomCreation {
            id: room_id(),
            private: true,
            profile: RoomProfile::default(),
        };
        self.run(SYSTEM, SYSTEM, RoomOperation::Create, body.to_body())
    }
}

#[test]
fn it_has_the_members_that_the_system_takes_in() {
    let mut world = World::mirror(&["p"]);
    assert_eq!((world.room().members, world.room().founder()), (1, None));
    let before = world.done("p", "p", RoomOperation::Message);
    let came = world.done(SYSTEM, "q", RoomOperation::Admit);
    assert_eq!(
        (came.kind, &came.audience[..]),
        (EntryKind::RoomPulled, &[account("q")][..])
    );
    let said = world.done("p", "p", RoomOperation::Message);
    assert_eq!(world.shown("q"), [came.seq.0, said.seq.0]);
    assert!(!world.shown("p").contains(&came.seq.0), "it is news to one");
    let went = world.done(SYSTEM, "p", RoomOperation::Dismiss);
    world.done("q", "q", RoomOperation::Message);
    assert_eq!(
        world.shown("p").last_chunk(),
        Some(&[before.seq.0, said.seq.0, went.seq.0]),
        "that it has to go is the last"
    );
    assert_eq!(
        world.ask("p", "p", RoomOperation::Message),
        Err(Refusal::NotAMember)
    );
    assert!(world.room().quiet != QuietRuns::default());
}

#[test]
fn who_is_second_changes_nothing() {
    let mut world = World::mirror(&["p"]);
    let before = world.state.clone();
    assert_eq!(world.become_mirror(), Err(Refusal::AlreadyMember));
    let ask = |world: &mut World, of, operation| world.ask(SYSTEM, of, operation).err();
    assert_eq!(
        ask(&mut world, "p", RoomOperation::Admit),
        Some(Refusal::AlreadyMember)
    );
    assert_eq!(
        ask(&mut world, "q", RoomOperation::Dismiss),
        Some(Refusal::NothingPending)
    );
    assert_eq!(world.state, before);
}

#[test]
fn nobody_else_changes_it() {
    use RoomOperation::*;
    let world = World::mirror(&["p", "q"]);
    for by in ["p", "s"] {
        for operation in [
            Join, Refuse, Pull, Kick, Block, Ban, Leave, Cancel, Modify, Admit, Dismiss,
        ] {
            for target in ["p", "q", "s"] {
                assert_eq!(
                    code(&world, by, target, operation),
                    4105,
                    "{operation:?} by {by} on {target}"
                );
            }
        }
    }
    assert_eq!(code(&world, "p", "p", Message), 0);
}

#[test]
fn the_system_changes_no_room_of_others() {
    let world = World::with_members(true);
    for (operation, target) in [(RoomOperation::Admit, "s"), (RoomOperation::Dismiss, "p")] {
        assert_eq!(
            world.clone().ask(SYSTEM, target, operation),
            Err(Refusal::NotAllowed)
        );
    }
}

#[test]
fn a_room_that_is_there_becomes_one_with_its_members() {
    let mut world = World::with_members(false);
    world.done("f", "p", RoomOperation::Ban);
    world.done("q", "q", RoomOperation::Block);
    world.become_mirror().unwrap();
    assert!(world.room().is_mirror() && world.room().managers.is_empty());
    assert_eq!(world.room().members, 2);
    assert_eq!(world.ask("f", "m", RoomOperation::Kick), Err(Refusal::NotAllowed));
    // What they have done about each other before does not count.
    for member in ["p", "q"] {
        world.done(SYSTEM, member, RoomOperation::Admit);
        world.done(member, member, RoomOperation::Message);
    }
}

#[test]
fn it_is_not_larger_than_a_room_may_be() {
    let mut world = World::mirror(&["a", "b", "c", "d", "e"]);
    assert_eq!(
        world.ask(SYSTEM, "g", RoomOperation::Admit),
        Err(Refusal::RoomFull)
    );
    world.done(SYSTEM, "a", RoomOperation::Dismiss);
    world.done(SYSTEM, "g", RoomOperation::Admit);
}

proptest! {
    /// Whatever others try: members are exactly those whom the system took in last, and each sees exactly the messages said
    /// while it was one.
    #[test]
    fn laws_of_mirrors(steps in prop::collection::vec((any_operation(), 0..4u8), 1..60)) {
        const NAMES: [&str; 7] = ["f", "m", "p", "q", "a", "b", "c"];
        let mut world = World::mirror(&[]);
        let mut members: Vec<&str> = Vec::new();
        let mut heard: BTreeMap<&str, Vec<u64>> = BTreeMap::new();
        for ((by, target, operation), turn) in steps {
            let target = NAMES[target];
            let (by, operation) = match turn {
                0 | 1 => (SYSTEM, RoomOperation::Admit),
                2 => (SYSTEM, RoomOperation::Dismiss),
                _ => (NAMES[by], operation),
            };
            let Ok(entry) = world.ask(by, target, operation) else { continue };
            match operation {
                RoomOperation::Admit => members.push(target),
                RoomOperation::Dismiss => members.retain(|member| *member != target),
                RoomOperation::Message => {
                    prop_assert!(members.contains(&by));
                    members.iter().for_each(|member| heard.entry(member).or_default().push(entry.seq.0));
                }
                RoomOperation::Revoke(erased) => heard.values_mut().for_each(|heard| {
                    heard.retain(|seq| *seq != erased.0);
                }),
                other => prop_assert!(false, "{other:?} by {by}"),
            }
            prop_assert_eq!(world.room().members as usize, members.len());
            prop_assert!(members.len() <= MEMBERS_MAX as usize);
            prop_assert!(NAMES.iter().all(|name| world.standing(name).is_member() == members.contains(name)));
        }
        for name in NAMES {
            let is_message = |seq: &u64| {
                world.entries[usize::try_from(*seq).unwrap() - 1].0.kind == EntryKind::RoomMessage
            };
            let shown: Vec<u64> = world.shown(name).into_iter().filter(is_message).collect();
            if world.members.get(&account(name)).is_none_or(|row| row.windows.as_slice().len() < MAX_WINDOWS) {
                prop_assert_eq!(shown, heard.remove(name).unwrap_or_default(), "{}", name);
            }
        }
    }
}
