//! What the parts of the machine see and do while one event is handled.

use super::{Config, Effect, Message};
use crate::id::{NodeName, VirtualRoomId};
use crate::placement::{self, SHARD_REPLICAS};
use crate::time::Moment;
use crate::view::View;
use smallvec::SmallVec;

/// The relay of a room and its backup.
pub(super) type Owners = SmallVec<[NodeName; SHARD_REPLICAS]>;

/// One event's surroundings.
pub(super) struct Turn<'a> {
    pub(super) now: Moment,
    pub(super) name: &'a NodeName,
    pub(super) view: &'a View,
    pub(super) config: &'a Config,
    /// Whether the view has stood long enough that rooms have found their owners.
    pub(super) settled: bool,
    /// To this node itself, handled before anything else.
    pub(super) own: &'a mut Vec<Message>,
    pub(super) effects: &'a mut Vec<Effect>,
}

impl Turn<'_> {
    pub(super) fn send(&mut self, to: &NodeName, message: Message) {
        if to == self.name {
            self.own.push(message);
        } else {
            self.effects.push(Effect::Send {
                to: to.clone(),
                message,
            });
        }
    }

    pub(super) fn owners(&self, room: &VirtualRoomId) -> Owners {
        placement::virtual_room_owners(room, self.view)
    }
}

/// Which of a room's two owners is being asked, and which ones have said that they do not know it.
#[derive(Debug, Default)]
pub(super) struct Choice {
    pub(super) target: Option<NodeName>,
    without: SmallVec<[NodeName; SHARD_REPLICAS]>,
    /// Changes of the target since something came back.
    hops: usize,
}

impl Choice {
    /// Takes the relay.
    pub(super) fn begin(&mut self, room: &VirtualRoomId, turn: &Turn<'_>) {
        *self = Self {
            target: turn.owners(room).first().cloned(),
            ..Self::default()
        };
    }

    pub(super) fn is(&self, node: &NodeName) -> bool {
        self.target.as_ref() == Some(node)
    }

    /// Something came back.
    pub(super) fn answered(&mut self) {
        self.hops = 0;
        self.without.clear();
    }

    /// The target does not answer: takes the other owner. Whether it may be asked at once: not when both were.
    pub(super) fn pass_over(&mut self, room: &VirtualRoomId, turn: &Turn<'_>) -> bool {
        let owners = turn.owners(room);
        if turn.config.mutations.keep_to_relay() {
            return false;
        }
        let other = owners.iter().find(|owner| !self.is(owner));
        self.target = other.or_else(|| owners.first()).cloned();
        self.hops += 1;
        self.hops < owners.len()
    }

    /// The target does not know the room: takes the other owner, unless it said the same.
    pub(super) fn unknown(&mut self, room: &VirtualRoomId, turn: &Turn<'_>) -> bool {
        if let Some(target) = self.target.take() {
            self.without.push(target);
        }
        let owners = turn.owners(room);
        self.target = owners.into_iter().find(|owner| !self.without.contains(owner));
        if self.target.is_none() {
            self.begin(room, turn);
            return false;
        }
        true
    }
}
