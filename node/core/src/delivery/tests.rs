use bytes::Bytes;
use imbl::OrdSet;

use super::*;
use crate::conversation::EntryKind;
use crate::fixture::{account, node, view};
use crate::id::{DeviceClass, Generation, MessageKey};
use crate::presence::SessionEntry;
use crate::time::Moment;

fn committed() -> Committed {
    let entry = Entry {
        seq: Seq(3),
        kind: EntryKind::Message,
        key: MessageKey([1; 16]),
        sender: account("a"),
        sender_class: DeviceClass(1),
        client_id: None,
        timestamp_ns: 1,
        audience: Vec::new(),
        body: Bytes::new(),
    };
    Committed {
        conversation: ConversationId([1; 16]),
        members: OrdSet::new(),
        others: vec![account("b")],
        entries: vec![(Arc::new(entry), SessionId(1))],
        erased: Vec::new(),
        cursors: vec![MemberCursor {
            account: account("b"),
            class: DeviceClass(1),
            cursor: Seq(2),
        }],
    }
}

fn session(number: u64, at: &str) -> SessionEntry {
    SessionEntry {
        session: SessionId(number),
        node: node(at),
        class: DeviceClass(1),
        generation: Generation(1),
        logged_in_ms: 1,
    }
}

struct Rig {
    delivery: Delivery,
    now: u64,
}

impl Rig {
    fn new() -> Self {
        Self {
            delivery: Delivery::new(Config::default(), view(&["n0"])),
            now: 0,
        }
    }

    fn event(&mut self, event: Event) -> Vec<Effect> {
        let mut effects = Vec::new();
        self.delivery.handle(Moment(self.now), event, &mut effects);
        effects
    }

    fn ask(&mut self) -> u64 {
        let effects = self.event(Event::Committed(vec![committed()]));
        request(&effects)
    }

    fn timer(&mut self) -> Vec<Effect> {
        self.now = self.delivery.deadline().unwrap().0;
        self.event(Event::Timer)
    }
}

fn request(effects: &[Effect]) -> u64 {
    match effects {
        [Effect::Ask { request, .. }] => *request,
        other => panic!("{other:?}"),
    }
}

fn pushes(effects: &[Effect]) -> &[Push] {
    match effects {
        [Effect::Send { pushes, .. }] => pushes,
        other => panic!("{other:?}"),
    }
}

#[test]
fn sends_to_who_is_found_with_the_cursor() {
    let mut rig = Rig::new();
    let request = rig.ask();
    let lookups = vec![Lookup::Found(vec![session(2, "n0"), session(3, "gone")])];
    let effects = rig.event(Event::Answered { request, lookups });
    let pushes = pushes(&effects);
    assert_eq!(pushes.len(), 1);
    assert_eq!(
        (pushes[0].session, pushes[0].cursor),
        (SessionId(2), Some(Seq(2)))
    );
    assert_eq!(rig.delivery.pending(), 0);
}

#[test]
fn what_was_erased_meanwhile_reaches_nobody_who_is_found_later() {
    let mut rig = Rig::new();
    let request = rig.ask();
    let revoke = Committed {
        erased: vec![Seq(3)],
        entries: Vec::new(),
        ..committed()
    };
    rig.event(Event::Committed(vec![revoke]));
    let lookups = vec![Lookup::Found(vec![session(2, "n0")])];
    let effects = rig.event(Event::Answered { request, lookups });
    let kinds: Vec<EntryKind> = pushes(&effects)[0]
        .entries
        .iter()
        .map(|entry| entry.kind)
        .collect();
    assert_eq!(kinds, [EntryKind::Tombstone]);
}

#[test]
fn the_session_that_sent_it_is_told_by_the_answer() {
    let mut rig = Rig::new();
    let request = rig.ask();
    let lookups = vec![Lookup::Found(vec![session(1, "n0")])];
    assert_eq!(rig.event(Event::Answered { request, lookups }), []);
}

#[test]
fn unknown_is_asked_again_and_nobody_is_served_twice() {
    let mut rig = Rig::new();
    let first = rig.ask();
    let lookups = vec![Lookup::Unknown {
        seen: vec![session(2, "n0")],
    }];
    assert_eq!(
        pushes(&rig.event(Event::Answered {
            request: first,
            lookups
        }))
        .len(),
        1
    );
    let second = request(&rig.timer());
    let lookups = vec![Lookup::Found(vec![session(2, "n0"), session(4, "n0")])];
    let effects = rig.event(Event::Answered {
        request: second,
        lookups,
    });
    let sessions: Vec<SessionId> = pushes(&effects).iter().map(|push| push.session).collect();
    assert_eq!(sessions, [SessionId(4)]);
}

#[test]
fn gives_up_after_so_many_questions() {
    let mut rig = Rig::new();
    let mut request_number = rig.ask();
    let mut asks = 1;
    loop {
        rig.event(Event::AskFailed {
            request: request_number,
        });
        if rig
            .delivery
            .deadline()
            .is_none_or(|_| rig.delivery.pending() == 0)
        {
            break;
        }
        let effects = rig.timer();
        if let [Effect::Ask { request, .. }] = effects[..] {
            request_number = request;
            asks += 1;
        }
    }
    assert_eq!(asks, Config::default().max_asks);
}

#[test]
fn an_owner_that_left_the_view_is_not_waited_for() {
    let mut rig = Rig::new();
    rig.ask();
    let effects = rig.event(Event::ViewChanged(view(&["n1"])));
    assert!(matches!(&effects[..], [Effect::Ask { to, .. }] if *to == node("n1")));
}

#[test]
fn memory_is_bounded() {
    let config = Config {
        max_pending: 1,
        ..Config::default()
    };
    let mut rig = Rig {
        delivery: Delivery::new(config, view(&["n0"])),
        now: 0,
    };
    rig.ask();
    assert_eq!(rig.event(Event::Committed(vec![committed()])), []);
    assert_eq!(rig.delivery.pending(), 1);
}

#[test]
fn a_room_of_many_is_asked_for_in_questions_of_bounded_size_and_each_node_gets_one_batch_per_answer() {
    const MEMBERS: usize = 100_000;
    const ONLINE: usize = 20;
    let members: Vec<AccountId> = (0..MEMBERS)
        .map(|number| account(&format!("{number:06}")))
        .collect();
    let config = Config::default();
    let mut delivery = Delivery::new(config, view(&["n0", "n1", "n2"]));
    let room = Committed {
        members: members.into_iter().collect(),
        others: vec![account("removed")],
        cursors: Vec::new(),
        ..committed()
    };
    let mut effects = Vec::new();
    delivery.handle(Moment(0), Event::Committed(vec![room]), &mut effects);
    let asked: Vec<(u64, Vec<AccountId>)> = effects
        .into_iter()
        .map(|effect| match effect {
            Effect::Ask {
                request, accounts, ..
            } => (request, accounts),
            other => panic!("{other:?}"),
        })
        .collect();
    assert_eq!(
        asked.iter().map(|(_, accounts)| accounts.len()).sum::<usize>(),
        MEMBERS + 1
    );
    let mut reached = 0;
    for (request, accounts) in asked {
        assert!(accounts.len() <= config.max_accounts_per_ask);
        let lookups = (0..accounts.len()).map(|place| match place {
            0..ONLINE => Lookup::Found(vec![session(1_000 * request + place as u64, "n1")]),
            _ => Lookup::Nobody,
        });
        let lookups = lookups.collect();
        let mut effects = Vec::new();
        delivery.handle(Moment(1), Event::Answered { request, lookups }, &mut effects);
        let [Effect::Send { pushes, .. }] = &effects[..] else {
            panic!("{} effects", effects.len());
        };
        assert!(pushes.iter().all(|push| push.cursor.is_none()));
        reached += pushes.len();
    }
    assert!(reached >= ONLINE, "{reached}");
    assert_eq!(delivery.pending(), 0);
}
