//! Whose a database is: one row with cluster, name and a value that only the right storage key gives; and in the first
//! database the row that says which node may found the control group.

use tim_core::id::NodeName;

use super::SCHEMA_VERSION;
use crate::dsn::Engine;
use crate::error::StoreError;
use crate::fence::Access;
use crate::store::Database;
use crate::transaction::{Transaction, summary};

/// The lowest schema version a node must know to use a database of today.
const SCHEMA_MINIMUM: i64 = 1;

/// Who may found the control group.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Bootstrap {
    /// The node that claimed it first.
    pub node: NodeName,
    /// The Raft id of its volume at that time.
    pub raft_id: u64,
}

impl Database {
    /// Claims the right to found the control group, which is given once; returns who has it.
    ///
    /// # Errors
    /// Any of the database. After [`StoreError::CommitInDoubt`] asking again tells.
    pub async fn claim_bootstrap(&self, claim: &Bootstrap) -> Result<Bootstrap, StoreError> {
        self.transact(Access::Write, &|transaction| {
            Box::pin(async move {
                let values = vec![claim.node.as_str().into(), (claim.raft_id as i64).into()];
                let text = insert_once(
                    transaction.engine(),
                    "tim_bootstrap (id, node, raft_id) VALUES (1, ?, ?)",
                );
                transaction
                    .run(summary("INSERT", "tim_bootstrap"), &text, values)
                    .await?;
                let holder = transaction.bootstrap().await?;
                Ok((transaction, holder))
            })
        })
        .await?
        .ok_or_else(|| self.damaged("tim_bootstrap"))
    }

    /// Gives the right to found the control group to another claim, if it still is `expected`'s; returns who has it. For
    /// a group that has lost all its members.
    ///
    /// # Errors
    /// Any of the database. After [`StoreError::CommitInDoubt`] asking again tells.
    pub async fn replace_bootstrap(
        &self,
        expected_raft_id: u64,
        claim: &Bootstrap,
    ) -> Result<Option<Bootstrap>, StoreError> {
        self.transact(Access::Write, &|transaction| {
            Box::pin(async move {
                let values = vec![
                    claim.node.as_str().into(),
                    (claim.raft_id as i64).into(),
                    (expected_raft_id as i64).into(),
                ];
                let text = "UPDATE tim_bootstrap SET node = ?, raft_id = ? WHERE id = 1 AND raft_id = ?";
                transaction
                    .run(summary("UPDATE", "tim_bootstrap"), text, values)
                    .await?;
                let holder = transaction.bootstrap().await?;
                Ok((transaction, holder))
            })
        })
        .await
    }

    /// Who has founded, or may found, the control group; `None` before anybody claimed it.
    ///
    /// # Errors
    /// Any of the database.
    pub async fn bootstrap(&self) -> Result<Option<Bootstrap>, StoreError> {
        self.transact(Access::Read, &|transaction| {
            Box::pin(async move {
                let holder = transaction.bootstrap().await?;
                Ok((transaction, holder))
            })
        })
        .await
    }

    fn damaged(&self, table: &'static str) -> StoreError {
        StoreError::DamagedRow {
            database: self.name().clone(),
            table,
            reason: "a row is missing or not readable",
        }
    }
}

/// An insert that leaves a row that is there alone.
fn insert_once(engine: Engine, into: &str) -> String {
    match engine {
        Engine::MySql => format!("INSERT IGNORE INTO {into}"),
        Engine::Sqlite | Engine::Postgres => format!("INSERT INTO {into} ON CONFLICT DO NOTHING"),
    }
}

impl Transaction {
    async fn bootstrap(&self) -> Result<Option<Bootstrap>, StoreError> {
        let text = "SELECT node, raft_id FROM tim_bootstrap WHERE id = 1";
        let rows = self
            .rows(summary("SELECT", "tim_bootstrap"), text, Vec::new())
            .await?;
        let Some(row) = rows.first() else {
            return Ok(None);
        };
        let read = || -> Option<Bootstrap> {
            let node = NodeName::new(row.try_get_by_index::<String>(0).ok()?).ok()?;
            Some(Bootstrap {
                node,
                raft_id: row.try_get_by_index::<i64>(1).ok()? as u64,
            })
        };
        read()
            .map(Some)
            .ok_or_else(|| self.database.damaged("tim_bootstrap"))
    }

    /// Whether the database is bound, to us.
    pub(super) async fn check_binding(&self) -> Result<bool, StoreError> {
        let text = "SELECT cluster, name, key_check, schema_minimum FROM tim_binding WHERE id = 1";
        let rows = self
            .rows(summary("SELECT", "tim_binding"), text, Vec::new())
            .await?;
        let Some(row) = rows.first() else {
            return Ok(false);
        };
        let error = |error| self.database.error(error);
        let database = self.database.name().clone();
        let cluster = &self.database.inner.shared.cluster;
        let bound_to: String = row.try_get_by_index(0).map_err(error)?;
        if bound_to != *cluster {
            return Err(StoreError::ForeignCluster {
                database,
                bound_to,
                cluster: cluster.clone(),
            });
        }
        let bound_to: String = row.try_get_by_index(1).map_err(error)?;
        if bound_to != database.as_str() {
            return Err(StoreError::ForeignName { database, bound_to });
        }
        let key_check: Vec<u8> = row.try_get_by_index(2).map_err(error)?;
        if key_check != self.database.keys().check_value() {
            return Err(StoreError::WrongStorageKey { database });
        }
        let needed: i64 = row.try_get_by_index(3).map_err(error)?;
        if needed > SCHEMA_VERSION {
            return Err(StoreError::SchemaTooNew {
                database,
                needed,
                known: SCHEMA_VERSION,
            });
        }
        Ok(true)
    }

    /// Binds a database that is bound to nobody.
    pub(super) async fn bind(&self) -> Result<(), StoreError> {
        if self.check_binding().await? {
            return Ok(());
        }
        let text =
            "INSERT INTO tim_binding (id, cluster, name, key_check, schema_minimum) VALUES (1, ?, ?, ?, ?)";
        let values = vec![
            self.database.inner.shared.cluster.as_str().into(),
            self.database.name().as_str().into(),
            self.database.keys().check_value().to_vec().into(),
            SCHEMA_MINIMUM.into(),
        ];
        self.run(summary("INSERT", "tim_binding"), text, values).await?;
        Ok(())
    }
}
