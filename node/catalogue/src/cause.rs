//! What is known about one cause, independent of the moment it occurs.

use std::fmt;

/// One cause of a failure, as the catalogue describes it.
#[derive(Debug, PartialEq, Eq)]
pub struct Cause {
    /// `TIM-S103`: class letter and three digits; never reused for another meaning.
    pub code: &'static str,
    /// The `error.type` of telemetry: snake_case, stable.
    pub name: &'static str,
    /// The reason of a Kubernetes condition or Event: CamelCase, stable.
    pub reason: &'static str,
    /// What has happened, in one sentence.
    pub what: &'static str,
    /// How it comes about.
    pub why: &'static str,
    /// What it means: is anything lost, does waiting help.
    pub meaning: &'static str,
    /// One thing to do, a command or an edit.
    pub remedy: &'static str,
    /// Who has to act.
    pub severity: Severity,
}

/// Whether the cause heals by itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Severity {
    /// It is retried and heals when its reason is gone.
    Retried,
    /// It stays until somebody changes something.
    Stays,
}

/// The part of the system a cause belongs to, from the letter of its code.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Class {
    /// C: what the user wrote.
    Configuration,
    /// S: databases.
    Storage,
    /// N: nodes and the trust between them.
    Node,
    /// R: moves of data between databases.
    Repartition,
    /// P: the client protocol.
    Protocol,
    /// K: Kubernetes.
    Kubernetes,
    /// L: the command line.
    CommandLine,
    /// A: the interfaces of administrators.
    Administration,
}

impl Class {
    /// The letter in the codes of this class.
    pub fn letter(self) -> char {
        match self {
            Self::Configuration => 'C',
            Self::Storage => 'S',
            Self::Node => 'N',
            Self::Repartition => 'R',
            Self::Protocol => 'P',
            Self::Kubernetes => 'K',
            Self::CommandLine => 'L',
            Self::Administration => 'A',
        }
    }

    /// The class in words, as headings show it.
    pub fn title(self) -> &'static str {
        match self {
            Self::Configuration => "configuration",
            Self::Storage => "storage",
            Self::Node => "nodes and trust",
            Self::Repartition => "repartition",
            Self::Protocol => "client protocol",
            Self::Kubernetes => "Kubernetes",
            Self::CommandLine => "command line",
            Self::Administration => "administration",
        }
    }
}

impl Cause {
    /// The class that the letter of the code names.
    pub fn class(&self) -> Class {
        match self.code.as_bytes().get(4) {
            Some(b'S') => Class::Storage,
            Some(b'N') => Class::Node,
            Some(b'R') => Class::Repartition,
            Some(b'P') => Class::Protocol,
            Some(b'K') => Class::Kubernetes,
            Some(b'L') => Class::CommandLine,
            Some(b'A') => Class::Administration,
            _ => Class::Configuration,
        }
    }
}

impl fmt::Display for Cause {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.code)
    }
}
