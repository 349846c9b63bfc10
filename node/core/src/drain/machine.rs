//! The steps of a drain.

use std::collections::{BTreeMap, VecDeque};

use crate::drain::{Config, Effect, Event, Phase};
use crate::id::SessionId;
use crate::time::{Moment, earliest};

/// What a session is waiting for.
#[derive(Debug, Clone, Copy)]
struct Leaving {
    until: Moment,
    closing: bool,
}

/// One node's drain.
#[derive(Debug)]
pub struct Drain {
    config: Config,
    phase: Phase,
    /// Nobody asked again by this moment: serve.
    lease_until: Moment,
    /// The present step is over by this moment, well or not.
    step_until: Moment,
    deadline: Moment,
    waiting: VecDeque<SessionId>,
    leaving: BTreeMap<SessionId, Leaving>,
}

impl Drain {
    /// A node that serves.
    #[must_use]
    pub fn new(config: Config) -> Self {
        Self {
            config,
            phase: Phase::Serving,
            lease_until: Moment(0),
            step_until: Moment(0),
            deadline: Moment(0),
            waiting: VecDeque::new(),
            leaving: BTreeMap::new(),
        }
    }

    /// Where it stands.
    #[must_use]
    pub fn phase(&self) -> Phase {
        self.phase
    }

    /// Sessions still open.
    #[must_use]
    pub fn sessions_left(&self) -> usize {
        self.waiting.len() + self.leaving.len()
    }

    /// Takes one event and appends what is to be done.
    pub fn handle(&mut self, now: Moment, event: Event, effects: &mut Vec<Effect>) {
        match event {
            Event::Asked => {
                self.lease_until = now.plus_ms(self.config.lease_ms);
                if self.phase == Phase::Serving {
                    self.deadline = now.plus_ms(self.config.deadline_ms);
                    self.enter(now, Phase::LeavingView);
                    effects.push(Effect::LeaveView);
                }
            }
            Event::Undrain => self.serve(effects),
            Event::LeftView if self.phase == Phase::LeavingView => self.hand_over(now, effects),
            Event::HandedOver if self.phase == Phase::HandingOver => self.close_sessions(now, effects),
            Event::Sessions(sessions) if self.phase == Phase::ClosingSessions => {
                for session in sessions {
                    if !self.leaving.contains_key(&session) && !self.waiting.contains(&session) {
                        self.waiting.push_back(session);
                    }
                }
                self.next_sessions(now, effects);
                self.drained_if_empty(effects);
            }
            Event::Settled(session) => self.close(now, session, effects),
            Event::Closed(session) => {
                self.leaving.remove(&session);
                self.waiting.retain(|other| *other != session);
                self.next_sessions(now, effects);
                // Somebody may have logged in before the node was known to drain.
                if self.phase == Phase::ClosingSessions && self.sessions_left() == 0 {
                    effects.push(Effect::ListSessions);
                }
            }
            Event::LeftView | Event::HandedOver | Event::Sessions(_) => {}
            Event::Timer => self.timer(now, effects),
        }
    }

    /// When [`Event::Timer`] is due.
    #[must_use]
    pub fn deadline(&self) -> Option<Moment> {
        let step = match self.phase {
            Phase::Serving => return None,
            Phase::LeavingView | Phase::HandingOver => Some(self.step_until),
            Phase::ClosingSessions => {
                let sessions = self.leaving.values().map(|leaving| leaving.until).min();
                earliest(sessions, (!self.waiting.is_empty()).then_some(self.deadline))
            }
            Phase::Drained => None,
        };
        earliest(step, Some(self.lease_until))
    }

    fn timer(&mut self, now: Moment, effects: &mut Vec<Effect>) {
        if self.phase == Phase::Serving {
            return;
        }
        if self.lease_until <= now {
            self.serve(effects);
            return;
        }
        match self.phase {
            Phase::LeavingView if self.step_until <= now => self.hand_over(now, effects),
            Phase::HandingOver if self.step_until <= now => self.close_sessions(now, effects),
            Phase::ClosingSessions => {
                let late: Vec<SessionId> = self
                    .leaving
                    .iter()
                    .filter(|(_, leaving)| leaving.until <= now)
                    .map(|(session, _)| *session)
                    .collect();
                for session in late {
                    // Told to close and still here: nothing more can be done for it.
                    if self.leaving.get(&session).is_some_and(|leaving| leaving.closing) {
                        self.leaving.remove(&session);
                    } else {
                        self.close(now, session, effects);
                    }
                }
                self.next_sessions(now, effects);
                self.drained_if_empty(effects);
            }
            _ => {}
        }
    }

    fn enter(&mut self, now: Moment, phase: Phase) {
        self.phase = phase;
        self.step_until = now.plus_ms(self.config.step_timeout_ms);
    }

    fn serve(&mut self, effects: &mut Vec<Effect>) {
        if self.phase != Phase::Serving {
            self.phase = Phase::Serving;
            self.waiting.clear();
            let stopped = std::mem::take(&mut self.leaving).into_iter();
            let stopped = stopped.filter(|(_, leaving)| !leaving.closing);
            effects.extend(stopped.map(|(session, _)| Effect::ResumeSession(session)));
            effects.push(Effect::JoinView);
        }
    }

    fn hand_over(&mut self, now: Moment, effects: &mut Vec<Effect>) {
        self.enter(now, Phase::HandingOver);
        effects.push(Effect::HandOver);
    }

    fn close_sessions(&mut self, now: Moment, effects: &mut Vec<Effect>) {
        self.enter(now, Phase::ClosingSessions);
        effects.push(Effect::ListSessions);
    }

    /// Starts as many sessions as may settle at the same time; all at once when the time is over.
    fn next_sessions(&mut self, now: Moment, effects: &mut Vec<Effect>) {
        let out_of_time = self.deadline <= now;
        while (out_of_time || self.leaving.len() < self.config.parallel_sessions)
            && let Some(session) = self.waiting.pop_front()
        {
            let until = now.plus_ms(self.config.settle_timeout_ms);
            self.leaving.insert(
                session,
                Leaving {
                    until,
                    closing: false,
                },
            );
            if out_of_time {
                self.close(now, session, effects);
            } else {
                effects.push(Effect::SettleSession(session));
            }
        }
    }

    fn close(&mut self, now: Moment, session: SessionId, effects: &mut Vec<Effect>) {
        let until = now.plus_ms(self.config.settle_timeout_ms);
        if let Some(leaving) = self.leaving.get_mut(&session).filter(|leaving| !leaving.closing) {
            *leaving = Leaving { until, closing: true };
            effects.push(Effect::CloseSession(session));
        }
    }

    fn drained_if_empty(&mut self, effects: &mut Vec<Effect>) {
        if self.phase == Phase::ClosingSessions && self.sessions_left() == 0 {
            self.phase = Phase::Drained;
            effects.push(Effect::Drained);
        }
    }
}
