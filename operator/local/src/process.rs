//! Processes by pid **and** start time, so that a reused pid is never taken for a node.

use crate::file::FileError;
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use serde::{Deserialize, Serialize};
use std::fs::OpenOptions;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Child, Command, Stdio};

/// One life of a process.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ProcessId {
    /// Number of the process.
    pub pid: u32,
    /// When it began, in clock ticks since the machine did; unique together with the pid.
    pub start_ticks: u64,
}

/// What `/proc/PID/stat` says of a process.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Stat {
    state: char,
    start_ticks: u64,
}

impl ProcessId {
    /// The present life of the process with that number, if there is one.
    pub fn of(pid: u32) -> Option<Self> {
        let stat = read_stat(pid)?;
        Some(Self {
            pid,
            start_ticks: stat.start_ticks,
        })
    }

    /// This very process.
    pub fn own() -> Option<Self> {
        Self::of(std::process::id())
    }

    /// Whether this life goes on. A process that has ended and only waits to be collected does not count.
    pub fn is_alive(self) -> bool {
        read_stat(self.pid).is_some_and(|stat| {
            stat.start_ticks == self.start_ticks && stat.state != 'Z' && stat.state != 'X'
        })
    }

    /// Sends a signal, if this life still goes on. Says whether there was somebody to send it to.
    pub fn signal(self, signal: Signal) -> bool {
        let Ok(pid) = i32::try_from(self.pid) else {
            return false;
        };
        self.is_alive() && kill(Pid::from_raw(pid), signal).is_ok()
    }

    /// Resident memory in bytes, while it lives.
    pub fn resident_bytes(self) -> Option<u64> {
        if !self.is_alive() {
            return None;
        }
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.pid)).ok()?;
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
        let kibibytes: u64 = line.split_whitespace().next()?.parse().ok()?;
        Some(kibibytes * 1024)
    }

    /// Processor time it has used, its ended threads included, while it lives.
    pub fn processor_time(self) -> Option<std::time::Duration> {
        let text = std::fs::read_to_string(format!("/proc/{}/stat", self.pid)).ok()?;
        if parse_stat(&text)?.start_ticks != self.start_ticks {
            return None;
        }
        const FIELDS_BETWEEN_STATE_AND_USER_TIME: usize = 11;
        let mut fields = text[text.rfind(')')? + 1..].split_whitespace();
        let user: u64 = fields.nth(FIELDS_BETWEEN_STATE_AND_USER_TIME)?.parse().ok()?;
        let system: u64 = fields.next()?.parse().ok()?;
        let ticks_per_second = nix::unistd::sysconf(nix::unistd::SysconfVar::CLK_TCK)
            .ok()
            .flatten()?;
        let ticks_per_second = u64::try_from(ticks_per_second).ok()?.max(1);
        let milliseconds = (user + system).checked_mul(1_000)? / ticks_per_second;
        Some(std::time::Duration::from_millis(milliseconds))
    }

    /// How long it has been running, in seconds.
    pub fn uptime_seconds(self) -> Option<u64> {
        let uptime = std::fs::read_to_string("/proc/uptime").ok()?;
        let seconds: f64 = uptime.split_whitespace().next()?.parse().ok()?;
        let ticks_per_second = nix::unistd::sysconf(nix::unistd::SysconfVar::CLK_TCK)
            .ok()
            .flatten()?;
        let started = self.start_ticks / u64::try_from(ticks_per_second).ok()?.max(1);
        // Whole seconds are all that is shown.
        Some((seconds as u64).saturating_sub(started))
    }
}

/// The name by which the system lists a process.
pub fn name_of(pid: u32) -> Option<String> {
    let name = std::fs::read_to_string(format!("/proc/{pid}/comm")).ok()?;
    Some(name.trim_end().to_owned())
}

fn read_stat(pid: u32) -> Option<Stat> {
    parse_stat(&std::fs::read_to_string(format!("/proc/{pid}/stat")).ok()?)
}

fn parse_stat(text: &str) -> Option<Stat> {
    // The name is in parentheses and may itself hold spaces and parentheses: fields are counted after the last one.
    let mut fields = text[text.rfind(')')? + 1..].split_whitespace();
    const FIELDS_BETWEEN_STATE_AND_START: usize = 18;
    Some(Stat {
        state: fields.next()?.chars().next()?,
        start_ticks: fields.nth(FIELDS_BETWEEN_STATE_AND_START)?.parse().ok()?,
    })
}

/// Starts a program that outlives this one: a process group of its own, so that Ctrl-C in the terminal does not reach it,
/// nothing on its standard input, its output appended to `log`.
///
/// # Errors
/// The log cannot be opened, or the program cannot be started. Nothing runs then.
pub fn start_detached(program: &Path, arguments: &[String], log: &Path) -> Result<Child, FileError> {
    let output = OpenOptions::new()
        .create(true)
        .append(true)
        .open(log)
        .map_err(FileError::at(log))?;
    let errors = output.try_clone().map_err(FileError::at(log))?;
    Command::new(program)
        .args(arguments)
        .stdin(Stdio::null())
        .stdout(output)
        .stderr(errors)
        .process_group(0)
        .spawn()
        .map_err(FileError::at(program))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stat_is_read_behind_a_name_with_spaces_and_parentheses() {
        let text = "4242 (a (b) c) S 1 4242 4242 0 -1 4194560 1 0 0 0 1 2 3 4 20 0 1 0 987654 1000 1 2";
        assert_eq!(
            parse_stat(text),
            Some(Stat {
                state: 'S',
                start_ticks: 987_654
            })
        );
    }

    #[test]
    fn this_process_lives_and_another_start_time_does_not() {
        let own = ProcessId::own().unwrap();
        assert!(own.is_alive());
        assert!(own.resident_bytes().unwrap() > 0);
        let earlier = ProcessId {
            start_ticks: own.start_ticks - 1,
            ..own
        };
        assert!(!earlier.is_alive());
        assert!(
            !earlier.signal(Signal::SIGKILL),
            "a reused pid is never signalled"
        );
    }

    #[test]
    fn a_killed_child_is_dead_before_anybody_collects_it() {
        let folder = tempfile::tempdir().unwrap();
        let log = folder.path().join("log");
        let mut child = start_detached(Path::new("/bin/sleep"), &["60".into()], &log).unwrap();
        let id = ProcessId::of(child.id()).unwrap();
        assert!(id.is_alive());
        assert!(id.signal(Signal::SIGKILL));
        while id.is_alive() {
            std::thread::yield_now();
        }
        assert!(
            ProcessId::of(child.id()).is_some(),
            "not collected yet, and dead all the same"
        );
        child.wait().unwrap();
    }
}
