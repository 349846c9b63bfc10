//! Driven by [`handle`](Home::handle).
use super::{Config, Effect, Event};
use crate::id::NodeName;
use crate::map::PartitionMap;
use crate::time::Moment;
use crate::view::View;
use std::sync::Arc;

/// See the module.
#[derive(Debug)]
pub struct Home {
    config: Config,
}

impl Home {
    /// A fresh one.
    #[must_use]
    pub fn new(config: Config, _name: NodeName, _view: Arc<View>, _map: Arc<PartitionMap>) -> Self {
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
