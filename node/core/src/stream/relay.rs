//! The rooms that this node holds, as relay or as backup, and the nodes that have subscribers.

use super::turn::Turn;
use super::{Frame, Message, Operation, Outcome, RoomState, Verdict};
use crate::id::{AccountId, NodeName, SessionId, VirtualRoomId};
use crate::time::Moment;
use std::collections::{BTreeMap, BTreeSet, HashMap};

/// The other owner is told of pushes this many times per idle time.
const RENEWALS_PER_IDLE_TIME: u64 = 8;
/// Who only hears of pushes waits longer by this part of the idle time before it removes a room.
const HEARSAY_PART: u64 = 4;
/// An announcement is believed for so many intervals.
const ANNOUNCEMENT_INTERVALS: u64 = 3;
/// A room that belongs to others is kept for so long after it was sent to them.
const HANDED_OVER_KEPT_MS: u64 = 5_000;
/// How often it is looked what is over.
const SWEEP_INTERVAL_MS: u64 = 1_000;

#[derive(Debug, Default)]
pub(super) struct Relay {
    rooms: HashMap<VirtualRoomId, Room>,
    /// Also of rooms that are not here (yet): an announcement may be faster than the room.
    subscribers: HashMap<VirtualRoomId, BTreeMap<NodeName, Moment>>,
    swept: Moment,
}

#[derive(Debug)]
struct Room {
    owner: AccountId,
    pushers: BTreeSet<AccountId>,
    version: u64,
    removed: bool,
    pushed: Moment,
    /// Whether the last push was carried on by the other owner.
    hearsay: bool,
    told: Moment,
    /// Since when it belongs to others alone.
    foreign_since: Option<Moment>,
}

impl Room {
    fn may_push(&self, account: &AccountId) -> bool {
        self.owner == *account || self.pushers.contains(account)
    }

    fn is_over(&self, now: Moment, idle_ms: u64) -> bool {
        let allowed = if self.hearsay {
            idle_ms + idle_ms / HEARSAY_PART
        } else {
            idle_ms
        };
        now.since_ms(self.pushed) >= allowed
            || self
                .foreign_since
                .is_some_and(|since| now.since_ms(since) >= HANDED_OVER_KEPT_MS)
    }
}

impl Relay {
    /// Rooms held, also those that were removed lately.
    pub(super) fn len(&self) -> usize {
        self.rooms.len()
    }

    pub(super) fn ask(
        &mut self,
        from: &NodeName,
        request: u64,
        room: &VirtualRoomId,
        operation: Operation,
        turn: &mut Turn<'_>,
    ) {
        let outcome = match operation {
            Operation::Create { owner } => self.create(room, owner, turn),
            Operation::Remove { by } => self.change(room, &by, turn, |room, _| {
                room.removed = true;
                Outcome::Done
            }),
            Operation::Grant { by, to } => self.change(room, &by, turn, |room, turn| {
                if room.pushers.len() >= turn.config.max_pushers && !room.pushers.contains(&to) {
                    return Outcome::TooMany;
                }
                room.pushers.insert(to);
                Outcome::Done
            }),
            Operation::Withdraw { by, from } => self.change(room, &by, turn, |room, _| {
                room.pushers.remove(&from);
                Outcome::Done
            }),
            Operation::Subscribe(_) if self.known(room).is_some() => {
                self.believe(from, room, turn);
                Outcome::Done
            }
            Operation::Subscribe(_) => Outcome::NoSuchRoom,
            Operation::Unsubscribe => Outcome::Done,
        };
        turn.send(from, Message::Answer { request, outcome });
    }

    fn known(&mut self, room: &VirtualRoomId) -> Option<&mut Room> {
        self.rooms.get_mut(room).filter(|room| !room.removed)
    }

    fn create(&mut self, room: &VirtualRoomId, owner: AccountId, turn: &mut Turn<'_>) -> Outcome {
        match self.rooms.get(room) {
            // Asked before: the answer was lost.
            Some(held) if held.owner == owner && !held.removed => return Outcome::Done,
            Some(_) => return Outcome::Denied,
            None if self.rooms.len() >= turn.config.max_rooms => return Outcome::TooMany,
            None => {}
        }
        let held = Room {
            owner,
            pushers: BTreeSet::new(),
            version: 1,
            removed: false,
            pushed: turn.now,
            hearsay: false,
            told: turn.now,
            foreign_since: None,
        };
        self.rooms.insert(room.clone(), held);
        self.tell_owners(room, turn);
        Outcome::Done
    }

    fn change(
        &mut self,
        name: &VirtualRoomId,
        by: &AccountId,
        turn: &mut Turn<'_>,
        change: impl FnOnce(&mut Room, &Turn<'_>) -> Outcome,
    ) -> Outcome {
        let Some(room) = self.known(name) else {
            return Outcome::NoSuchRoom;
        };
        if room.owner != *by {
            return Outcome::Denied;
        }
        let outcome = change(room, turn);
        if outcome == Outcome::Done {
            room.version += 1;
            self.tell_owners(name, turn);
        }
        outcome
    }

    pub(super) fn push(
        &mut self,
        from: &NodeName,
        (name, session, number): (VirtualRoomId, SessionId, u64),
        account: &AccountId,
        frame: &Frame,
        turn: &mut Turn<'_>,
    ) {
        let verdict = match self.rooms.get_mut(&name) {
            None => Verdict::Unknown,
            Some(room) if room.removed || !room.may_push(account) => Verdict::Denied,
            Some(room) => {
                room.pushed = turn.now;
                room.hearsay = false;
                let tell = turn.now.since_ms(room.told) >= turn.config.idle_ms / RENEWALS_PER_IDLE_TIME;
                let owner = room.owner.clone();
                self.fan(&name, &owner, (session, number), frame, turn);
                if tell {
                    self.tell_owners(&name, turn);
                }
                Verdict::Relayed
            }
        };
        let settled = Message::Settled {
            room: name,
            session,
            number,
            verdict,
        };
        turn.send(from, settled);
    }

    fn fan(
        &self,
        room: &VirtualRoomId,
        owner: &AccountId,
        (session, number): (SessionId, u64),
        frame: &Frame,
        turn: &mut Turn<'_>,
    ) {
        let Some(nodes) = self.subscribers.get(room) else {
            return;
        };
        for (node, until) in nodes {
            if *until > turn.now {
                let message = Message::Fan {
                    room: room.clone(),
                    owner: owner.clone(),
                    session,
                    number,
                    frame: frame.clone(),
                };
                turn.send(node, message);
            }
        }
    }

    pub(super) fn announced(
        &mut self,
        from: &NodeName,
        rooms: Vec<VirtualRoomId>,
        subscribed: bool,
        turn: &Turn<'_>,
    ) {
        for room in rooms {
            if subscribed {
                self.believe(from, &room, turn);
            } else if let Some(nodes) = self.subscribers.get_mut(&room) {
                nodes.remove(from);
                if nodes.is_empty() {
                    self.subscribers.remove(&room);
                }
            }
        }
    }

    fn believe(&mut self, node: &NodeName, room: &VirtualRoomId, turn: &Turn<'_>) {
        let believed_ms = turn.config.announce_interval_ms * ANNOUNCEMENT_INTERVALS;
        self.subscribers
            .entry(room.clone())
            .or_default()
            .insert(node.clone(), turn.now.plus_ms(believed_ms));
    }

    /// What the other owner knows.
    pub(super) fn put(&mut self, state: RoomState, turn: &Turn<'_>) {
        let name = &state.room;
        // A node that has just started may get rooms before it has seen who serves.
        let serves = |node: &&NodeName| turn.view.is_empty() || turn.view.contains(node);
        for node in state.subscribers.iter().filter(serves) {
            let known = self.subscribers.get(name).and_then(|nodes| nodes.get(node));
            // What a node said itself counts more than what another one says of it.
            if known.is_none() {
                self.believe(node, name, turn);
            }
        }
        let pushed = Moment(turn.now.0.saturating_sub(state.idle_ms));
        let takes_more = state.idle_ms < turn.config.idle_ms && self.rooms.len() < turn.config.max_rooms;
        match self.rooms.get_mut(name) {
            Some(room) => {
                if pushed > room.pushed {
                    room.pushed = pushed;
                    room.hearsay = true;
                }
                if state.version > room.version {
                    room.owner = state.owner;
                    room.pushers = state.pushers.into_iter().collect();
                    room.version = state.version;
                    room.removed = state.removed;
                }
            }
            None if takes_more => {
                let room = Room {
                    owner: state.owner,
                    pushers: state.pushers.into_iter().collect(),
                    version: state.version,
                    removed: state.removed,
                    pushed,
                    hearsay: true,
                    told: turn.now,
                    foreign_since: None,
                };
                self.rooms.insert(state.room, room);
            }
            None => {}
        }
    }

    /// Sends every room to those who own it now.
    pub(super) fn view_changed(&mut self, turn: &mut Turn<'_>) {
        let names: Vec<VirtualRoomId> = self.rooms.keys().cloned().collect();
        for name in names {
            let mine = turn.owners(&name).contains(turn.name);
            if let Some(room) = self.rooms.get_mut(&name) {
                // An empty view has no owners that could take it.
                let foreign = !mine && !turn.view.is_empty();
                room.foreign_since = foreign.then_some(room.foreign_since.unwrap_or(turn.now));
            }
            self.tell_owners(&name, turn);
        }
    }

    fn tell_owners(&mut self, name: &VirtualRoomId, turn: &mut Turn<'_>) {
        let Some(room) = self.rooms.get_mut(name) else {
            return;
        };
        room.told = turn.now;
        let nodes = self.subscribers.get(name);
        let state = RoomState {
            room: name.clone(),
            owner: room.owner.clone(),
            pushers: room.pushers.iter().cloned().collect(),
            version: room.version,
            removed: room.removed,
            idle_ms: turn.now.since_ms(room.pushed),
            subscribers: nodes.map_or_else(Vec::new, |nodes| nodes.keys().cloned().collect()),
        };
        for owner in turn.owners(name) {
            if owner != *turn.name {
                turn.send(&owner, Message::Put(state.clone()));
            }
        }
    }

    /// Forgets what is over, and says once more what a new owner may have missed.
    pub(super) fn sweep(&mut self, turn: &mut Turn<'_>) {
        if turn.now.since_ms(self.swept) < SWEEP_INTERVAL_MS {
            return;
        }
        self.swept = turn.now;
        if !turn.settled {
            let names: Vec<VirtualRoomId> = self.rooms.keys().cloned().collect();
            for name in names {
                self.tell_owners(&name, turn);
            }
        }
        let idle_ms = turn.config.idle_ms;
        self.rooms.retain(|_, room| !room.is_over(turn.now, idle_ms));
        self.subscribers.retain(|_, nodes| {
            nodes.retain(|_, until| *until > turn.now);
            !nodes.is_empty()
        });
    }
}
