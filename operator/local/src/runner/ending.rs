//! How a process ended.

use crate::node_record::Life;
use std::fmt;
use std::os::unix::process::ExitStatusExt;
use std::process::Child;

/// How a process ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ending {
    /// It was killed.
    Signal(i32),
    /// It ended by itself.
    Code(i32),
    /// It is gone; only its parent knew how, and that was an earlier supervisor.
    Unknown,
}

impl fmt::Display for Ending {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Signal(number) => write!(formatter, "signal {number}"),
            Self::Code(number) => write!(formatter, "exit code {number}"),
            Self::Unknown => formatter.write_str("unknown cause"),
        }
    }
}

/// How the process ended, if it has.
pub(super) fn of(child: Option<&mut Child>, life: Option<&Life>) -> Option<Ending> {
    let life = life?;
    match child {
        Some(child) => match child.try_wait() {
            Ok(None) => None,
            Ok(Some(status)) => Some(match (status.signal(), status.code()) {
                (Some(signal), _) => Ending::Signal(signal),
                (None, Some(code)) => Ending::Code(code),
                (None, None) => Ending::Unknown,
            }),
            Err(_) => (!life.process.is_alive()).then_some(Ending::Unknown),
        },
        None => (!life.process.is_alive()).then_some(Ending::Unknown),
    }
}
