//! Driven by [`handle`](Owner::handle).
use super::{Config, OwnerEffect, OwnerEvent};
use crate::id::NodeName;
use crate::time::Moment;
use crate::view::View;
use std::sync::Arc;

/// See the module.
#[derive(Debug)]
pub struct Owner {
    config: Config,
}

impl Owner {
    /// A fresh one.
    #[must_use]
    pub fn new(config: Config, _name: NodeName, _view: Arc<View>, _now: Moment) -> Self {
        Self { config }
    }

    /// Takes one event and appends what is to be done.
    pub fn handle(&mut self, _now: Moment, _event: OwnerEvent, _effects: &mut Vec<OwnerEffect>) {
        let _ = self.config;
    }

    /// When [`OwnerEvent::Timer`] is due.
    #[must_use]
    pub fn deadline(&self) -> Option<Moment> {
        None
    }
}
