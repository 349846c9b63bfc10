//! Driven by [`handle`](Session::handle).
use super::{Config, Effect, Event};
use crate::id::AccountId;
use crate::time::Moment;

/// See the module.
#[derive(Debug)]
pub struct Session {
    config: Config,
}

impl Session {
    /// A fresh one.
    #[must_use]
    pub fn new(config: Config, _account: AccountId, _now: Moment) -> Self {
        Self { config }
    }

    /// Takes one event and appends what is to be done.
    pub fn handle(&mut self, _now: Moment, _event: Event, _effects: &mut Vec<Effect>) {
        let _ = self.config;
    }

    /// When [`Event::Timer`] is due.
    #[must_use]
    pub fn deadline(&self) -> Option<Moment> {
        None
    }
}
