//! Operations of this node's sessions that wait for a room's owner.

use super::subscriptions::Subscriptions;
use super::turn::{Choice, Turn};
use super::{Effect, Message, Operation, Outcome};
use crate::id::{NodeName, SessionId, VirtualRoomId};
use crate::time::Moment;
use std::collections::HashMap;

#[derive(Debug, Default)]
pub(super) struct Operations {
    asked: HashMap<u64, Asked>,
}

#[derive(Debug)]
struct Asked {
    session: SessionId,
    room: VirtualRoomId,
    operation: Operation,
    choice: Choice,
    until: Moment,
    /// When the target is passed over, or, while paused, asked.
    next: Moment,
    paused: bool,
}

impl Asked {
    fn send(&mut self, request: u64, turn: &mut Turn<'_>) {
        self.paused = false;
        self.next = turn.now.plus_ms(turn.config.answer_timeout_ms);
        if let Some(target) = self.choice.target.clone() {
            let message = Message::Ask {
                request,
                room: self.room.clone(),
                operation: self.operation.clone(),
            };
            turn.send(&target, message);
        }
    }

    fn pause(&mut self, turn: &Turn<'_>) {
        self.paused = true;
        self.next = turn.now.plus_ms(turn.config.retry_ms);
    }

    fn pass_over(&mut self, request: u64, turn: &mut Turn<'_>) {
        if self.choice.pass_over(&self.room, turn) {
            self.send(request, turn);
        } else {
            self.pause(turn);
        }
    }
}

impl Operations {
    /// Whether nothing waits.
    pub(super) fn is_idle(&self) -> bool {
        self.asked.is_empty()
    }

    pub(super) fn begin(
        &mut self,
        session: SessionId,
        request: u64,
        (room, operation): (VirtualRoomId, Operation),
        turn: &mut Turn<'_>,
    ) {
        let mut choice = Choice::default();
        choice.begin(&room, turn);
        let mut asked = Asked {
            session,
            room,
            operation,
            choice,
            until: turn.now.plus_ms(turn.config.operation_timeout_ms),
            next: turn.now,
            paused: false,
        };
        asked.send(request, turn);
        self.asked.insert(request, asked);
    }

    pub(super) fn answered(
        &mut self,
        from: &NodeName,
        request: u64,
        outcome: Outcome,
        subscriptions: &mut Subscriptions,
        turn: &mut Turn<'_>,
    ) {
        let Some(asked) = self.asked.get_mut(&request) else {
            return;
        };
        let mut outcome = outcome;
        if outcome == Outcome::NoSuchRoom {
            if !asked.choice.is(from) || asked.paused {
                return;
            }
            if asked.choice.unknown(&asked.room, turn) {
                return asked.send(request, turn);
            }
            if !turn.settled {
                return asked.pause(turn);
            }
        }
        let Some(asked) = self.asked.remove(&request) else {
            return;
        };
        match asked.operation {
            Operation::Subscribe(form) if outcome == Outcome::Done => {
                subscriptions.add(asked.session, &asked.room, form, turn);
            }
            // What is not there, or belongs to somebody else, is passed over in silence.
            Operation::Remove { .. } => outcome = Outcome::Done,
            _ => {}
        }
        turn.effects.push(Effect::Answered { request, outcome });
    }

    pub(super) fn unreached(&mut self, node: &NodeName, turn: &mut Turn<'_>) {
        for (request, asked) in &mut self.asked {
            if asked.choice.is(node) && !asked.paused {
                asked.pass_over(*request, turn);
            }
        }
    }

    pub(super) fn view_changed(&mut self, turn: &mut Turn<'_>) {
        for (request, asked) in &mut self.asked {
            asked.choice.begin(&asked.room, turn);
            asked.send(*request, turn);
        }
    }

    pub(super) fn timer(&mut self, turn: &mut Turn<'_>) {
        let over = self.asked.extract_if(|_, asked| asked.until <= turn.now);
        for (request, _) in over {
            let outcome = Outcome::Unavailable;
            turn.effects.push(Effect::Answered { request, outcome });
        }
        for (request, asked) in &mut self.asked {
            if asked.next > turn.now {
                continue;
            }
            if asked.paused {
                asked.send(*request, turn);
            } else {
                asked.pass_over(*request, turn);
            }
        }
    }

    pub(super) fn closed(&mut self, session: SessionId) {
        self.asked.retain(|_, asked| asked.session != session);
    }
}
