//! What the server's processes take of the machine, as far as they run here.

use schemars::JsonSchema;
use serde::Serialize;
use std::time::Duration;
use tim_local::process::ProcessId;

/// The processes to look at.
#[derive(Debug)]
pub(super) struct ServerLoad {
    processes: Vec<ProcessId>,
}

/// One look.
#[derive(Debug, Clone, Default)]
pub(super) struct Look {
    resident_bytes: Vec<(u32, u64)>,
    processor_time: Duration,
}

/// What the processes took.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ServerFigures {
    /// Memory of each process at the end, in bytes.
    pub resident_bytes: Vec<u64>,
    /// By how much the memory of all has grown, in bytes.
    pub resident_bytes_grown: i64,
    /// Processor time of all, in seconds.
    pub processor_seconds: f64,
}

impl ServerLoad {
    pub(super) fn new(pids: Vec<u32>) -> Self {
        Self {
            processes: pids.into_iter().filter_map(ProcessId::of).collect(),
        }
    }

    pub(super) fn look(&self) -> Look {
        let living = self.processes.iter();
        Look {
            resident_bytes: living
                .clone()
                .filter_map(|process| Some((process.pid, process.resident_bytes()?)))
                .collect(),
            processor_time: living.filter_map(|process| process.processor_time()).sum(),
        }
    }

    /// What was taken since `before`; nothing if no process is known.
    pub(super) fn since(&self, before: &Look) -> Option<ServerFigures> {
        if self.processes.is_empty() {
            return None;
        }
        let now = self.look();
        let sum = |look: &Look| look.resident_bytes.iter().map(|(_, bytes)| *bytes).sum::<u64>();
        let grown = i128::from(sum(&now)) - i128::from(sum(before));
        Some(ServerFigures {
            resident_bytes: now.resident_bytes.iter().map(|(_, bytes)| *bytes).collect(),
            resident_bytes_grown: i64::try_from(grown).unwrap_or(i64::MAX),
            processor_seconds: now
                .processor_time
                .saturating_sub(before.processor_time)
                .as_secs_f64(),
        })
    }
}
