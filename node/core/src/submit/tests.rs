use bytes::Bytes;

use super::*;
use crate::conversation::{EntryKind, Operation};
use crate::fixture::{account, view};
use crate::id::{ContentHash, DatabaseName, DeviceClass, MessageKey};
use crate::map::HomePlacement;
use crate::placement::direct_conversation;
use crate::time::Moment;

const SESSION: SessionId = SessionId(7);

fn submission(number: u8) -> Submission {
    Submission {
        key: MessageKey([number; 16]),
        conversation: direct_conversation(&account("a"), &account("b")),
        sender: account("a"),
        peer: account("b"),
        sender_class: DeviceClass(1),
        operation: Operation::Message,
        client_id: None,
        content_hash: ContentHash([number; 16]),
        attempt: 0,
        vouched: false,
        body: Bytes::new(),
    }
}

fn entry(number: u8) -> Arc<Entry> {
    Arc::new(Entry {
        seq: Seq(u64::from(number)),
        kind: EntryKind::Message,
        key: MessageKey([number; 16]),
        sender: account("a"),
        sender_class: DeviceClass(1),
        client_id: None,
        timestamp_ns: 1,
        audience: Vec::new(),
        body: Bytes::new(),
    })
}

struct Rig {
    submitter: Submitter,
    now: u64,
}

impl Rig {
    fn new(config: Config) -> Self {
        let database = DatabaseName::new("d0").unwrap();
        let map = PartitionMap::even(&[(database, HomePlacement::PerConversation)]).unwrap();
        Self {
            submitter: Submitter::new(config, view(&["n0"]), Arc::new(map)),
            now: 0,
        }
    }

    fn event(&mut self, event: Event) -> Vec<Effect> {
        let mut effects = Vec::new();
        self.submitter.handle(Moment(self.now), event, &mut effects);
        effects
    }

    fn submit(&mut self, number: u8) -> Vec<Effect> {
        self.event(Event::Submit {
            session: SESSION,
            submission: submission(number),
        })
    }

    fn opened(&mut self, home: &str, attempt: u64) -> Vec<Effect> {
        let from = NodeName::new(home).unwrap();
        self.event(Event::Opened {
            from,
            lane: lane(),
            attempt,
            tenure: Tenure(attempt),
        })
    }

    fn answer(&mut self, attempt: u64, index: u32, answer: Answer) -> Vec<Effect> {
        self.event(Event::Answered {
            lane: lane(),
            attempt,
            index,
            answer,
        })
    }

    fn stored(&mut self, attempt: u64, index: u32, number: u8) -> Vec<Effect> {
        let answer = Answer::Stored {
            entry: entry(number),
            refusal: None,
            cursor: None,
        };
        self.answer(attempt, index, answer)
    }
}

fn lane() -> LaneId {
    LaneId {
        session: SESSION,
        conversation: submission(0).conversation,
    }
}

/// Attempt number of an opening.
fn opening(effects: &[Effect]) -> (String, u64) {
    match effects {
        [Effect::SendOpen { to, attempt, .. }] => (to.to_string(), *attempt),
        other => panic!("no opening: {other:?}"),
    }
}

/// (first byte of the key, how often sent, index) of what was sent.
fn sent(effects: &[Effect]) -> Vec<(u8, u32, u32)> {
    effects
        .iter()
        .map(|effect| match effect {
            Effect::SendSubmission {
                stamp, submission, ..
            } => (submission.key.0[0], submission.attempt, stamp.index),
            other => panic!("not sent: {other:?}"),
        })
        .collect()
}

#[test]
fn opens_first_and_sends_in_order() {
    let mut rig = Rig::new(Config::default());
    let (_, attempt) = opening(&rig.submit(1));
    assert_eq!(rig.submit(2), []);
    assert_eq!(sent(&rig.opened("n0", attempt)), [(1, 1, 0), (2, 1, 1)]);
    assert_eq!(sent(&rig.submit(3)), [(3, 1, 2)]);
    assert!(matches!(rig.stored(attempt, 0, 1)[..], [Effect::Outcome { .. }]));
    assert_eq!(rig.submitter.pending_of(SESSION), 2);
}

#[test]
fn after_a_conflict_everything_is_sent_again_in_order() {
    let mut rig = Rig::new(Config::default());
    let (_, first) = opening(&rig.submit(1));
    rig.submit(2);
    rig.opened("n0", first);
    let (_, second) = opening(&rig.answer(first, 0, Answer::Conflict));
    assert!(second > first);
    assert_eq!(rig.answer(first, 1, Answer::Conflict), []);
    rig.submit(3);
    assert_eq!(sent(&rig.opened("n0", second)), [(1, 2, 0), (2, 2, 1), (3, 1, 2)]);
}

#[test]
fn what_an_older_attempt_says_does_not_count() {
    let mut rig = Rig::new(Config::default());
    let (_, first) = opening(&rig.submit(1));
    rig.opened("n0", first);
    let (home, second) = opening(&rig.event(Event::ViewChanged(view(&["n1"]))));
    assert_eq!(home, "n1");
    assert_eq!(rig.answer(first, 0, Answer::Refused(Refusal::NotFriends)), []);
    assert_eq!(rig.opened("n0", first), []);
    assert_eq!(sent(&rig.opened("n1", second)), [(1, 2, 0)]);
    assert!(matches!(
        rig.stored(second, 0, 1)[..],
        [Effect::Outcome {
            outcome: Outcome::Stored { repeated: false, .. },
            ..
        }]
    ));
}

#[test]
fn a_full_home_gets_the_same_again_a_little_later() {
    let mut rig = Rig::new(Config::default());
    let (_, attempt) = opening(&rig.submit(1));
    rig.submit(2);
    rig.submit(3);
    rig.opened("n0", attempt);
    assert_eq!(rig.answer(attempt, 1, Answer::Busy), []);
    assert!(matches!(rig.stored(attempt, 0, 1)[..], [Effect::Outcome { .. }]));
    rig.now = rig.submitter.deadline().unwrap().0;
    assert_eq!(sent(&rig.event(Event::Timer)), [(2, 1, 1), (3, 1, 2)]);
}

#[test]
fn a_home_that_does_not_answer_is_opened_again() {
    let mut rig = Rig::new(Config::default());
    let (_, first) = opening(&rig.submit(1));
    rig.opened("n0", first);
    rig.now = rig.submitter.deadline().unwrap().0;
    let (_, second) = opening(&rig.event(Event::Timer));
    assert!(second > first);
}

#[test]
fn broken_streams_do_not_make_a_storm() {
    let mut rig = Rig::new(Config::default());
    rig.submit(1);
    let node = NodeName::new("n0").unwrap();
    let openings: usize = (0..50)
        .map(|_| rig.event(Event::StreamBroken { node: node.clone() }).len())
        .sum();
    assert!(openings <= 3, "{openings}");
    rig.now = rig.submitter.deadline().unwrap().0;
    opening(&rig.event(Event::Timer));
}

#[test]
fn a_session_may_have_only_so_much_under_way() {
    let mut rig = Rig::new(Config {
        max_pending_per_session: 1,
        ..Config::default()
    });
    rig.submit(1);
    assert!(matches!(
        rig.submit(2)[..],
        [Effect::Outcome {
            outcome: Outcome::Busy,
            ..
        }]
    ));
    assert_eq!(rig.submitter.pending(), 1);
}

#[test]
fn a_closed_session_is_carried_to_the_end_and_told_nothing() {
    let mut rig = Rig::new(Config::default());
    let (_, attempt) = opening(&rig.submit(1));
    rig.event(Event::SessionClosed(SESSION));
    assert_eq!(sent(&rig.opened("n0", attempt)), [(1, 1, 0)]);
    assert_eq!(rig.stored(attempt, 0, 1), []);
    assert_eq!(rig.submitter.pending(), 0);
}

#[test]
fn a_repetition_by_the_client_is_told_apart_from_one_of_ours() {
    let mut rig = Rig::new(Config::default());
    let (_, attempt) = opening(&rig.submit(1));
    rig.opened("n0", attempt);
    let known = KnownEntry {
        key: MessageKey([9; 16]),
        sender: account("a"),
        client_id: Some(5),
        content_hash: ContentHash([1; 16]),
        seq: Seq(4),
        kind: EntryKind::Message,
        timestamp_ns: 8,
        audience: Vec::new(),
    };
    match &rig.answer(attempt, 0, Answer::Known { known, cursor: None })[..] {
        [
            Effect::Outcome {
                outcome: Outcome::Stored { entry, repeated, .. },
                ..
            },
        ] => {
            assert_eq!(
                (entry.seq, entry.key, *repeated),
                (Seq(4), MessageKey([9; 16]), true)
            );
        }
        other => panic!("{other:?}"),
    }
}
