//! Looking for undelivered messages: at registration, after a change of view, and once a minute.

use crate::session::backlog::Offline;
use crate::session::machine::Session;
use crate::session::{Effect, Position};
use crate::time::Moment;

/// When the next search is due, or the running one has to be answered.
#[derive(Debug)]
pub(super) struct Search {
    due: Moment,
    running_until: Option<Moment>,
    answered: bool,
}

impl Search {
    pub(super) fn new(due: Moment) -> Self {
        Self {
            due,
            running_until: None,
            answered: false,
        }
    }

    /// A search shall begin at `at` at the latest; one that runs already began too early.
    pub(super) fn want(&mut self, at: Moment) {
        self.due = self.due.min(at);
    }

    pub(super) fn failed(&mut self, again: Moment) {
        self.running_until = None;
        self.due = self.due.min(again);
    }

    /// At least one search was answered, so every listed conversation has its position.
    pub(super) fn was_answered(&self) -> bool {
        self.answered
    }

    pub(super) fn is_running(&self) -> bool {
        self.running_until.is_some()
    }

    pub(super) fn deadline(&self) -> Option<Moment> {
        self.running_until.or(Some(self.due))
    }
}

impl Session {
    pub(super) fn search_if_due(&mut self, now: Moment, effects: &mut Vec<Effect>) {
        if self.search.running_until.is_some_and(|until| until <= now) {
            self.search.failed(now);
        }
        if !self.search.is_running() && self.search.due <= now {
            let until = now.plus_ms(self.config.answer_timeout_ms);
            self.search.running_until = Some(until);
            self.search.due = now.plus_ms(self.config.check_ms);
            self.schedule(until);
            effects.push(Effect::FetchUndelivered {
                all: !self.search.answered,
            });
        }
    }

    pub(super) fn undelivered(&mut self, now: Moment, positions: &[Position], effects: &mut Vec<Effect>) {
        let first = !self.search.answered;
        self.search.answered = true;
        self.search.running_until = None;
        self.silent = false;
        let before_sending = matches!(self.offline, Offline::Waiting(_) | Offline::Searching);
        for position in positions {
            let undelivered = position.cursor < position.head;
            if !first && !undelivered && !self.channels.contains_key(&position.conversation) {
                continue;
            }
            let channel = self.channels.entry(position.conversation).or_default();
            channel.begin(position.cursor);
            channel.cursor = channel.cursor.max(position.cursor);
            channel.wanted = channel.wanted.max(position.head);
            if before_sending && channel.is_behind() {
                channel.backlog_until = channel.backlog_until.max(position.head);
            }
        }
        if matches!(self.offline, Offline::Searching) {
            self.offline_begin(now, effects);
        }
        self.pump_all(now, effects);
        self.search_if_due(now, effects);
    }
}
