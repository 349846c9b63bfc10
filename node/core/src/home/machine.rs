//! The home's conversations and the events that move them.

mod forget;
mod outcome;
mod pump;
mod tell;

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::home::batch::{Database, Running};
use crate::home::hosted::{Hosted, Queued, Stage, Waiting};
use crate::home::{Config, Effect, Event, RequestId};
use crate::id::{ConversationId, DatabaseName, NodeName, Tenure};
use crate::map::PartitionMap;
use crate::submit::{Answer, LaneId, LaneStamp, OpenRefusal};
use crate::time::{Moment, earliest};
use crate::view::View;

/// Idle conversations are looked for at most this often, in milliseconds.
const IDLE_SCAN_MS: u64 = 1_000;

/// Everything that is at home on one node.
#[derive(Debug)]
pub struct Home {
    config: Config,
    name: NodeName,
    view: Arc<View>,
    map: Arc<PartitionMap>,
    hosted: BTreeMap<ConversationId, Hosted>,
    databases: BTreeMap<DatabaseName, Database>,
    batches: BTreeMap<RequestId, Running>,
    loads: BTreeMap<RequestId, Running>,
    /// Submissions in all queues.
    queued: usize,
    /// Members of all rooms in memory are no more than this.
    members_at_most: usize,
    /// Too many conversations are looked for again then: all were at work when it was looked last.
    crowded_until: Moment,
    last_request: u64,
    scan_at: Option<Moment>,
    /// When another transaction may start beside those under way; no scan is needed for that.
    pump_at: Option<Moment>,
}

impl Home {
    /// A home on the node `name` that holds nothing yet.
    #[must_use]
    pub fn new(config: Config, name: NodeName, view: Arc<View>, map: Arc<PartitionMap>) -> Self {
        Self {
            config,
            name,
            view,
            map,
            hosted: BTreeMap::new(),
            databases: BTreeMap::new(),
            batches: BTreeMap::new(),
            loads: BTreeMap::new(),
            queued: 0,
            members_at_most: 0,
            crowded_until: Moment(0),
            last_request: 0,
            scan_at: None,
            pump_at: None,
        }
    }

    /// Takes one event and appends what is to be done.
    pub fn handle(&mut self, now: Moment, event: Event, effects: &mut Vec<Effect>) {
        match event {
            Event::Open {
                from,
                lane,
                attempt,
                tenure,
            } => {
                self.open(
                    now,
                    Waiting {
                        from,
                        lane,
                        attempt,
                        tenure,
                    },
                    effects,
                );
            }
            Event::Submit {
                from,
                stamp,
                submission,
            } => {
                self.submit(
                    now,
                    Queued {
                        from,
                        stamp,
                        submission,
                    },
                    effects,
                );
            }
            Event::Loaded { request, found } => self.loaded(now, request, found, effects),
            Event::BatchDone { request, result } => self.batch_done(now, request, result, effects),
            Event::ViewChanged(view) => {
                self.view = view;
                self.give_up_foreign(effects);
            }
            Event::MapChanged(map) => {
                self.map = map;
                self.give_up_foreign(effects);
                self.relist_all();
            }
            Event::GiveUp => {
                let all: Vec<ConversationId> = self.hosted.keys().copied().collect();
                for conversation in all {
                    self.end_tenure(conversation, effects);
                }
            }
            Event::Timer => self.timer(now),
        }
        self.pump(now, effects);
    }

    /// When [`Event::Timer`] is due.
    #[must_use]
    pub fn deadline(&self) -> Option<Moment> {
        earliest(self.scan_at, self.pump_at)
    }

    /// Conversations at home here.
    #[must_use]
    pub fn conversations(&self) -> usize {
        self.hosted.len()
    }

    /// Whether no transaction is under way; a draining node waits for it.
    #[must_use]
    pub fn is_quiet(&self) -> bool {
        self.batches.is_empty()
    }

    /// Submissions waiting for a transaction.
    #[must_use]
    pub fn queued(&self) -> usize {
        self.queued
    }

    fn is_mine(&self, conversation: &ConversationId) -> bool {
        self.map.home(conversation, &self.view) == Some(&self.name)
    }

    fn open(&mut self, now: Moment, waiting: Waiting, effects: &mut Vec<Effect>) {
        let conversation = waiting.lane.conversation;
        if !self.is_mine(&conversation) {
            effects.push(refuse(waiting, OpenRefusal::NotHome));
            return;
        }
        let known = self.hosted.contains_key(&conversation);
        let hosted = self
            .hosted
            .entry(conversation)
            .or_insert_with(|| Hosted::new(waiting.tenure, now));
        hosted.last_used = now;
        if let Stage::Active { tenure, .. } = hosted.stage {
            self.queued -= hosted.begin_attempt(waiting.lane, waiting.attempt);
            effects.push(opened(waiting, tenure));
            return;
        }
        hosted.waiting.retain(|other| other.lane != waiting.lane);
        hosted.waiting.push(waiting);
        if !known {
            self.list_load(conversation);
            self.hold_conversations(now);
        }
    }

    fn submit(&mut self, now: Moment, queued: Queued, effects: &mut Vec<Effect>) {
        let conversation = queued.stamp.lane.conversation;
        let full = self.queued >= self.config.max_queue;
        let active = |hosted: &&mut Hosted| {
            matches!(hosted.stage, Stage::Active { tenure, .. } | Stage::Loading { tenure, .. }
                if tenure == queued.stamp.tenure)
        };
        let Some(hosted) = self.hosted.get_mut(&conversation).filter(active) else {
            effects.push(answer(queued, Answer::Conflict));
            return;
        };
        if !hosted.is_next(&queued.stamp) {
            return;
        }
        if full || hosted.queue.len() >= self.config.max_queue_per_conversation {
            effects.push(answer(queued, Answer::Busy));
            return;
        }
        if let Some(lane) = hosted.lanes.get_mut(&queued.stamp.lane.session) {
            lane.next_index = lane.next_index.wrapping_add(1);
        }
        hosted.last_used = now;
        hosted.queue.push_back(queued);
        self.queued += 1;
        self.list_ready(conversation);
    }

    /// Ends the tenures of conversations that have another home now.
    fn give_up_foreign(&mut self, effects: &mut Vec<Effect>) {
        let foreign: Vec<ConversationId> = self
            .hosted
            .keys()
            .filter(|conversation| !self.is_mine(conversation))
            .copied()
            .collect();
        for conversation in foreign {
            self.end_tenure(conversation, effects);
        }
    }

    /// Answers all that waits, in order. What is in a transaction is answered when that has ended.
    fn end_tenure(&mut self, conversation: ConversationId, effects: &mut Vec<Effect>) {
        let Some(hosted) = self.hosted.get_mut(&conversation) else {
            return;
        };
        self.queued -= hosted.queue.len();
        for queued in hosted.queue.drain(..) {
            effects.push(answer(queued, Answer::Conflict));
        }
        for waiting in hosted.waiting.drain(..) {
            effects.push(refuse(waiting, OpenRefusal::NotHome));
        }
        hosted.lanes.clear();
        hosted.stage = Stage::Ending;
        if hosted.running.is_none() {
            self.hosted.remove(&conversation);
        }
    }

    fn timer(&mut self, now: Moment) {
        self.pump_at = self.pump_at.filter(|at| *at > now);
        if self.scan_at.is_none_or(|at| at > now) {
            return;
        }
        self.scan_at = self.forget_idle(now);
        self.relist_all();
    }

    /// Lists every conversation that has work at the database that its range names now.
    fn relist_all(&mut self) {
        for database in self.databases.values_mut() {
            database.ready.clear();
            database.to_load.clear();
        }
        let mut loads = Vec::new();
        let mut ready = Vec::new();
        for (conversation, hosted) in &mut self.hosted {
            hosted.listed = false;
            match hosted.stage {
                Stage::Loading { request: None, .. } => loads.push(*conversation),
                Stage::Active { .. } => ready.push(*conversation),
                Stage::Loading { .. } | Stage::Ending => {}
            }
        }
        loads
            .into_iter()
            .for_each(|conversation| self.list_load(conversation));
        ready
            .into_iter()
            .for_each(|conversation| self.list_ready(conversation));
    }

    fn list_load(&mut self, conversation: ConversationId) {
        let database = self.map.range_of_id(&conversation.0).database.clone();
        self.databases
            .entry(database)
            .or_default()
            .to_load
            .push_back(conversation);
    }

    fn list_ready(&mut self, conversation: ConversationId) {
        let Some(hosted) = self.hosted.get_mut(&conversation) else {
            return;
        };
        let active = matches!(hosted.stage, Stage::Active { .. });
        if active && hosted.running.is_none() && !hosted.queue.is_empty() && !hosted.listed {
            hosted.listed = true;
            let database = self.map.range_of_id(&conversation.0).database.clone();
            self.databases
                .entry(database)
                .or_default()
                .ready
                .push_back(conversation);
        }
    }

    fn schedule(&mut self, at: Moment) {
        self.scan_at = earliest(self.scan_at, Some(at));
    }

    fn next_request(&mut self) -> RequestId {
        self.last_request += 1;
        RequestId(self.last_request)
    }
}

fn opened(waiting: Waiting, tenure: Tenure) -> Effect {
    Effect::Opened {
        to: waiting.from,
        lane: waiting.lane,
        attempt: waiting.attempt,
        tenure,
    }
}

fn refuse(waiting: Waiting, reason: OpenRefusal) -> Effect {
    Effect::OpenRefused {
        to: waiting.from,
        lane: waiting.lane,
        attempt: waiting.attempt,
        reason,
    }
}

fn answer(queued: Queued, answer: Answer) -> Effect {
    let LaneStamp {
        lane, attempt, index, ..
    } = queued.stamp;
    let lane: LaneId = lane;
    Effect::Answer {
        to: queued.from,
        lane,
        attempt,
        index,
        answer,
    }
}
