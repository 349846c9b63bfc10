//! Forming transactions: as many conversations as fit, as many transactions as the database takes.

use std::sync::Arc;

use crate::conversation::ConversationBatch;
use crate::home::batch::{FAILURES_BEFORE_ALONE, MAX_LOAD, Running, in_flight_limit};
use crate::home::hosted::Stage;
use crate::home::machine::Home;
use crate::home::{Effect, RequestId};
use crate::id::{ConversationId, DatabaseName};
use crate::map::HomePlacement;
use crate::time::{Moment, earliest};

impl Home {
    /// Starts every load and transaction that may start now.
    pub(super) fn pump(&mut self, now: Moment, effects: &mut Vec<Effect>) {
        let names: Vec<DatabaseName> = self
            .databases
            .iter()
            .filter(|(_, database)| database.has_work())
            .map(|(name, _)| name.clone())
            .collect();
        for name in names {
            let not_before = self.databases.get(&name).map(|database| database.not_before);
            if let Some(later) = not_before.filter(|moment| *moment > now) {
                self.schedule(later);
                continue;
            }
            self.start_load(&name, effects);
            while self.start_batch(now, &name, effects) {}
        }
    }

    fn start_load(&mut self, name: &DatabaseName, effects: &mut Vec<Effect>) {
        let request = RequestId(self.last_request + 1);
        let Some(database) = self.databases.get_mut(name) else {
            return;
        };
        if database.loading {
            return;
        }
        let mut conversations = Vec::new();
        while conversations.len() < MAX_LOAD
            && let Some(conversation) = database.to_load.pop_front()
        {
            let Some(hosted) = self.hosted.get_mut(&conversation) else {
                continue;
            };
            if let Stage::Loading {
                request: sent @ None, ..
            } = &mut hosted.stage
            {
                *sent = Some(request);
                conversations.push(conversation);
            }
        }
        if conversations.is_empty() {
            return;
        }
        database.loading = true;
        conversations.sort_unstable();
        let epochs = conversations
            .iter()
            .map(|conversation| (*conversation, self.map.range_of_id(&conversation.0).epoch))
            .collect();
        self.next_request();
        self.loads.insert(
            request,
            Running {
                database: name.clone(),
                conversations,
            },
        );
        effects.push(Effect::Load {
            request,
            database: name.clone(),
            conversations: epochs,
        });
    }

    /// Starts one transaction; `false` when none can start.
    fn start_batch(&mut self, now: Moment, name: &DatabaseName, effects: &mut Vec<Effect>) -> bool {
        let homes = self
            .map
            .ranges_of(name)
            .next()
            .map_or(HomePlacement::PerDatabase, |range| range.homes);
        let limit = in_flight_limit(&self.config, homes);
        let Some(start) = self
            .databases
            .get(name)
            .filter(|database| !database.ready.is_empty())
            .and_then(|database| database.may_start(limit, &self.config))
        else {
            return false;
        };
        if start > now {
            self.pump_at = earliest(self.pump_at, Some(start));
            return false;
        }
        let request = RequestId(self.last_request + 1);
        let mut batches = Vec::new();
        let mut room = self.config.max_batch;
        while room > 0
            && let Some(conversation) = self.next_ready(now, name, batches.is_empty())
        {
            let alone = self.take(request, conversation, &mut room, &mut batches);
            if alone {
                break;
            }
        }
        if batches.is_empty() {
            return false;
        }
        batches.sort_unstable_by_key(|batch| batch.conversation);
        self.next_request();
        let conversations = batches.iter().map(|batch| batch.conversation).collect();
        self.batches.insert(
            request,
            Running {
                database: name.clone(),
                conversations,
            },
        );
        if let Some(database) = self.databases.get_mut(name) {
            database.in_flight += 1;
            database.started = now;
        }
        effects.push(Effect::RunBatch {
            request,
            database: name.clone(),
            conversations: batches,
        });
        true
    }

    /// The next conversation of a database that may run now; one that failed before runs alone.
    fn next_ready(&mut self, now: Moment, name: &DatabaseName, first: bool) -> Option<ConversationId> {
        let mut deferred = None;
        let database = self.databases.get_mut(name)?;
        let found = loop {
            let conversation = database.ready.pop_front()?;
            let Some(hosted) = self.hosted.get_mut(&conversation) else {
                continue;
            };
            if !hosted.listed || hosted.running.is_some() || hosted.queue.is_empty() {
                hosted.listed = false;
                continue;
            }
            if hosted.not_before > now {
                // Not listed any more: the timer lists it again.
                hosted.listed = false;
                deferred = Some(hosted.not_before);
                continue;
            }
            if hosted.failures >= FAILURES_BEFORE_ALONE && !first {
                database.ready.push_front(conversation);
                break None;
            }
            hosted.listed = false;
            break Some(conversation);
        };
        if let Some(later) = deferred {
            self.schedule(later);
        }
        found
    }

    /// Moves a conversation's queue into a batch; whether it has to run alone.
    fn take(
        &mut self,
        request: RequestId,
        conversation: ConversationId,
        room: &mut usize,
        batches: &mut Vec<ConversationBatch>,
    ) -> bool {
        let epoch = self.map.range_of_id(&conversation.0).epoch;
        let Some(hosted) = self.hosted.get_mut(&conversation) else {
            return false;
        };
        let Stage::Active { version, .. } = hosted.stage else {
            return false;
        };
        let count = hosted.queue.len().min(*room);
        *room -= count;
        self.queued -= count;
        hosted.in_flight = hosted.queue.drain(..count).collect();
        hosted.running = Some(request);
        batches.push(ConversationBatch {
            conversation,
            expected_version: version,
            epoch,
            room_members_max: self.config.room_members_max,
            submissions: hosted
                .in_flight
                .iter()
                .map(|queued| Arc::clone(&queued.submission))
                .collect(),
        });
        hosted.failures >= FAILURES_BEFORE_ALONE
    }
}
