//! All lanes of a node.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::conversation::Submission;
use crate::id::{ConversationId, NodeName, SessionId};
use crate::map::PartitionMap;
use crate::submit::lane::{Lane, Stage};
use crate::submit::{Answer, Config, Effect, Event, LaneId, Outcome};
use crate::time::{Moment, earliest};
use crate::view::View;

/// Openings without any outcome that follow each other at once; further ones wait.
const PROMPT_OPENINGS: u32 = 2;

/// The lanes of all sessions of a node.
#[derive(Debug)]
pub struct Submitter {
    config: Config,
    view: Arc<View>,
    map: Arc<PartitionMap>,
    lanes: BTreeMap<LaneId, Lane>,
    pending: BTreeMap<SessionId, usize>,
    last_attempt: u64,
    scan_at: Option<Moment>,
}

impl Submitter {
    /// No lanes yet.
    #[must_use]
    pub fn new(config: Config, view: Arc<View>, map: Arc<PartitionMap>) -> Self {
        Self {
            config,
            view,
            map,
            lanes: BTreeMap::new(),
            pending: BTreeMap::new(),
            last_attempt: 0,
            scan_at: None,
        }
    }

    /// Takes one event and appends what is to be done.
    pub fn handle(&mut self, now: Moment, event: Event, effects: &mut Vec<Effect>) {
        match event {
            Event::Submit { session, submission } => self.submit(now, session, submission, effects),
            Event::Opened {
                from,
                lane,
                attempt,
                tenure,
            } => {
                let config = self.config;
                self.with_lane(&from, lane, attempt, |lane| {
                    let answer_by = now.plus_ms(config.answer_timeout_ms);
                    lane.stage = Stage::Open {
                        tenure,
                        answer_by,
                        stalled_until: None,
                    };
                    lane.send(now, &config, effects);
                });
            }
            Event::OpenRefused {
                from, lane, attempt, ..
            } => {
                let config = self.config;
                self.with_lane(&from, lane, attempt, |lane| {
                    lane.stage = Stage::Waiting(now.plus_ms(backoff_ms(&config, lane.fruitless)));
                });
            }
            Event::Answered {
                lane,
                attempt,
                index,
                answer,
            } => {
                self.answered(now, lane, attempt, index, &answer, effects);
            }
            Event::StreamBroken { node } => {
                self.reopen_where(now, effects, |lane, _| lane.home.as_ref() == Some(&node))
            }
            Event::ViewChanged(view) => {
                self.view = view;
                self.reopen_where(now, effects, |lane, home| lane.home.as_ref() != home);
            }
            Event::MapChanged(map) => {
                self.map = map;
                self.reopen_where(now, effects, |lane, home| lane.home.as_ref() != home);
            }
            Event::SessionClosed(session) => self.session_closed(session),
            Event::Timer => self.timer(now, effects),
        }
    }

    /// When [`Event::Timer`] is due.
    #[must_use]
    pub fn deadline(&self) -> Option<Moment> {
        self.scan_at
    }

    /// Messages of a session that have no outcome yet.
    #[must_use]
    pub fn pending_of(&self, session: SessionId) -> usize {
        self.pending.get(&session).copied().unwrap_or_default()
    }

    /// Messages without an outcome, of all sessions.
    #[must_use]
    pub fn pending(&self) -> usize {
        self.pending.values().sum()
    }

    fn submit(
        &mut self,
        now: Moment,
        session: SessionId,
        mut submission: Submission,
        effects: &mut Vec<Effect>,
    ) {
        let (key, conversation) = (submission.key, submission.conversation);
        let pending = self.pending.entry(session).or_default();
        if *pending >= self.config.max_pending_per_session {
            effects.push(Effect::Outcome {
                session,
                conversation,
                key,
                outcome: Outcome::Busy,
            });
            return;
        }
        *pending += 1;
        submission.attempt = 1;
        let id = LaneId {
            session,
            conversation,
        };
        let lane = self.lanes.entry(id).or_insert_with(|| Lane::new(id, now));
        lane.last_used = now;
        lane.pending.push_back(Arc::new(submission));
        match lane.stage {
            Stage::Closed => self.open(now, id, effects),
            Stage::Open { .. } => lane.send(now, &self.config, effects),
            Stage::Waiting(_) | Stage::Opening(_) => {}
        }
        self.schedule(id);
    }

    fn answered(
        &mut self,
        now: Moment,
        id: LaneId,
        attempt: u64,
        index: u32,
        answer: &Answer,
        effects: &mut Vec<Effect>,
    ) {
        let Some(lane) = self.lanes.get_mut(&id).filter(|lane| lane.attempt == attempt) else {
            return;
        };
        if matches!(answer, Answer::Busy) {
            lane.stall(now, index, &self.config);
        } else if let Some((submission, outcome)) = lane.settle(now, index, answer, &self.config) {
            let (session, conversation, key) = (id.session, id.conversation, submission.key);
            if !lane.session_closed {
                effects.push(Effect::Outcome {
                    session,
                    conversation,
                    key,
                    outcome,
                });
            }
            self.settled(id);
        } else {
            // A conflict, or an answer nobody expected: only a new opening makes sure.
            self.reopen(now, id, effects);
        }
        self.schedule(id);
    }

    fn settled(&mut self, id: LaneId) {
        if let Some(count) = self.pending.get_mut(&id.session) {
            *count = count.saturating_sub(1);
            if *count == 0 {
                self.pending.remove(&id.session);
            }
        }
        if self
            .lanes
            .get(&id)
            .is_some_and(|lane| lane.session_closed && lane.pending.is_empty())
        {
            self.lanes.remove(&id);
        }
    }

    fn session_closed(&mut self, session: SessionId) {
        let first = LaneId {
            session,
            conversation: ConversationId([0; 16]),
        };
        let last = LaneId {
            session,
            conversation: ConversationId([0xff; 16]),
        };
        let lanes: Vec<LaneId> = self.lanes.range(first..=last).map(|(id, _)| *id).collect();
        for id in lanes {
            if let Some(lane) = self.lanes.get_mut(&id) {
                lane.session_closed = true;
                if lane.pending.is_empty() {
                    self.lanes.remove(&id);
                }
            }
        }
    }

    fn timer(&mut self, now: Moment, effects: &mut Vec<Effect>) {
        if self.scan_at.is_none_or(|at| at > now) {
            return;
        }
        let due: Vec<LaneId> = self
            .lanes
            .iter()
            .filter(|(_, lane)| lane.deadline(&self.config) <= now)
            .map(|(id, _)| *id)
            .collect();
        for id in due {
            self.lane_due(now, id, effects);
        }
        self.scan_at = self.lanes.values().map(|lane| lane.deadline(&self.config)).min();
    }

    fn lane_due(&mut self, now: Moment, id: LaneId, effects: &mut Vec<Effect>) {
        let Some(lane) = self.lanes.get_mut(&id) else {
            return;
        };
        if lane.pending.is_empty() {
            self.lanes.remove(&id);
            return;
        }
        match lane.stage {
            Stage::Open { answer_by, .. } if answer_by > now => {
                lane.end_stall(now);
                lane.send(now, &self.config, effects);
            }
            _ => self.open(now, id, effects),
        }
    }

    /// Opens again at once, or after a wait when that has been fruitless.
    fn reopen(&mut self, now: Moment, id: LaneId, effects: &mut Vec<Effect>) {
        let Some(lane) = self.lanes.get_mut(&id) else {
            return;
        };
        if lane.pending.is_empty() {
            lane.stage = Stage::Closed;
        } else if lane.fruitless > PROMPT_OPENINGS {
            // The attempt is over: what it still answers must not count.
            self.last_attempt += 1;
            lane.attempt = self.last_attempt;
            lane.stage = Stage::Waiting(now.plus_ms(backoff_ms(&self.config, lane.fruitless)));
        } else {
            self.open(now, id, effects);
        }
    }

    fn open(&mut self, now: Moment, id: LaneId, effects: &mut Vec<Effect>) {
        let home = self.map.home(&id.conversation, &self.view).cloned();
        let Some(lane) = self.lanes.get_mut(&id) else {
            return;
        };
        self.last_attempt += 1;
        match home {
            Some(home) => lane.open(now, home, self.last_attempt, &self.config, effects),
            None => {
                lane.attempt = self.last_attempt;
                lane.home = None;
                lane.stage = Stage::Waiting(now.plus_ms(self.config.retry_max_ms));
            }
        }
    }

    /// Opens anew those lanes that fit, given the home that the present view and map name.
    fn reopen_where(
        &mut self,
        now: Moment,
        effects: &mut Vec<Effect>,
        fits: impl Fn(&Lane, Option<&NodeName>) -> bool,
    ) {
        let chosen: Vec<LaneId> = self
            .lanes
            .iter()
            .filter(|(id, lane)| fits(lane, self.map.home(&id.conversation, &self.view)))
            .map(|(id, _)| *id)
            .collect();
        for id in chosen {
            // Another home deserves a prompt attempt; the same one after a broken stream only a few.
            let home = self.map.home(&id.conversation, &self.view);
            if let Some(lane) = self.lanes.get_mut(&id).filter(|lane| lane.home.as_ref() != home) {
                lane.fruitless = 0;
            }
            self.reopen(now, id, effects);
            self.schedule(id);
        }
    }

    fn with_lane(&mut self, from: &NodeName, id: LaneId, attempt: u64, change: impl FnOnce(&mut Lane)) {
        if let Some(lane) = self.lanes.get_mut(&id)
            && lane.attempt == attempt
            && lane.home.as_ref() == Some(from)
            && matches!(lane.stage, Stage::Opening(_))
        {
            change(lane);
            self.schedule(id);
        }
    }

    fn schedule(&mut self, id: LaneId) {
        let deadline = self.lanes.get(&id).map(|lane| lane.deadline(&self.config));
        self.scan_at = earliest(self.scan_at, deadline);
    }
}

fn backoff_ms(config: &Config, times: u32) -> u64 {
    let doubled = config
        .retry_min_ms
        .saturating_mul(1 << times.saturating_sub(1).min(10));
    doubled.min(config.retry_max_ms)
}
