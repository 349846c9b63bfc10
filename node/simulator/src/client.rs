//! Clients: they come and go, write, confirm or do not, and say again what they got no answer to.

mod receive;

use std::collections::{BTreeMap, VecDeque};

use rand::Rng;
use rand_chacha::ChaCha8Rng;
use tim_core::conversation::{Operation, RoomOperation};
use tim_core::cursor_sets::CursorSets;
use tim_core::id::{ConversationId, DeviceClass, Seq, SessionId};
use tim_core::placement;

use crate::event::{ClientAction, ClientFrame, ClientIndex, Event, Member, NodeIndex, Said};
use crate::node::Status;
use crate::options::{MILLISECOND, SECOND};
use crate::world::{MIRROR, World};

/// Classes of devices.
const TELEPHONE: i8 = 1;
const LAPTOP: i8 = 2;
const TABLET: i8 = 3;

/// Which of them share a cursor.
pub(crate) fn cursor_sets() -> CursorSets {
    CursorSets::shared(&[vec![LAPTOP, TABLET]])
}

/// So many messages a client keeps in mind, to erase one of them.
const SEEN_MAX: usize = 8;

/// A message that reached a client.
#[derive(Debug, Clone, Copy)]
struct Seen {
    peer: usize,
    seq: Seq,
    own: bool,
}

/// How a client treats what has to be confirmed; for one session.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Manners {
    /// Always, soon.
    Good,
    /// Sometimes.
    Careless,
    /// Never.
    Mute,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Line {
    Offline,
    LoggingIn,
    Online,
}

pub(crate) struct Client {
    /// Its account, and the class under which it is kept what was delivered to it.
    pub(crate) member: Member,
    /// Its own class.
    pub(crate) device: DeviceClass,
    pub(crate) line: Line,
    pub(crate) session: SessionId,
    pub(crate) node: NodeIndex,
    node_boot: u64,
    /// Nothing overtakes on a socket.
    last_sent: u64,
    pub(crate) manners: Manners,
    asks_offline: bool,
    uses_ids: bool,
    /// Said without an answer, in order.
    unanswered: BTreeMap<u64, Said>,
    seen: VecDeque<Seen>,
    /// Actions of an older session do not count.
    nonce: u64,
}

impl Client {
    /// Every account has a telephone, every third one a laptop, and every sixth one a tablet, which shares the laptop's
    /// cursor: what one of the two has confirmed the other is not given again.
    pub(crate) fn of_accounts(count: usize, with_tablets: bool, random: &mut ChaCha8Rng) -> Vec<Self> {
        let mut clients = Vec::new();
        for account in 0..count {
            clients.push(Self::new(account, TELEPHONE, random));
            if account % 3 == 0 {
                clients.push(Self::new(account, LAPTOP, random));
            }
            if with_tablets && account % 6 == 0 {
                clients.push(Self::new(account, TABLET, random));
            }
        }
        clients
    }

    fn new(account: usize, device: i8, random: &mut ChaCha8Rng) -> Self {
        let class = cursor_sets().of(DeviceClass(device)).0;
        Self {
            member: Member { account, class },
            device: DeviceClass(device),
            line: Line::Offline,
            session: SessionId(0),
            node: 0,
            node_boot: 0,
            last_sent: 0,
            manners: Manners::Good,
            asks_offline: true,
            uses_ids: random.random_bool(0.7),
            unanswered: BTreeMap::new(),
            seen: VecDeque::new(),
            nonce: 0,
        }
    }

    /// Whether it is connected to a node, or trying.
    pub(crate) fn is_at(&self, node: NodeIndex) -> bool {
        self.line != Line::Offline && self.node == node
    }

    /// Whether everything handed to this session will be confirmed soon.
    pub(crate) fn confirms(&self) -> bool {
        self.manners == Manners::Good
    }
}

impl World {
    pub(crate) fn client_later(&mut self, client: ClientIndex, after: u64, action: ClientAction) {
        let nonce = self.clients[client].nonce;
        self.later(
            after,
            Event::Client {
                client,
                nonce,
                action,
            },
        );
    }

    pub(crate) fn client_acts(&mut self, client: ClientIndex, nonce: u64, action: ClientAction) {
        if self.clients[client].nonce != nonce {
            return;
        }
        self.trace.note(&[8, self.now, client as u64]);
        self.trace.line(self.now, || format!("c{client} {action:?}"));
        match action {
            ClientAction::Connect => self.connect(client),
            ClientAction::GiveUpLogin => {
                if self.clients[client].line == Line::LoggingIn {
                    self.hang_up(client, true);
                }
            }
            ClientAction::Act => self.act(client),
            ClientAction::Ping => {
                self.client_sends(client, ClientFrame::Ping);
                self.client_later(client, 15 * SECOND, ClientAction::Ping);
            }
            ClientAction::Leave => self.hang_up(client, true),
            ClientAction::Disconnected => self.hang_up(client, false),
            ClientAction::Confirm { sync_id, entries } => {
                let member = self.clients[client].member;
                for (conversation, seq) in entries {
                    self.checker.confirmed(conversation, member, seq.0);
                }
                self.client_sends(client, ClientFrame::Confirm(sync_id));
            }
            ClientAction::AskOffline => self.client_sends(client, ClientFrame::AskOffline),
            ClientAction::Say { peer, operation } => self.say_new(client, peer, operation),
        }
    }

    fn connect(&mut self, client: ClientIndex) {
        if self.clients[client].line != Line::Offline {
            return;
        }
        let reachable: Vec<NodeIndex> = (0..self.nodes.len())
            .filter(|node| self.nodes[*node].status != Status::Down)
            .collect();
        if reachable.is_empty() {
            self.client_later(client, SECOND, ClientAction::Connect);
            return;
        }
        let node = reachable[self.random.random_range(0..reachable.len())];
        let session = SessionId(self.random.random());
        let manners = match self.random.random_range(0..100) {
            _ if self.calm => Manners::Good,
            0..80 => Manners::Good,
            80..93 => Manners::Careless,
            _ => Manners::Mute,
        };
        let asks_offline = self.calm || self.random.random_bool(0.6);
        let boot = self.nodes[node].boot;
        let now = self.now;
        let one = &mut self.clients[client];
        one.line = Line::LoggingIn;
        one.session = session;
        one.node = node;
        one.node_boot = boot;
        one.last_sent = now;
        one.manners = manners;
        one.asks_offline = asks_offline;
        self.client_sends(client, ClientFrame::Login { client });
        self.client_later(client, 5 * SECOND, ClientAction::GiveUpLogin);
    }

    /// Leaves, or finds the line dead; comes back after a while.
    fn hang_up(&mut self, client: ClientIndex, node_learns: bool) {
        let one = &mut self.clients[client];
        if one.line == Line::Offline {
            return;
        }
        one.line = Line::Offline;
        one.nonce += 1;
        let (node, boot, session) = (one.node, one.node_boot, one.session);
        self.checker.session_left(self.now, session);
        if node_learns {
            // Mostly at once, sometimes only by a timeout.
            let slow = self.chance(0.15);
            let after = if slow {
                self.between(SECOND, 15 * SECOND)
            } else {
                self.between(MILLISECOND, 50 * MILLISECOND)
            };
            self.later(after, Event::SocketGone { node, boot, session });
        }
        let short = self.calm || self.chance(0.6);
        let after = if short {
            self.between(50 * MILLISECOND, 2 * SECOND)
        } else {
            self.between(2 * SECOND, 40 * SECOND)
        };
        self.client_later(client, after, ClientAction::Connect);
    }

    pub(crate) fn client_sends(&mut self, client: ClientIndex, frame: ClientFrame) {
        let after = self.between(200, 15_000);
        let one = &mut self.clients[client];
        if one.line == Line::Offline {
            return;
        }
        let at = one.last_sent.max(self.now + after);
        one.last_sent = at;
        let (node, boot, session) = (one.node, one.node_boot, one.session);
        self.queue.push(
            at,
            Event::FromClient {
                node,
                boot,
                session,
                frame,
            },
        );
    }

    /// Something of its own accord, again and again.
    fn act(&mut self, client: ClientIndex) {
        if self.clients[client].line != Line::Online || self.calm {
            return;
        }
        if self.chance(0.02) {
            self.hang_up(client, true);
            return;
        }
        let me = self.clients[client].member.account;
        let peer = self.random.random_range(0..self.accounts.len());
        if peer != me {
            let burst = if self.chance(0.2) { self.between(3, 12) } else { 1 };
            // Strangers are sometimes written to: that is refused.
            if self.are_friends(me, peer) || self.chance(0.05) {
                for _ in 0..burst {
                    self.say_new(client, peer, Operation::Message);
                }
            }
        }
        if self.chance(0.1) {
            self.erase(client);
        }
        if !self.rooms.is_empty() && self.chance(0.5) {
            self.act_in_room(client);
        }
        if self.chance(0.1) {
            let told = self.random.random_range(0..self.accounts.len());
            // The session that asks stands for none of the receiver's.
            if told != me {
                self.say_new(client, told, Operation::System);
            }
        }
        let after = self.between(200 * MILLISECOND, 4 * SECOND);
        self.client_later(client, after, ClientAction::Act);
    }

    /// Says something in a room, mostly; now and then somebody comes or goes, or is made to.
    fn act_in_room(&mut self, client: ClientIndex) {
        let me = self.clients[client].member.account;
        let room = self.random.random_range(0..self.rooms.len());
        let other = self.random.random_range(0..self.accounts.len());
        let (operation, target) = match self.random.random_range(0..100) {
            0..80 => (RoomOperation::Message, me),
            // The session that asks stands for none of those concerned.
            80..93 if room == MIRROR && other != me => {
                let comes = self.random.random_bool(0.6);
                let operation = if comes {
                    RoomOperation::Admit
                } else {
                    RoomOperation::Dismiss
                };
                (operation, other)
            }
            80..86 => (RoomOperation::Pull, other),
            86..91 => (RoomOperation::Kick, other),
            91..95 => (RoomOperation::Join, me),
            _ => (RoomOperation::Leave, me),
        };
        let burst = match operation {
            RoomOperation::Message if self.chance(0.2) => self.between(2, 8),
            _ => 1,
        };
        for _ in 0..burst {
            self.say_to(client, Some(room), target, Operation::Room(operation));
        }
    }

    /// Takes back or burns one of the messages seen last, whether or not somebody did before.
    fn erase(&mut self, client: ClientIndex) {
        let seen = self.clients[client].seen.len();
        if seen > 0 {
            let place = self.random.random_range(0..seen);
            let Some(seen) = self.clients[client].seen.get(place).copied() else {
                return;
            };
            let operation = if seen.own {
                Operation::Revoke(seen.seq)
            } else {
                Operation::Burn(seen.seq)
            };
            self.say_new(client, seen.peer, operation);
        }
    }

    pub(crate) fn are_friends(&self, one: usize, other: usize) -> bool {
        let conversation = self.conversation_of(one, other);
        let database = self.database_of(&conversation.0);
        self.databases[database].relations(&conversation).are_friends()
    }

    pub(crate) fn conversation_of(&self, one: usize, other: usize) -> ConversationId {
        placement::direct_conversation(&self.accounts[one], &self.accounts[other])
    }

    /// Where something said goes.
    pub(crate) fn conversation_said(&self, account: usize, said: &Said) -> ConversationId {
        match said.room {
            Some(room) => self.rooms[room],
            None if said.operation == Operation::System => {
                placement::system_conversation(&self.accounts[said.peer])
            }
            None => self.conversation_of(account, said.peer),
        }
    }

    pub(crate) fn say_new(&mut self, client: ClientIndex, peer: usize, operation: Operation) {
        self.say_to(client, None, peer, operation);
    }

    fn say_to(&mut self, client: ClientIndex, room: Option<usize>, peer: usize, operation: Operation) {
        self.last_tag += 1;
        let tag = self.last_tag;
        let one = &self.clients[client];
        let client_id = one.uses_ids.then_some(tag as i64);
        let said = Said {
            tag,
            peer,
            room,
            operation,
            client_id,
        };
        let conversation = self.conversation_said(one.member.account, &said);
        self.checker.said(tag, one.member, conversation);
        self.say(client, said);
    }

    fn say(&mut self, client: ClientIndex, said: Said) {
        if self.clients[client].line == Line::Online {
            let session = self.clients[client].session;
            // A friend request is never answered, nor is a change of a room, so it is not said again.
            let is_message = said.operation == Operation::Room(RoomOperation::Message);
            let told = match said.operation {
                Operation::Room(_) => is_message,
                operation => operation != Operation::AddFriend,
            };
            if told {
                self.clients[client].unanswered.insert(said.tag, said);
            }
            let me = self.clients[client].member.account;
            let allowed = match said.operation {
                Operation::AddFriend | Operation::System => true,
                Operation::Message => self.are_friends(me, said.peer),
                // Somebody else may have been faster.
                _ => false,
            };
            self.checker.sent(self.now, said.tag, session, allowed);
            self.client_sends(client, ClientFrame::Say(said));
        }
    }
}
