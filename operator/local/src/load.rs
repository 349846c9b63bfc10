//! What a load tool that runs against the local cluster has counted so far: it writes, the supervisor reads, so that the
//! line about a node's end tells the very losses that the tool counts.

use crate::directory::ClusterDirectory;
use crate::file::{FileError, Readers, read_optional, remove_file, write_atomically};
use crate::process::ProcessId;
use serde::{Deserialize, Serialize};
use std::path::PathBuf;

/// Counts of a load that runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct LoadRecord {
    /// The tool.
    pub process: ProcessId,
    /// Messages that were acknowledged.
    pub stored: u64,
    /// Acknowledged and not arrived: under way, or lost if it stays so.
    pub outstanding: u64,
    /// Arrived twice.
    pub duplicated: u64,
    /// Arrived out of order.
    pub reordered: u64,
}

impl LoadRecord {
    /// Writes the counts.
    ///
    /// # Errors
    /// The file cannot be written.
    pub fn save(&self, directory: &ClusterDirectory) -> Result<(), FileError> {
        write_atomically(
            &path(directory),
            &serde_json::to_vec(self).unwrap_or_default(),
            Readers::Everyone,
        )
    }

    /// The counts of a tool that still runs.
    ///
    /// # Errors
    /// The file is there and cannot be read.
    pub fn load(directory: &ClusterDirectory) -> Result<Option<Self>, FileError> {
        let content = read_optional(&path(directory))?;
        let record = content.and_then(|content| serde_json::from_slice::<Self>(&content).ok());
        Ok(record.filter(|record| record.process.is_alive()))
    }

    /// Takes the counts away: the load is over.
    ///
    /// # Errors
    /// The file cannot be removed.
    pub fn remove(directory: &ClusterDirectory) -> Result<(), FileError> {
        remove_file(&path(directory))
    }
}

fn path(directory: &ClusterDirectory) -> PathBuf {
    directory.root().join("load.json")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::directory::LocalDirectory;

    #[test]
    fn only_counts_of_a_tool_that_runs_are_believed() {
        let folder = tempfile::tempdir().unwrap();
        let directory = LocalDirectory::of(folder.path()).cluster("chat");
        assert_eq!(LoadRecord::load(&directory).unwrap(), None);
        let own = ProcessId::own().unwrap();
        let record = LoadRecord {
            process: own,
            stored: 5,
            outstanding: 1,
            duplicated: 0,
            reordered: 0,
        };
        record.save(&directory).unwrap();
        assert_eq!(LoadRecord::load(&directory).unwrap(), Some(record));
        let gone = LoadRecord {
            process: ProcessId {
                start_ticks: 1,
                ..own
            },
            ..record
        };
        gone.save(&directory).unwrap();
        assert_eq!(LoadRecord::load(&directory).unwrap(), None);
    }
}
