//! One finding in a file, in the words a user reads.

use std::fmt;

use tim_catalogue::Cause;

/// Nearest names less alike than this (Jaro-Winkler, 0 to 1) are no help.
const LIKENESS_MIN: f64 = 0.75;

/// One finding in a file. Displayed as `TIM-C101 FILE:LINE: what is wrong`.
#[derive(Debug, Clone, PartialEq)]
pub struct Problem {
    /// What kind of fault.
    pub cause: &'static Cause,
    /// The file, as the user named it.
    pub file: String,
    /// The line, from 1.
    pub line: u64,
    /// What is wrong, without the code.
    pub message: String,
}

impl Problem {
    /// A finding.
    pub fn new(cause: &'static Cause, file: &str, line: u64, message: impl Into<String>) -> Self {
        Self {
            cause,
            file: file.to_owned(),
            line,
            message: message.into(),
        }
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            formatter,
            "{} {}:{}: {}",
            self.cause.code, self.file, self.line, self.message
        )
    }
}

/// Every finding in a file; never empty. Nothing was changed; it will not change by itself.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
#[error("{}", self.0.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n"))]
pub struct Problems(pub Vec<Problem>);

impl From<Problem> for Problems {
    fn from(problem: Problem) -> Self {
        Self(vec![problem])
    }
}

/// `; did you mean PATH?` for the known name most like `wanted`, or nothing.
pub(super) fn did_you_mean<'a>(path: &str, wanted: &str, known: impl Iterator<Item = &'a str>) -> String {
    known
        .map(|name| {
            (
                strsim::jaro_winkler(&wanted.to_lowercase(), &name.to_lowercase()),
                name,
            )
        })
        .filter(|(likeness, _)| *likeness >= LIKENESS_MIN)
        .max_by(|left, right| left.0.total_cmp(&right.0))
        .map(|(_, name)| format!("; did you mean {}?", super::node::join(path, name)))
        .unwrap_or_default()
}
