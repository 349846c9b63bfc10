//! Driven by [`handle`](Delivery::handle).
use super::{Config, Effect, Event};
use crate::time::Moment;
use crate::view::View;
use std::sync::Arc;

/// See the module.
#[derive(Debug)]
pub struct Delivery {
    config: Config,
}

impl Delivery {
    /// A fresh one.
    #[must_use]
    pub fn new(config: Config, _view: Arc<View>) -> Self {
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
