//! Streams over a network that delays, loses and dies.

use super::*;
use crate::fixture::{account, node, view};
use crate::placement;
use crate::time::Moment;
use proptest::prelude::*;
use std::collections::{BTreeMap, HashMap, VecDeque};

/// What a message takes from node to node.
const HOP_MS: u64 = 2;
const NAMES: [&str; 4] = ["a", "b", "c", "d"];

/// Nodes and what is between them.
struct Network {
    now: Moment,
    nodes: BTreeMap<NodeName, Streams>,
    /// In order per pair of nodes.
    wires: BTreeMap<(NodeName, NodeName), VecDeque<(Moment, Message)>>,
    /// Stopped: they neither take nor say anything.
    frozen: Vec<NodeName>,
    /// Which messages to a frozen node are reported: a stopped process is not noticed, a dead one is.
    dead: Vec<NodeName>,
    answers: HashMap<u64, Outcome>,
    heard: BTreeMap<SessionId, Vec<Vec<u8>>>,
    forms: BTreeMap<SessionId, Form>,
    refused: Vec<SessionId>,
    dropped: u64,
    next_request: u64,
}

impl Network {
    fn new(names: &[&str]) -> Self {
        Self::with(names, Config::default())
    }

    fn with(names: &[&str], config: Config) -> Self {
        let all = view(names);
        let streams = |name: &&str| {
            let streams = Streams::new(config, node(name), all.clone(), Moment(0));
            (node(name), streams)
        };
        Self {
            now: Moment(0),
            nodes: names.iter().map(streams).collect(),
            wires: BTreeMap::new(),
            frozen: Vec::new(),
            dead: Vec::new(),
            answers: HashMap::new(),
            heard: BTreeMap::new(),
            forms: BTreeMap::new(),
            refused: Vec::new(),
            dropped: 0,
            next_request: 0,
        }
    }

    fn event(&mut self, at: &NodeName, event: Event) {
        if self.frozen.contains(at) {
            return;
        }
        let mut effects = Vec::new();
        let Some(streams) = self.nodes.get_mut(at) else {
            return;
        };
        streams.handle(self.now, event, &mut effects);
        for effect in effects {
            match effect {
                Effect::Send { to, message } => {
                    let due = self.now.plus_ms(HOP_MS);
                    let wire = self.wires.entry((at.clone(), to)).or_default();
                    wire.push_back((due, message));
                }
                Effect::Answered { request, outcome } => {
                    assert_eq!(self.answers.insert(request, outcome), None);
                }
                Effect::Deliver { frame, to, .. } => {
                    for (session, form) in to {
                        self.heard.entry(session).or_default().push(frame.body.to_vec());
                        self.forms.insert(session, form);
                    }
                }
                Effect::Refused { session, .. } => self.refused.push(session),
                Effect::Dropped(count) => self.dropped += count,
            }
        }
    }

    /// One millisecond.
    fn step(&mut self) {
        self.now = self.now.plus_ms(1);
        let pairs: Vec<_> = self.wires.keys().cloned().collect();
        for (from, to) in pairs {
            while let Some(message) = self.due(&from, &to) {
                if self.dead.contains(&to) {
                    self.wires.remove(&(from.clone(), to.clone()));
                    self.event(&from, Event::Unreached(to.clone()));
                } else {
                    let from = from.clone();
                    self.event(&to, Event::Received { from, message });
                }
            }
        }
        let due: Vec<NodeName> = self
            .nodes
            .iter()
            .filter(|(_, streams)| streams.deadline().is_some_and(|due| due <= self.now))
            .map(|(name, _)| name.clone())
            .collect();
        for name in due {
            self.event(&name, Event::Timer);
        }
    }

    fn due(&mut self, from: &NodeName, to: &NodeName) -> Option<Message> {
        let now = self.now;
        let wire = self.wires.get_mut(&(from.clone(), to.clone()))?;
        wire.pop_front_if(|(due, _)| *due <= now)
            .map(|(_, message)| message)
    }

    fn run(&mut self, milliseconds: u64) {
        for _ in 0..milliseconds {
            self.step();
        }
    }

    /// Asks and waits.
    fn ask(&mut self, at: &str, session: u64, room: &VirtualRoomId, operation: Operation) -> Outcome {
        self.next_request += 1;
        let request = self.next_request;
        let event = Event::Asked {
            session: SessionId(session),
            request,
            room: room.clone(),
            operation,
        };
        self.event(&node(at), event);
        for _ in 0..6_000 {
            if let Some(outcome) = self.answers.get(&request) {
                return *outcome;
            }
            self.step();
        }
        panic!("no answer");
    }

    fn create(&mut self, at: &str, session: u64, owner: &str, room: &VirtualRoomId) {
        let owner = account(owner);
        let outcome = self.ask(at, session, room, Operation::Create { owner });
        assert_eq!(outcome, Outcome::Done);
    }

    fn subscribe(&mut self, at: &str, session: u64, room: &VirtualRoomId) {
        let outcome = self.ask(at, session, room, Operation::Subscribe(Form::Struct));
        assert_eq!(outcome, Outcome::Done);
    }

    fn push(&mut self, at: &str, session: u64, who: &str, room: &VirtualRoomId, data: &[u8]) {
        let event = Event::Pushed {
            session: SessionId(session),
            account: account(who),
            room: room.clone(),
            frame: Frame {
                id: 1,
                dtype: None,
                body: Bytes::copy_from_slice(data),
            },
        };
        self.event(&node(at), event);
    }

    fn views(&mut self, names: &[&str]) {
        let new = view(names);
        let all: Vec<NodeName> = self.nodes.keys().cloned().collect();
        for name in all {
            self.event(&name, Event::ViewChanged(new.clone()));
        }
    }

    fn kill(&mut self, name: &NodeName) {
        self.nodes.remove(name);
        self.dead.push(name.clone());
        self.wires.retain(|(from, _), _| from != name);
    }

    fn heard(&self, session: u64) -> Vec<Vec<u8>> {
        self.heard.get(&SessionId(session)).cloned().unwrap_or_default()
    }
}

/// A room and its relay, backup and another node, none of them `not`.
fn room_of(names: &[&str], wanted: impl Fn(&[NodeName]) -> bool) -> (VirtualRoomId, Vec<NodeName>) {
    let view = view(names);
    (0..1_000)
        .map(|number| VirtualRoomId::new(format!("room{number}")).unwrap())
        .map(|room| {
            let owners = placement::virtual_room_owners(&room, &view);
            (room, owners.to_vec())
        })
        .find(|(_, owners)| wanted(owners))
        .unwrap()
}

#[test]
fn a_push_reaches_subscribers_of_every_node_and_nobody_else() {
    let mut network = Network::new(&NAMES);
    let (room, _) = room_of(&NAMES, |owners| owners == [node("b"), node("c")]);
    network.create("a", 1, "alice", &room);
    for (session, at) in [(2, "a"), (3, "b"), (4, "c"), (5, "d")] {
        network.subscribe(at, session, &room);
    }
    network.push("a", 1, "alice", &room, b"one");
    network.run(10);
    for session in [2, 3, 4, 5] {
        assert_eq!(network.heard(session), [b"one"]);
    }
    assert!(network.heard(1).is_empty(), "the pusher has not subscribed");
    // Another form, one that has left the room, one that has ended.
    let outcome = network.ask("a", 2, &room, Operation::Subscribe(Form::Binary));
    assert_eq!(outcome, Outcome::Done);
    assert_eq!(network.ask("b", 3, &room, Operation::Unsubscribe), Outcome::Done);
    network.event(&node("c"), Event::SessionClosed(SessionId(4)));
    network.push("a", 1, "alice", &room, b"two");
    network.run(10);
    assert_eq!(network.forms[&SessionId(2)], Form::Binary);
    assert_eq!(
        network.heard(2).len(),
        2,
        "another form is no second subscription"
    );
    assert_eq!((network.heard(3).len(), network.heard(4).len()), (1, 1));
    assert_eq!(network.heard(5).len(), 2);
}

#[test]
fn one_room_less_leaves_the_others() {
    let mut network = Network::new(&NAMES);
    let rooms = ["one", "two"].map(|name| VirtualRoomId::new(name).unwrap());
    for room in &rooms {
        network.create("a", 1, "alice", room);
        network.subscribe("d", 2, room);
    }
    network.ask("d", 2, &rooms[0], Operation::Unsubscribe);
    for room in &rooms {
        network.push("a", 1, "alice", room, room.as_bytes());
    }
    network.run(10);
    assert_eq!(network.heard(2), [b"two"]);
    assert_eq!(network.nodes[&node("d")].subscriptions(), 1);
}

#[test]
fn only_the_owner_and_whom_it_lets_may_push() {
    let mut network = Network::new(&NAMES);
    let room = VirtualRoomId::new("room").unwrap();
    network.create("a", 1, "alice", &room);
    network.subscribe("b", 9, &room);
    let grant = |by, to| Operation::Grant {
        by: account(by),
        to: account(to),
    };
    network.push("c", 2, "bob", &room, b"no");
    assert_eq!(network.ask("c", 2, &room, grant("bob", "bob")), Outcome::Denied);
    assert_eq!(network.refused, [SessionId(2)]);
    assert_eq!(network.ask("a", 1, &room, grant("alice", "bob")), Outcome::Done);
    network.push("c", 2, "bob", &room, b"yes");
    network.run(10);
    let (by, from) = (account("alice"), account("bob"));
    let withdrawn = network.ask("d", 1, &room, Operation::Withdraw { by, from });
    assert_eq!(withdrawn, Outcome::Done);
    network.push("c", 2, "bob", &room, b"no");
    network.run(10);
    assert_eq!(network.refused.len(), 2);
    assert_eq!(network.heard(9), [b"yes"]);
    // Somebody else's removal does nothing and says so to nobody.
    let remove = |by| Operation::Remove { by: account(by) };
    assert_eq!(network.ask("c", 2, &room, remove("bob")), Outcome::Done);
    network.push("a", 1, "alice", &room, b"still");
    network.run(10);
    assert_eq!(network.heard(9).len(), 2);
    assert_eq!(network.ask("c", 1, &room, remove("alice")), Outcome::Done);
    network.push("a", 1, "alice", &room, b"gone");
    network.run(10);
    assert_eq!(network.refused.last(), Some(&SessionId(1)));
    let outcome = network.ask("b", 9, &room, Operation::Subscribe(Form::Struct));
    assert_eq!(outcome, Outcome::NoSuchRoom);
}

#[test]
fn an_unknown_room_is_told_at_once_by_a_view_that_stands() {
    let mut network = Network::new(&NAMES);
    network.run(2_000);
    let room = VirtualRoomId::new("nowhere").unwrap();
    let begun = network.now;
    let outcome = network.ask("a", 1, &room, Operation::Subscribe(Form::Struct));
    assert_eq!(outcome, Outcome::NoSuchRoom);
    assert!(network.now.since_ms(begun) < 10);
    network.push("a", 1, "alice", &room, b"x");
    network.run(10);
    assert_eq!(network.refused, [SessionId(1)]);
}

#[test]
fn limits_hold() {
    let config = Config {
        max_rooms: 2,
        max_pushers: 1,
        max_subscriptions: 1,
        ..Config::default()
    };
    let mut network = Network::with(&["a"], config);
    let rooms = ["one", "two", "three"].map(|name| VirtualRoomId::new(name).unwrap());
    network.create("a", 1, "alice", &rooms[0]);
    network.create("a", 1, "alice", &rooms[1]);
    let create = |owner| Operation::Create {
        owner: account(owner),
    };
    assert_eq!(network.ask("a", 1, &rooms[2], create("alice")), Outcome::TooMany);
    assert_eq!(network.ask("a", 2, &rooms[0], create("bob")), Outcome::Denied);
    for (to, outcome) in [
        ("bob", Outcome::Done),
        ("bob", Outcome::Done),
        ("carol", Outcome::TooMany),
    ] {
        let (by, to) = (account("alice"), account(to));
        assert_eq!(
            network.ask("a", 1, &rooms[0], Operation::Grant { by, to }),
            outcome
        );
    }
    network.subscribe("a", 2, &rooms[0]);
    network.subscribe("a", 2, &rooms[0]);
    let outcome = network.ask("a", 2, &rooms[1], Operation::Subscribe(Form::Struct));
    assert_eq!(outcome, Outcome::TooMany);
}

#[test]
fn a_room_without_pushes_goes_and_one_with_pushes_stays_at_both_owners() {
    let config = Config {
        idle_ms: 8_000,
        ..Config::default()
    };
    let mut network = Network::with(&NAMES, config);
    let (room, owners) = room_of(&NAMES, |owners| !owners.contains(&node("a")));
    network.create("a", 1, "alice", &room);
    for _ in 0..30 {
        network.push("a", 1, "alice", &room, b"x");
        network.run(1_000);
    }
    for owner in &owners {
        assert_eq!(network.nodes[owner].rooms(), 1);
    }
    assert!(network.refused.is_empty());
    network.run(12_000);
    for owner in &owners {
        assert_eq!(network.nodes[owner].rooms(), 0);
    }
    network.push("a", 1, "alice", &room, b"x");
    network.run(10);
    assert_eq!(network.refused, [SessionId(1)]);
}

/// Pushes one frame every 10 ms while something happens after 100; the longest silence of a subscriber.
fn interruption(happens: impl Fn(&mut Network, &[NodeName])) -> (u64, Vec<Vec<u8>>) {
    let mut network = Network::new(&NAMES);
    let (room, owners) = room_of(&NAMES, |owners| {
        !owners.contains(&node("a")) && !owners.contains(&node("d"))
    });
    // Long enough that owners do not tell each other everything for the sake of a new view.
    network.run(3_000);
    network.create("a", 1, "alice", &room);
    network.subscribe("d", 2, &room);
    let (mut count, mut since, mut longest) = (0, network.now, 0);
    for number in 0..600_u32 {
        network.push("a", 1, "alice", &room, &number.to_be_bytes());
        if number == 100 {
            happens(&mut network, &owners);
        }
        network.run(10);
        if network.heard(2).len() > count {
            count = network.heard(2).len();
            since = network.now;
        }
        longest = longest.max(network.now.since_ms(since));
    }
    (longest, network.heard(2))
}

fn all_frames() -> Vec<Vec<u8>> {
    (0..600_u32).map(|number| number.to_be_bytes().to_vec()).collect()
}

#[test]
fn a_stream_survives_its_relay_without_a_gap() {
    let (longest, heard) = interruption(|network, owners| network.kill(&owners[0]));
    assert!(longest < 50, "{longest} ms");
    assert_eq!(heard, all_frames());
}

#[test]
fn a_stream_survives_a_relay_that_stops_without_a_word() {
    let (longest, heard) = interruption(|network, owners| network.frozen.push(owners[0].clone()));
    assert!(longest < 700, "{longest} ms");
    assert_eq!(heard, all_frames());
}

#[test]
fn a_stream_survives_the_backup_and_a_change_of_the_view() {
    let (longest, heard) = interruption(|network, owners| {
        network.kill(&owners[0]);
        let left: Vec<&str> = NAMES.into_iter().filter(|name| node(name) != owners[0]).collect();
        network.views(&left);
        network.run(20);
        // Whoever is the second owner now holds the room as well.
        network.kill(&owners[1]);
    });
    assert!(longest < 700, "{longest} ms");
    let mut sorted = heard.clone();
    sorted.sort();
    sorted.dedup();
    assert_eq!(sorted, heard, "in order and never twice");
    assert_eq!(heard.last(), all_frames().last());
}

#[test]
fn a_room_moves_to_nodes_that_join() {
    let mut network = Network::new(&NAMES);
    let (room, _) = room_of(&NAMES, |owners| owners == [node("b"), node("c")]);
    network.views(&["a", "d"]);
    network.create("a", 1, "alice", &room);
    network.subscribe("d", 2, &room);
    network.views(&NAMES);
    for number in 0..100_u8 {
        network.push("a", 1, "alice", &room, &[number]);
        network.run(10);
    }
    assert_eq!(network.heard(2).len(), 100);
    network.run(7_000);
    let held: Vec<usize> = NAMES.map(|name| network.nodes[&node(name)].rooms()).to_vec();
    assert_eq!(held, [0, 1, 1, 0]);
}

#[test]
fn a_relay_that_has_not_seen_yet_who_serves_relays_to_all_subscribers() {
    let mut network = Network::new(&NAMES);
    let (room, _) = room_of(&NAMES, |owners| owners == [node("b"), node("c")]);
    network.kill(&node("b"));
    network.views(&["a", "c", "d"]);
    network.create("a", 1, "alice", &room);
    network.subscribe("d", 2, &room);
    let fresh = Streams::new(Config::default(), node("b"), Arc::default(), network.now);
    network.nodes.insert(node("b"), fresh);
    network.dead.clear();
    // The backup hands the room over, and the pusher knows the relay, before the others know of it.
    for name in ["c", "a"] {
        network.event(&node(name), Event::ViewChanged(view(&NAMES)));
        network.run(2 * HOP_MS);
    }
    network.push("a", 1, "alice", &room, b"at once");
    network.run(3 * HOP_MS);
    assert_eq!(network.heard(2), [b"at once".to_vec()]);
}

#[derive(Debug, Clone)]
enum Trouble {
    Lose(usize, usize),
    Freeze(usize),
    Thaw,
    View(u8),
    Quiet,
}

fn troubles() -> impl Strategy<Value = Vec<(Trouble, u64)>> {
    let trouble = prop_oneof![
        (0..4_usize, 0..4_usize).prop_map(|(from, to)| Trouble::Lose(from, to)),
        (0..4_usize).prop_map(Trouble::Freeze),
        Just(Trouble::Thaw),
        (0..16_u8).prop_map(Trouble::View),
        Just(Trouble::Quiet),
    ];
    prop::collection::vec((trouble, 1..400_u64), 0..20)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    /// Two pushers, subscribers on every node, and a network that loses, stops and changes its mind. What a subscriber
    /// hears of one pusher rises; and once it is quiet everything goes through again.
    #[test]
    fn order_and_uniqueness_survive_trouble(troubles in troubles()) {
        let mut network = Network::new(&NAMES);
        let room = VirtualRoomId::new("room").unwrap();
        network.create("a", 1, "alice", &room);
        let (by, to) = (account("alice"), account("bob"));
        network.ask("a", 1, &room, Operation::Grant { by, to });
        for (session, at) in [(11, "a"), (12, "b"), (13, "c"), (14, "d")] {
            network.subscribe(at, session, &room);
        }
        let mut number = 0_u32;
        let mut push = |network: &mut Network| {
            number += 1;
            for (at, session, who) in [("a", 1, "alice"), ("b", 2, "bob")] {
                let data = [&[session as u8][..], &number.to_be_bytes()].concat();
                network.push(at, session, who, &room, &data);
            }
            number
        };
        for (trouble, milliseconds) in troubles {
            match trouble {
                Trouble::Lose(from, to) => {
                    let (from, to) = (node(NAMES[from]), node(NAMES[to]));
                    if network.wires.remove(&(from.clone(), to.clone())).is_some() {
                        network.event(&from, Event::Unreached(to));
                    }
                }
                Trouble::Freeze(which) => network.frozen = vec![node(NAMES[which])],
                Trouble::Thaw => network.frozen.clear(),
                Trouble::View(mask) => {
                    let names: Vec<&str> = (0..4).filter(|place| mask & (1 << place) != 0).map(|place| NAMES[place]).collect();
                    network.views(&names);
                }
                Trouble::Quiet => {}
            }
            for _ in 0..milliseconds / 5 {
                push(&mut network);
                network.run(5);
            }
        }
        network.frozen.clear();
        network.views(&NAMES);
        network.run(10_000);
        let first = push(&mut network);
        network.run(100);
        for session in 11..=14 {
            for pusher in [1_u8, 2] {
                let heard: Vec<Vec<u8>> = network.heard(session).into_iter().filter(|data| data[0] == pusher).collect();
                prop_assert!(heard.is_sorted_by(|one, other| one < other), "in order, never twice");
                prop_assert_eq!(heard.last().map(|data| data[1..].to_vec()), Some(first.to_be_bytes().to_vec()));
            }
        }
    }
}
