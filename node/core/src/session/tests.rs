use bytes::Bytes;

use super::*;
use crate::conversation::EntryKind;
use crate::fixture::account;
use crate::id::{DeviceClass, MessageKey};
use crate::time::Moment;

const CHAT: ConversationId = ConversationId([1; 16]);
const OTHER: ConversationId = ConversationId([2; 16]);

fn from(sender: &str, seq: u64) -> Arc<Entry> {
    Arc::new(Entry {
        seq: Seq(seq),
        kind: EntryKind::Message,
        key: MessageKey([seq as u8; 16]),
        sender: account(sender),
        sender_class: DeviceClass(1),
        client_id: None,
        timestamp_ns: seq as i64,
        audience: Vec::new(),
        body: Bytes::new(),
    })
}

fn entry(seq: u64) -> Arc<Entry> {
    from("peer", seq)
}

struct Rig {
    session: Session,
    now: u64,
}

impl Rig {
    fn new(config: Config) -> Self {
        Self {
            session: Session::new(config, account("me"), Moment(0)),
            now: 0,
        }
    }

    /// A session whose first search was answered and that does not wait for the client to ask any more.
    fn ready(config: Config, positions: &[(ConversationId, u64, u64)]) -> (Self, Vec<Effect>) {
        let mut rig = Self::new(config);
        assert_eq!(
            rig.event(Event::Registered),
            [Effect::FetchUndelivered { all: true }]
        );
        rig.undelivered(positions);
        let effects = rig.at(config.offline_wait_ms);
        (rig, effects)
    }

    fn event(&mut self, event: Event) -> Vec<Effect> {
        let mut effects = Vec::new();
        self.session.handle(Moment(self.now), event, &mut effects);
        effects
    }

    fn at(&mut self, now: u64) -> Vec<Effect> {
        self.now = now;
        self.event(Event::Timer)
    }

    fn undelivered(&mut self, positions: &[(ConversationId, u64, u64)]) -> Vec<Effect> {
        let position = |(conversation, cursor, head): &(ConversationId, u64, u64)| Position {
            conversation: *conversation,
            cursor: Seq(*cursor),
            head: Seq(*head),
        };
        self.event(Event::Undelivered(positions.iter().map(position).collect()))
    }

    fn push(&mut self, seqs: std::ops::RangeInclusive<u64>, cursor: u64) -> Vec<Effect> {
        let entries = seqs.map(entry).collect();
        self.event(Event::Pushed {
            conversation: CHAT,
            entries,
            cursor: Some(Seq(cursor)),
        })
    }

    fn fetched(&mut self, entries: Vec<Arc<Entry>>, cursor: u64, head: u64) -> Vec<Effect> {
        let (cursor, head) = (Seq(cursor), Seq(head));
        self.event(Event::Fetched {
            conversation: CHAT,
            entries,
            skip: None,
            cursor,
            head,
        })
    }

    fn confirm(&mut self, sync_id: u32) -> Vec<Effect> {
        let mut effects = self.event(Event::Frame);
        effects.extend(self.event(Event::Confirmed(sync_id)));
        effects
    }
}

/// (place, sync id) of every single entry written.
fn written(effects: &[Effect]) -> Vec<(u64, Option<u32>)> {
    effects
        .iter()
        .filter_map(|effect| match effect {
            Effect::SendEntry { sync_id, entry, .. } => Some((entry.seq.0, *sync_id)),
            _ => None,
        })
        .collect()
}

fn moved(from: u64, to: u64) -> Effect {
    Effect::MoveCursor {
        conversation: CHAT,
        from: Seq(from),
        to: Seq(to),
    }
}

fn fetch(after: u64, limit: u32) -> Effect {
    Effect::FetchEntries {
        conversation: CHAT,
        after: Some(Seq(after)),
        limit,
    }
}

#[test]
fn live_messages_are_handed_on_once_and_confirmed() {
    let (mut rig, _) = Rig::ready(Config::default(), &[(CHAT, 4, 4)]);
    assert_eq!(written(&rig.push(5..=6, 4)), [(5, Some(1)), (6, Some(2))]);
    assert_eq!(rig.push(5..=6, 4), []);
    assert_eq!(rig.confirm(2), []);
    assert_eq!(rig.confirm(1), [moved(4, 6)]);
    assert!(!rig.session.is_settled());
    rig.event(Event::CursorMoved {
        conversation: CHAT,
        cursor: Seq(6),
    });
    assert!(rig.session.is_settled());
}

#[test]
fn a_gap_is_fetched_and_what_came_early_is_kept() {
    let (mut rig, _) = Rig::ready(Config::default(), &[(CHAT, 4, 4)]);
    assert_eq!(rig.push(7..=7, 4), [fetch(4, 64)]);
    let effects = rig.fetched(vec![entry(5), entry(6)], 4, 7);
    assert_eq!(
        written(&effects).iter().map(|(seq, _)| *seq).collect::<Vec<_>>(),
        [5, 6, 7]
    );
}

#[test]
fn a_cursor_that_may_be_older_than_the_session_is_not_believed() {
    let mut rig = Rig::new(Config::default());
    rig.event(Event::Registered);
    let effects = rig.push(5..=5, 4);
    assert_eq!(
        effects,
        [Effect::FetchEntries {
            conversation: CHAT,
            after: None,
            limit: 64
        }]
    );
    assert_eq!(written(&rig.fetched(vec![], 5, 5)), []);
    assert_eq!(rig.session.position(&CHAT), Some(Seq(5)));
}

#[test]
fn a_conversation_nobody_listed_begins_at_the_cursor_of_its_message() {
    let (mut rig, _) = Rig::ready(Config::default(), &[]);
    assert_eq!(written(&rig.push(1..=1, 0)), [(1, Some(1))]);
    let effects = rig.event(Event::Pushed {
        conversation: OTHER,
        entries: vec![entry(3)],
        cursor: Some(Seq(1)),
    });
    let after = Some(Seq(1));
    assert_eq!(
        effects,
        [Effect::FetchEntries {
            conversation: OTHER,
            after,
            limit: 64
        }]
    );
}

#[test]
fn the_backlog_is_pushed_when_the_client_does_not_ask() {
    let (mut rig, effects) = Rig::ready(Config::default(), &[(CHAT, 1, 3)]);
    assert_eq!(effects, [fetch(1, 64)]);
    rig.push(4..=4, 1);
    let effects = rig.fetched(vec![entry(2), entry(3)], 1, 3);
    assert_eq!(written(&effects), [(2, Some(1)), (3, Some(2)), (4, Some(3))]);
}

#[test]
fn offline_batches_follow_each_other_and_end() {
    let config = Config {
        offline_batch: 2,
        ..Config::default()
    };
    let mut rig = Rig::new(config);
    rig.event(Event::Registered);
    rig.event(Event::OfflineRequested);
    assert_eq!(rig.undelivered(&[(CHAT, 0, 3), (OTHER, 5, 5)]), [fetch(0, 2)]);
    // Live messages of the conversation wait behind its backlog.
    assert_eq!(rig.push(4..=4, 0), []);
    let effects = rig.fetched(vec![entry(1), entry(2)], 0, 4);
    assert!(matches!(&effects[..], [Effect::SendOffline { sync_id: 1, entries }] if entries.len() == 2));
    assert_eq!(rig.confirm(1), [moved(0, 2), fetch(2, 2)]);
    let effects = rig.fetched(vec![entry(3), entry(4)], 2, 4);
    assert!(matches!(&effects[0], Effect::SendOffline { sync_id: 2, entries } if entries.len() == 1));
    // What waited behind the batch may follow it on the socket.
    assert_eq!(written(&effects), [(4, Some(3))]);
    assert!(rig.confirm(2).contains(&Effect::SendOfflineEnd));
}

#[test]
fn offline_ends_at_once_when_there_is_nothing_and_when_nothing_is_confirmed() {
    let mut rig = Rig::new(Config::default());
    rig.event(Event::Registered);
    rig.event(Event::OfflineRequested);
    assert_eq!(rig.undelivered(&[]), [Effect::SendOfflineEnd]);
    rig.event(Event::OfflineRequested);
    rig.undelivered(&[(CHAT, 0, 1)]);
    let effects = rig.fetched(vec![entry(1)], 0, 1);
    assert!(matches!(effects[..], [Effect::SendOffline { .. }]));
    assert!(matches!(
        rig.at(10_000)[..],
        [Effect::SendOffline { sync_id: 2, .. }]
    ));
    assert!(matches!(
        rig.at(20_000)[..],
        [Effect::SendOffline { sync_id: 3, .. }]
    ));
    assert_eq!(rig.at(30_000), [Effect::SendOfflineEnd]);
    assert_eq!(rig.session.position(&CHAT), Some(Seq(0)));
}

#[test]
fn sent_three_times_then_left_until_the_next_search() {
    let (mut rig, _) = Rig::ready(Config::default(), &[(CHAT, 0, 0)]);
    assert_eq!(written(&rig.push(1..=2, 0)), [(1, Some(1)), (2, Some(2))]);
    assert_eq!(written(&rig.at(13_000)), [(1, Some(3)), (2, Some(4))]);
    // The answer to any of the copies counts.
    assert_eq!(rig.confirm(1), [moved(0, 1)]);
    rig.event(Event::CursorMoved {
        conversation: CHAT,
        cursor: Seq(1),
    });
    rig.at(23_000);
    assert_eq!(rig.at(33_000), []);
    assert_eq!(written(&rig.push(3..=3, 0)), []);
    assert_eq!(rig.session.entries_in_memory(), 1);
    rig.at(60_000);
    let effects = rig.undelivered(&[(CHAT, 1, 3)]);
    assert_eq!(effects, [fetch(1, 1)]);
    // On probation one at a time, until it confirms.
    assert_eq!(written(&rig.fetched(vec![entry(2)], 1, 3)), [(2, Some(6))]);
}

#[test]
fn memory_is_bounded_and_the_rest_is_fetched_later() {
    let config = Config {
        max_unconfirmed: 4,
        max_held: 2,
        ..Config::default()
    };
    let (mut rig, _) = Rig::ready(config, &[(CHAT, 0, 0)]);
    for seq in 1..=100 {
        rig.push(seq..=seq, 0);
        assert!(rig.session.entries_in_memory() <= 6);
    }
    rig.confirm(1);
    let effects = rig.confirm(2);
    assert_eq!(written(&effects), [(5, Some(5)), (6, Some(6))]);
    rig.confirm(3);
    let effects = rig.confirm(4);
    assert!(effects.contains(&fetch(6, 2)), "{effects:?}");
}

#[test]
fn an_echo_counts_as_confirmed_at_the_next_frame() {
    let (mut rig, _) = Rig::ready(Config::default(), &[(CHAT, 0, 0)]);
    let accepted = |seq, repeated| Event::Accepted {
        conversation: CHAT,
        entry: from("me", seq),
        cursor: Some(Seq(0)),
        repeated,
    };
    assert_eq!(written(&rig.event(accepted(1, false))), [(1, None)]);
    assert_eq!(rig.event(accepted(1, false)), []);
    // The client said it again: it gets an answer again, and nothing moves.
    assert_eq!(written(&rig.event(accepted(1, true))), [(1, None)]);
    assert_eq!(rig.event(Event::Frame), [moved(0, 1)]);
}

#[test]
fn what_is_not_for_the_account_is_skipped_in_one_step() {
    let (mut rig, _) = Rig::ready(Config::default(), &[(CHAT, 5, 5)]);
    // The account was away from the room for a million entries.
    let came = Arc::new(Entry {
        kind: EntryKind::RoomMessage,
        ..(*entry(1_000_006)).clone()
    });
    let pushed = rig.event(Event::Pushed {
        conversation: CHAT,
        entries: vec![came.clone()],
        cursor: None,
    });
    assert!(matches!(
        pushed[..],
        [Effect::FetchEntries {
            after: Some(Seq(5)),
            ..
        }]
    ));
    let effects = rig.event(Event::Fetched {
        conversation: CHAT,
        entries: vec![came],
        skip: Some((Seq(5), Seq(1_000_005))),
        cursor: Seq(5),
        head: Seq(1_000_006),
    });
    assert!(effects.contains(&moved(5, 1_000_005)));
    assert_eq!(written(&effects), [(1_000_006, Some(1))]);
    // An answer that was asked for from further on says nothing about what is before that.
    let (mut late, _) = Rig::ready(Config::default(), &[(CHAT, 5, 9)]);
    late.event(Event::OfflineRequested);
    late.event(Event::Fetched {
        conversation: CHAT,
        entries: Vec::new(),
        skip: Some((Seq(7), Seq(9))),
        cursor: Seq(5),
        head: Seq(9),
    });
    assert_eq!(late.session.position(&CHAT), Some(Seq(5)));
}

#[test]
fn nothing_is_fetched_for_the_sake_of_what_is_not_shown() {
    let (mut rig, _) = Rig::ready(Config::default(), &[]);
    // It has applied to a room: the entry is for others.
    let applied = Arc::new(Entry {
        kind: EntryKind::RoomApplied,
        audience: vec![account("founder")],
        ..(*from("me", 7)).clone()
    });
    let effects = rig.event(Event::Accepted {
        conversation: CHAT,
        entry: applied,
        cursor: None,
        repeated: false,
    });
    assert_eq!(effects, []);
}

#[test]
fn in_a_room_ones_own_messages_are_confirmed_like_others() {
    let (mut rig, _) = Rig::ready(Config::default(), &[(CHAT, 0, 0)]);
    let own = Arc::new(Entry {
        kind: EntryKind::RoomMessage,
        ..(*from("me", 1)).clone()
    });
    let effects = rig.event(Event::Accepted {
        conversation: CHAT,
        entry: own,
        cursor: None,
        repeated: false,
    });
    assert_eq!(written(&effects), [(1, Some(1))]);
    assert!(rig.confirm(1).contains(&moved(0, 1)));
}

#[test]
fn notices_to_the_other_side_and_tombstones_are_passed_over() {
    let (mut rig, _) = Rig::ready(Config::default(), &[(CHAT, 0, 0)]);
    let notice = Arc::new(Entry {
        kind: EntryKind::FriendRequest,
        ..(*from("me", 1)).clone()
    });
    let tombstone = Arc::new(Entry {
        kind: EntryKind::Tombstone,
        ..(*entry(2)).clone()
    });
    let effects = rig.event(Event::Pushed {
        conversation: CHAT,
        entries: vec![notice, tombstone, entry(3)],
        cursor: Some(Seq(0)),
    });
    assert_eq!(written(&effects), [(3, Some(1))]);
    assert_eq!(rig.confirm(1), [moved(0, 3)]);
}

#[test]
fn what_is_only_passed_over_is_rarely_written_down() {
    let (mut rig, _) = Rig::ready(Config::default(), &[(CHAT, 0, 0)]);
    let mut written_down = Vec::new();
    for seq in 1..=1_000 {
        let coming = Arc::new(Entry {
            kind: EntryKind::RoomPassed,
            audience: vec![account("somebody")],
            ..(*entry(seq)).clone()
        });
        let effects = rig.event(Event::Pushed {
            conversation: CHAT,
            entries: vec![coming],
            cursor: Some(Seq(0)),
        });
        for effect in effects {
            let Effect::MoveCursor { to, .. } = effect else {
                panic!("{effect:?}");
            };
            written_down.push(to.0);
            rig.event(Event::CursorMoved {
                conversation: CHAT,
                cursor: to,
            });
        }
    }
    assert_eq!(written_down, [256, 512, 768]);
    assert!(rig.session.is_settled(), "a drain does not wait for it");
    let unsaved: Vec<_> = rig.session.unsaved().collect();
    assert_eq!(
        unsaved,
        [(CHAT, Seq(768), Seq(1_000))],
        "the end of the session saves it"
    );
}

#[test]
fn searches_at_registration_after_a_view_change_and_every_minute() {
    let (mut rig, _) = Rig::ready(Config::default(), &[]);
    let again = [Effect::FetchUndelivered { all: false }];
    assert_eq!(rig.event(Event::Registered), again);
    // Registered once more while the search runs: it began too early.
    assert_eq!(rig.event(Event::Registered), []);
    assert_eq!(rig.undelivered(&[]), again);
    rig.undelivered(&[]);
    rig.event(Event::ViewChanged { check_after_ms: 700 });
    assert_eq!(rig.at(rig.now + 699), []);
    assert_eq!(rig.at(rig.now + 1), again);
    rig.undelivered(&[]);
    assert_eq!(rig.at(rig.now + 60_000), again);
    assert_eq!(rig.event(Event::UndeliveredFailed), []);
    assert_eq!(rig.at(rig.now + 500), again);
}

#[test]
fn without_registration_it_searches_all_the_same() {
    let mut rig = Rig::new(Config::default());
    assert_eq!(rig.session.deadline(), Some(Moment(2_000)));
    assert_eq!(rig.at(2_000), [Effect::FetchUndelivered { all: true }]);
}

#[test]
fn what_the_database_does_not_answer_is_asked_again() {
    let (mut rig, _) = Rig::ready(Config::default(), &[(CHAT, 0, 0)]);
    assert_eq!(rig.push(2..=2, 0), [fetch(0, 64)]);
    rig.event(Event::FetchFailed(CHAT));
    assert_eq!(rig.at(rig.now + 500), [fetch(0, 64)]);
    rig.fetched(vec![entry(1)], 0, 2);
    assert_eq!(rig.confirm(1), [moved(0, 1)]);
    rig.event(Event::CursorFailed(CHAT));
    rig.confirm(2);
    assert_eq!(rig.at(rig.now + 500), [moved(0, 2)]);
}

#[test]
fn a_draining_node_hands_on_nothing_new() {
    let (mut rig, _) = Rig::ready(Config::default(), &[(CHAT, 0, 0)]);
    rig.push(1..=1, 0);
    rig.event(Event::StopDelivery);
    assert_eq!(rig.push(2..=2, 0), []);
    assert_eq!(rig.confirm(1), [moved(0, 1)]);
    rig.event(Event::CursorMoved {
        conversation: CHAT,
        cursor: Seq(1),
    });
    assert!(rig.session.is_settled());
    // What comes meanwhile waits, also the client's own, until the drain is called off.
    let own = Event::Accepted {
        conversation: CHAT,
        entry: from("me", 3),
        cursor: None,
        repeated: false,
    };
    assert_eq!(rig.event(own), []);
    let resumed = rig.event(Event::ResumeDelivery);
    assert_eq!(written(&resumed), [(2, Some(2)), (3, None)]);
}

#[test]
fn what_is_taken_back_is_not_sent_again() {
    let (mut rig, _) = Rig::ready(Config::default(), &[(CHAT, 0, 0)]);
    rig.push(1..=2, 0);
    let erased = rig.event(Event::Erased {
        conversation: CHAT,
        seq: Seq(1),
    });
    assert_eq!(erased, [moved(0, 1)], "it counts as confirmed");
    let due = rig.now + Config::default().confirm_timeout_ms;
    assert_eq!(written(&rig.at(due)), [(2, Some(3))]);
    // A confirmation that was under way changes nothing.
    assert_eq!(rig.confirm(1), []);
}
