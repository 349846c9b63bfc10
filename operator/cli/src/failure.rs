//! A command that did not succeed: a catalogue code, what was observed, and the exit code.

use crate::exit::Exit;
use std::fmt;
use tim_catalogue::{Cause, Report, command_line};

/// Why a command did not succeed.
#[derive(Debug)]
pub struct Failure {
    exit: Exit,
    report: Report,
    details: Vec<String>,
}

/// What commands return.
pub type Outcome<T = Exit> = Result<T, Failure>;

impl Failure {
    /// A failure (exit code 1) with that cause.
    pub fn new(cause: &'static Cause, observed: impl Into<String>) -> Self {
        Self::from_report(Report::new(cause, observed))
    }

    /// A failure (exit code 1) that somebody else has described.
    pub fn from_report(report: Report) -> Self {
        Self {
            exit: Exit::Failed,
            report,
            details: Vec::new(),
        }
    }

    /// A command line that cannot be carried out as written.
    pub fn usage(observed: impl Into<String>) -> Self {
        Self::new(&command_line::USAGE, observed).exit(Exit::Usage)
    }

    /// A cause nobody foresaw, with its chain of sources.
    pub fn unexpected(error: &(dyn std::error::Error + 'static)) -> Self {
        Self::new(&command_line::UNEXPECTED, chain(error))
    }

    /// Another exit code.
    #[must_use]
    pub fn exit(mut self, exit: Exit) -> Self {
        self.exit = exit;
        self
    }

    /// A remedy for the case at hand.
    #[must_use]
    pub fn remedy(mut self, remedy: impl Into<String>) -> Self {
        self.report = self.report.with_remedy(remedy);
        self
    }

    /// A further line, below the first.
    #[must_use]
    pub fn detail(mut self, line: impl Into<String>) -> Self {
        self.details.push(line.into());
        self
    }

    /// How the command ends.
    pub fn exit_code(&self) -> Exit {
        self.exit
    }

    /// The code of the catalogue.
    pub fn code(&self) -> &'static str {
        self.report.cause().code
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}", self.report)?;
        for line in &self.details {
            write!(formatter, "\n  {line}")?;
        }
        Ok(())
    }
}

impl std::error::Error for Failure {}

/// One sentence per layer, root last; a layer that repeats the one below it is left out.
pub fn chain(error: &(dyn std::error::Error + 'static)) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(inner) = source {
        let layer = inner.to_string();
        if !text.contains(&layer) {
            text.push_str(": ");
            text.push_str(&layer);
        }
        source = inner.source();
    }
    text
}
