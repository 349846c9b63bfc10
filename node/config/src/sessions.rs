//! Connections of clients.

use crate::LoadError;
use serde::{Deserialize, Serialize};

/// Section `[sessions]`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields, default)]
pub struct Sessions {
    /// How long a connection may stay without login, in milliseconds.
    pub login_timeout_millis: u64,
    /// A client that sends no ping for this long is dropped, in seconds.
    pub ping_timeout_seconds: u64,
    /// How long a delivery waits for its confirmation before it is sent again, in milliseconds.
    pub confirm_timeout_millis: u64,
    /// How often a delivery is sent before the session counts as silent.
    pub confirm_attempts: u32,
    /// Deliveries without a confirmation that a session may have at once.
    pub unconfirmed_max: u32,
    /// How long after login a client may ask for offline messages before they are pushed, in milliseconds.
    pub offline_grace_millis: u64,
    /// Messages in one offline batch.
    pub offline_batch_messages: u32,
    /// How often every session is checked for messages that it misses, in seconds.
    pub undelivered_check_seconds: u64,
    /// How long a login token lives, in seconds.
    pub token_lifetime_seconds: u64,
    /// Sessions of one account over the whole cluster; beyond it the oldest one ends and its client is told to stay away.
    pub per_account_max: u32,
    /// Sessions of one account with devices of one class (`termtyp`), likewise.
    pub per_device_class_max: u32,
    /// So soon after an account's login before, in seconds, nobody's place is taken: a login beyond the limits is answered
    /// 4111. 0: a place is always taken.
    pub login_interval_seconds: u64,
    /// How far an account's devices have got is kept `per_device_class` (`termtyp`), so that each gets everything, or
    /// `per_account`: what one device has confirmed, none is given again, as with the reference engine.
    pub cursors: Cursors,
    /// Sets of device classes that share one cursor, such as `[[1, 2], [3, 4]]`; the others have their own. All nodes need the
    /// same.
    pub shared_cursors: Vec<Vec<i8>>,
    /// Commands that are switched off, by number: 14, 15, 17, 19, 21, 22, 41, 42, 90 to 97. They are answered 4107.
    pub commands_off: Vec<u8>,
    /// A virtual room into which nobody has pushed for this long is removed, in seconds.
    pub virtual_room_idle_seconds: u64,
}

/// For whom it is kept what was delivered.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum Cursors {
    /// Each class of devices.
    #[default]
    PerDeviceClass,
    /// The account as a whole.
    PerAccount,
}

/// All but those without which there is no session: confirmation, ping and login.
const COMMANDS_THAT_MAY_BE_OFF: [u8; 16] = [14, 15, 17, 19, 21, 22, 41, 42, 90, 91, 92, 93, 94, 95, 96, 97];

impl Default for Sessions {
    fn default() -> Self {
        Self {
            login_timeout_millis: 5_000,
            ping_timeout_seconds: 600,
            confirm_timeout_millis: 10_000,
            confirm_attempts: 3,
            unconfirmed_max: 256,
            offline_grace_millis: 3_000,
            offline_batch_messages: 10,
            undelivered_check_seconds: 60,
            token_lifetime_seconds: 10,
            per_account_max: 1,
            per_device_class_max: 1,
            login_interval_seconds: 10,
            cursors: Cursors::default(),
            shared_cursors: Vec::new(),
            commands_off: Vec::new(),
            virtual_room_idle_seconds: 300,
        }
    }
}

impl Sessions {
    fn validate_cursors(&self) -> Result<(), LoadError> {
        let invalid = |valid| {
            let sets = format!("{:?}", self.shared_cursors);
            Err(LoadError::invalid("sessions.shared_cursors", &sets, valid))
        };
        if self.cursors == Cursors::PerAccount && !self.shared_cursors.is_empty() {
            return invalid("[] while sessions.cursors is \"per_account\"");
        }
        let mut classes: Vec<i8> = self.shared_cursors.iter().flatten().copied().collect();
        let count = classes.len();
        classes.sort_unstable();
        classes.dedup();
        if classes.len() != count || self.shared_cursors.iter().any(|set| set.len() < 2) {
            return invalid("sets of two or more device classes, each class in one of them at most");
        }
        Ok(())
    }

    pub(crate) fn validate(&self) -> Result<(), LoadError> {
        self.validate_cursors()?;
        LoadError::in_range(
            "sessions.login_timeout_millis",
            self.login_timeout_millis,
            100..=600_000,
        )?;
        LoadError::in_range(
            "sessions.ping_timeout_seconds",
            self.ping_timeout_seconds,
            10..=86_400,
        )?;
        LoadError::in_range(
            "sessions.confirm_timeout_millis",
            self.confirm_timeout_millis,
            100..=600_000,
        )?;
        LoadError::in_range(
            "sessions.confirm_attempts",
            u64::from(self.confirm_attempts),
            1..=100,
        )?;
        LoadError::in_range(
            "sessions.unconfirmed_max",
            u64::from(self.unconfirmed_max),
            1..=100_000,
        )?;
        LoadError::in_range(
            "sessions.offline_grace_millis",
            self.offline_grace_millis,
            0..=600_000,
        )?;
        LoadError::in_range(
            "sessions.offline_batch_messages",
            u64::from(self.offline_batch_messages),
            1..=1_000,
        )?;
        LoadError::in_range(
            "sessions.undelivered_check_seconds",
            self.undelivered_check_seconds,
            1..=90,
        )?;
        LoadError::in_range(
            "sessions.token_lifetime_seconds",
            self.token_lifetime_seconds,
            1..=86_400,
        )?;
        LoadError::in_range(
            "sessions.virtual_room_idle_seconds",
            self.virtual_room_idle_seconds,
            1..=86_400,
        )?;
        self.validate_devices()?;
        self.validate_commands()
    }

    fn validate_devices(&self) -> Result<(), LoadError> {
        LoadError::in_range(
            "sessions.per_account_max",
            u64::from(self.per_account_max),
            1..=1_000,
        )?;
        LoadError::in_range(
            "sessions.per_device_class_max",
            u64::from(self.per_device_class_max),
            1..=1_000,
        )?;
        LoadError::in_range(
            "sessions.login_interval_seconds",
            self.login_interval_seconds,
            0..=3_600,
        )
    }

    fn validate_commands(&self) -> Result<(), LoadError> {
        match self
            .commands_off
            .iter()
            .find(|number| !COMMANDS_THAT_MAY_BE_OFF.contains(number))
        {
            None => Ok(()),
            Some(number) => Err(LoadError::invalid(
                "sessions.commands_off",
                &number.to_string(),
                "14, 15, 17, 19, 21, 22, 41, 42, 90 to 97",
            )),
        }
    }
}
