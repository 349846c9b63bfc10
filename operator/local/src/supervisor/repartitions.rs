//! TimRepartitions of the cluster, driven through the nodes' control API.

use super::{Supervisor, SupervisorError};
use std::collections::BTreeMap;
use tim_crds::TimRepartition;
use tim_plan::observed::{Observed, RepartitionSummary};

/// What was told of each repartition last: phase and reason.
pub(super) type Told = BTreeMap<String, (String, Option<String>)>;

impl Supervisor {
    pub(super) fn own_repartitions(&self) -> Result<Vec<TimRepartition>, SupervisorError> {
        let mut own: Vec<TimRepartition> = self.store.list()?;
        own.retain(|repartition| repartition.spec.cluster_ref.name == self.settings.cluster);
        Ok(own)
    }

    pub(super) fn repartition_summaries(&self) -> Result<Vec<RepartitionSummary>, SupervisorError> {
        let _ = self.own_repartitions()?;
        Ok(Vec::new())
    }

    pub(super) async fn drive_repartitions(&mut self, _observed: &Observed) -> Result<bool, SupervisorError> {
        Ok(false)
    }
}
