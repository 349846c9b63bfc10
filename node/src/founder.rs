//! What the control group asks of the databases: which group is the cluster's, and the map it begins with.

use crate::databases::founding_map;
use tim_cluster::control::{Founder, FounderError};
use tim_config::NodeConfig;
use tim_core::id::{DatabaseName, NodeName};
use tim_core::map::PartitionMap;
use tim_store::{Bootstrap, Database, Store, StoreError};

/// The first database, and the fences of all.
#[derive(Debug)]
pub(crate) struct DatabaseFounder {
    pub(crate) store: Store,
    pub(crate) node: NodeName,
    pub(crate) config: NodeConfig,
}

fn failed(error: StoreError) -> FounderError {
    FounderError(error.to_string())
}

impl DatabaseFounder {
    fn first(&self) -> Result<Database, FounderError> {
        let name = self.config.storage.databases.first().cloned().unwrap_or_default();
        let name = DatabaseName::new(name).map_err(|error| FounderError(error.to_string()))?;
        self.store.database(&name).map_err(failed)
    }
}

#[async_trait::async_trait]
impl Founder for DatabaseFounder {
    async fn group(&self) -> Result<Option<u64>, FounderError> {
        let held = self.first()?.bootstrap().await.map_err(failed)?;
        Ok(held.map(|bootstrap| bootstrap.raft_id))
    }

    async fn claim(&self, expected: Option<u64>, group: u64) -> Result<u64, FounderError> {
        let claim = Bootstrap {
            node: self.node.clone(),
            raft_id: group,
        };
        let first = self.first()?;
        let held = match expected {
            None => Some(first.claim_bootstrap(&claim).await.map_err(failed)?),
            Some(expected) => first.replace_bootstrap(expected, &claim).await.map_err(failed)?,
        };
        held.map(|bootstrap| bootstrap.raft_id)
            .ok_or_else(|| FounderError("the row that names the group is gone".to_owned()))
    }

    async fn map(&self) -> Result<PartitionMap, FounderError> {
        let names: Vec<DatabaseName> = self
            .config
            .storage
            .databases
            .iter()
            .filter_map(|name| DatabaseName::new(name).ok())
            .collect();
        founding_map(&self.store, &self.config.partitioning, &names)
            .await
            .map_err(failed)
    }
}
