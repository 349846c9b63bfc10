//! A cause met at a certain moment: the catalogue's entry and what was observed.

use crate::Cause;
use std::fmt;

/// What a user is shown: code, the observed facts in the user's own words, and what to do.
///
/// The text is stable while the cause is (no counters, no times), so that a condition that carries it is not rewritten.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Report {
    cause: &'static Cause,
    observed: String,
    remedy: Option<String>,
}

impl Report {
    /// `observed` names the thing and the reason: field or object, observed value against what is expected.
    pub fn new(cause: &'static Cause, observed: impl Into<String>) -> Self {
        Self {
            cause,
            observed: observed.into(),
            remedy: None,
        }
    }

    /// Replaces the catalogue's general remedy by one that names the thing at hand.
    #[must_use]
    pub fn with_remedy(mut self, remedy: impl Into<String>) -> Self {
        self.remedy = Some(remedy.into());
        self
    }

    /// The cause in the catalogue.
    pub fn cause(&self) -> &'static Cause {
        self.cause
    }

    /// What was observed, without code and remedy.
    pub fn observed(&self) -> &str {
        &self.observed
    }

    /// What to do about it.
    pub fn remedy(&self) -> &str {
        self.remedy.as_deref().unwrap_or(self.cause.remedy)
    }

    /// Code and observation cut to what fits a condition's message (200 characters).
    pub fn condition_message(&self) -> String {
        const CONDITION_MESSAGE_CHARACTERS: usize = 200;
        let full = format!("{} {}", self.cause.code, self.observed);
        if full.chars().count() <= CONDITION_MESSAGE_CHARACTERS {
            return full;
        }
        let mut cut: String = full.chars().take(CONDITION_MESSAGE_CHARACTERS - 1).collect();
        cut.push('…');
        cut
    }
}

impl fmt::Display for Report {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let observed = self.observed.trim_end_matches('.');
        // A question ("did you mean …?") ends with its own mark.
        let end = if observed.ends_with('?') { "" } else { "." };
        write!(
            formatter,
            "{} {observed}{end} try: {}",
            self.cause.code,
            self.remedy()
        )
    }
}

impl std::error::Error for Report {}
