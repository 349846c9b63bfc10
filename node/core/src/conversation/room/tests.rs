mod mirror;

use std::collections::BTreeMap;
use std::sync::Arc;

use proptest::prelude::*;

use super::*;
use crate::conversation::{
    ConversationBatch, ConversationState, Decision, Entry, EntryKind, Found, KnownEntry, Refusal, Verdict,
    decide,
};
use crate::fixture::account;
use crate::id::{ContentHash, DeviceClass, Epoch, MessageKey};
use crate::placement::room_conversation;

const MEMBERS_MAX: u32 = 5;

/// A room as a database would keep it.
#[derive(Debug, Clone, Default)]
struct World {
    state: ConversationState,
    members: BTreeMap<AccountId, RoomMember>,
    entries: Vec<(Entry, ContentHash)>,
    number: u32,
}

fn room_id() -> RoomId {
    RoomId::new("room").unwrap()
}

impl World {
    /// A room of `f`, its founder, the manager `m` and the plain members `p` and `q`.
    fn with_members(private: bool) -> Self {
        let mut world = Self::default();
        world.create("f", private);
        for member in ["m", "p", "q"] {
            world.done("f", member, RoomOperation::Pull);
        }
        world.modify("f", managers(&["m"])).unwrap();
        world
    }

    fn create(&mut self, founder: &str, private: bool) {
        let body = RoomCreation {
            id: room_id(),
            private,
            profile: RoomProfile::default(),
        };
        self.run(founder, founder, RoomOperation::Create, body.to_body())
            .unwrap();
    }

    fn modify(&mut self, by: &str, change: RoomChange) -> Result<Entry, Refusal> {
        self.run(by, by, RoomOperation::Modify, change.to_body())
    }

    fn done(&mut self, by: &str, target: &str, operation: RoomOperation) -> Entry {
        self.ask(by, target, operation).unwrap()
    }

    fn ask(&mut self, by: &str, target: &str, operation: RoomOperation) -> Result<Entry, Refusal> {
        self.run(by, target, operation, Bytes::from_static(b"text"))
    }

    fn run(
        &mut self,
        by: &str,
        target: &str,
        operation: RoomOperation,
        body: Bytes,
    ) -> Result<Entry, Refusal> {
        self.number += 1;
        let mut key = [0; 16];
        key[..4].copy_from_slice(&self.number.to_be_bytes());
        let submission = Submission {
            key: MessageKey(key),
            conversation: room_conversation(&room_id()),
            sender: account(by),
            peer: account(target),
            sender_class: DeviceClass(1),
            operation: Operation::Room(operation),
            client_id: None,
            content_hash: ContentHash(key),
            attempt: 1,
            vouched: false,
            body,
        };
        let known: Vec<KnownEntry> = self
            .entries
            .iter()
            .map(|(entry, hash)| KnownEntry::of(entry, *hash))
            .collect();
        let members: Vec<RoomMember> = concerned(&submission)
            .iter()
            .filter_map(|account| self.members.get(account).cloned())
            .collect();
        let found = Found {
            known: &known,
            targets: &known,
            members: &members,
        };
        let batch = ConversationBatch {
            conversation: submission.conversation,
            expected_version: self.state.version,
            epoch: Epoch(1),
            room_members_max: MEMBERS_MAX,
            submissions: vec![Arc::new(submission)],
        };
        let Decision::Apply {
            mut verdicts,
            state,
            members,
            ..
        } = decide(&self.state, found, &batch, 7)
        else {
            panic!("conflict");
        };
        self.state = state;
        for member in members {
            self.members.insert(member.account.clone(), member);
        }
        match verdicts.remove(0) {
            Verdict::Store { entry, erases, .. } => {
                if let Some(erased) = erases {
                    let (target, _) = self
                        .entries
                        .iter_mut()
                        .find(|(entry, _)| entry.seq == erased)
                        .unwrap();
                    *target = target.erased();
                }
                self.entries.push(((*entry).clone(), ContentHash(key)));
                Ok((*entry).clone())
            }
            Verdict::Refuse(refusal) => Err(refusal),
            Verdict::Known(_) => panic!("every submission has a key of its own"),
        }
    }

    fn room(&self) -> &Room {
        self.state.room.as_ref().unwrap()
    }

    fn standing(&self, of: &str) -> Standing {
        self.members
            .get(&account(of))
            .map_or(Standing::default(), |member| member.standing)
    }

    /// What an account would be shown of the whole room.
    fn shown(&self, to: &str) -> Vec<u64> {
        let Some(row) = self.members.get(&account(to)) else {
            return Vec::new();
        };
        let inside = |seq: Seq| {
            row.windows
                .next_behind(Seq(seq.0 - 1))
                .is_some_and(|window| window.after < seq)
        };
        let entries = self.entries.iter().map(|(entry, _)| entry);
        entries
            .filter(|entry| inside(entry.seq) && entry.shown_to(&account(to)))
            .map(|entry| entry.seq.0)
            .collect()
    }
}

fn managers(names: &[&str]) -> RoomChange {
    RoomChange {
        managers: Some(names.iter().map(|name| account(name)).collect()),
        ..RoomChange::default()
    }
}

/// Codes of the wire, as clients know them; 0 is "allowed".
fn code(world: &World, by: &str, target: &str, operation: RoomOperation) -> i32 {
    world
        .clone()
        .ask(by, target, operation)
        .err()
        .map_or(0, Refusal::wire_code)
}

/// Who may do what: founder `f`, manager `m`, second manager `n`, members `p` and `q`, applicant `a`, banned `b`, blocker
/// `x` (has blocked the room), stranger `s`.
#[test]
fn the_table_of_rights() {
    use RoomOperation::*;
    let world = |private| {
        let mut world = World::default();
        world.create("f", private);
        for member in ["m", "n", "p"] {
            world.done("f", member, Pull);
        }
        world.modify("f", managers(&["m", "n"])).unwrap();
        world.done("f", "b", Ban);
        world.done("x", "x", Block);
        world
    };
    let mut private = world(true);
    private.done("a", "a", Join);
    let open = world(false);
    #[rustfmt::skip]
    let table: &[(RoomOperation, &str, &str, i32, i32)] = &[
        // operation, by, target, in a private room, in an open one
        (Message, "f", "f", 0, 0), (Message, "p", "p", 0, 0),
        (Message, "a", "a", 4105, 4105), (Message, "b", "b", 4105, 4105), (Message, "s", "s", 4105, 4105),
        (Join, "s", "s", 0, 0), (Join, "p", "p", 4101, 4101), (Join, "b", "b", 4110, 4110),
        (Join, "x", "x", 0, 0),
        (Refuse, "f", "a", 0, 4109), (Refuse, "m", "a", 0, 4109), (Refuse, "p", "a", 4105, 4105),
        (Refuse, "m", "s", 4109, 4109), (Refuse, "m", "p", 4103, 4103), (Refuse, "m", "b", 4103, 4103),
        (Pull, "f", "s", 0, 0), (Pull, "m", "a", 0, 0), (Pull, "p", "s", 4105, 0), (Pull, "s", "a", 4105, 0),
        (Pull, "f", "f", 4105, 4105), (Pull, "m", "p", 4101, 4101), (Pull, "f", "x", 4110, 4110),
        (Pull, "f", "b", 0, 0), (Pull, "p", "b", 4105, 4110),
        (Kick, "f", "m", 0, 0), (Kick, "f", "p", 0, 0), (Kick, "m", "p", 0, 0), (Kick, "m", "n", 4105, 4105),
        (Kick, "m", "f", 4105, 4105), (Kick, "m", "m", 4105, 4105), (Kick, "f", "f", 4105, 4105),
        (Kick, "p", "m", 4105, 4105), (Kick, "s", "p", 4105, 4105), (Kick, "f", "s", 4109, 4109),
        (Ban, "m", "p", 0, 0), (Ban, "m", "s", 0, 0), (Ban, "m", "n", 4105, 4105), (Ban, "m", "f", 4105, 4105),
        (Ban, "p", "m", 4105, 4105), (Ban, "m", "m", 4105, 4105), (Ban, "f", "m", 0, 0),
        (Block, "p", "p", 0, 0), (Block, "s", "s", 0, 0), (Block, "m", "m", 0, 0), (Block, "f", "f", 4105, 4105),
        (Leave, "p", "p", 0, 0), (Leave, "m", "m", 0, 0), (Leave, "f", "f", 4105, 4105),
        (Leave, "s", "s", 4109, 4109),
        (Cancel, "f", "f", 4105, 4105), (Cancel, "m", "m", 4105, 4105), (Cancel, "s", "s", 4105, 4105),
    ];
    for (operation, by, target, in_private, in_open) in table {
        let expected = [(&private, *in_private), (&open, *in_open)];
        for (world, expected) in expected {
            let private = world.room().private;
            assert_eq!(
                code(world, by, target, *operation),
                expected,
                "{operation:?} by {by} on {target}, private: {private}"
            );
        }
    }
}

#[test]
fn in_no_room_nothing_is_allowed() {
    for operation in [
        RoomOperation::Message,
        RoomOperation::Join,
        RoomOperation::Pull,
        RoomOperation::Leave,
    ] {
        assert_eq!(
            World::default().ask("p", "q", operation),
            Err(Refusal::NoSuchRoom)
        );
    }
}

#[test]
fn an_application_is_told_to_those_who_lead_and_answered_to_the_applicant() {
    let mut world = World::with_members(true);
    let applied = world.done("a", "a", RoomOperation::Join);
    assert_eq!(applied.kind, EntryKind::RoomApplied);
    assert_eq!(applied.audience, [account("f"), account("m")]);
    assert_eq!(world.standing("a"), Standing::APPLIED);
    let refused = world.done("m", "a", RoomOperation::Refuse);
    assert_eq!(
        (refused.kind, &refused.audience[..]),
        (EntryKind::RoomRefused, &[account("a")][..])
    );
    assert_eq!(world.shown("a"), [refused.seq.0], "and nothing else of the room");
    world.done("a", "a", RoomOperation::Join);
    let passed = world.done("m", "a", RoomOperation::Pull);
    assert_eq!(passed.kind, EntryKind::RoomPassed, "he had asked for it");
    assert_eq!(
        world.ask("m", "b", RoomOperation::Pull),
        Err(Refusal::RoomFull),
        "five are in it"
    );
    world.done("f", "a", RoomOperation::Kick);
    assert_eq!(
        world.done("m", "b", RoomOperation::Pull).kind,
        EntryKind::RoomPulled
    );
}

#[test]
fn who_is_removed_sees_what_was_said_until_then_and_that_it_is_removed() {
    let mut world = World::with_members(false);
    let before = world.done("p", "p", RoomOperation::Message);
    let kicked = world.done("m", "q", RoomOperation::Kick);
    let after = world.done("p", "p", RoomOperation::Message);
    let shown = world.shown("q");
    assert!(shown.ends_with(&[before.seq.0, kicked.seq.0]), "{shown:?}");
    assert!(!world.shown("p").contains(&kicked.seq.0));
    assert_eq!(
        world.ask("q", "q", RoomOperation::Message),
        Err(Refusal::NotAMember)
    );
    let joined = world.done("q", "q", RoomOperation::Join);
    assert!(!world.shown("q").contains(&after.seq.0));
    assert!(world.shown("q").contains(&joined.seq.0));
    assert_eq!(world.room().members_since, joined.seq);
}

#[test]
fn a_manager_who_is_removed_manages_no_more() {
    let mut world = World::with_members(true);
    world.done("f", "m", RoomOperation::Kick);
    world.done("f", "m", RoomOperation::Pull);
    assert!(world.room().managers.is_empty());
    assert_eq!(world.ask("m", "p", RoomOperation::Kick), Err(Refusal::NotAllowed));
}

#[test]
fn bans_and_blocks_outlive_each_other() {
    let mut world = World::with_members(false);
    world.done("f", "q", RoomOperation::Ban);
    world.done("q", "q", RoomOperation::Block);
    assert!(world.standing("q").is_banned() && world.standing("q").has_blocked());
    assert_eq!(world.ask("q", "q", RoomOperation::Join), Err(Refusal::Blocked));
    assert_eq!(world.ask("f", "q", RoomOperation::Pull), Err(Refusal::Blocked));
    let mut private = World::with_members(true);
    private.done("f", "q", RoomOperation::Ban);
    assert_eq!(
        private.ask("q", "q", RoomOperation::Join),
        Err(Refusal::BannedFromPrivate)
    );
}

#[test]
fn the_founder_hands_over_and_then_may_leave() {
    let mut world = World::with_members(true);
    let to = |name: &str| RoomChange {
        founder: Some(account(name)),
        ..RoomChange::default()
    };
    assert_eq!(world.modify("f", to("s")).err(), Some(Refusal::Malformed));
    world.modify("m", to("m")).unwrap();
    assert_eq!(world.room().founder, account("f"), "only the founder hands over");
    world.modify("f", to("p")).unwrap();
    assert_eq!(world.room().founder, account("p"));
    assert_eq!(world.room().managers, [account("f"), account("m")]);
    world.done("f", "f", RoomOperation::Leave);
    for member in ["m", "q"] {
        world.done("p", member, RoomOperation::Kick);
    }
    world.done("p", "p", RoomOperation::Cancel);
    assert!(world.room().cancelled);
    assert_eq!(world.ask("p", "p", RoomOperation::Join), Err(Refusal::Cancelled));
}

#[test]
fn managers_change_what_is_told_and_the_founder_who_manages() {
    let mut world = World::with_members(true);
    let topic = |text: &str| RoomChange {
        profile: RoomProfile {
            topic: Some(text.to_owned()),
            ..RoomProfile::default()
        },
        ..RoomChange::default()
    };
    world.modify("m", topic("ours")).unwrap();
    let label = RoomProfile {
        label: Some("new".to_owned()),
        ..RoomProfile::default()
    };
    let change = RoomChange {
        profile: label,
        ..managers(&["m"])
    };
    world.modify("m", change).unwrap();
    assert_eq!(world.room().profile.topic.as_deref(), Some("ours"));
    assert_eq!(world.room().profile.label.as_deref(), Some("new"));
    assert_eq!(world.modify("m", managers(&["p"])), Err(Refusal::NotAllowed));
    assert_eq!(world.modify("p", topic("mine")), Err(Refusal::NotAllowed));
    assert_eq!(world.modify("f", managers(&["s"])), Err(Refusal::Malformed));
    world.modify("f", managers(&["p", "q"])).unwrap();
    assert_eq!(world.room().managers, [account("p"), account("q")]);
}

#[test]
fn a_message_is_taken_back_by_its_sender_alone() {
    let mut world = World::with_members(false);
    let said = world.done("p", "p", RoomOperation::Message);
    assert_eq!(
        world.ask("f", "f", RoomOperation::Revoke(said.seq)),
        Err(Refusal::NotTheirs)
    );
    let revoke = world.done("p", "p", RoomOperation::Revoke(said.seq));
    assert_eq!(revoke.kind, EntryKind::RoomRevoke);
    for target in [said.seq, revoke.seq, Seq(99)] {
        assert_eq!(
            world.ask("p", "p", RoomOperation::Revoke(target)),
            Err(Refusal::NoSuchMessage)
        );
    }
}

fn any_operation() -> impl Strategy<Value = (usize, usize, RoomOperation)> {
    use RoomOperation::*;
    let operation = prop::sample::select(vec![
        Message,
        Message,
        Join,
        Join,
        Refuse,
        Pull,
        Pull,
        Kick,
        Block,
        Ban,
        Leave,
        Cancel,
        Revoke(Seq(4)),
    ]);
    (0..7usize, 0..7usize, operation)
}

proptest! {
    /// What is passed over is news to others: whoever reads on from any place, with windows as they were at any moment,
    /// is given each entry of its windows that is meant for it.
    #[test]
    fn nothing_of_ones_own_is_passed_over(
        private: bool,
        steps in prop::collection::vec(any_operation(), 1..80),
        read_every in 1..6usize,
    ) {
        const NAMES: [&str; 7] = ["f", "m", "p", "q", "a", "b", "c"];
        let mut world = World::default();
        world.create("f", private);
        let mut read: BTreeMap<&str, (Seq, Vec<u64>)> = BTreeMap::new();
        for (turn, (by, target, operation)) in steps.iter().enumerate() {
            let windows_before = world.members.clone();
            let head_before = world.state.head;
            let _ = world.ask(NAMES[*by], NAMES[*target], *operation);
            if turn % read_every != 0 {
                continue;
            }
            for name in NAMES {
                let (place, heard) = read.entry(name).or_default();
                let Some(row) = windows_before.get(&account(name)) else { continue };
                // The room's row is read later than the windows.
                let shown = Shown::in_room(*place, &row.windows, &world.room().quiet, head_before);
                for number in shown.after.0 + 1..=shown.until.0.min(head_before.0) {
                    let entry = &world.entries[usize::try_from(number).unwrap() - 1].0;
                    if entry.shown_to(&account(name)) {
                        heard.push(number);
                    }
                    *place = Seq(number);
                }
                *place = (*place).max(shown.after);
            }
        }
        for name in NAMES {
            let (place, heard) = read.get(name).cloned().unwrap_or_default();
            let mut missing = world.shown(name);
            missing.retain(|seq| *seq <= place.0 && !heard.contains(seq));
            prop_assert!(missing.is_empty(), "{name} was not told {missing:?}");
        }
    }

    /// Whatever happens: the founder is a member of a room that has not ended, managers are members, the number of
    /// members is right and bounded, and everybody sees exactly the messages said while it was in the room.
    #[test]
    fn laws_of_rooms(private: bool, steps in prop::collection::vec(any_operation(), 1..60)) {
        const NAMES: [&str; 7] = ["f", "m", "p", "q", "a", "b", "c"];
        let mut world = World::default();
        world.create("f", private);
        let mut heard: BTreeMap<&str, Vec<u64>> = BTreeMap::new();
        for (by, target, operation) in steps {
            let before: Vec<&str> =
                NAMES.into_iter().filter(|name| world.standing(name).is_member()).collect();
            if let Ok(entry) = world.ask(NAMES[by], NAMES[target], operation)
                && entry.kind == EntryKind::RoomMessage
            {
                for name in before {
                    heard.entry(name).or_default().push(entry.seq.0);
                }
            }
            let members: Vec<&str> =
                NAMES.into_iter().filter(|name| world.standing(name).is_member()).collect();
            let room = world.room();
            prop_assert_eq!(room.members as usize, members.len());
            prop_assert!(room.members <= MEMBERS_MAX);
            prop_assert!(room.cancelled || world.standing("f").is_member());
            prop_assert!(room.managers.iter().all(|manager| world.standing(manager.as_str()).is_member()));
        }
        for name in NAMES {
            let is_message = |seq: &u64| {
                let kind = world.entries[usize::try_from(*seq).unwrap() - 1].0.kind;
                kind == EntryKind::RoomMessage
            };
            let shown: Vec<u64> = world.shown(name).into_iter().filter(is_message).collect();
            let gone = |seq: &u64| {
                world.entries[usize::try_from(*seq).unwrap() - 1].0.kind == EntryKind::Tombstone
            };
            let mut expected = heard.get(name).cloned().unwrap_or_default();
            expected.retain(|seq| !gone(seq));
            // Who came and went too often has lost the oldest.
            if world.members.get(&account(name)).is_none_or(|row| row.windows.as_slice().len() < MAX_WINDOWS) {
                prop_assert_eq!(shown, expected, "{}", name);
            }
        }
    }
}

#[test]
fn bodies_are_read_back_and_others_refused() {
    let seeds: [(&[u8], bool); 3] = [
        (b"\x04room\x01\x01\x05topic\x00\x00\x00\x00\x00", true),
        (b"\x04ro", false),
        (b"", false),
    ];
    for (body, is_one) in seeds {
        let made = RoomCreation::from_body(&Bytes::from_static(body));
        assert_eq!(made.is_some(), is_one);
        if let Some(made) = made {
            assert_eq!(made.to_body(), body);
            assert_eq!(made.profile.topic.as_deref(), Some("topic"));
        }
    }
}
