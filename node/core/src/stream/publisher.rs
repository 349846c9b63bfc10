//! The pushes of this node's sessions, kept until a relay has carried them on.

use super::turn::{Choice, Turn};
use super::{Effect, FRAME_OVERHEAD_BYTES, Frame, Message, Verdict};
use crate::id::{AccountId, NodeName, SessionId, VirtualRoomId};
use crate::time::Moment;
use std::collections::{HashMap, VecDeque};

/// A room into which a session has not pushed for so long is forgotten; numbers go on all the same.
const LANE_KEPT_MS: u64 = 60_000;

#[derive(Debug, Default)]
pub(super) struct Publisher {
    sessions: HashMap<SessionId, Publishing>,
    /// Pushes that wait to be settled, of all sessions.
    unsettled: usize,
}

#[derive(Debug, Default)]
struct Publishing {
    last_number: u64,
    lanes: HashMap<VirtualRoomId, Lane>,
}

/// What one session pushes into one room.
#[derive(Debug)]
struct Lane {
    account: AccountId,
    choice: Choice,
    waiting: VecDeque<Waiting>,
    waiting_bytes: usize,
    /// When the target said something for the last time, or should have begun to.
    progress: Moment,
    /// Nothing is sent before.
    paused_until: Option<Moment>,
    used: Moment,
}

#[derive(Debug)]
struct Waiting {
    number: u64,
    frame: Frame,
    since: Moment,
}

fn weight(frame: &Frame) -> usize {
    frame.body.len() + FRAME_OVERHEAD_BYTES
}

impl Lane {
    fn send(&self, key: (&VirtualRoomId, SessionId), waiting: &Waiting, turn: &mut Turn<'_>) {
        if self.paused_until.is_some() {
            return;
        }
        if let Some(target) = &self.choice.target {
            let message = Message::Push {
                room: key.0.clone(),
                session: key.1,
                account: self.account.clone(),
                number: waiting.number,
                frame: waiting.frame.clone(),
            };
            turn.send(target, message);
        }
    }

    fn send_all(&mut self, key: (&VirtualRoomId, SessionId), turn: &mut Turn<'_>) {
        self.progress = turn.now;
        for waiting in &self.waiting {
            self.send(key, waiting, turn);
        }
    }

    fn pop(&mut self) -> Option<Waiting> {
        let first = self.waiting.pop_front()?;
        self.waiting_bytes -= weight(&first.frame);
        Some(first)
    }

    /// Goes to the other owner: now, or after a pause when both were tried.
    fn pass_over(&mut self, key: (&VirtualRoomId, SessionId), turn: &mut Turn<'_>) {
        let at_once = self.choice.pass_over(key.0, turn);
        self.paused_until = (!at_once).then_some(turn.now.plus_ms(turn.config.retry_ms));
        self.send_all(key, turn);
    }

    /// Drops what is too late to be of use; how many.
    fn expire(&mut self, turn: &Turn<'_>) -> usize {
        let before = self.waiting.len();
        let lifetime_ms = turn.config.push_lifetime_ms;
        while self
            .waiting
            .front()
            .is_some_and(|first| turn.now.since_ms(first.since) >= lifetime_ms)
        {
            self.pop();
        }
        before - self.waiting.len()
    }
}

impl Publisher {
    /// Whether nothing waits.
    pub(super) fn is_idle(&self) -> bool {
        self.unsettled == 0
    }

    pub(super) fn push(
        &mut self,
        session: SessionId,
        account: AccountId,
        room: &VirtualRoomId,
        frame: Frame,
        turn: &mut Turn<'_>,
    ) {
        let publishing = self.sessions.entry(session).or_default();
        publishing.last_number += 1;
        let number = publishing.last_number;
        let lane = publishing.lanes.entry(room.clone()).or_insert_with(|| {
            let mut choice = Choice::default();
            choice.begin(room, turn);
            Lane {
                account,
                choice,
                waiting: VecDeque::new(),
                waiting_bytes: 0,
                progress: turn.now,
                paused_until: None,
                used: turn.now,
            }
        });
        lane.used = turn.now;
        if lane.waiting.is_empty() {
            lane.progress = turn.now;
        }
        let waiting = Waiting {
            number,
            frame,
            since: turn.now,
        };
        lane.send((room, session), &waiting, turn);
        lane.waiting_bytes += weight(&waiting.frame);
        lane.waiting.push_back(waiting);
        self.unsettled += 1;
        // What goes here was sent once; it is only not sent again.
        while lane.waiting_bytes > turn.config.max_unsettled_bytes && lane.waiting.len() > 1 {
            lane.pop();
            self.unsettled -= 1;
        }
    }

    pub(super) fn settled(
        &mut self,
        from: &NodeName,
        (room, session, number): (&VirtualRoomId, SessionId, u64),
        verdict: Verdict,
        turn: &mut Turn<'_>,
    ) {
        let publishing = self.sessions.get_mut(&session);
        let Some(lane) = publishing.and_then(|publishing| publishing.lanes.get_mut(room)) else {
            return;
        };
        let before = lane.waiting.len();
        match verdict {
            Verdict::Relayed | Verdict::Denied => {
                lane.choice.answered();
                lane.progress = turn.now;
                while lane.waiting.front().is_some_and(|first| first.number <= number) {
                    let popped = lane.pop();
                    if verdict == Verdict::Denied && popped.is_some_and(|popped| popped.number == number) {
                        let room = room.clone();
                        turn.effects.push(Effect::Refused { session, room });
                    }
                }
            }
            // Of a target that was left, or of an earlier attempt.
            Verdict::Unknown if !lane.choice.is(from) || lane.paused_until.is_some() => {}
            Verdict::Unknown => {
                if lane.choice.unknown(room, turn) {
                    lane.send_all((room, session), turn);
                } else if turn.settled {
                    while lane.pop().is_some() {
                        let room = room.clone();
                        turn.effects.push(Effect::Refused { session, room });
                    }
                } else {
                    lane.paused_until = Some(turn.now.plus_ms(turn.config.retry_ms));
                }
            }
        }
        self.unsettled -= before - lane.waiting.len();
        // Rooms that are not there must not be remembered: anybody can make up their ids.
        let refused = verdict != Verdict::Relayed && lane.waiting.is_empty();
        if refused && let Some(publishing) = self.sessions.get_mut(&session) {
            publishing.lanes.remove(room);
        }
    }

    pub(super) fn unreached(&mut self, node: &NodeName, turn: &mut Turn<'_>) {
        for (session, publishing) in &mut self.sessions {
            for (room, lane) in &mut publishing.lanes {
                if lane.choice.is(node) && lane.paused_until.is_none() {
                    lane.pass_over((room, *session), turn);
                }
            }
        }
    }

    pub(super) fn view_changed(&mut self, turn: &mut Turn<'_>) {
        for (session, publishing) in &mut self.sessions {
            for (room, lane) in &mut publishing.lanes {
                lane.choice.begin(room, turn);
                lane.paused_until = None;
                lane.send_all((room, *session), turn);
            }
        }
    }

    pub(super) fn timer(&mut self, turn: &mut Turn<'_>) {
        let mut dropped = 0;
        for (session, publishing) in &mut self.sessions {
            for (room, lane) in &mut publishing.lanes {
                dropped += lane.expire(turn);
                if let Some(until) = lane.paused_until {
                    if until <= turn.now {
                        lane.paused_until = None;
                        lane.send_all((room, *session), turn);
                    }
                } else if !lane.waiting.is_empty()
                    && turn.now.since_ms(lane.progress) >= turn.config.answer_timeout_ms
                {
                    lane.pass_over((room, *session), turn);
                }
            }
            publishing
                .lanes
                .retain(|_, lane| !lane.waiting.is_empty() || turn.now.since_ms(lane.used) < LANE_KEPT_MS);
        }
        if dropped > 0 {
            self.unsettled -= dropped;
            turn.effects.push(Effect::Dropped(dropped as u64));
        }
    }

    /// What the session still has under way is not sent again.
    pub(super) fn closed(&mut self, session: SessionId) {
        if let Some(publishing) = self.sessions.remove(&session) {
            self.unsettled -= publishing
                .lanes
                .values()
                .map(|lane| lane.waiting.len())
                .sum::<usize>();
        }
    }
}
