//! Whose the users are: the cluster's own, anybody, or those of a database of yours.

use crate::LoadError;
use serde::{Deserialize, Serialize};
use std::path::PathBuf;

/// Who may log in, and who they are.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum Users {
    /// Accounts of the cluster, with passwords.
    #[default]
    Own,
    /// ANYBODY, under any name and without a password that counts (`nodb` of the reference engine). For networks in which
    /// everybody is trusted, and behind `accounts.callback`.
    Anyone,
    /// Those that the statements of `accounts.database` know (`externaldb` of the reference engine).
    Database,
}

/// Section `[accounts.database]`: users in a database of yours, asked by statements of yours. A question mark is a
/// parameter, always bound as text; `CAST(? AS INTEGER)` makes a number of it. Accounts are those whose ids the statements give.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields, default)]
pub struct UserDatabase {
    /// File that holds the DSN: sqlite, postgres, mysql or mariadb. Treated as a secret; read again when logins fail.
    pub dsn_file: PathBuf,
    /// Who logs in: with two parameters (name, password) it gives the account's id, or no row; with one (name) it gives the id and
    /// the password's hash (argon2id in PHC form, or bcrypt), which the node verifies.
    pub login: String,
    /// Whether an account (one parameter) exists: a number above 0. Empty: whoever is named does.
    pub exists: String,
    /// Whether an account (first parameter) may write to another (second): a number above 0. Empty: friends of the cluster's
    /// own roster may.
    pub may_message: String,
    /// The friends of an account (one parameter): their ids, a row each. Empty: the cluster's own roster.
    pub roster: String,
    /// The rooms of an account (one parameter): their ids, a row each. Goes with `room_members`; both empty: rooms are the
    /// cluster's own.
    pub rooms: String,
    /// The members of a room (one parameter): their ids, a row each; no row: no such room. Goes with `rooms`.
    pub room_members: String,
    /// Connections per node.
    pub connections_max: u32,
    /// How long one statement may take, in milliseconds.
    pub timeout_millis: u64,
    /// Statements that run or wait at once; who comes then is told to come back.
    pub requests_max: u32,
    /// Most rows of one answer. One that has more is not taken at all.
    pub rows_max: u32,
    /// How long an answer about two accounts, or about the members of a room, is remembered, in milliseconds.
    pub remembered_millis: u64,
    /// How long nothing is asked after the database has failed, in milliseconds.
    pub rest_millis: u64,
}

impl Default for UserDatabase {
    fn default() -> Self {
        Self {
            dsn_file: PathBuf::new(),
            login: String::new(),
            exists: String::new(),
            may_message: String::new(),
            roster: String::new(),
            rooms: String::new(),
            room_members: String::new(),
            connections_max: 8,
            timeout_millis: 2_000,
            requests_max: 256,
            rows_max: 10_000,
            remembered_millis: 10_000,
            rest_millis: 1_000,
        }
    }
}

impl UserDatabase {
    pub(crate) fn validate(&self, users: Users) -> Result<(), LoadError> {
        if users != Users::Database {
            return Ok(());
        }
        if self.dsn_file.as_os_str().is_empty() {
            return Err(LoadError::missing("accounts.database.dsn_file"));
        }
        if self.login.is_empty() {
            return Err(LoadError::missing("accounts.database.login"));
        }
        for (key, statement, parameters) in [
            ("accounts.database.login", &self.login, 1..=2),
            ("accounts.database.exists", &self.exists, 1..=1),
            ("accounts.database.may_message", &self.may_message, 2..=2),
            ("accounts.database.roster", &self.roster, 1..=1),
            ("accounts.database.rooms", &self.rooms, 1..=1),
            ("accounts.database.room_members", &self.room_members, 1..=1),
        ] {
            let found = statement.matches('?').count();
            if !statement.is_empty() && !parameters.contains(&found) {
                let valid = format!(
                    "a statement with {} to {} question marks",
                    parameters.start(),
                    parameters.end()
                );
                return Err(LoadError::invalid(
                    key,
                    &format!("{found} question marks"),
                    &valid,
                ));
            }
        }
        self.validate_rooms()?;
        for (key, value, valid) in [
            (
                "accounts.database.connections_max",
                u64::from(self.connections_max),
                1..=256,
            ),
            (
                "accounts.database.timeout_millis",
                self.timeout_millis,
                50..=60_000,
            ),
            (
                "accounts.database.requests_max",
                u64::from(self.requests_max),
                1..=100_000,
            ),
            (
                "accounts.database.rows_max",
                u64::from(self.rows_max),
                1..=1_000_000,
            ),
            (
                "accounts.database.remembered_millis",
                self.remembered_millis,
                0..=600_000,
            ),
            ("accounts.database.rest_millis", self.rest_millis, 0..=60_000),
        ] {
            LoadError::in_range(key, value, valid)?;
        }
        Ok(())
    }

    /// Rooms that an account is shown and cannot use, or the other way round, help nobody.
    fn validate_rooms(&self) -> Result<(), LoadError> {
        let key = match (self.rooms.is_empty(), self.room_members.is_empty()) {
            (true, false) => "accounts.database.rooms",
            (false, true) => "accounts.database.room_members",
            _ => return Ok(()),
        };
        let valid = "rooms and room_members, or neither of them";
        Err(LoadError::invalid(key, "", valid))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn database() -> UserDatabase {
        UserDatabase {
            dsn_file: PathBuf::from("/etc/tim/users"),
            login: "SELECT id FROM people WHERE name = ? AND secret = ?".to_owned(),
            ..UserDatabase::default()
        }
    }

    #[test]
    fn rooms_are_said_by_two_statements_or_by_none() {
        let both = UserDatabase {
            rooms: "SELECT room FROM members WHERE person = ?".to_owned(),
            room_members: "SELECT person FROM members WHERE room = ?".to_owned(),
            ..database()
        };
        assert!(both.validate(Users::Database).is_ok());
        let rooms_alone = UserDatabase {
            room_members: String::new(),
            ..both.clone()
        };
        let members_alone = UserDatabase {
            rooms: String::new(),
            ..both
        };
        for (wrong, key) in [
            (rooms_alone, "database.room_members"),
            (members_alone, "database.rooms"),
        ] {
            let told = wrong.validate(Users::Database).unwrap_err().to_string();
            assert!(told.contains(key) && told.contains("or neither"), "{told}");
        }
    }

    #[test]
    fn statements_have_the_parameters_that_they_are_given() {
        assert!(database().validate(Users::Database).is_ok());
        let wrong = UserDatabase {
            may_message: "SELECT 1 FROM friends WHERE one = ?".to_owned(),
            ..database()
        };
        let told = wrong.validate(Users::Database).unwrap_err().to_string();
        assert!(
            told.contains("accounts.database.may_message") && told.contains("1 question marks"),
            "{told}"
        );
        assert!(wrong.validate(Users::Own).is_ok(), "it is not used");
        let told = UserDatabase::default()
            .validate(Users::Database)
            .unwrap_err()
            .to_string();
        assert!(told.contains("dsn_file"), "{told}");
    }
}
