//! Effects of presence, and its comparison with the truth.

use tim_core::presence::{Lookup, OwnerEffect, OwnerEvent, RegistrarEffect, RegistrarEvent};
use tim_core::{placement, session};

use crate::checker::Probe;
use crate::event::{Machine, NodeIndex, PeerMessage};
use crate::node::Status;
use crate::world::World;

impl World {
    pub(crate) fn owner_event(&mut self, node: NodeIndex, event: OwnerEvent) {
        let mut effects = Vec::new();
        let now = self.moment();
        self.nodes[node].owner.handle(now, event, &mut effects);
        for effect in effects {
            let (to, message) = match effect {
                OwnerEffect::Registered { to, request, refused } => {
                    (to, PeerMessage::Registered { request, refused })
                }
                OwnerEffect::HeartbeatAnswer { to, request, missing } => {
                    (to, PeerMessage::HeartbeatAnswer { request, missing })
                }
                OwnerEffect::LookupAnswer { to, request, lookups } => {
                    (to, PeerMessage::AskAnswer { request, lookups })
                }
                OwnerEffect::Replicate { to, changes } => (to, PeerMessage::Replicate { changes }),
                OwnerEffect::AskSnapshot { to, shards } => (to, PeerMessage::AskSnapshot { shards }),
                OwnerEffect::SendSnapshot { to, snapshots } => (to, PeerMessage::SendSnapshot { snapshots }),
                // The simulation sets no limit of devices.
                OwnerEffect::Yield { .. } => continue,
            };
            let to = self.node_index(&to);
            self.send(node, to, message);
        }
        self.schedule_timer(node, Machine::Owner);
    }

    pub(crate) fn registrar_event(&mut self, node: NodeIndex, event: RegistrarEvent) {
        let mut effects = Vec::new();
        let now = self.moment();
        self.nodes[node].registrar.handle(now, event, &mut effects);
        for effect in effects {
            let (to, message) = match effect {
                RegistrarEffect::Register {
                    to,
                    request,
                    registrations,
                } => (
                    to,
                    PeerMessage::Register {
                        request,
                        registrations,
                    },
                ),
                RegistrarEffect::Unregister { to, registrations } => {
                    (to, PeerMessage::Unregister { registrations })
                }
                RegistrarEffect::Heartbeat {
                    to,
                    request,
                    view,
                    whole,
                    sessions,
                } => (
                    to,
                    PeerMessage::Heartbeat {
                        request,
                        view,
                        whole,
                        sessions,
                    },
                ),
                RegistrarEffect::Registered(session) => {
                    self.session_event(node, session, session::Event::Registered);
                    continue;
                }
            };
            let to = self.node_index(&to);
            self.send(node, to, message);
        }
        self.schedule_timer(node, Machine::Registrar);
    }

    /// Tells the checker what presence knows, while nothing disturbs it.
    pub(crate) fn probe(&mut self) {
        let now = self.moment();
        let all_up = self.nodes.iter().all(|node| node.status == Status::Up);
        let one_view = self
            .nodes
            .windows(2)
            .all(|pair| pair[0].view.hash() == pair[1].view.hash());
        if !all_up || !one_view {
            return;
        }
        let view = self.nodes[0].view.clone();
        let mut probe = Probe {
            view_changed_at: self.views.changed_at,
            ..Probe::default()
        };
        for node in &self.nodes {
            for (session, held) in &node.sessions {
                let owner = placement::shard_owners_of(&held.account, &view).primary;
                let owner = owner.map(|owner| self.node_index(owner)).unwrap_or_default();
                let lookup = self.nodes[owner].owner.lookup(now, &held.account);
                let found = matches!(lookup, Lookup::Found(entries)
                    if entries.iter().any(|entry| entry.session == *session));
                probe.sessions.push((*session, found));
                probe.in_memory = probe.in_memory.max(held.machine.entries_in_memory());
            }
            probe
                .registered
                .extend(node.owner.entries(now).map(|(_, entry)| entry.session));
        }
        self.checker.probed(self.now, &probe);
    }
}
