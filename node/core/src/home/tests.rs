mod forgetting;
mod room_news;

use bytes::Bytes;

use super::*;
use crate::conversation::{
    ConversationOutcome, ConversationState, Decision, Entry, EntryKind, FenceRefusal, Found, KnownEntry,
    Operation, Relations, RoomMove, RoomOperation, Verdict, decide,
};
use crate::fixture::{account, node, view};
use crate::id::{ContentHash, DeviceClass, MessageKey, RoomId, SessionId};
use crate::map::HomePlacement;
use crate::placement::direct_conversation;
use crate::time::Moment;

fn map(homes: HomePlacement) -> Arc<PartitionMap> {
    Arc::new(PartitionMap::even(&[(DatabaseName::new("d0").unwrap(), homes)]).unwrap())
}

fn submission(peer: &str, number: u8) -> Arc<Submission> {
    Arc::new(Submission {
        key: MessageKey([number; 16]),
        conversation: direct_conversation(&account("a"), &account(peer)),
        sender: account("a"),
        peer: account(peer),
        sender_class: DeviceClass(1),
        operation: Operation::Message,
        client_id: None,
        content_hash: ContentHash([number; 16]),
        attempt: 1,
        vouched: false,
        body: Bytes::new(),
    })
}

fn lane(peer: &str) -> LaneId {
    LaneId {
        session: SessionId(1),
        conversation: submission(peer, 0).conversation,
    }
}

struct Rig {
    home: Home,
    now: u64,
}

impl Rig {
    fn new(config: Config, homes: HomePlacement) -> Self {
        Self {
            home: Home::new(config, node("n0"), view(&["n0"]), map(homes)),
            now: 0,
        }
    }

    /// A home with one conversation per peer loaded, and a lane open in each under attempt 1.
    fn open(config: Config, homes: HomePlacement, peers: &[&str]) -> Self {
        let mut rig = Self::new(config, homes);
        for peer in peers {
            let effects = rig.event(Event::Open {
                from: node("n1"),
                lane: lane(peer),
                attempt: 1,
                tenure: Tenure(5),
            });
            let [Effect::Load { request, .. }] = effects[..] else {
                panic!("{effects:?}")
            };
            let found = Some(vec![Load::Version(Version(0))]);
            let effects = rig.event(Event::Loaded { request, found });
            assert!(matches!(
                effects[..],
                [Effect::Opened {
                    attempt: 1,
                    tenure: Tenure(5),
                    ..
                }]
            ));
        }
        rig
    }

    fn event(&mut self, event: Event) -> Vec<Effect> {
        let mut effects = Vec::new();
        self.home.handle(Moment(self.now), event, &mut effects);
        effects
    }

    fn submit(&mut self, peer: &str, index: u32, number: u8) -> Vec<Effect> {
        let stamp = LaneStamp {
            lane: lane(peer),
            tenure: Tenure(5),
            attempt: 1,
            index,
        };
        self.event(Event::Submit {
            from: node("n1"),
            stamp,
            submission: submission(peer, number),
        })
    }

    fn done(&mut self, request: RequestId, result: BatchResult) -> Vec<Effect> {
        self.event(Event::BatchDone { request, result })
    }
}

/// The batch that effects start: its number, and the first key bytes per conversation.
fn batch(effects: &[Effect]) -> (RequestId, Vec<ConversationBatch>) {
    effects
        .iter()
        .find_map(|effect| match effect {
            Effect::RunBatch {
                request,
                conversations,
                ..
            } => Some((*request, conversations.clone())),
            _ => None,
        })
        .unwrap_or_else(|| panic!("no batch: {effects:?}"))
}

fn numbers(batch: &ConversationBatch) -> Vec<u8> {
    batch
        .submissions
        .iter()
        .map(|submission| submission.key.0[0])
        .collect()
}

/// What a database with friends in it would commit.
fn commit(batches: &[ConversationBatch]) -> BatchResult {
    let outcomes = batches.iter().map(|batch| {
        let state = ConversationState {
            relations: Relations::FRIENDS,
            version: batch.expected_version,
            ..ConversationState::default()
        };
        match decide(&state, Found::default(), batch, 1) {
            Decision::Apply { verdicts, state, .. } => ConversationOutcome::Done {
                verdicts,
                version: state.version,
                cursors: Vec::new(),
            },
            Decision::Conflict { known } => ConversationOutcome::Conflict { known },
        }
    });
    BatchResult::Committed(outcomes.collect())
}

/// (index, answer) of every answer.
fn answers(effects: &[Effect]) -> Vec<(u32, &Answer)> {
    effects
        .iter()
        .filter_map(|effect| match effect {
            Effect::Answer { index, answer, .. } => Some((*index, answer)),
            _ => None,
        })
        .collect()
}

#[test]
fn batches_many_conversations_one_transaction_at_a_time() {
    let mut rig = Rig::open(Config::default(), HomePlacement::PerDatabase, &["b", "c"]);
    let (request, first) = batch(&rig.submit("b", 0, 1));
    assert_eq!(rig.submit("b", 1, 2), []);
    assert_eq!(rig.submit("c", 0, 3), []);
    let effects = rig.done(request, commit(&first));
    assert!(matches!(answers(&effects)[..], [(0, Answer::Stored { .. })]));
    assert!(
        effects
            .iter()
            .any(|effect| matches!(effect, Effect::Committed(_)))
    );
    let (_, second) = batch(&effects);
    assert_eq!(second.len(), 2);
    let of = |peer: &str| {
        second
            .iter()
            .find(|batch| batch.conversation == lane(peer).conversation)
    };
    assert_eq!(
        of("b").map(|batch| (numbers(batch), batch.expected_version)),
        Some((vec![2], Version(1)))
    );
    assert_eq!(of("c").map(numbers), Some(vec![3]));
}

#[test]
fn servers_take_several_transactions_when_enough_waits() {
    let config = Config {
        ready_for_another: 2,
        ..Config::default()
    };
    let mut rig = Rig::open(config, HomePlacement::PerConversation, &["b", "c", "d"]);
    batch(&rig.submit("b", 0, 1));
    assert_eq!(rig.submit("c", 0, 2), []);
    let (_, second) = batch(&rig.submit("d", 0, 3));
    assert_eq!(second.len(), 2);
}

#[test]
fn a_transaction_that_lasts_holds_up_nobody() {
    let mut rig = Rig::open(Config::default(), HomePlacement::PerConversation, &["b", "c"]);
    batch(&rig.submit("b", 0, 1));
    let started = rig.now;
    assert_eq!(rig.submit("c", 0, 2), []);
    rig.now = rig.home.deadline().unwrap().0;
    assert_eq!(rig.now - started, Config::default().another_after_ms);
    let (_, second) = batch(&rig.event(Event::Timer));
    assert_eq!(second.len(), 1);
    // Nothing is left to be woken for but the look for idle conversations.
    assert!(
        rig.home
            .deadline()
            .is_none_or(|at| at.0 > rig.now + Config::default().another_after_ms)
    );
}

#[test]
fn only_the_next_index_is_taken() {
    let mut rig = Rig::open(Config::default(), HomePlacement::PerDatabase, &["b"]);
    assert_eq!(rig.submit("b", 1, 2), []);
    let (_, first) = batch(&rig.submit("b", 0, 1));
    assert_eq!(numbers(&first[0]), [1]);
    assert_eq!(rig.submit("b", 0, 1), []);
    assert_eq!(rig.home.queued(), 0);
}

#[test]
fn a_conflict_ends_the_tenure_in_order() {
    let mut rig = Rig::open(Config::default(), HomePlacement::PerDatabase, &["b"]);
    let (request, _) = batch(&rig.submit("b", 0, 1));
    rig.submit("b", 1, 2);
    let outcome = ConversationOutcome::Conflict { known: vec![None] };
    let effects = rig.done(request, BatchResult::Committed(vec![outcome]));
    assert_eq!(
        answers(&effects),
        [(0, &Answer::Conflict), (1, &Answer::Conflict)]
    );
    assert_eq!(answers(&rig.submit("b", 2, 3)), [(2, &Answer::Conflict)]);
    assert_eq!(rig.home.conversations(), 0);
}

#[test]
fn an_unknown_outcome_is_told_to_nobody() {
    let mut rig = Rig::open(Config::default(), HomePlacement::PerDatabase, &["b"]);
    let (request, _) = batch(&rig.submit("b", 0, 1));
    let effects = rig.done(request, BatchResult::Unknown);
    assert_eq!(answers(&effects), [(0, &Answer::Conflict)]);
}

#[test]
fn what_fails_twice_runs_alone() {
    let mut rig = Rig::open(Config::default(), HomePlacement::PerDatabase, &["b", "c"]);
    let (mut request, _) = batch(&rig.submit("b", 0, 1));
    rig.submit("c", 0, 2);
    for _ in 0..2 {
        rig.done(request, BatchResult::Failed);
        rig.now = rig.home.deadline().unwrap().0;
        (request, _) = batch(&rig.event(Event::Timer));
    }
    rig.done(request, BatchResult::Failed);
    rig.now = rig.home.deadline().unwrap().0;
    let (request, alone) = batch(&rig.event(Event::Timer));
    assert_eq!(alone.len(), 1);
    let (_, other) = batch(&rig.done(request, commit(&alone)));
    assert_eq!(other.len(), 1);
}

#[test]
fn what_a_fence_refuses_waits_and_keeps_its_place() {
    let mut rig = Rig::open(Config::default(), HomePlacement::PerDatabase, &["b"]);
    let (request, _) = batch(&rig.submit("b", 0, 1));
    rig.submit("b", 1, 2);
    let outcome = ConversationOutcome::Fenced(FenceRefusal::Stale);
    let effects = rig.done(request, BatchResult::Committed(vec![outcome]));
    assert_eq!(effects, [Effect::NeedMap]);
    rig.now = rig.home.deadline().unwrap().0;
    let (_, again) = batch(&rig.event(Event::Timer));
    assert_eq!(numbers(&again[0]), [1, 2]);
}

#[test]
fn another_view_takes_conversations_away_but_not_what_was_committed() {
    let mut rig = Rig::open(Config::default(), HomePlacement::PerDatabase, &["b"]);
    let (request, first) = batch(&rig.submit("b", 0, 1));
    rig.submit("b", 1, 2);
    let effects = rig.event(Event::ViewChanged(view(&["n1"])));
    assert_eq!(answers(&effects), [(1, &Answer::Conflict)]);
    assert!(!rig.home.is_quiet());
    let effects = rig.done(request, commit(&first));
    assert!(matches!(answers(&effects)[..], [(0, Answer::Stored { .. })]));
    assert!(rig.home.is_quiet());
    let open = Event::Open {
        from: node("n1"),
        lane: lane("b"),
        attempt: 2,
        tenure: Tenure(6),
    };
    let refused = rig.event(open);
    assert!(matches!(
        refused[..],
        [Effect::OpenRefused {
            reason: OpenRefusal::NotHome,
            ..
        }]
    ));
}

#[test]
fn a_full_queue_says_so_and_expects_the_same_index_again() {
    let config = Config {
        max_queue_per_conversation: 1,
        ..Config::default()
    };
    let mut rig = Rig::open(config, HomePlacement::PerDatabase, &["b"]);
    let (request, first) = batch(&rig.submit("b", 0, 1));
    rig.submit("b", 1, 2);
    assert_eq!(answers(&rig.submit("b", 2, 3)), [(2, &Answer::Busy)]);
    rig.done(request, commit(&first));
    assert_eq!(rig.submit("b", 2, 3), []);
    assert_eq!(rig.home.queued(), 1);
}

#[test]
fn a_new_attempt_replaces_what_waits_of_the_old_one() {
    let mut rig = Rig::open(Config::default(), HomePlacement::PerDatabase, &["b"]);
    batch(&rig.submit("b", 0, 1));
    rig.submit("b", 1, 2);
    let open = Event::Open {
        from: node("n1"),
        lane: lane("b"),
        attempt: 2,
        tenure: Tenure(6),
    };
    assert!(matches!(
        rig.event(open)[..],
        [Effect::Opened {
            tenure: Tenure(5),
            ..
        }]
    ));
    assert_eq!(rig.home.queued(), 0);
    assert_eq!(rig.submit("b", 2, 3), []);
}

#[test]
fn a_database_that_does_not_answer_is_asked_again() {
    let mut rig = Rig::new(Config::default(), HomePlacement::PerDatabase);
    let open = Event::Open {
        from: node("n1"),
        lane: lane("b"),
        attempt: 1,
        tenure: Tenure(6),
    };
    let [Effect::Load { request, .. }] = rig.event(open)[..] else {
        panic!()
    };
    assert_eq!(rig.event(Event::Loaded { request, found: None }), []);
    rig.now = rig.home.deadline().unwrap().0;
    assert!(matches!(rig.event(Event::Timer)[..], [Effect::Load { .. }]));
}

#[test]
fn idle_conversations_are_forgotten() {
    let mut rig = Rig::open(Config::default(), HomePlacement::PerDatabase, &["b"]);
    rig.now = rig.home.deadline().unwrap().0;
    rig.event(Event::Timer);
    assert_eq!(rig.home.conversations(), 0);
}

/// A room whose members are known, and what its home tells of what is stored there.
struct RoomRig {
    rig: Rig,
    lane: LaneId,
    index: u32,
    version: Version,
}

impl RoomRig {
    fn with(members: &[&str]) -> Self {
        let room = RoomId::new("room").unwrap();
        let lane = LaneId {
            session: SessionId(1),
            conversation: crate::placement::room_conversation(&room),
        };
        let mut rig = Rig::new(Config::default(), HomePlacement::PerConversation);
        let effects = rig.event(Event::Open {
            from: node("n1"),
            lane,
            attempt: 1,
            tenure: Tenure(5),
        });
        let [Effect::Load { request, .. }] = effects[..] else {
            panic!("{effects:?}")
        };
        let found = Some(vec![Load::Room {
            version: Version(7),
            members: members.iter().map(|name| account(name)).collect(),
            members_since: Seq(3),
        }]);
        rig.event(Event::Loaded { request, found });
        Self {
            rig,
            lane,
            index: 0,
            version: Version(7),
        }
    }

    /// Submits so many messages, and has the database answer with these verdicts; what is delivered to whom.
    fn verdicts(&mut self, verdicts: Vec<Verdict>) -> Vec<(Vec<u64>, Vec<String>)> {
        let mut effects = Vec::new();
        for number in 0..verdicts.len() {
            let mut sent = (*submission("a", number as u8)).clone();
            sent.conversation = self.lane.conversation;
            sent.operation = Operation::Room(RoomOperation::Message);
            let stamp = LaneStamp {
                lane: self.lane,
                tenure: Tenure(5),
                attempt: 1,
                index: self.index,
            };
            self.index += 1;
            effects.extend(self.rig.event(Event::Submit {
                from: node("n1"),
                stamp,
                submission: Arc::new(sent),
            }));
        }
        let mut told = Vec::new();
        let mut verdicts = verdicts.into_iter();
        // What came while a transaction was under way goes with the next one.
        while let Some((request, batches)) = running(&effects) {
            self.version = self.version.next();
            let outcome = ConversationOutcome::Done {
                verdicts: verdicts.by_ref().take(batches[0].submissions.len()).collect(),
                version: self.version,
                cursors: Vec::new(),
            };
            effects = self.rig.done(request, BatchResult::Committed(vec![outcome]));
            told.extend(delivered(&effects));
        }
        told
    }
}

fn running(effects: &[Effect]) -> Option<(RequestId, Vec<ConversationBatch>)> {
    let runs = |effect: &Effect| matches!(effect, Effect::RunBatch { .. });
    effects.iter().any(runs).then(|| batch(effects))
}

fn delivered(effects: &[Effect]) -> Vec<(Vec<u64>, Vec<String>)> {
    let committed = effects.iter().filter_map(|effect| match effect {
        Effect::Committed(committed) => Some(committed),
        _ => None,
    });
    committed
        .map(|committed| {
            let seqs = committed.entries.iter().map(|(entry, _)| entry.seq.0);
            let to = committed.members.iter().chain(&committed.others);
            (seqs.collect(), to.map(ToString::to_string).collect())
        })
        .collect()
}

fn stored_in_room(seq: u64, moves: Option<RoomMove>, audience: &[&str]) -> Verdict {
    let kind = match moves {
        None => EntryKind::RoomMessage,
        Some(RoomMove::Joined(_)) => EntryKind::RoomPulled,
        Some(RoomMove::Left(_)) => EntryKind::RoomKicked,
    };
    let entry = Entry {
        seq: Seq(seq),
        kind,
        key: MessageKey([seq as u8; 16]),
        sender: account("a"),
        sender_class: DeviceClass(1),
        client_id: None,
        timestamp_ns: 1,
        audience: audience.iter().map(|name| account(name)).collect(),
        body: Bytes::new(),
    };
    Verdict::Store {
        entry: Arc::new(entry),
        refusal: None,
        becomes_friends: false,
        erases: None,
        moves,
    }
}

#[test]
fn what_a_room_has_already_goes_to_who_was_in_it_then_if_that_is_known() {
    let mut room = RoomRig::with(&["a", "b"]);
    room.verdicts(vec![stored_in_room(
        10,
        Some(RoomMove::Joined(account("c"))),
        &["c"],
    )]);
    let known = |seq| {
        let Verdict::Store { entry, .. } = stored_in_room(seq, None, &[]) else {
            unreachable!("made above")
        };
        Verdict::Known(KnownEntry::of(&entry, ContentHash([0; 16])))
    };
    let told = room.verdicts(vec![known(9)]);
    assert_eq!(told, [(vec![9], vec!["a".to_owned(), "b".to_owned()])]);
    assert_eq!(room.verdicts(vec![known(2)]), [], "from before the last change");
}
