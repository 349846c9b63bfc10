//! Driven by [`handle`](Registrar::handle).
use super::{Config, RegistrarEffect, RegistrarEvent};
use crate::id::NodeName;
use crate::time::Moment;
use crate::view::View;
use std::sync::Arc;

/// See the module.
#[derive(Debug)]
pub struct Registrar {
    config: Config,
}

impl Registrar {
    /// A fresh one.
    #[must_use]
    pub fn new(config: Config, _name: NodeName, _view: Arc<View>, _now: Moment) -> Self {
        Self { config }
    }

    /// Takes one event and appends what is to be done.
    pub fn handle(&mut self, _now: Moment, _event: RegistrarEvent, _effects: &mut Vec<RegistrarEffect>) {
        let _ = self.config;
    }

    /// When [`RegistrarEvent::Timer`] is due.
    #[must_use]
    pub fn deadline(&self) -> Option<Moment> {
        None
    }
}
