//! Conditions as Kubernetes wants them: one per type, and a time that moves only when the status does.

use jiff::Timestamp;
use tim_catalogue::Report;
use tim_crds::{Condition, Time};

/// Longest message of a condition.
const MESSAGE_CHARACTERS_MAX: usize = 200;

/// What a condition says, without generation and time.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Judgement {
    /// Its type.
    pub type_: &'static str,
    /// `True`, `False` or `Unknown`.
    pub status: &'static str,
    /// Reason in CamelCase.
    pub reason: String,
    /// Message for humans: stable while the cause is.
    pub message: String,
}

impl Judgement {
    /// A condition that is true.
    pub fn yes(type_: &'static str, reason: &str, message: impl Into<String>) -> Self {
        Self::new(type_, "True", reason, message)
    }

    /// A condition that is false.
    pub fn no(type_: &'static str, reason: &str, message: impl Into<String>) -> Self {
        Self::new(type_, "False", reason, message)
    }

    /// A condition of which nothing is known.
    pub fn unknown(type_: &'static str, reason: &str, message: impl Into<String>) -> Self {
        Self::new(type_, "Unknown", reason, message)
    }

    /// A condition that is false (or true, for those where true is bad) because of a cause of the catalogue.
    pub fn because(type_: &'static str, status: &'static str, report: &Report) -> Self {
        Self::new(type_, status, report.cause().reason, report.condition_message())
    }

    fn new(type_: &'static str, status: &'static str, reason: &str, message: impl Into<String>) -> Self {
        let message: String = message.into();
        let cut = if message.chars().count() > MESSAGE_CHARACTERS_MAX {
            message
                .chars()
                .take(MESSAGE_CHARACTERS_MAX - 1)
                .chain(['…'])
                .collect()
        } else {
            message
        };
        Self {
            type_,
            status,
            reason: reason.to_owned(),
            message: cut,
        }
    }
}

/// Writes judgements over the conditions there were; types that nobody judges any more disappear.
pub fn merge(
    before: &[Condition],
    judgements: Vec<Judgement>,
    generation: Option<i64>,
    now: Timestamp,
) -> Vec<Condition> {
    judgements
        .into_iter()
        .map(|judgement| {
            let previous = before.iter().find(|condition| condition.type_ == judgement.type_);
            let last_transition_time = match previous {
                Some(condition) if condition.status == judgement.status => {
                    condition.last_transition_time.clone()
                }
                _ => Time(whole_seconds(now)),
            };
            Condition {
                type_: judgement.type_.to_owned(),
                status: judgement.status.to_owned(),
                reason: judgement.reason,
                message: judgement.message,
                observed_generation: generation,
                last_transition_time,
            }
        })
        .collect()
}

/// Kubernetes keeps times to the second: more would come back different and look like a change.
pub fn whole_seconds(time: Timestamp) -> Timestamp {
    Timestamp::from_second(time.as_second()).unwrap_or(time)
}

/// Whether the condition of that type is true.
pub fn is_true(conditions: &[Condition], type_: &str) -> bool {
    conditions
        .iter()
        .any(|condition| condition.type_ == type_ && condition.status == "True")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_time_moves_only_with_the_status() -> anyhow::Result<()> {
        let start: Timestamp = "2026-11-20T12:00:00.7Z".parse()?;
        let later: Timestamp = "2026-11-20T13:00:00Z".parse()?;
        let first = merge(&[], vec![Judgement::yes("Ready", "A", "a")], Some(1), start);
        let second = merge(&first, vec![Judgement::yes("Ready", "B", "b")], Some(2), later);
        assert_eq!(second[0].last_transition_time.0, "2026-11-20T12:00:00Z".parse()?);
        assert_eq!(
            (second[0].reason.as_str(), second[0].observed_generation),
            ("B", Some(2))
        );
        let third = merge(&second, vec![Judgement::no("Ready", "B", "b")], Some(2), later);
        assert_eq!(third[0].last_transition_time.0, later);
        Ok(())
    }

    #[test]
    fn messages_fit() {
        assert_eq!(
            Judgement::yes("T", "R", "x".repeat(300)).message.chars().count(),
            200
        );
    }
}
