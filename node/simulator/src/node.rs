//! A node: the machines, and the shell that carries their effects between them.

mod home_shell;
mod presence_shell;
mod session_shell;

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

use rand::Rng;
use tim_core::delivery::{self, Delivery};
use tim_core::home::{self, Home};
use tim_core::id::{AccountId, ConversationId, MessageKey, NodeName, SessionId};
use tim_core::presence::{self, Owner, OwnerEvent, Registrar, RegistrarEvent};
use tim_core::session::{Position, Session};
use tim_core::submit::{self, Submitter};
use tim_core::time::Moment;
use tim_core::view::View;

use crate::client;
use crate::event::{ClientFrame, ClientIndex, Event, Machine, Member, NodeIndex, PeerMessage, Said};
use crate::world::World;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Status {
    Up,
    /// As by SIGSTOP: nothing runs, nothing is lost.
    Stopped,
    Down,
}

pub(crate) struct NodeSession {
    pub(crate) machine: Session,
    pub(crate) client: ClientIndex,
    pub(crate) member: Member,
    pub(crate) account: AccountId,
    /// Nothing overtakes on a socket.
    pub(crate) last_sent: u64,
    pub(crate) timer: Option<Moment>,
    /// A friend request that waits for both lists to be durable; later frames wait behind it.
    pub(crate) enlisting: Option<(Said, Vec<usize>)>,
    pub(crate) waiting_frames: VecDeque<ClientFrame>,
}

/// A search for undelivered messages, over several databases.
pub(crate) struct Search {
    pub(crate) session: SessionId,
    pub(crate) member: Member,
    pub(crate) remaining: usize,
    pub(crate) positions: Vec<Position>,
    pub(crate) failed: bool,
}

pub(crate) struct Node {
    pub(crate) boot: u64,
    pub(crate) status: Status,
    pub(crate) stopped_at: u64,
    pub(crate) skew_ns: i64,
    pub(crate) view: Arc<View>,
    pub(crate) home: Home,
    pub(crate) submitter: Submitter,
    pub(crate) delivery: Delivery,
    pub(crate) owner: Owner,
    pub(crate) registrar: Registrar,
    pub(crate) sessions: BTreeMap<SessionId, NodeSession>,
    /// Which text a submission under way is.
    pub(crate) tags: BTreeMap<MessageKey, u64>,
    pub(crate) searches: BTreeMap<u64, Search>,
    pub(crate) last_search: u64,
    timers: [Option<Moment>; 5],
    /// What reaches a stopped node is handled when it wakes.
    pub(crate) held_up: Vec<Event>,
}

impl World {
    /// A node's new life, as its view is.
    pub(crate) fn new_node(&mut self, index: NodeIndex, boot: u64) -> Node {
        let now = self.moment();
        let view = self.view_of(index);
        let name = self.names[index].clone();
        let mutations = self.options.core_mutations();
        // Few conversations are simulated: on half of the nodes two of them are enough for transactions side by side.
        let usual = home::Config::default();
        let ready_for_another = if index.is_multiple_of(2) {
            1
        } else {
            usual.ready_for_another
        };
        let home = home::Config {
            mutations,
            ready_for_another,
            cursor_sets: client::cursor_sets(),
            ..usual
        };
        let delivery = delivery::Config {
            mutations,
            cursor_sets: client::cursor_sets(),
            ..delivery::Config::default()
        };
        let presence = presence::Config::default();
        Node {
            boot,
            status: Status::Up,
            stopped_at: 0,
            skew_ns: self.random.random_range(-2_000_000_000..2_000_000_000),
            home: Home::new(home, name.clone(), view.clone(), self.map.clone()),
            submitter: Submitter::new(submit::Config::default(), view.clone(), self.map.clone()),
            delivery: Delivery::new(delivery, view.clone()),
            owner: Owner::new(presence, name.clone(), view.clone(), now),
            registrar: Registrar::new(presence, name, view.clone(), now),
            view,
            sessions: BTreeMap::new(),
            tags: BTreeMap::new(),
            searches: BTreeMap::new(),
            last_search: 0,
            timers: [None; 5],
            held_up: Vec::new(),
        }
    }

    /// Whether an event for this life of a node may be handled now; a stopped one keeps it for later.
    pub(crate) fn is_awake(&mut self, node: NodeIndex, boot: u64, event: impl FnOnce() -> Event) -> bool {
        let node = &mut self.nodes[node];
        if node.boot != boot || node.status == Status::Down {
            return false;
        }
        if node.status == Status::Stopped {
            node.held_up.push(event());
            return false;
        }
        true
    }

    pub(crate) fn node_receives(&mut self, from: NodeIndex, to: NodeIndex, message: PeerMessage) {
        let sender = self.names[from].clone();
        match message {
            PeerMessage::Open { lane, attempt } => {
                let tenure = tim_core::id::Tenure(self.random.random());
                self.home_event(
                    to,
                    home::Event::Open {
                        from: sender,
                        lane,
                        attempt,
                        tenure,
                    },
                );
            }
            PeerMessage::Submit { stamp, submission } => {
                self.home_event(
                    to,
                    home::Event::Submit {
                        from: sender,
                        stamp,
                        submission,
                    },
                );
            }
            PeerMessage::Push(pushes) => self.pushed(to, pushes),
            PeerMessage::AskAnswer { request, lookups } => {
                self.delivery_event(to, delivery::Event::Answered { request, lookups });
            }
            PeerMessage::Registered { request, refused } => {
                self.registrar_event(to, RegistrarEvent::Registered { request, refused });
            }
            PeerMessage::HeartbeatAnswer { request, missing } => {
                self.registrar_event(to, RegistrarEvent::HeartbeatAnswered { request, missing });
            }
            other => {
                if other.is_streamed() {
                    if let Some(event) = lane_event_of(sender, other) {
                        self.submit_event(to, event);
                    }
                } else if let Some(event) = owner_event_of(sender, other) {
                    self.owner_event(to, event);
                }
            }
        }
    }

    pub(crate) fn view_changed(&mut self, node: NodeIndex, view: Arc<View>) {
        self.nodes[node].view = view.clone();
        self.home_event(node, home::Event::ViewChanged(view.clone()));
        self.submit_event(node, submit::Event::ViewChanged(view.clone()));
        self.delivery_event(node, delivery::Event::ViewChanged(view.clone()));
        self.owner_event(node, OwnerEvent::ViewChanged(view.clone()));
        self.registrar_event(node, RegistrarEvent::ViewChanged(view));
        let sessions: Vec<SessionId> = self.nodes[node].sessions.keys().copied().collect();
        for session in sessions {
            let check_after_ms = self.between(0, 2_000);
            self.session_event(
                node,
                session,
                tim_core::session::Event::ViewChanged { check_after_ms },
            );
        }
    }

    /// The node finds itself late.
    pub(crate) fn give_up(&mut self, node: NodeIndex) {
        self.home_event(node, home::Event::GiveUp);
        self.owner_event(node, OwnerEvent::GiveUp);
    }

    pub(crate) fn lanes_lose(&mut self, at: NodeIndex, node: NodeIndex) {
        let node = self.names[node].clone();
        self.submit_event(at, submit::Event::StreamBroken { node });
    }

    pub(crate) fn timer(&mut self, node: NodeIndex, boot: u64, machine: Machine) {
        if !self.is_awake(node, boot, || Event::Timer { node, boot, machine }) {
            return;
        }
        self.nodes[node].timers[machine as usize] = None;
        match machine {
            Machine::Home => self.home_event(node, home::Event::Timer),
            Machine::Submitter => self.submit_event(node, submit::Event::Timer),
            Machine::Delivery => self.delivery_event(node, delivery::Event::Timer),
            Machine::Owner => self.owner_event(node, OwnerEvent::Timer),
            Machine::Registrar => self.registrar_event(node, RegistrarEvent::Timer),
        }
    }

    pub(crate) fn schedule_timers(&mut self, node: NodeIndex) {
        for machine in [
            Machine::Home,
            Machine::Submitter,
            Machine::Delivery,
            Machine::Owner,
            Machine::Registrar,
        ] {
            self.schedule_timer(node, machine);
        }
    }

    /// Makes sure that a machine's deadline is met.
    fn schedule_timer(&mut self, index: NodeIndex, machine: Machine) {
        let node = &mut self.nodes[index];
        let deadline = match machine {
            Machine::Home => node.home.deadline(),
            Machine::Submitter => node.submitter.deadline(),
            Machine::Delivery => node.delivery.deadline(),
            Machine::Owner => node.owner.deadline(),
            Machine::Registrar => node.registrar.deadline(),
        };
        let Some(deadline) = deadline else { return };
        let scheduled = &mut node.timers[machine as usize];
        if scheduled.is_none_or(|at| at > deadline) {
            *scheduled = Some(deadline);
            let boot = node.boot;
            let at = (deadline.0 * 1_000).max(self.now + 1);
            self.queue.push(
                at,
                Event::Timer {
                    node: index,
                    boot,
                    machine,
                },
            );
        }
    }

    /// The tag of a body.
    pub(crate) fn tag_of(body: &[u8]) -> u64 {
        body.first_chunk()
            .map(|bytes| u64::from_be_bytes(*bytes))
            .unwrap_or_default()
    }

    /// The other account of a conversation.
    pub(crate) fn pair_of(&self, conversation: &ConversationId) -> (usize, usize) {
        self.pairs.get(conversation).copied().unwrap_or_default()
    }
}

/// What a message says to the lanes.
fn lane_event_of(from: NodeName, message: PeerMessage) -> Option<submit::Event> {
    Some(match message {
        PeerMessage::Opened {
            lane,
            attempt,
            tenure,
        } => submit::Event::Opened {
            from,
            lane,
            attempt,
            tenure,
        },
        PeerMessage::OpenRefused {
            lane,
            attempt,
            reason,
        } => submit::Event::OpenRefused {
            from,
            lane,
            attempt,
            reason,
        },
        PeerMessage::Answer {
            lane,
            attempt,
            index,
            answer,
        } => submit::Event::Answered {
            lane,
            attempt,
            index,
            answer,
        },
        _ => return None,
    })
}

/// What a message says to an owner of presence shards.
fn owner_event_of(from: NodeName, message: PeerMessage) -> Option<OwnerEvent> {
    Some(match message {
        PeerMessage::Ask { request, accounts } => OwnerEvent::Lookup {
            from,
            request,
            accounts,
        },
        PeerMessage::Register {
            request,
            registrations,
        } => OwnerEvent::Register {
            from,
            request,
            registrations,
        },
        PeerMessage::Unregister { registrations } => OwnerEvent::Unregister { registrations },
        PeerMessage::Heartbeat {
            request,
            view,
            whole,
            sessions,
        } => OwnerEvent::Heartbeat {
            from,
            request,
            view,
            whole,
            sessions,
        },
        PeerMessage::Replicate { changes } => OwnerEvent::Replicate { from, changes },
        PeerMessage::AskSnapshot { shards } => OwnerEvent::SnapshotAsked { from, shards },
        PeerMessage::SendSnapshot { snapshots } => OwnerEvent::SnapshotArrived { from, snapshots },
        _ => return None,
    })
}
