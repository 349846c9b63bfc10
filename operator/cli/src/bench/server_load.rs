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
    processor_times: Vec<(u32, Duration)>,
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
    /// Operations per second of processor time; absent where the load has none.
    pub operations_per_processor_second: Option<f64>,
}

/// Memory of one process of the server.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ProcessMemory {
    /// The process.
    pub pid: u32,
    /// Before, in bytes.
    pub before_bytes: u64,
    /// The most that was seen meanwhile, in bytes.
    pub peak_bytes: u64,
    /// Afterwards, in bytes; absent if it has ended.
    pub after_bytes: Option<u64>,
}

impl Look {
    /// What the processes that still run took since an earlier look.
    fn since(self, before: &Self) -> ServerFigures {
        let grown = self.resident_bytes.iter().map(|(pid, bytes)| {
            let before = before.of(*pid).unwrap_or_default();
            i64::try_from(i128::from(*bytes) - i128::from(before)).unwrap_or(i64::MAX)
        });
        let taken = self.processor_times.iter().map(|(pid, time)| {
            let earlier = before.processor_times.iter().find(|(other, _)| other == pid);
            time.saturating_sub(earlier.map_or(Duration::ZERO, |(_, time)| *time))
        });
        ServerFigures {
            resident_bytes_grown: grown.sum(),
            processor_seconds: taken.sum::<Duration>().as_secs_f64(),
            operations_per_processor_second: None,
            resident_bytes: self.resident_bytes.into_iter().map(|(_, bytes)| bytes).collect(),
        }
    }

    fn of(&self, pid: u32) -> Option<u64> {
        let mut all = self.resident_bytes.iter();
        all.find(|(other, _)| *other == pid).map(|(_, bytes)| *bytes)
    }

    /// Takes over what is larger.
    pub(super) fn raise_to(&mut self, other: &Self) {
        for (pid, bytes) in &mut self.resident_bytes {
            *bytes = other.of(*pid).map_or(*bytes, |seen| seen.max(*bytes));
        }
    }
}

impl ServerFigures {
    /// With what the processor time was good for.
    pub(super) fn for_operations(self, operations: u64) -> Self {
        let measurable = self.processor_seconds > 0.0;
        Self {
            operations_per_processor_second: measurable.then(|| operations as f64 / self.processor_seconds),
            ..self
        }
    }
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
            processor_times: living
                .filter_map(|process| Some((process.pid, process.processor_time()?)))
                .collect(),
        }
    }

    /// What was taken since `before`; nothing if no process is known.
    pub(super) fn since(&self, before: &Look) -> Option<ServerFigures> {
        if self.processes.is_empty() {
            return None;
        }
        Some(self.look().since(before))
    }

    /// The memory of each process: before, at most, and now.
    pub(super) fn memory(&self, before: &Look, peak: &Look) -> Vec<ProcessMemory> {
        let now = self.look();
        let each = before.resident_bytes.iter();
        each.map(|(pid, before_bytes)| ProcessMemory {
            pid: *pid,
            before_bytes: *before_bytes,
            peak_bytes: peak.of(*pid).unwrap_or_default().max(*before_bytes),
            after_bytes: now.of(*pid),
        })
        .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_process_that_has_ended_keeps_its_memory_of_before() {
        let look = |bytes: &[(u32, u64)]| Look {
            resident_bytes: bytes.to_vec(),
            processor_times: Vec::new(),
        };
        let mut peak = look(&[(1, 10)]);
        peak.raise_to(&look(&[(1, 30), (2, 5)]));
        peak.raise_to(&look(&[(1, 20)]));
        let none = ServerLoad::new(Vec::new());
        let memory = none.memory(&look(&[(1, 10), (2, 7)]), &peak);
        let shown: Vec<_> = memory
            .iter()
            .map(|each| (each.pid, each.before_bytes, each.peak_bytes, each.after_bytes))
            .collect();
        assert_eq!(shown, [(1, 10, 30, None), (2, 7, 7, None)]);
    }

    #[test]
    fn a_process_that_has_ended_hides_nothing_of_the_others() {
        let look = |pids: &[(u32, u64)]| Look {
            resident_bytes: pids.iter().map(|(pid, number)| (*pid, number * 10)).collect(),
            processor_times: pids
                .iter()
                .map(|(pid, number)| (*pid, Duration::from_secs(*number)))
                .collect(),
        };
        let taken = look(&[(2, 5)]).since(&look(&[(1, 100), (2, 3)]));
        assert_eq!((taken.resident_bytes_grown, taken.resident_bytes), (20, vec![50]));
        assert!((taken.processor_seconds - 2.0).abs() < f64::EPSILON);
    }

    #[test]
    fn operations_are_told_per_second_of_processor_time() {
        let figures = |processor_seconds| ServerFigures {
            resident_bytes: Vec::new(),
            resident_bytes_grown: 0,
            processor_seconds,
            operations_per_processor_second: None,
        };
        let rate = |seconds| {
            figures(seconds)
                .for_operations(500)
                .operations_per_processor_second
        };
        assert_eq!((rate(2.0), rate(0.0)), (Some(250.0), None));
    }
}
