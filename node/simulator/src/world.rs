//! One run: everything there is, and the loop over the events.

use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use tim_core::conversation::{QuietRuns, Relations, Room, RoomMember, RoomProfile, Standing};
use tim_core::id::{AccountId, ConversationId, DatabaseName, NodeName, RoomId, Seq};
use tim_core::map::{HomePlacement, PartitionMap};
use tim_core::placement;
use tim_core::time::Moment;

use std::collections::HashMap;
use std::sync::Arc;

use crate::checker::{Checker, Violation};
use crate::client::Client;
use crate::database::Database;
use crate::event::{ClientAction, Event, Fault};
use crate::membership::Views;
use crate::network::Network;
use crate::node::Node;
use crate::options::{Options, SECOND};
use crate::queue::Queue;
use crate::trace::Trace;

/// How often presence is compared with the truth.
const PROBE_EVERY: u64 = 5 * SECOND;

/// How many rooms there are.
const ROOMS: usize = 3;
/// The one whose members are said elsewhere.
pub(crate) const MIRROR: usize = 2;

/// Wall clock at the start of a run, in nanoseconds.
const WALL_START_NS: i64 = 1_700_000_000_000_000_000;

/// What a run came to.
#[derive(Debug, Clone)]
pub struct Report {
    /// Its seed.
    pub seed: u64,
    /// What was violated; empty is good.
    pub violations: Vec<Violation>,
    /// Identifies the run; equal for equal seeds and options.
    pub trace_hash: u64,
    /// Events handled.
    pub events: u64,
    /// Entries stored.
    pub stored: u64,
    /// Entries that reached a client, repetitions included.
    pub delivered: u64,
    /// Faults that struck.
    pub faults: u64,
}

/// Runs one seed.
#[must_use]
pub fn run(options: &Options) -> Report {
    let mut world = World::new(options.clone());
    world.start();
    world.work();
    world.report()
}

/// Stands for the system where an account is counted.
const SYSTEM: usize = usize::MAX;

pub(crate) struct World {
    pub(crate) options: Options,
    pub(crate) now: u64,
    pub(crate) random: ChaCha8Rng,
    pub(crate) queue: Queue<Event>,
    pub(crate) trace: Trace,
    pub(crate) nodes: Vec<Node>,
    pub(crate) names: Vec<NodeName>,
    pub(crate) network: Network,
    pub(crate) views: Views,
    pub(crate) databases: Vec<Database>,
    pub(crate) map: Arc<PartitionMap>,
    pub(crate) accounts: Vec<AccountId>,
    pub(crate) clients: Vec<Client>,
    /// The two accounts of a conversation.
    pub(crate) pairs: HashMap<ConversationId, (usize, usize)>,
    /// The conversations of the rooms.
    pub(crate) rooms: Vec<ConversationId>,
    pub(crate) checker: Checker,
    pub(crate) storm: bool,
    pub(crate) calm: bool,
    pub(crate) faults: u64,
    pub(crate) last_tag: u64,
    /// Friendships to be raced for.
    pub(crate) strangers: Vec<(usize, usize)>,
}

impl World {
    fn new(options: Options) -> Self {
        let mut random = ChaCha8Rng::seed_from_u64(options.seed);
        let node_count = random.random_range(3..=5);
        let database_count = random.random_range(1..=3);
        let shared = random.random_bool(0.5);
        let names: Vec<NodeName> = (0..node_count)
            .filter_map(|n| NodeName::new(format!("n{n}")).ok())
            .collect();
        let homes = if shared {
            HomePlacement::PerDatabase
        } else {
            HomePlacement::PerConversation
        };
        let database_names: Vec<(DatabaseName, HomePlacement)> = (0..database_count)
            .filter_map(|n| DatabaseName::new(format!("d{n}")).ok())
            .map(|name| (name, homes))
            .collect();
        let accounts: Vec<AccountId> = (0..random.random_range(8..=12))
            .filter_map(|n| AccountId::new(format!("a{n}")).ok())
            .collect();
        let map = PartitionMap::even(&database_names).unwrap_or_else(|bad| unreachable_map(&bad));
        let views = Views::new(&names, &mut random);
        let databases = database_names.iter().map(|_| Database::new(shared)).collect();
        let mut world = Self {
            now: 0,
            queue: Queue::default(),
            trace: Trace::new(options.trace),
            nodes: Vec::new(),
            network: Network::new(names.len()),
            views,
            databases,
            map: Arc::new(map),
            clients: Client::of_accounts(accounts.len(), options.has_shared_cursors(), &mut random),
            pairs: HashMap::new(),
            rooms: Vec::new(),
            checker: Checker::new(),
            storm: false,
            calm: false,
            faults: 0,
            last_tag: 0,
            strangers: Vec::new(),
            options,
            random,
            names,
            accounts,
        };
        world.befriend();
        if world.options.has_rooms() {
            world.make_rooms();
        }
        for index in 0..world.names.len() {
            let node = world.new_node(index, 1);
            world.nodes.push(node);
        }
        world
    }

    /// Most pairs are friends from the start; the others may become it.
    fn befriend(&mut self) {
        for one in 0..self.accounts.len() {
            let of_system = placement::system_conversation(&self.accounts[one]);
            self.pairs.insert(of_system, (one, one));
            for other in one + 1..self.accounts.len() {
                let conversation = placement::direct_conversation(&self.accounts[one], &self.accounts[other]);
                self.pairs.insert(conversation, (one, other));
                if self.random.random_bool(0.4) {
                    let database = self.database_of(&conversation.0);
                    self.databases[database].set_relations(conversation, Relations::FRIENDS);
                    for account in [one, other] {
                        let database = self.database_of(self.accounts[account].as_bytes());
                        self.databases[database].enlist(account, conversation);
                    }
                } else {
                    self.strangers.push((one, other));
                }
            }
        }
    }

    /// Rooms that anybody may join, each founded by another account, and one in which the system alone takes in. They are in everybody's list: lists are supersets.
    fn make_rooms(&mut self) {
        for number in 0..ROOMS {
            let Ok(id) = RoomId::new(format!("r{number}")) else {
                continue;
            };
            let conversation = placement::room_conversation(&id);
            let mut standings = Vec::new();
            for (place, account) in self.accounts.clone().into_iter().enumerate() {
                let mut row = RoomMember::stranger(account);
                if place == number || self.random.random_bool(0.6) {
                    row.standing = Standing::MEMBER;
                    row.windows.open(Seq(0));
                    self.checker.in_room(conversation, place);
                }
                standings.push(row);
                let database = self.database_of(self.accounts[place].as_bytes());
                self.databases[database].enlist(place, conversation);
            }
            let members = standings.iter().filter(|row| row.standing.is_member()).count();
            let room = Room {
                id,
                private: false,
                founder: match number {
                    MIRROR => AccountId::system(),
                    _ => self.accounts[number].clone(),
                },
                managers: Vec::new(),
                members: members as u32,
                members_since: Seq(0),
                quiet: QuietRuns::default(),
                cancelled: false,
                created_ns: 0,
                profile: RoomProfile::default(),
            };
            let database = self.database_of(&conversation.0);
            let row = self.databases[database].row(conversation);
            row.state.room = Some(Arc::new(room));
            row.standings = standings
                .into_iter()
                .map(|row| (row.account.clone(), row))
                .collect();
            self.rooms.push(conversation);
        }
    }

    fn start(&mut self) {
        for node in 0..self.nodes.len() {
            self.schedule_timers(node);
        }
        for client in 0..self.clients.len() {
            let after = self.random.random_range(0..2 * SECOND);
            self.client_later(client, after, ClientAction::Connect);
        }
        self.later(20 * SECOND, Event::Fault(Fault::Weather { storm: true }));
        self.later(SECOND, Event::Fault(Fault::SlowLink));
        self.later(PROBE_EVERY, Event::Probe);
        let calm = self.options.calm();
        self.later(calm, Event::Fault(Fault::Calm));
    }

    fn work(&mut self) {
        let end = self.options.end();
        while let Some((at, event)) = self.queue.pop() {
            if at > end || self.checker.is_broken() {
                break;
            }
            self.now = at;
            self.handle(event);
        }
        self.now = self.now.max(end);
        let broken = self.checker.is_broken();
        if !broken {
            self.checker.finish(end);
        }
    }

    fn report(self) -> Report {
        Report {
            seed: self.options.seed,
            trace_hash: self.trace.hash(),
            events: self.trace.events,
            stored: self.checker.stored(),
            delivered: self.checker.delivered(),
            faults: self.faults,
            violations: self.checker.into_violations(),
        }
    }

    pub(crate) fn handle(&mut self, event: Event) {
        match event {
            Event::Peer {
                from,
                to,
                epoch,
                boot,
                message,
            } => self.peer_arrived(from, to, epoch, boot, message),
            Event::StreamBroken { at, boot, node } => self.stream_broke(at, boot, node),
            Event::Timer { node, boot, machine } => self.timer(node, boot, machine),
            Event::SessionTimer { node, boot, session } => self.session_timer(node, boot, session),
            Event::Opinion { observer, subject } => self.opinion(observer, subject),
            Event::Database { database, event } => self.database_event(database, event),
            Event::Reply { node, boot, reply } => self.reply(node, boot, reply),
            Event::FromClient {
                node,
                boot,
                session,
                frame,
            } => self.client_frame(node, boot, session, frame),
            Event::SocketGone { node, boot, session } => self.socket_gone(node, boot, session),
            Event::ToClient {
                client,
                session,
                sent_at,
                frame,
            } => {
                self.reaches_client(client, session, sent_at, frame);
            }
            Event::Client {
                client,
                nonce,
                action,
            } => self.client_acts(client, nonce, action),
            Event::Fault(fault) => self.fault(fault),
            Event::Probe => {
                self.probe();
                self.later(PROBE_EVERY, Event::Probe);
            }
        }
    }

    pub(crate) fn later(&mut self, after: u64, event: Event) {
        self.queue.push(self.now + after, event);
    }

    pub(crate) fn moment(&self) -> Moment {
        Moment(self.now / 1_000)
    }

    /// A node's wall clock, which is not exactly right.
    pub(crate) fn wall_ns(&self, node: usize) -> i64 {
        WALL_START_NS + (self.now as i64) * 1_000 + self.nodes[node].skew_ns
    }

    pub(crate) fn between(&mut self, least: u64, most: u64) -> u64 {
        self.random.random_range(least..=most)
    }

    pub(crate) fn chance(&mut self, probability: f64) -> bool {
        self.random.random_bool(probability)
    }

    pub(crate) fn database_of(&self, id: &[u8]) -> usize {
        self.database_index(&self.map.range_of_id(id).database)
    }

    pub(crate) fn database_index(&self, name: &DatabaseName) -> usize {
        name.as_str()
            .get(1..)
            .and_then(|number| number.parse().ok())
            .unwrap_or(SYSTEM)
    }

    pub(crate) fn node_index(&self, name: &NodeName) -> usize {
        name.as_str()
            .get(1..)
            .and_then(|number| number.parse().ok())
            .unwrap_or_default()
    }

    pub(crate) fn account_index(&self, account: &AccountId) -> usize {
        account
            .as_str()
            .get(1..)
            .and_then(|number| number.parse().ok())
            .unwrap_or_default()
    }
}

#[allow(
    clippy::panic,
    reason = "the databases' names are made here; no seed gets there"
)]
fn unreachable_map(bad: &tim_core::map::BadMap) -> PartitionMap {
    panic!("the simulator made a bad map: {bad}")
}
