//! What this node's sessions have subscribed to, and what each pusher was heard to say last.

use super::turn::Turn;
use super::{Effect, Form, Frame, Message};
use crate::id::{AccountId, NodeName, SessionId, VirtualRoomId};
use crate::time::Moment;
use std::collections::{BTreeMap, BTreeSet, HashMap};

/// Rooms in one announcement.
const ROOMS_AT_ONCE: usize = 1_024;
/// Pushers of one room whose last number is remembered; beyond, the one heard longest ago is forgotten.
const PUSHERS_HEARD_MAX: usize = 4_096;
/// A pusher is remembered for so long: far longer than a frame can be under way.
const HEARD_KEPT_MS: u64 = 60_000;

#[derive(Debug, Default)]
pub(super) struct Subscriptions {
    rooms: HashMap<VirtualRoomId, Room>,
    sessions: HashMap<SessionId, BTreeSet<VirtualRoomId>>,
    count: usize,
    announced: Moment,
}

#[derive(Debug, Default)]
struct Room {
    subscribers: BTreeMap<SessionId, Form>,
    heard: HashMap<SessionId, (u64, Moment)>,
}

impl Room {
    /// Whether this is news of that pusher.
    fn hear(&mut self, session: SessionId, number: u64, now: Moment) -> bool {
        if let Some((last, at)) = self.heard.get_mut(&session) {
            let is_news = number > *last;
            if is_news {
                *last = number;
            }
            *at = now;
            return is_news;
        }
        if self.heard.len() >= PUSHERS_HEARD_MAX {
            let oldest = self.heard.iter().min_by_key(|(_, (_, at))| *at);
            if let Some(oldest) = oldest.map(|(session, _)| *session) {
                self.heard.remove(&oldest);
            }
        }
        self.heard.insert(session, (number, now));
        true
    }
}

impl Subscriptions {
    /// Subscriptions of all sessions.
    pub(super) fn len(&self) -> usize {
        self.count
    }

    /// Whether a session may have one (more) in a room.
    pub(super) fn has_place(&self, session: SessionId, room: &VirtualRoomId, max: usize) -> bool {
        self.sessions
            .get(&session)
            .is_none_or(|rooms| rooms.len() < max || rooms.contains(room))
    }

    pub(super) fn add(&mut self, session: SessionId, room: &VirtualRoomId, form: Form, turn: &mut Turn<'_>) {
        let here = self.rooms.entry(room.clone()).or_default();
        if here.subscribers.insert(session, form).is_none() {
            self.count += 1;
        }
        self.sessions.entry(session).or_default().insert(room.clone());
        announce(turn, [room], true);
    }

    pub(super) fn remove(&mut self, session: SessionId, room: &VirtualRoomId, turn: &mut Turn<'_>) {
        if let Some(rooms) = self.sessions.get_mut(&session) {
            rooms.remove(room);
            if rooms.is_empty() {
                self.sessions.remove(&session);
            }
        }
        if let Some(here) = self.rooms.get_mut(room) {
            if here.subscribers.remove(&session).is_some() {
                self.count -= 1;
            }
            if here.subscribers.is_empty() {
                self.rooms.remove(room);
                announce(turn, [room], false);
            }
        }
    }

    pub(super) fn closed(&mut self, session: SessionId, turn: &mut Turn<'_>) {
        for room in self.sessions.get(&session).cloned().unwrap_or_default() {
            self.remove(session, &room, turn);
        }
    }

    pub(super) fn fan(
        &mut self,
        (room, owner): (VirtualRoomId, AccountId),
        (session, number): (SessionId, u64),
        frame: Frame,
        turn: &mut Turn<'_>,
    ) {
        let Some(here) = self.rooms.get_mut(&room) else {
            return;
        };
        if here.hear(session, number, turn.now) || turn.config.mutations.hear_any_number() {
            let to = here
                .subscribers
                .iter()
                .map(|(session, form)| (*session, *form))
                .collect();
            turn.effects.push(Effect::Deliver {
                room,
                owner,
                frame,
                to,
            });
        }
    }

    pub(super) fn view_changed(&mut self, turn: &mut Turn<'_>) {
        self.announced = turn.now;
        announce(turn, self.rooms.keys(), true);
    }

    pub(super) fn timer(&mut self, turn: &mut Turn<'_>) {
        if turn.now.since_ms(self.announced) < turn.config.announce_interval_ms {
            return;
        }
        self.announced = turn.now;
        announce(turn, self.rooms.keys(), true);
        for room in self.rooms.values_mut() {
            room.heard
                .retain(|_, (_, at)| turn.now.since_ms(*at) < HEARD_KEPT_MS);
        }
    }
}

/// Tells both owners of each room; whichever of them carries pushes on knows.
fn announce<'a>(turn: &mut Turn<'_>, rooms: impl IntoIterator<Item = &'a VirtualRoomId>, subscribed: bool) {
    let mut by_owner: BTreeMap<NodeName, Vec<VirtualRoomId>> = BTreeMap::new();
    for room in rooms {
        for owner in turn.owners(room) {
            by_owner.entry(owner).or_default().push(room.clone());
        }
    }
    for (owner, rooms) in by_owner {
        for rooms in rooms.chunks(ROOMS_AT_ONCE) {
            let rooms = rooms.to_vec();
            turn.send(&owner, Message::Announce { rooms, subscribed });
        }
    }
}
