use super::*;

/// Opens a room of so many members; whether the home had to read it.
fn open_room(rig: &mut Rig, name: &str, attempt: u64, members: usize) -> bool {
    let lane = LaneId {
        session: SessionId(1),
        conversation: crate::placement::room_conversation(&RoomId::new(name).unwrap()),
    };
    rig.now += 1;
    let effects = rig.event(Event::Open {
        from: node("n1"),
        lane,
        attempt,
        tenure: Tenure(attempt),
    });
    let [Effect::Load { request, .. }] = effects[..] else {
        assert!(matches!(effects[..], [Effect::Opened { .. }]), "{effects:?}");
        return false;
    };
    let found = Some(vec![Load::Room {
        version: Version(7),
        members: (0..members).map(|number| account(&number.to_string())).collect(),
        members_since: Seq(3),
    }]);
    let effects = rig.event(Event::Loaded { request, found });
    assert!(matches!(effects[..], [Effect::Opened { .. }]), "{effects:?}");
    true
}

#[test]
fn the_rooms_used_longest_ago_are_forgotten_when_their_members_are_too_many() {
    let config = Config {
        max_room_members_held: 1_000,
        ..Config::default()
    };
    let mut rig = Rig::new(config, HomePlacement::PerConversation);
    for name in ["r1", "r2", "r3"] {
        assert!(open_room(&mut rig, name, 1, 300));
    }
    assert!(
        !open_room(&mut rig, "r1", 2, 300),
        "used again, so r2 is the oldest"
    );
    assert!(open_room(&mut rig, "r4", 1, 300));
    assert_eq!(rig.home.conversations(), 2, "a quarter is free again");
    assert!(!open_room(&mut rig, "r1", 3, 300));
    assert!(open_room(&mut rig, "r2", 2, 300));
}

#[test]
fn a_room_larger_than_the_limit_is_held_all_the_same() {
    let config = Config {
        max_room_members_held: 1_000,
        ..Config::default()
    };
    let mut rig = Rig::new(config, HomePlacement::PerConversation);
    assert!(open_room(&mut rig, "large", 1, 5_000));
    assert!(!open_room(&mut rig, "large", 2, 5_000));
    assert!(open_room(&mut rig, "small", 1, 10));
    assert!(!open_room(&mut rig, "small", 2, 10));
    assert!(
        open_room(&mut rig, "large", 3, 5_000),
        "the small one was used later"
    );
}

#[test]
fn conversations_beyond_the_limit_are_forgotten_unless_they_are_at_work() {
    let config = Config {
        max_conversations: 4,
        ..Config::default()
    };
    let mut rig = Rig::open(config, HomePlacement::PerConversation, &["b"]);
    let effects = rig.submit("b", 0, 1);
    assert!(running(&effects).is_some());
    for name in ["r1", "r2", "r3"] {
        assert!(open_room(&mut rig, name, 1, 1));
    }
    assert_eq!(rig.home.conversations(), 4);
    assert!(open_room(&mut rig, "r4", 1, 1));
    assert_eq!(rig.home.conversations(), 3, "b, r3 and r4");
    assert!(!open_room(&mut rig, "r3", 2, 1));
    assert!(open_room(&mut rig, "r1", 2, 1));
}
