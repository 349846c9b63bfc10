//! For how long messages are kept.

use crate::LoadError;
use serde::{Deserialize, Serialize};

/// Longest time that can be said, in seconds: a hundred years.
const SECONDS_MAX: u64 = 3_155_760_000;

/// Section `[storage.retention]`: what goes by itself. Nothing does unless it is said here.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields, default)]
pub struct Retention {
    /// Messages and notices between two accounts go when they are so old, in seconds; 0: never.
    pub direct_seconds: u64,
    /// The same in rooms, whether or not every member has them.
    pub room_seconds: u64,
    /// What the system has told accounts.
    pub system_seconds: u64,
    /// Between two accounts and from the system: what not every device has confirmed stays until it is so old, in seconds;
    /// 0: it goes with the rest.
    pub undelivered_seconds: u64,
    /// Of a conversation only so many entries stay, the newest ones; 0: any number.
    pub entries_per_conversation_max: u64,
    /// How long after a walk over all conversations the next one begins, in seconds.
    pub interval_seconds: u64,
    /// Pause between two pages of 200 conversations of a walk, in milliseconds.
    pub pause_millis: u64,
}

impl Default for Retention {
    fn default() -> Self {
        Self {
            direct_seconds: 0,
            room_seconds: 0,
            system_seconds: 0,
            undelivered_seconds: 0,
            entries_per_conversation_max: 0,
            interval_seconds: 3_600,
            pause_millis: 100,
        }
    }
}

impl Retention {
    pub(crate) fn validate(&self) -> Result<(), LoadError> {
        for (key, seconds) in [
            ("storage.retention.direct_seconds", self.direct_seconds),
            ("storage.retention.room_seconds", self.room_seconds),
            ("storage.retention.system_seconds", self.system_seconds),
            ("storage.retention.undelivered_seconds", self.undelivered_seconds),
        ] {
            LoadError::in_range(key, seconds, 0..=SECONDS_MAX)?;
        }
        LoadError::in_range(
            "storage.retention.entries_per_conversation_max",
            self.entries_per_conversation_max,
            0..=1_000_000_000,
        )?;
        LoadError::in_range(
            "storage.retention.interval_seconds",
            self.interval_seconds,
            1..=604_800,
        )?;
        LoadError::in_range("storage.retention.pause_millis", self.pause_millis, 0..=60_000)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_goes_by_default_and_times_are_bounded() {
        let default = Retention::default();
        assert_eq!(
            (default.direct_seconds, default.entries_per_conversation_max),
            (0, 0)
        );
        assert!(default.validate().is_ok());
        let too_long = Retention {
            room_seconds: SECONDS_MAX + 1,
            ..default
        };
        assert!(
            too_long
                .validate()
                .unwrap_err()
                .to_string()
                .contains("storage.retention.room_seconds")
        );
    }
}
