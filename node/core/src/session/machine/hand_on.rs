//! Handing on: in order, within the window, backlog before live; what is missing is fetched.

use std::sync::Arc;

use smallvec::smallvec;

use crate::conversation::Entry;
use crate::id::{ConversationId, Seq};
use crate::session::Effect;
use crate::session::machine::Session;
use crate::time::Moment;

impl Session {
    /// Entries came from a home.
    pub(super) fn arrived(
        &mut self,
        now: Moment,
        conversation: ConversationId,
        entries: Vec<Arc<Entry>>,
        cursor: Option<Seq>,
        effects: &mut Vec<Effect>,
    ) {
        let (Some(first), Some(last)) = (entries.first(), entries.last()) else {
            return;
        };
        let mutations = self.config.mutations;
        let may_begin = self.search.was_answered();
        let channel = self.channels.entry(conversation).or_default();
        channel.wanted = channel.wanted.max(last.seq);
        if mutations.ignore_cursor() {
            channel.begin(Seq(first.seq.0 - 1));
        } else if let Some(cursor) = cursor.filter(|_| may_begin) {
            channel.begin(cursor);
        }
        for entry in entries {
            if mutations.live_before_backlog() && self.waits_behind_backlog(conversation, &entry) {
                self.write(now, conversation, entry, effects);
            } else if !self.try_hand_on(now, conversation, &entry, effects) {
                self.hold(conversation, entry);
            }
        }
        self.pump(now, conversation, effects);
    }

    /// The database says where the conversation stands, and what of it is not for this account.
    pub(super) fn begin_at(
        &mut self,
        conversation: ConversationId,
        cursor: Seq,
        head: Seq,
        skip: Option<(Seq, Seq)>,
    ) {
        if let Some(channel) = self.channels.get_mut(&conversation) {
            channel.fetching_until = None;
            channel.begin(cursor);
            channel.cursor = channel.cursor.max(cursor);
            channel.wanted = channel.wanted.max(head);
            if let Some((from, to)) = skip {
                channel.skip(from, to);
            }
        }
    }

    /// The database answered.
    pub(super) fn fetched(
        &mut self,
        now: Moment,
        conversation: ConversationId,
        entries: Vec<Arc<Entry>>,
        effects: &mut Vec<Effect>,
    ) {
        let retry_at = now.plus_ms(self.config.retry_ms);
        // What was skipped is confirmed.
        self.move_cursor(now, conversation, effects);
        let Some(channel) = self.channels.get_mut(&conversation) else {
            return;
        };
        if entries.is_empty() && channel.is_behind() {
            channel.retry_at = Some(retry_at);
            self.schedule(retry_at);
        }
        if self.collects(conversation) {
            self.collect(now, conversation, entries, effects);
            return;
        }
        for entry in entries {
            let past = self
                .channels
                .get(&conversation)
                .is_some_and(|channel| channel.is_past(&entry));
            if !past && !self.try_hand_on(now, conversation, &entry, effects) {
                break;
            }
        }
        self.pump(now, conversation, effects);
    }

    /// Hands on what can be, and fetches what is missing.
    pub(super) fn pump(&mut self, now: Moment, conversation: ConversationId, effects: &mut Vec<Effect>) {
        let first_held = loop {
            let Some(channel) = self.channels.get_mut(&conversation) else {
                return;
            };
            let (first, dropped) = channel.first_held();
            self.held -= dropped;
            match first {
                Some(entry) if self.try_hand_on(now, conversation, &entry, effects) => {}
                other => break other,
            }
        };
        let room = self.room();
        let until = now.plus_ms(self.config.answer_timeout_ms);
        let holds_backlog = self.offline.holds_backlog();
        if self.offline.has_unsent(conversation) {
            return;
        }
        let Some(channel) = self.channels.get_mut(&conversation) else {
            return;
        };
        let in_hand = first_held.is_some_and(|entry| channel.is_next(&entry));
        let waits = channel.fetching_until.is_some() || channel.retry_at.is_some();
        if !channel.is_behind()
            || waits
            || (holds_backlog && channel.has_backlog() && channel.position.is_some())
        {
            return;
        }
        if in_hand || room == 0 {
            self.blocked = true;
            return;
        }
        channel.fetching_until = Some(until);
        let limit = self
            .config
            .fetch_limit
            .min(u32::try_from(room).unwrap_or(u32::MAX));
        effects.push(Effect::FetchEntries {
            conversation,
            after: channel.position,
            limit,
        });
        self.schedule(until);
    }

    /// [`Self::pump`] for every conversation that has something to hand on.
    pub(super) fn pump_all(&mut self, now: Moment, effects: &mut Vec<Effect>) {
        self.blocked = false;
        let behind: Vec<ConversationId> = self
            .channels
            .iter()
            .filter(|(_, channel)| channel.is_behind())
            .map(|(conversation, _)| *conversation)
            .collect();
        for conversation in behind {
            self.pump(now, conversation, effects);
        }
    }

    /// How many more entries may be handed on now.
    fn room(&self) -> usize {
        let full = self.unconfirmed.bytes() >= self.config.max_unconfirmed_bytes;
        if self.silent || self.stopped || full {
            return 0;
        }
        let window = if self.probation {
            1
        } else {
            self.config.max_unconfirmed
        };
        window.saturating_sub(self.unconfirmed.entries())
    }

    /// Live, while the conversation's backlog has not been delivered.
    fn waits_behind_backlog(&self, conversation: ConversationId, entry: &Entry) -> bool {
        self.offline.holds_backlog()
            && self.channels.get(&conversation).is_some_and(|channel| {
                channel.has_backlog() && entry.seq > channel.backlog_until && entry.shown_to(&self.account)
            })
    }

    /// Hands an entry on if it is the next one and may be; `true` also for one that is past.
    fn try_hand_on(
        &mut self,
        now: Moment,
        conversation: ConversationId,
        entry: &Arc<Entry>,
        effects: &mut Vec<Effect>,
    ) -> bool {
        let room = self.room();
        let holds_backlog = self.offline.holds_backlog();
        let unsent = self.offline.has_unsent(conversation);
        let echo = self.is_echo(entry);
        let Some(channel) = self.channels.get_mut(&conversation) else {
            return false;
        };
        if channel.is_past(entry) {
            return true;
        }
        let blocked = unsent || (holds_backlog && channel.has_backlog());
        if !channel.is_next(entry) || blocked || self.stopped {
            return false;
        }
        if !entry.shown_to(&self.account) {
            channel.hand_on(entry.seq, true);
            self.move_cursor(now, conversation, effects);
            return true;
        }
        let fits = if echo {
            self.unconfirmed.echoes() < self.config.max_unconfirmed_echoes
        } else {
            room > 0
        };
        if self.silent || !fits {
            self.blocked = true;
            return false;
        }
        channel.hand_on(entry.seq, false);
        self.write(now, conversation, entry.clone(), effects);
        true
    }

    fn write(
        &mut self,
        now: Moment,
        conversation: ConversationId,
        entry: Arc<Entry>,
        effects: &mut Vec<Effect>,
    ) {
        if self.is_echo(&entry) {
            self.unconfirmed.add_echo(conversation, entry.seq);
            effects.push(Effect::SendEntry {
                sync_id: None,
                conversation,
                entry,
            });
            return;
        }
        let due = now.plus_ms(self.config.confirm_timeout_ms);
        let sync_id = self
            .unconfirmed
            .add(smallvec![(conversation, entry.clone())], false, due);
        self.schedule(due);
        effects.push(Effect::SendEntry {
            sync_id: Some(sync_id),
            conversation,
            entry,
        });
    }

    /// Whether it is written without a sync id: the account's own, except in rooms.
    fn is_echo(&self, entry: &Entry) -> bool {
        entry.sender == self.account && !entry.kind.is_of_room()
    }

    /// Keeps an entry that came too early, if there is room; else it is fetched when its turn comes.
    fn hold(&mut self, conversation: ConversationId, entry: Arc<Entry>) {
        if self.held < self.config.max_held
            && let Some(channel) = self.channels.get_mut(&conversation)
            && channel.hold(entry)
        {
            self.held += 1;
        }
    }
}
