//! The group commit against a model: the pure decision over plain memory must say the same, batch after batch.

use std::collections::HashMap;

use proptest::prelude::*;
use tim_core::conversation::{
    ConversationBatch, ConversationOutcome, ConversationState, Decision, EntryKind, Found, KnownEntry,
    Operation, RoomMember, RoomOperation, Submission, Verdict, concerned, decide,
};
use tim_core::id::{AccountId, ContentHash, ConversationId, MessageKey, Seq, Version};

use crate::room::Room;
use crate::support::{Engine, Fresh, NOW_NS, Pair, submission};

/// One submission of a generated batch: small ranges, so that the same message comes again in every way it can.
#[derive(Debug, Clone)]
struct Sent {
    key: u8,
    by_other: bool,
    operation: Operation,
    client_id: Option<i64>,
    content: u8,
    attempt: u32,
}

fn operation() -> impl Strategy<Value = Operation> {
    prop_oneof![
        6 => Just(Operation::Message),
        4 => Just(Operation::AddFriend),
        1 => Just(Operation::Application),
        1 => prop_oneof![Just(Operation::RemoveFriend), Just(Operation::BlockAccount)],
        3 => (0_u64..12).prop_map(|seq| Operation::Revoke(Seq(seq))),
        1 => (0_u64..12).prop_map(|seq| Operation::Burn(Seq(seq))),
    ]
}

fn sent() -> impl Strategy<Value = Sent> {
    let client_id = prop::option::weighted(0.4, 1_i64..4);
    (0_u8..24, any::<bool>(), operation(), client_id, 0_u8..2, 1_u32..4).prop_map(
        |(key, by_other, operation, client_id, content, attempt)| Sent {
            key,
            by_other,
            operation,
            client_id,
            content,
            attempt,
        },
    )
}

/// Per batch: which conversations, what is sent to each, and whether the home believes in a stale version.
fn batches() -> impl Strategy<Value = Vec<Vec<(Vec<Sent>, bool)>>> {
    let of_one = (prop::collection::vec(sent(), 0..4), prop::bool::weighted(0.1));
    prop::collection::vec(prop::collection::vec(of_one, 3), 1..8)
}

#[derive(Default)]
struct Model {
    states: HashMap<ConversationId, ConversationState>,
    entries: HashMap<ConversationId, Vec<KnownEntry>>,
    /// Of the room.
    members: HashMap<AccountId, RoomMember>,
}

impl Model {
    /// What the store must answer: the decision, over all entries of the conversation.
    fn append(&mut self, batch: &ConversationBatch, now_ns: i64) -> Decision {
        let state = self.states.entry(batch.conversation).or_default();
        let entries = self.entries.entry(batch.conversation).or_default();
        let concerned = batch
            .submissions
            .iter()
            .flat_map(|submission| concerned(submission));
        let members: Vec<RoomMember> = concerned
            .filter_map(|account| self.members.get(&account).cloned())
            .collect();
        let found = Found {
            known: entries,
            targets: entries,
            members: &members,
        };
        let decision = decide(state, found, batch, now_ns);
        if let Decision::Apply {
            verdicts,
            state: after,
            members,
            changed: true,
        } = &decision
        {
            *state = after.clone();
            for member in members {
                self.members.insert(member.account.clone(), member.clone());
            }
            for (verdict, submission) in verdicts.iter().zip(&batch.submissions) {
                if let Verdict::Store { entry, erases, .. } = verdict {
                    for erased in entries.iter_mut().filter(|known| Some(known.seq) == *erases) {
                        erased.kind = EntryKind::Tombstone;
                    }
                    entries.push(KnownEntry::of(entry, submission.content_hash));
                }
            }
        }
        decision
    }
}

fn made(pair: &Pair, sent: &Sent) -> Submission {
    let (sender, peer) = if sent.by_other {
        (&pair.other, &pair.one)
    } else {
        (&pair.one, &pair.other)
    };
    let mut made = submission(pair, sender, peer, sent.operation, &[sent.content]);
    // A message key belongs to one message: who sends it and what it says follow from it.
    made.key = MessageKey([sent.key ^ u8::from(sent.by_other) << 6 ^ sent.content << 7; 16]);
    made.client_id = sent.client_id;
    made.content_hash = ContentHash([sent.content; 16]);
    made.attempt = sent.attempt;
    made
}

/// The same numbers as operations on a room.
fn in_room(room: &Room, mut made: Submission, sent: &Sent) -> Submission {
    use RoomOperation::*;
    let plain = [Message, Message, Join, Pull, Kick, Refuse, Block, Ban, Leave];
    let operation = match (sent.operation, sent.key) {
        (_, 0..6) => Create,
        (Operation::Revoke(seq), _) => Revoke(seq),
        (_, key) => plain[usize::from(key) % plain.len()],
    };
    made.conversation = room.conversation;
    made.operation = Operation::Room(operation);
    if operation == Create {
        made.body = room.creation();
    }
    made
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, ..ProptestConfig::default() })]

    #[test]
    fn the_store_decides_as_the_model_does(batches in batches()) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let fresh = Fresh::new(Engine::Sqlite).await;
            let database = fresh.node().await;
            let room = Room::named("room");
            let mut pairs = ["x", "y", "z"].map(|name| Pair::new("hub", name));
            pairs[2].id = room.conversation;
            let mut model = Model::default();
            for (round, batch) in batches.iter().enumerate() {
                let now_ns = NOW_NS - round as i64 % 3;
                let batches: Vec<ConversationBatch> = pairs
                    .iter()
                    .zip(batch)
                    .map(|(pair, (sent, stale))| {
                        let version = model.states.get(&pair.id).map_or(Version(0), |state| state.version);
                        let version = if *stale { version.0 + 1 } else { version.0 };
                        let made = sent.iter().map(|sent| match made(pair, sent) {
                            submission if pair.id == room.conversation => in_room(&room, submission, sent),
                            submission => submission,
                        });
                        pair.batch(version, made.collect())
                    })
                    .collect();
                let outcomes = database.append(&batches, now_ns).await.unwrap();
                for (batch, outcome) in batches.iter().zip(outcomes) {
                    match (model.append(batch, now_ns), outcome) {
                        (Decision::Conflict { known }, ConversationOutcome::Conflict { known: found }) => {
                            prop_assert_eq!(known, found);
                        }
                        (
                            Decision::Apply { verdicts, state, .. },
                            ConversationOutcome::Done { verdicts: found, version, .. },
                        ) => {
                            prop_assert_eq!(verdicts, found);
                            prop_assert_eq!(state.version, version);
                        }
                        (expected, found) => prop_assert!(false, "{:?} / {:?}", expected, found),
                    }
                }
            }
            database.close().await;
            Ok(())
        })?;
    }
}
