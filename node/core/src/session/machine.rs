//! The session's conversations and the events that move them.

mod hand_on;
mod offline;
mod search;

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::conversation::Entry;
use crate::id::{AccountId, ConversationId, Seq};
use crate::session::backlog::Offline;
use crate::session::conversation::Channel;
use crate::session::machine::search::Search;
use crate::session::unconfirmed::Unconfirmed;
use crate::session::{Config, Effect, Event};
use crate::time::{Moment, earliest};

/// Delivery to one session.
#[derive(Debug)]
pub struct Session {
    /// Shared by all sessions of a node: there are very many.
    config: Arc<Config>,
    account: AccountId,
    channels: BTreeMap<ConversationId, Channel>,
    unconfirmed: Unconfirmed,
    offline: Offline,
    search: Search,
    /// Entries held in all conversations.
    held: usize,
    /// The client left a frame unconfirmed too often: nothing is handed on until the next occasion.
    silent: bool,
    /// Something could not be handed on because the window was full.
    blocked: bool,
    /// It was silent: one entry at a time until it confirms again.
    probation: bool,
    /// The node drains.
    stopped: bool,
    scan_at: Option<Moment>,
}

impl Session {
    /// A session of `account` that has just logged in.
    #[must_use]
    pub fn new(config: impl Into<Arc<Config>>, account: AccountId, now: Moment) -> Self {
        let config = config.into();
        let offline_until = now.plus_ms(config.offline_wait_ms);
        let search = Search::new(now.plus_ms(config.register_wait_ms));
        let scan_at = earliest(Some(offline_until), search.deadline());
        Self {
            config,
            account,
            channels: BTreeMap::new(),
            unconfirmed: Unconfirmed::default(),
            offline: Offline::Waiting(offline_until),
            search,
            held: 0,
            silent: false,
            blocked: false,
            probation: false,
            stopped: false,
            scan_at,
        }
    }

    /// Takes one event and appends what is to be done.
    pub fn handle(&mut self, now: Moment, event: Event, effects: &mut Vec<Effect>) {
        match event {
            Event::Registered => {
                self.search.want(now);
                self.search_if_due(now, effects);
            }
            Event::Pushed {
                conversation,
                entries,
                cursor,
            } => {
                self.arrived(now, conversation, entries, cursor, effects);
            }
            Event::Accepted {
                conversation,
                entry,
                cursor,
                repeated,
            } => {
                self.accepted(now, conversation, entry, cursor, repeated, effects);
            }
            Event::Fetched {
                conversation,
                entries,
                skip,
                cursor,
                head,
            } => {
                self.begin_at(conversation, cursor, head, skip);
                self.fetched(now, conversation, entries, effects);
            }
            Event::FetchFailed(conversation) => self.later(now, conversation, |channel| {
                channel.fetching_until = None;
            }),
            Event::Undelivered(positions) => self.undelivered(now, &positions, effects),
            Event::UndeliveredFailed => {
                self.search.failed(now.plus_ms(self.config.retry_ms));
            }
            Event::Frame => self.frame(now, effects),
            Event::Confirmed(sync_id) => self.confirmed(now, sync_id, effects),
            Event::Erased { conversation, seq } => self.erased(now, conversation, seq, effects),
            Event::OfflineRequested => self.offline_requested(now, effects),
            Event::ViewChanged { check_after_ms } => {
                self.search.want(now.plus_ms(check_after_ms));
            }
            Event::CursorMoved { conversation, cursor } => {
                if let Some(channel) = self.channels.get_mut(&conversation) {
                    channel.moving_until = None;
                    channel.cursor = channel.cursor.max(cursor);
                }
                self.move_cursor(now, conversation, effects);
            }
            Event::CursorFailed(conversation) => self.later(now, conversation, |channel| {
                channel.moving_until = None;
            }),
            Event::StopDelivery => self.stopped = true,
            Event::ResumeDelivery => {
                self.stopped = false;
                self.offline_step(now, effects);
                self.pump_all(now, effects);
            }
            Event::Timer => self.timer(now, effects),
        }
        self.scan_at = earliest(self.scan_at, self.search.deadline());
    }

    /// When [`Event::Timer`] is due.
    #[must_use]
    pub fn deadline(&self) -> Option<Moment> {
        self.scan_at
    }

    /// No confirmation is outstanding, and all of them are durable.
    #[must_use]
    pub fn is_settled(&self) -> bool {
        self.unconfirmed.entries() == 0 && self.channels.values().all(Channel::is_durable)
    }

    /// Conversations with confirmations that are not durable yet, for a session that ends: the cursor as last seen, and
    /// how far the client has confirmed.
    pub fn unsaved(&self) -> impl Iterator<Item = (ConversationId, Seq, Seq)> {
        self.channels
            .iter()
            .filter(|(_, channel)| channel.confirmed > channel.cursor)
            .map(|(conversation, channel)| (*conversation, channel.cursor, channel.confirmed))
    }

    /// Entries in memory: handed on and not confirmed, or held. Never above the configured window.
    #[must_use]
    pub fn entries_in_memory(&self) -> usize {
        self.unconfirmed.entries() + self.held
    }

    /// How far a conversation was handed on; `None` before it began.
    #[must_use]
    pub fn position(&self, conversation: &ConversationId) -> Option<Seq> {
        self.channels
            .get(conversation)
            .and_then(|channel| channel.position)
    }

    fn accepted(
        &mut self,
        now: Moment,
        conversation: ConversationId,
        entry: Arc<Entry>,
        cursor: Option<Seq>,
        repeated: bool,
        effects: &mut Vec<Effect>,
    ) {
        let channel = self.channels.get(&conversation);
        let past = channel.is_some_and(|channel| channel.is_past(&entry));
        let next = channel.is_some_and(|channel| channel.is_next(&entry));
        if !past && !next && !entry.shown_to(&self.account) {
            // Nothing to wait for: a room that the account is not in would never give it.
        } else if past && self.is_collected(conversation, &entry) {
            // The offline batch that will be sent next shows it.
        } else if past && repeated && entry.shown_to(&self.account) {
            // The answer to a repetition by the client: nothing new, so nothing moves.
            effects.push(Effect::SendEntry {
                sync_id: None,
                conversation,
                entry,
            });
        } else {
            self.arrived(now, conversation, vec![entry], cursor, effects);
        }
    }

    fn frame(&mut self, now: Moment, effects: &mut Vec<Effect>) {
        let echoes = self.unconfirmed.take_echoes();
        let mut touched: Vec<ConversationId> = Vec::new();
        for (conversation, seq) in echoes {
            if let Some(channel) = self.channels.get_mut(&conversation) {
                channel.confirm(seq);
                touched.push(conversation);
            }
        }
        touched.sort_unstable();
        touched.dedup();
        for conversation in touched {
            self.move_cursor(now, conversation, effects);
            if self.blocked {
                self.pump(now, conversation, effects);
            }
        }
    }

    fn confirmed(&mut self, now: Moment, sync_id: u32, effects: &mut Vec<Effect>) {
        self.probation = false;
        let revived = std::mem::take(&mut self.silent);
        if let Some(frame) = self.unconfirmed.confirm(sync_id) {
            let mut last = None;
            for (conversation, entry) in &frame.entries {
                if let Some(channel) = self.channels.get_mut(conversation) {
                    channel.confirm(entry.seq);
                }
                last = Some(*conversation);
            }
            for (conversation, _) in frame.entries.iter().filter(|_| frame.offline) {
                self.move_cursor(now, *conversation, effects);
            }
            if frame.offline {
                self.offline_confirmed(now, effects);
            } else if let Some(conversation) = last {
                self.move_cursor(now, conversation, effects);
            }
        }
        if revived || (self.blocked && self.unconfirmed.entries() <= self.config.max_unconfirmed / 2) {
            self.pump_all(now, effects);
        }
    }

    /// Whether the client has it or not, there is nothing left to be confirmed.
    fn erased(&mut self, now: Moment, conversation: ConversationId, seq: Seq, effects: &mut Vec<Effect>) {
        if !self.unconfirmed.forget(&conversation, seq) {
            return;
        }
        if let Some(channel) = self.channels.get_mut(&conversation) {
            channel.confirm(seq);
        }
        self.move_cursor(now, conversation, effects);
        if self.blocked {
            self.pump_all(now, effects);
        }
    }

    /// Moves the durable cursor to what is confirmed, one move at a time.
    fn move_cursor(&mut self, now: Moment, conversation: ConversationId, effects: &mut Vec<Effect>) {
        let until = now.plus_ms(self.config.answer_timeout_ms);
        let Some(channel) = self.channels.get_mut(&conversation) else {
            return;
        };
        if channel.moving_until.is_none() && channel.retry_at.is_none() && channel.has_unsaved() {
            channel.moving_until = Some(until);
            effects.push(Effect::MoveCursor {
                conversation,
                from: channel.cursor,
                to: channel.confirmed,
            });
            self.schedule(until);
        }
    }

    /// Something about a conversation failed: it is tried again after a wait.
    fn later(&mut self, now: Moment, conversation: ConversationId, change: impl FnOnce(&mut Channel)) {
        let retry_at = now.plus_ms(self.config.retry_ms);
        if let Some(channel) = self.channels.get_mut(&conversation) {
            change(channel);
            channel.retry_at = Some(retry_at);
            self.schedule(retry_at);
        }
    }

    fn timer(&mut self, now: Moment, effects: &mut Vec<Effect>) {
        if self.scan_at.is_none_or(|at| at > now) {
            return;
        }
        self.scan_at = None;
        self.search_if_due(now, effects);
        self.offline_wait_over(now, effects);
        self.send_again(now, effects);
        let overdue = |moment: Option<Moment>| moment.is_some_and(|moment| moment <= now);
        let due: Vec<ConversationId> = self
            .channels
            .iter_mut()
            .filter(|(_, channel)| {
                overdue(channel.fetching_until) || overdue(channel.moving_until) || overdue(channel.retry_at)
            })
            .map(|(conversation, channel)| {
                channel.retry_at = None;
                channel.fetching_until = channel.fetching_until.filter(|until| *until > now);
                channel.moving_until = channel.moving_until.filter(|until| *until > now);
                *conversation
            })
            .collect();
        for conversation in due {
            self.move_cursor(now, conversation, effects);
            self.pump(now, conversation, effects);
        }
        self.offline_step(now, effects);
        let channels = self.channels.values();
        let waits = channels.filter_map(|channel| {
            earliest(
                earliest(channel.fetching_until, channel.moving_until),
                channel.retry_at,
            )
        });
        let waits = earliest(waits.min(), self.unconfirmed.due());
        self.scan_at = earliest(self.scan_at, earliest(waits, self.offline.deadline()));
    }

    /// Frames that were not confirmed in time: once more, or the client counts as not confirming.
    fn send_again(&mut self, now: Moment, effects: &mut Vec<Effect>) {
        if self.unconfirmed.is_hopeless(now, self.config.max_sends) {
            self.unconfirmed.clear();
            self.silent = true;
            self.probation = true;
            for channel in self.channels.values_mut() {
                channel.roll_back();
                self.held -= channel.drop_held();
            }
            self.offline_failed(effects);
            return;
        }
        let next_due = now.plus_ms(self.config.confirm_timeout_ms);
        self.unconfirmed.send_again(now, next_due, |sync_id, frame| {
            effects.push(if frame.offline {
                Effect::SendOffline {
                    sync_id,
                    entries: frame.entries.to_vec(),
                }
            } else if let Some((conversation, entry)) = frame.entries.first() {
                Effect::SendEntry {
                    sync_id: Some(sync_id),
                    conversation: *conversation,
                    entry: entry.clone(),
                }
            } else {
                return;
            });
        });
    }

    fn schedule(&mut self, at: Moment) {
        self.scan_at = earliest(self.scan_at, Some(at));
    }
}
