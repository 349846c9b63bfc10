//! The databases of the cluster.

use crate::{LoadError, Retention};
use serde::{Deserialize, Serialize};
use std::path::PathBuf;

/// Section `[storage]`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields, default)]
pub struct Storage {
    /// Names of the databases, as the partition map uses them.
    pub databases: Vec<String>,
    /// Folder with one file per database, named as the database, that holds its DSN.
    pub dsn_directory: PathBuf,
    /// Connections per PostgreSQL or MySQL database and node.
    pub connections_max: u32,
    /// How long a new connection may take, in milliseconds.
    pub connect_timeout_millis: u64,
    /// How long one statement may take, in milliseconds.
    pub statement_timeout_millis: u64,
    /// How often a database that does not answer is tried again, in milliseconds.
    pub retry_interval_millis: u64,
    /// What goes by itself.
    pub retention: Retention,
}

impl Default for Storage {
    fn default() -> Self {
        Self {
            databases: Vec::new(),
            dsn_directory: PathBuf::from("/etc/tim/databases"),
            connections_max: 16,
            connect_timeout_millis: 3_000,
            statement_timeout_millis: 5_000,
            retry_interval_millis: 2_000,
            retention: Retention::default(),
        }
    }
}

impl Storage {
    pub(crate) fn validate(&self) -> Result<(), LoadError> {
        if self.databases.is_empty() {
            return Err(LoadError::missing("storage.databases"));
        }
        for (index, name) in self.databases.iter().enumerate() {
            let valid = !name.is_empty()
                && name.len() <= 63
                && name
                    .bytes()
                    .all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-');
            if !valid || self.databases[..index].contains(name) {
                return Err(LoadError::invalid(
                    "storage.databases",
                    name,
                    "different names of 1 to 63 lower-case letters, digits or '-'",
                ));
            }
        }
        self.retention.validate()?;
        LoadError::in_range(
            "storage.connections_max",
            u64::from(self.connections_max),
            2..=1_000,
        )?;
        LoadError::in_range(
            "storage.connect_timeout_millis",
            self.connect_timeout_millis,
            100..=60_000,
        )?;
        LoadError::in_range(
            "storage.statement_timeout_millis",
            self.statement_timeout_millis,
            100..=60_000,
        )?;
        LoadError::in_range(
            "storage.retry_interval_millis",
            self.retry_interval_millis,
            100..=600_000,
        )
    }
}
