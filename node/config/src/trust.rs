//! Files with keys and certificates.

use crate::LoadError;
use serde::{Deserialize, Serialize};
use std::path::PathBuf;

/// Section `[trust]`. All files are read again when they change; none is ever written by the node.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields, default)]
pub struct Trust {
    /// The cluster's key ring: TOML with `primary` and `[[key]]` tables of `id` and `secret` (base64, 32 bytes).
    pub keyring_file: PathBuf,
    /// The key that seals what is stored (base64, 32 bytes).
    pub storage_key_file: PathBuf,
    /// Folder with `ca.crt` and, for this node's name, `NAME.crt` and `NAME.key`.
    pub tls_directory: PathBuf,
    /// How often the files are looked at, in milliseconds.
    pub reload_interval_millis: u64,
}

impl Default for Trust {
    fn default() -> Self {
        Self {
            keyring_file: PathBuf::from("/etc/tim/cluster/keyring.toml"),
            storage_key_file: PathBuf::from("/etc/tim/storage/storage.key"),
            tls_directory: PathBuf::from("/etc/tim/tls"),
            reload_interval_millis: 2_000,
        }
    }
}

impl Trust {
    pub(crate) fn validate(&self) -> Result<(), LoadError> {
        LoadError::in_range(
            "trust.reload_interval_millis",
            self.reload_interval_millis,
            100..=600_000,
        )
    }
}
