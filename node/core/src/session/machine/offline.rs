//! Offline messages for a client that asks: batches, each after the confirmation of the one before, then the end.

use std::sync::Arc;

use crate::conversation::Entry;
use crate::id::ConversationId;
use crate::session::Effect;
use crate::session::backlog::{Offline, Sending};
use crate::session::machine::Session;
use crate::time::Moment;

impl Session {
    pub(super) fn offline_requested(&mut self, now: Moment, effects: &mut Vec<Effect>) {
        if matches!(self.offline, Offline::Waiting(_) | Offline::Idle) {
            self.offline = Offline::Searching;
            self.silent = false;
            if !self.search.is_running() {
                self.search.want(now);
                self.search_if_due(now, effects);
            }
        }
    }

    /// The client did not ask in time: its backlog is pushed.
    pub(super) fn offline_wait_over(&mut self, now: Moment, effects: &mut Vec<Effect>) {
        if let Offline::Waiting(until) = self.offline
            && until <= now
        {
            self.offline = Offline::Idle;
            self.pump_all(now, effects);
        }
    }

    /// The search has answered: collects the first batch.
    pub(super) fn offline_begin(&mut self, now: Moment, effects: &mut Vec<Effect>) {
        let behind = self.channels.iter().filter(|(_, channel)| channel.has_backlog());
        let queue = behind.map(|(conversation, _)| *conversation).collect();
        self.offline = Offline::Sending(Box::new(Sending {
            queue,
            ..Sending::default()
        }));
        self.offline_step(now, effects);
    }

    /// Fetches for the batch, sends it when it is full or nothing is left, and ends.
    pub(super) fn offline_step(&mut self, now: Moment, effects: &mut Vec<Effect>) {
        let until = now.plus_ms(self.config.answer_timeout_ms);
        let Offline::Sending(sending) = &mut self.offline else {
            return;
        };
        if sending.awaiting || self.stopped {
            return;
        }
        while sending.batch.len() < self.config.offline_batch
            && let Some(conversation) = sending.queue.front().copied()
        {
            let channel = self.channels.entry(conversation).or_default();
            if !channel.has_backlog() {
                sending.queue.pop_front();
                continue;
            }
            if channel.fetching_until.is_none() && channel.retry_at.is_none() {
                channel.fetching_until = Some(until);
                let room = self.config.offline_batch - sending.batch.len();
                let limit = u32::try_from(room).unwrap_or(u32::MAX);
                effects.push(Effect::FetchEntries {
                    conversation,
                    after: channel.position,
                    limit,
                });
                self.schedule(until);
            }
            return;
        }
        if sending.batch.is_empty() {
            self.offline = Offline::Idle;
            effects.push(Effect::SendOfflineEnd);
            self.pump_all(now, effects);
            return;
        }
        sending.awaiting = true;
        let mut entries = std::mem::take(&mut sending.batch);
        // Stable, and timestamps never decrease within a conversation: its order stays.
        entries.sort_by_key(|(_, entry)| entry.timestamp_ns);
        let due = now.plus_ms(self.config.confirm_timeout_ms);
        let sync_id = self.unconfirmed.add(entries.clone(), true, due);
        effects.push(Effect::SendOffline {
            sync_id,
            entries: entries.into_vec(),
        });
        self.schedule(due);
        // What waited for the batch to be sent may follow it.
        self.pump_all(now, effects);
    }

    /// Whether a conversation's fetched entries belong to the batch being collected.
    pub(super) fn collects(&self, conversation: ConversationId) -> bool {
        matches!(&self.offline, Offline::Sending(sending)
            if !sending.awaiting && sending.queue.front() == Some(&conversation))
    }

    /// Whether an entry counts as handed on only because it is in the batch being collected.
    pub(super) fn is_collected(&self, conversation: ConversationId, entry: &Entry) -> bool {
        matches!(&self.offline, Offline::Sending(sending)
            if sending.batch.iter().any(|(of, other)| *of == conversation && other.seq == entry.seq))
    }

    /// Adds fetched entries to the batch.
    pub(super) fn collect(
        &mut self,
        now: Moment,
        conversation: ConversationId,
        entries: Vec<Arc<Entry>>,
        effects: &mut Vec<Effect>,
    ) {
        let limit = self.config.offline_batch;
        let (Offline::Sending(sending), Some(channel)) =
            (&mut self.offline, self.channels.get_mut(&conversation))
        else {
            return;
        };
        let mut passed_over = false;
        for entry in entries {
            let fits = sending.batch.len() < limit && entry.seq <= channel.backlog_until;
            if !channel.is_next(&entry) || !fits {
                break;
            }
            let shown = entry.shown_to(&self.account);
            passed_over |= !shown;
            channel.hand_on(entry.seq, !shown);
            if shown {
                sending.batch.push((conversation, entry));
            }
        }
        if passed_over {
            self.move_cursor(now, conversation, effects);
        }
        self.offline_step(now, effects);
    }

    pub(super) fn offline_confirmed(&mut self, now: Moment, effects: &mut Vec<Effect>) {
        if let Offline::Sending(sending) = &mut self.offline {
            sending.awaiting = false;
            self.offline_step(now, effects);
        }
    }

    /// The client does not confirm: the procedure ends all the same, and what it held stays undelivered.
    pub(super) fn offline_failed(&mut self, effects: &mut Vec<Effect>) {
        if matches!(self.offline, Offline::Sending(_) | Offline::Searching) {
            self.offline = Offline::Idle;
            effects.push(Effect::SendOfflineEnd);
        }
    }
}
