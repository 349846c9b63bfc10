//! What databases answered.

use crate::conversation::{BatchResult, ConversationOutcome, FenceRefusal, KnownEntry, Operation, Verdict};
use crate::home::hosted::{Hosted, Queued, Stage, Waiting};
use crate::home::machine::tell::tell;
use crate::home::machine::{Home, answer, opened};
use crate::home::members::Members;
use crate::home::{Effect, Load, RequestId};
use crate::id::ConversationId;
use crate::submit::Answer;
use crate::time::Moment;

impl Home {
    pub(super) fn loaded(
        &mut self,
        now: Moment,
        request: RequestId,
        found: Option<Vec<Load>>,
        effects: &mut Vec<Effect>,
    ) {
        let Some(load) = self.loads.remove(&request) else {
            return;
        };
        if let Some(database) = self.databases.get_mut(&load.database) {
            database.loading = false;
            if found.is_some() {
                database.succeeded();
            } else {
                database.failed(now, &self.config);
            }
        }
        let answers = found
            .into_iter()
            .flatten()
            .map(Some)
            .chain(std::iter::repeat(None));
        for (conversation, answer) in load.conversations.into_iter().zip(answers) {
            self.loaded_one(now, request, conversation, answer, effects);
        }
    }

    fn loaded_one(
        &mut self,
        now: Moment,
        of: RequestId,
        conversation: ConversationId,
        found: Option<Load>,
        effects: &mut Vec<Effect>,
    ) {
        let Some(hosted) = self.hosted.get_mut(&conversation) else {
            return;
        };
        let Stage::Loading { tenure, request } = &mut hosted.stage else {
            return;
        };
        if *request != Some(of) {
            return;
        }
        match found {
            Some(Load::Version(_) | Load::Room { .. }) => {
                let (version, members) = match found {
                    Some(Load::Version(version)) => (version, None),
                    Some(Load::Room {
                        version,
                        members,
                        members_since,
                    }) => (version, Some(Members::new(members, members_since))),
                    _ => return,
                };
                let tenure = *tenure;
                let loaded = members.as_ref().map_or(0, Members::len);
                hosted.members = members;
                hosted.stage = Stage::Active { tenure, version };
                hosted.last_used = now;
                let waiting = std::mem::take(&mut hosted.waiting);
                for waiting in waiting {
                    self.queued -= hosted.begin_attempt(waiting.lane, waiting.attempt);
                    effects.push(opened(waiting, tenure));
                }
                self.list_ready(conversation);
                self.schedule(now.plus_ms(self.config.idle_ms));
                self.hold_members(loaded, conversation);
            }
            Some(Load::Fenced(refusal)) => {
                *request = None;
                if refusal != FenceRefusal::Closing {
                    effects.push(Effect::NeedMap);
                }
                self.schedule(now.plus_ms(self.config.fence_retry_ms));
            }
            None => {
                *request = None;
                self.list_load(conversation);
            }
        }
    }

    pub(super) fn batch_done(
        &mut self,
        now: Moment,
        request: RequestId,
        result: BatchResult,
        effects: &mut Vec<Effect>,
    ) {
        let Some(batch) = self.batches.remove(&request) else {
            return;
        };
        if let Some(database) = self.databases.get_mut(&batch.database) {
            database.in_flight = database.in_flight.saturating_sub(1);
            match &result {
                BatchResult::Committed(_) => database.succeeded(),
                BatchResult::Failed | BatchResult::Unknown => database.failed(now, &self.config),
            }
        }
        match result {
            BatchResult::Committed(outcomes) => {
                for (conversation, outcome) in batch.conversations.into_iter().zip(outcomes) {
                    self.conversation_done(now, conversation, outcome, effects);
                }
            }
            BatchResult::Failed => {
                for conversation in batch.conversations {
                    self.put_back(now, conversation, effects);
                    if let Some(hosted) = self.hosted.get_mut(&conversation) {
                        hosted.failures = hosted.failures.saturating_add(1);
                    }
                }
            }
            BatchResult::Unknown => {
                for conversation in batch.conversations {
                    self.conflict(now, conversation, Vec::new(), effects);
                }
            }
        }
    }

    fn conversation_done(
        &mut self,
        now: Moment,
        conversation: ConversationId,
        outcome: ConversationOutcome,
        effects: &mut Vec<Effect>,
    ) {
        match outcome {
            ConversationOutcome::Done {
                verdicts,
                version: after,
                cursors,
            } => {
                let Some(hosted) = self.hosted.get_mut(&conversation) else {
                    return;
                };
                hosted.failures = 0;
                hosted.last_used = now;
                if let Stage::Active { version, .. } = &mut hosted.stage {
                    *version = after;
                }
                let decided = take_in_flight(hosted).into_iter().zip(verdicts).collect();
                let before = hosted.members.as_ref().map_or(0, Members::len);
                tell(
                    conversation,
                    &mut hosted.members,
                    decided,
                    &cursors,
                    &self.config,
                    effects,
                );
                let after = hosted.members.as_ref().map_or(0, Members::len);
                self.ended_or_ready(now, conversation);
                self.hold_members(after.saturating_sub(before), conversation);
            }
            ConversationOutcome::Conflict { known } => self.conflict(now, conversation, known, effects),
            ConversationOutcome::Fenced(refusal) => {
                let wait_until = now.plus_ms(self.config.fence_retry_ms);
                if let Some(hosted) = self.hosted.get_mut(&conversation) {
                    hosted.not_before = wait_until;
                }
                self.schedule(wait_until);
                self.put_back(now, conversation, effects);
                if refusal != FenceRefusal::Closing {
                    effects.push(Effect::NeedMap);
                }
            }
        }
    }

    /// The tenure ends. What is stored all the same is told, everything else gets no outcome, in order.
    fn conflict(
        &mut self,
        now: Moment,
        conversation: ConversationId,
        known: Vec<Option<KnownEntry>>,
        effects: &mut Vec<Effect>,
    ) {
        let Some(hosted) = self.hosted.get_mut(&conversation) else {
            return;
        };
        let items = take_in_flight(hosted);
        let known = known.into_iter().chain(std::iter::repeat(None));
        if self.config.mutations.retry_in_home() && matches!(hosted.stage, Stage::Active { .. }) {
            let unknown = items.into_iter().zip(known).filter(|(_, known)| known.is_none());
            let before = hosted.queue.len();
            hosted.queue.extend(unknown.map(|(queued, _)| queued));
            self.queued += hosted.queue.len() - before;
            if let Stage::Active { tenure, .. } = hosted.stage {
                hosted.stage = Stage::Loading {
                    tenure,
                    request: None,
                };
            }
            self.list_load(conversation);
            return;
        }
        let mut told = Vec::new();
        let mut untold = Vec::new();
        for (queued, known) in items.into_iter().zip(known) {
            match known {
                // Who is in a room now is not known here. Its next home knows, and finds the entry again.
                Some(known) if !in_room(&queued) => told.push((queued, Verdict::Known(known))),
                _ => untold.push(answer(queued, Answer::Conflict)),
            }
        }
        tell(conversation, &mut None, told, &[], &self.config, effects);
        effects.append(&mut untold);
        // Lanes that wait already for the next tenure are served by the next load.
        let waiting = std::mem::take(&mut hosted.waiting);
        self.end_tenure(conversation, effects);
        self.load_for(now, conversation, waiting);
    }

    /// Nothing happened to what was in flight: in front of the queue again, unless the tenure is over.
    fn put_back(&mut self, now: Moment, conversation: ConversationId, effects: &mut Vec<Effect>) {
        let Some(hosted) = self.hosted.get_mut(&conversation) else {
            return;
        };
        hosted.running = None;
        if hosted.stage == Stage::Ending {
            for queued in std::mem::take(&mut hosted.in_flight) {
                effects.push(answer(queued, Answer::Conflict));
            }
        } else {
            self.queued += hosted.in_flight.len();
            hosted.requeue();
            self.drop_outdated(conversation);
        }
        self.ended_or_ready(now, conversation);
    }

    /// What an older attempt left in flight need not run again when its lane has opened anew meanwhile.
    fn drop_outdated(&mut self, conversation: ConversationId) {
        let Some(hosted) = self.hosted.get_mut(&conversation) else {
            return;
        };
        let lanes = &hosted.lanes;
        let before = hosted.queue.len();
        hosted.queue.retain(|queued| {
            lanes
                .get(&queued.stamp.lane.session)
                .is_none_or(|lane| lane.attempt <= queued.stamp.attempt)
        });
        self.queued -= before - hosted.queue.len();
    }

    fn ended_or_ready(&mut self, now: Moment, conversation: ConversationId) {
        let Some(hosted) = self.hosted.get_mut(&conversation) else {
            return;
        };
        if hosted.stage == Stage::Ending && hosted.running.is_none() {
            let waiting = std::mem::take(&mut hosted.waiting);
            self.hosted.remove(&conversation);
            self.load_for(now, conversation, waiting);
        } else {
            self.list_ready(conversation);
        }
    }

    /// Begins a new tenure for lanes that asked while the old one was ending.
    fn load_for(&mut self, now: Moment, conversation: ConversationId, waiting: Vec<Waiting>) {
        let Some(first) = waiting.first() else { return };
        let mut hosted = Hosted::new(first.tenure, now);
        hosted.waiting = waiting;
        self.hosted.insert(conversation, hosted);
        self.list_load(conversation);
    }
}

fn in_room(queued: &Queued) -> bool {
    matches!(queued.submission.operation, Operation::Room(_))
}

fn take_in_flight(hosted: &mut Hosted) -> Vec<Queued> {
    hosted.running = None;
    std::mem::take(&mut hosted.in_flight)
}
