//! The databases of a home: which conversations have work, and how many transactions are under way.

use std::collections::VecDeque;

use crate::home::Config;
use crate::id::{ConversationId, DatabaseName};
use crate::map::HomePlacement;
use crate::time::Moment;

/// Most conversations in one load.
pub(super) const MAX_LOAD: usize = 256;

/// Failures after which a conversation gets a transaction of its own.
pub(super) const FAILURES_BEFORE_ALONE: u32 = 2;

#[derive(Debug, Default)]
pub(super) struct Database {
    /// Conversations with something in their queue, each once.
    pub(super) ready: VecDeque<ConversationId>,
    pub(super) in_flight: usize,
    /// When the newest transaction under way was started.
    pub(super) started: Moment,
    pub(super) to_load: VecDeque<ConversationId>,
    pub(super) loading: bool,
    /// Failed transactions or loads in a row.
    pub(super) failures: u32,
    pub(super) not_before: Moment,
}

impl Database {
    pub(super) fn failed(&mut self, now: Moment, config: &Config) {
        let doubled = config.retry_min_ms.saturating_mul(1 << self.failures.min(10));
        self.failures = self.failures.saturating_add(1);
        self.not_before = now.plus_ms(doubled.min(config.retry_max_ms));
    }

    pub(super) fn succeeded(&mut self) {
        self.failures = 0;
        self.not_before = Moment(0);
    }

    /// From when on another transaction may start beside those under way; nothing when none may.
    pub(super) fn may_start(&self, limit: usize, config: &Config) -> Option<Moment> {
        if self.in_flight >= limit {
            None
        } else if self.in_flight == 0 || self.ready.len() >= config.ready_for_another {
            Some(Moment(0))
        } else {
            Some(self.started.plus_ms(config.another_after_ms))
        }
    }

    pub(super) fn has_work(&self) -> bool {
        !self.ready.is_empty() || (!self.to_load.is_empty() && !self.loading)
    }
}

/// A transaction under way.
#[derive(Debug)]
pub(super) struct Running {
    pub(super) database: DatabaseName,
    pub(super) conversations: Vec<ConversationId>,
}

pub(super) fn in_flight_limit(config: &Config, homes: HomePlacement) -> usize {
    match homes {
        HomePlacement::PerDatabase => config.in_flight_per_database,
        HomePlacement::PerConversation => config.in_flight_per_server,
    }
}
