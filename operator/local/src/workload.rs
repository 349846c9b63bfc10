//! The list of processes that shall run: what a StatefulSet is on Kubernetes.

use crate::directory::ClusterDirectory;
use crate::file::{FileError, Readers, read_optional, remove_file, write_atomically};
use serde::{Deserialize, Serialize};
use std::path::PathBuf;
use tim_plan::observed::Workload;

/// What shall run, as it was written last.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct WorkloadRecord {
    /// Identity.
    pub uid: String,
    /// Rises with every write.
    pub resource_version: u64,
    /// Ordinals `0 .. replicas` run.
    pub replicas: u32,
    /// Hash of what new processes get.
    pub hash: String,
}

impl WorkloadRecord {
    /// What was written last, if anything.
    ///
    /// # Errors
    /// The file is there and cannot be read.
    pub fn load(directory: &ClusterDirectory) -> Result<Option<Self>, FileError> {
        let content = read_optional(&path(directory))?;
        Ok(content.and_then(|content| serde_json::from_slice(&content).ok()))
    }

    /// Writes the list, unless somebody has written it since `observed`.
    ///
    /// # Errors
    /// The file cannot be written.
    pub fn apply(
        directory: &ClusterDirectory,
        replicas: u32,
        hash: &str,
        observed: Option<&str>,
    ) -> Result<bool, FileError> {
        let present = Self::load(directory)?;
        if present
            .as_ref()
            .map(|record| record.resource_version.to_string())
            .as_deref()
            != observed
        {
            return Ok(false);
        }
        let record = Self {
            uid: present.as_ref().map_or_else(
                || format!("{:032x}", rand::random::<u128>()),
                |record| record.uid.clone(),
            ),
            resource_version: present.as_ref().map_or(0, |record| record.resource_version) + 1,
            replicas,
            hash: hash.to_owned(),
        };
        let text = serde_json::to_vec_pretty(&record).unwrap_or_default();
        write_atomically(&path(directory), &text, Readers::Everyone)?;
        Ok(true)
    }

    /// Removes the list: nothing runs any more.
    ///
    /// # Errors
    /// The file cannot be removed.
    pub fn delete(directory: &ClusterDirectory) -> Result<(), FileError> {
        remove_file(&path(directory))
    }

    /// As a plan wants to know it.
    pub fn observed(&self) -> Workload {
        Workload {
            uid: self.uid.clone(),
            resource_version: self.resource_version.to_string(),
            replicas: self.replicas,
            hash: Some(self.hash.clone()),
            owned: true,
            drifted: false,
            default_image: None,
            volume_size: None,
            deleting: false,
        }
    }
}

fn path(directory: &ClusterDirectory) -> PathBuf {
    directory.root().join("workload.json")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::directory::LocalDirectory;

    #[test]
    fn a_write_must_meet_what_was_observed() {
        let folder = tempfile::tempdir().unwrap();
        let directory = LocalDirectory::of(folder.path()).cluster("chat");
        assert!(WorkloadRecord::load(&directory).unwrap().is_none());
        assert!(WorkloadRecord::apply(&directory, 3, "a", None).unwrap());
        assert!(
            !WorkloadRecord::apply(&directory, 4, "a", None).unwrap(),
            "it is there already"
        );
        assert!(WorkloadRecord::apply(&directory, 5, "b", Some("1")).unwrap());
        assert!(
            !WorkloadRecord::apply(&directory, 6, "b", Some("1")).unwrap(),
            "stale"
        );
        let record = WorkloadRecord::load(&directory).unwrap().unwrap();
        assert_eq!((record.replicas, record.resource_version), (5, 2));
    }
}
