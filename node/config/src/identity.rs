//! Who the node is.

use crate::LoadError;
use serde::{Deserialize, Serialize};
use std::path::PathBuf;

/// Section `[node]`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields, default)]
pub struct Identity {
    /// Name of this node, unique in the cluster and stable over restarts (`chat-0`).
    pub name: String,
    /// The cluster it belongs to; databases, certificates and peers are bound to it.
    pub cluster_id: String,
    /// Failure zone; the two owners of a presence shard are put into different ones where there are several.
    pub zone: String,
    /// Folder for the control group's log and state. Nothing else of a node is on its disk.
    pub data_directory: PathBuf,
}

impl Default for Identity {
    fn default() -> Self {
        Self {
            name: String::new(),
            cluster_id: String::new(),
            zone: String::new(),
            data_directory: PathBuf::from("/var/lib/tim"),
        }
    }
}

impl Identity {
    /// Longest node name and cluster id: both become part of certificates and DNS names.
    const NAME_CHARACTERS_MAX: usize = 128;

    pub(crate) fn validate(&self) -> Result<(), LoadError> {
        for (key, value) in [("node.name", &self.name), ("node.cluster_id", &self.cluster_id)] {
            if value.is_empty() {
                return Err(LoadError::missing(key));
            }
            let valid = value.len() <= Self::NAME_CHARACTERS_MAX
                && value
                    .bytes()
                    .all(|byte| byte.is_ascii_alphanumeric() || b"-._".contains(&byte));
            if !valid {
                return Err(LoadError::invalid(
                    key,
                    value,
                    "1 to 128 letters, digits, '-', '.' or '_'",
                ));
            }
        }
        Ok(())
    }
}
