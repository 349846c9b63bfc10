use bytes::Bytes;
use proptest::prelude::*;

use super::*;
use crate::fixture::account;
use crate::id::{ContentHash, DeviceClass, Epoch, MessageKey, Seq, Version};
use crate::placement::direct_conversation;

fn submission(from: &str, to: &str, number: u8, operation: Operation) -> Submission {
    Submission {
        key: MessageKey([number; 16]),
        conversation: direct_conversation(&account(from), &account(to)),
        sender: account(from),
        peer: account(to),
        sender_class: DeviceClass(1),
        operation,
        client_id: None,
        content_hash: ContentHash([number; 16]),
        attempt: 1,
        vouched: false,
        body: Bytes::from(vec![number]),
    }
}

fn message(from: &str, to: &str, number: u8) -> Submission {
    submission(from, to, number, Operation::Message)
}

fn friends() -> ConversationState {
    ConversationState {
        relations: Relations::FRIENDS,
        ..ConversationState::default()
    }
}

fn batch(expected: u64, submissions: Vec<Submission>) -> ConversationBatch {
    ConversationBatch {
        conversation: submissions[0].conversation,
        expected_version: Version(expected),
        epoch: Epoch(1),
        room_members_max: 100,
        submissions: submissions.into_iter().map(Arc::new).collect(),
    }
}

fn apply(
    state: &ConversationState,
    known: &[KnownEntry],
    batch: &ConversationBatch,
    now: i64,
) -> (Vec<Verdict>, ConversationState, bool) {
    let found = Found {
        known,
        targets: known,
        members: &[],
    };
    match decide(state, found, batch, now) {
        Decision::Apply {
            verdicts,
            state,
            changed,
            ..
        } => (verdicts, state, changed),
        Decision::Conflict { .. } => panic!("conflict"),
    }
}

fn stored(verdict: &Verdict) -> &Entry {
    match verdict {
        Verdict::Store { entry, .. } => entry,
        other => panic!("not stored: {other:?}"),
    }
}

fn known_of(entry: &Entry, submission: &Submission) -> KnownEntry {
    KnownEntry::of(entry, submission.content_hash)
}

#[test]
fn numbers_without_gap_and_raises_the_version_once() {
    let (verdicts, state, changed) = apply(
        &friends(),
        &[],
        &batch(0, vec![message("a", "b", 1), message("b", "a", 2)]),
        50,
    );
    assert_eq!(stored(&verdicts[0]).seq, Seq(1));
    assert_eq!(stored(&verdicts[1]).seq, Seq(2));
    assert_eq!((state.head, state.version, changed), (Seq(2), Version(1), true));
}

#[test]
fn the_system_tells_whoever_it_likes_and_once() {
    let mut told = submission("a", "b", 1, Operation::System);
    (told.sender, told.client_id) = (AccountId::system(), Some(7));
    let (verdicts, state, _) = apply(
        &ConversationState::default(),
        &[],
        &batch(0, vec![told.clone()]),
        5,
    );
    let entry = stored(&verdicts[0]).clone();
    assert_eq!(
        (entry.kind, state.relations),
        (EntryKind::System, Relations::default())
    );
    assert!(entry.shown_to(&account("b")));
    assert_eq!(told.recipients(), [account("b")]);
    let mut again = told.clone();
    again.key = MessageKey([9; 16]);
    let (verdicts, _, changed) = apply(&state, &[known_of(&entry, &told)], &batch(1, vec![again]), 6);
    assert!(matches!(&verdicts[0], Verdict::Known(known) if known.seq == Seq(1)) && !changed);
}

#[test]
fn time_never_runs_backwards() {
    let state = ConversationState {
        last_timestamp_ns: 900,
        ..friends()
    };
    let (verdicts, after, _) = apply(&state, &[], &batch(0, vec![message("a", "b", 1)]), 50);
    assert_eq!(stored(&verdicts[0]).timestamp_ns, 900);
    assert_eq!(after.last_timestamp_ns, 900);
}

#[test]
fn another_version_is_a_conflict_that_tells_what_is_there() {
    let state = ConversationState {
        version: Version(7),
        ..friends()
    };
    let (one, two) = (message("a", "b", 1), message("a", "b", 2));
    let (verdicts, _, _) = apply(&friends(), &[], &batch(0, vec![one.clone()]), 1);
    let known = known_of(stored(&verdicts[0]), &one);
    let found = Found {
        known: std::slice::from_ref(&known),
        ..Found::default()
    };
    let decision = decide(&state, found, &batch(6, vec![one, two]), 1);
    assert_eq!(
        decision,
        Decision::Conflict {
            known: vec![Some(known), None]
        }
    );
}

#[test]
fn ids_are_looked_for_before_rights() {
    let sent = message("a", "b", 1);
    let (verdicts, _, _) = apply(&friends(), &[], &batch(0, vec![sent.clone()]), 1);
    let known = known_of(stored(&verdicts[0]), &sent);
    let strangers = ConversationState {
        relations: Relations::default(),
        ..friends()
    };
    let again = Submission { attempt: 2, ..sent };
    let (verdicts, after, changed) = apply(
        &strangers,
        std::slice::from_ref(&known),
        &batch(0, vec![again]),
        1,
    );
    assert_eq!(verdicts, [Verdict::Known(known)]);
    assert_eq!((after, changed), (strangers, false));
}

#[test]
fn only_a_later_refusal_raises_the_version() {
    let strangers = ConversationState::default();
    let first = message("a", "b", 1);
    let (verdicts, after, changed) = apply(&strangers, &[], &batch(0, vec![first.clone()]), 1);
    assert_eq!(verdicts, [Verdict::Refuse(Refusal::NotFriends)]);
    assert_eq!((after.version, changed), (Version(0), false));
    let again = Submission { attempt: 2, ..first };
    let (_, after, changed) = apply(&strangers, &[], &batch(0, vec![again]), 1);
    assert_eq!((after.version, after.head, changed), (Version(1), Seq(0), true));
}

#[test]
fn a_client_retry_is_known_only_with_equal_content() {
    let sent = Submission {
        client_id: Some(77),
        ..message("a", "b", 1)
    };
    let (verdicts, state, _) = apply(&friends(), &[], &batch(0, vec![sent.clone()]), 1);
    let known = [known_of(stored(&verdicts[0]), &sent)];
    let retry = Submission {
        key: MessageKey([9; 16]),
        ..sent.clone()
    };
    let other_text = Submission {
        content_hash: ContentHash([8; 16]),
        key: MessageKey([8; 16]),
        ..sent.clone()
    };
    let other_sender = Submission {
        sender: account("b"),
        peer: account("a"),
        key: MessageKey([7; 16]),
        ..sent
    };
    let (verdicts, _, _) = apply(
        &state,
        &known,
        &batch(1, vec![retry, other_text, other_sender]),
        1,
    );
    assert!(matches!(&verdicts[0], Verdict::Known(entry) if entry.seq == Seq(1)));
    assert_eq!(stored(&verdicts[1]).seq, Seq(2));
    assert_eq!(stored(&verdicts[2]).seq, Seq(3));
}

#[test]
fn befriending_goes_both_ways() {
    let ask = submission("a", "b", 1, Operation::AddFriend);
    let (verdicts, state, _) = apply(&ConversationState::default(), &[], &batch(0, vec![ask]), 1);
    assert_eq!(stored(&verdicts[0]).kind, EntryKind::FriendRequest);
    assert!(!state.relations.are_friends());
    let answer = submission("b", "a", 2, Operation::AddFriend);
    let (verdicts, state, _) = apply(&state, &[], &batch(1, vec![answer]), 1);
    assert_eq!(stored(&verdicts[0]).kind, EntryKind::FriendAccepted);
    assert!(matches!(
        verdicts[0],
        Verdict::Store {
            becomes_friends: true,
            refusal: None,
            ..
        }
    ));
    assert!(state.relations.are_friends());
    let more = submission("a", "b", 3, Operation::AddFriend);
    let (verdicts, _, _) = apply(&state, &[], &batch(2, vec![more]), 1);
    assert_eq!(stored(&verdicts[0]).kind, EntryKind::FriendAccepted);
    let Verdict::Store {
        refusal,
        becomes_friends,
        ..
    } = &verdicts[0]
    else {
        panic!()
    };
    assert_eq!(
        (refusal.map(Refusal::wire_code), *becomes_friends),
        (Some(4117), false)
    );
}

#[test]
fn the_blocked_and_oneself_are_refused() {
    let side = Side::of(&account("b"), &account("a"));
    let blocked = ConversationState {
        relations: Relations::default().with(side, Relation::Blocked),
        ..ConversationState::default()
    };
    let (verdicts, _, _) = apply(
        &blocked,
        &[],
        &batch(0, vec![submission("a", "b", 1, Operation::AddFriend)]),
        1,
    );
    assert_eq!(verdicts, [Verdict::Refuse(Refusal::Blocked)]);
    let (verdicts, _, _) = apply(
        &friends(),
        &[],
        &batch(0, vec![submission("a", "a", 1, Operation::AddFriend)]),
        1,
    );
    assert_eq!(verdicts, [Verdict::Refuse(Refusal::OwnAccount)]);
    let (verdicts, _, _) = apply(&friends(), &[], &batch(0, vec![message("a", "a", 2)]), 1);
    assert_eq!(verdicts, [Verdict::Refuse(Refusal::NotFriends)]);
}

fn with(one: Relation, other: Relation) -> ConversationState {
    let side = Side::of(&account("a"), &account("b"));
    ConversationState {
        relations: Relations::default().with(side, one).with(side.other(), other),
        ..ConversationState::default()
    }
}

#[test]
fn ending_a_relation() {
    use Relation::{Added, Blocked, None};
    let (remove, block) = (Operation::RemoveFriend, Operation::BlockAccount);
    for (before, operation, after, kind) in [
        ((Added, Added), remove, (None, None), EntryKind::FriendRemoved),
        ((None, Added), remove, (None, None), EntryKind::FriendRemoved),
        ((Blocked, None), remove, (None, None), EntryKind::FriendRemoved),
        (
            (Blocked, Blocked),
            remove,
            (None, Blocked),
            EntryKind::Unannounced,
        ),
        ((None, Blocked), remove, (None, Blocked), EntryKind::Unannounced),
        ((None, None), block, (Blocked, None), EntryKind::AccountBlocked),
        ((Added, Added), block, (Blocked, None), EntryKind::Unannounced),
        (
            (Added, Blocked),
            block,
            (Blocked, Blocked),
            EntryKind::Unannounced,
        ),
    ] {
        let asked = batch(0, vec![submission("a", "b", 1, operation)]);
        let (verdicts, state, _) = apply(&with(before.0, before.1), &[], &asked, 1);
        assert_eq!(
            state.relations,
            with(after.0, after.1).relations,
            "{before:?} {operation:?}"
        );
        assert_eq!(stored(&verdicts[0]).kind, kind, "{before:?} {operation:?}");
    }
    let nothing = batch(0, vec![submission("a", "b", 1, remove)]);
    let (verdicts, _, changed) = apply(&ConversationState::default(), &[], &nothing, 1);
    assert_eq!(
        (verdicts, changed),
        (vec![Verdict::Refuse(Refusal::NotRelated)], false)
    );
    let oneself = batch(0, vec![submission("a", "a", 1, block)]);
    let (verdicts, _, _) = apply(&ConversationState::default(), &[], &oneself, 1);
    assert_eq!(verdicts, [Verdict::Refuse(Refusal::OwnAccount)]);
}

#[test]
fn a_message_is_erased_once_and_by_whom_it_belongs_to() {
    let sent = message("a", "b", 1);
    let (verdicts, state, _) = apply(&friends(), &[], &batch(0, vec![sent.clone()]), 1);
    let known = [known_of(stored(&verdicts[0]), &sent)];
    let revoke = Operation::Revoke(Seq(1));
    let burn = Operation::Burn(Seq(1));
    let refused = [
        (submission("b", "a", 2, revoke), Refusal::NotTheirs),
        (submission("a", "b", 3, burn), Refusal::NotTheirs),
        (
            submission("a", "b", 4, Operation::Revoke(Seq(2))),
            Refusal::NoSuchMessage,
        ),
    ];
    let (asked, refusals): (Vec<_>, Vec<_>) = refused.into_iter().unzip();
    let (verdicts, _, changed) = apply(&state, &known, &batch(1, asked), 1);
    assert_eq!(
        verdicts,
        refusals.into_iter().map(Verdict::Refuse).collect::<Vec<_>>()
    );
    assert!(!changed);
    for (from, to, operation, kind) in [
        ("a", "b", revoke, EntryKind::Revoke),
        ("b", "a", burn, EntryKind::Burn),
    ] {
        let asked = vec![
            submission(from, to, 5, operation),
            submission(from, to, 6, operation),
        ];
        let (verdicts, after, _) = apply(&state, &known, &batch(1, asked), 1);
        assert_eq!(
            (stored(&verdicts[0]).kind, stored(&verdicts[0]).seq),
            (kind, Seq(2))
        );
        assert!(matches!(
            verdicts[0],
            Verdict::Store {
                erases: Some(Seq(1)),
                ..
            }
        ));
        assert_eq!(verdicts[1], Verdict::Refuse(Refusal::NoSuchMessage), "only once");
        assert_eq!(after.head, Seq(2));
    }
    let strangers = ConversationState {
        relations: Relations::default(),
        ..state
    };
    let (verdicts, _, _) = apply(
        &strangers,
        &known,
        &batch(1, vec![submission("a", "b", 7, revoke)]),
        1,
    );
    assert_eq!(verdicts, [Verdict::Refuse(Refusal::NotFriends)]);
}

#[test]
fn relations_survive_their_byte() {
    for byte in 0..=u8::MAX {
        if let Some(relations) = Relations::from_byte(byte) {
            assert_eq!(relations.to_byte(), byte);
        }
    }
    assert_eq!(Relations::FRIENDS.to_byte(), 0x11);
    assert_eq!(Relations::from_byte(0x33), None);
}

#[test]
fn a_new_class_begins_where_the_furthest_class_is() {
    use crate::conversation::{MemberCursor, starting_cursor};
    let row = |name: &str, class, cursor| MemberCursor {
        account: account(name),
        class: DeviceClass(class),
        cursor: Seq(cursor),
    };
    let rows = [row("a", 1, 4), row("a", 2, 6), row("b", 1, 9)];
    assert_eq!(starting_cursor(&rows, &account("a"), DeviceClass(1)), Seq(4));
    assert_eq!(starting_cursor(&rows, &account("a"), DeviceClass(3)), Seq(6));
    assert_eq!(starting_cursor(&rows, &account("c"), DeviceClass(1)), Seq(0));
}

fn any_submission() -> impl Strategy<Value = Submission> {
    (
        0u8..12,
        any::<bool>(),
        0u8..20,
        prop::option::of(1i64..4),
        0u8..3,
        1u32..3,
    )
        .prop_map(|(number, forward, operation, client_id, content, attempt)| {
            let (from, to) = if forward { ("a", "b") } else { ("b", "a") };
            let operation = match operation {
                0..4 => Operation::AddFriend,
                4 => Operation::RemoveFriend,
                5 => Operation::BlockAccount,
                6 => Operation::Application,
                7 | 8 => Operation::Revoke(Seq(u64::from(number))),
                9 => Operation::Burn(Seq(u64::from(number))),
                _ => Operation::Message,
            };
            Submission {
                client_id,
                content_hash: ContentHash([content; 16]),
                attempt,
                ..submission(from, to, number, operation)
            }
        })
}

proptest! {
    /// Whatever is submitted in whatever batches: numbers have no gap, time and version never decrease, a key
    /// gets one number, and a batch that changes nothing leaves the state alone.
    #[test]
    fn laws_of_the_judge(
        batches in prop::collection::vec((prop::collection::vec(any_submission(), 1..6), 0i64..100), 1..8),
    ) {
        let mut state = ConversationState::default();
        let mut entries: Vec<KnownEntry> = Vec::new();
        for (submissions, now) in batches {
            let batch = batch(state.version.0, submissions);
            let (verdicts, after, changed) = apply(&state, &entries, &batch, now);
            prop_assert_eq!(verdicts.len(), batch.submissions.len());
            prop_assert_eq!(after.version.0, state.version.0 + u64::from(changed));
            if !changed {
                prop_assert_eq!(&after, &state);
            }
            let mut head = state.head;
            for (verdict, submission) in verdicts.iter().zip(&batch.submissions) {
                match verdict {
                    Verdict::Store { entry, erases, .. } => {
                        if let Some(erased) = erases {
                            let erased = entries.iter_mut().find(|known| known.seq == *erased).unwrap();
                            prop_assert_eq!(erased.kind, EntryKind::Message);
                            erased.kind = EntryKind::Tombstone;
                        }
                        prop_assert_eq!(entry.seq, head.next());
                        prop_assert!(entry.timestamp_ns >= state.last_timestamp_ns);
                        prop_assert!(entries.iter().all(|known| known.key != entry.key));
                        head = entry.seq;
                        entries.push(known_of(entry, submission));
                    }
                    // It may have been erased behind it in the same batch.
                    Verdict::Known(known) => prop_assert!(entries.iter().any(|entry| entry.key == known.key)),
                    Verdict::Refuse(_) => prop_assert!(changed || submission.attempt == 1),
                }
            }
            prop_assert_eq!(head, after.head);
            state = after;
        }
    }
}
