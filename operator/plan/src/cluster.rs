//! The plan of one TimCluster.

use std::time::Duration;

use tim_crds::TimClusterStatus;

use crate::{action::Action, observed::Observed};

/// What has to be done, what to say about it, and when to look again.
#[derive(Debug, Clone)]
pub struct Plan {
    /// In order.
    pub actions: Vec<Action>,
    /// What to write to `/status`; equal to the present one when there is nothing new.
    pub status: TimClusterStatus,
    /// When to look again at the latest.
    pub requeue: Duration,
}

/// Makes the plan.
pub fn plan(observed: &Observed) -> Plan {
    Plan {
        actions: Vec::new(),
        status: observed.cluster.status.clone().unwrap_or_default(),
        requeue: Duration::from_secs(1),
    }
}
