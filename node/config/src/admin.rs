//! Administrators: who may call the API on the admin listener, and as what.

use crate::LoadError;
use serde::{Deserialize, Serialize};
use std::path::PathBuf;
use tim_catalogue::configuration;

/// Hexadecimal digits of a SHA-256.
const SHA256_DIGITS: usize = 64;
/// Longest name of a token or console user.
const NAME_BYTES_MAX: usize = 64;
/// Most tokens, and most console users: each call looks at all of them.
const ENTRIES_MAX: u64 = 1_000;

/// What a token may do; each role may do what those before it may.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "lowercase")]
pub enum Role {
    /// Look: profiles, blocks, who is online.
    Read,
    /// Keep order: block, end sessions, change profiles, make and remove virtual rooms.
    Operate,
    /// Whatever an account's owner can do: register, set passwords, make login tokens.
    Admin,
}

impl Role {
    /// As it is written.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Read => "read",
            Self::Operate => "operate",
            Self::Admin => "admin",
        }
    }
}

/// A token, of which only its hash is known.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct AdminToken {
    /// Whose it is; the audit log names it.
    pub name: String,
    /// What it may do.
    pub role: Role,
    /// SHA-256 of the token, hexadecimal; `tim-node admin-token` prints it.
    pub sha256: String,
}

/// A console user of the HTTP admin API of tim 2.0. May do everything that API offers.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct ConsoleUser {
    /// As in the header `username`; the audit log names it.
    pub name: String,
    /// Hash of the password (argon2id, PHC form); `tim-node admin-password` prints it.
    pub password_hash: String,
}

/// Who may call.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Administrators {
    /// Tokens of the API.
    pub tokens: Vec<AdminToken>,
    /// Console users of the API of 2.0.
    pub users: Vec<ConsoleUser>,
}

/// Section `[admin]`. Without tokens nobody may call the API.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields, default)]
pub struct Admin {
    /// A TOML file with `[[tokens]]` and `[[users]]` as below, read again when it changes; empty: none. One that cannot
    /// be used lets nobody in.
    pub tokens_file: PathBuf,
    /// Whether the HTTP admin API of tim 2.0 (`/timToken` and so on) is offered as well.
    pub tim_2_0_api: bool,
    /// Whether the WebSocket `/tim` of tim 2.1 is offered: console users subscribe to who comes and goes, and push into
    /// virtual rooms.
    pub tim_2_1_websocket: bool,
    /// Connections of it at once; more are told to come back.
    pub websockets_max: u32,
    /// Wrong tokens and passwords from one address per minute; then passwords from there are not looked at for a while, and
    /// only right tokens get in. 0: no limit.
    pub failed_authentications_per_address_per_minute: u32,
    /// Largest body of a request, in bytes.
    pub body_bytes_max: u32,
    /// Requests that are served at once; more are told to come back.
    pub requests_max: u32,
    /// How long a request may take, in milliseconds.
    pub request_timeout_millis: u64,
    /// Tokens of the API under `/api/v1`, beside those of the file: `[[admin.tokens]]` with `name`, `role` (`read`,
    /// `operate`, `admin`) and `sha256`, as `tim-node admin-token` prints them.
    pub tokens: Vec<AdminToken>,
    /// Console users of the API of 2.0, beside those of the file: `[[admin.users]]` with `name` and `password_hash`, as
    /// `tim-node admin-password` prints them.
    pub users: Vec<ConsoleUser>,
}

impl Default for Admin {
    fn default() -> Self {
        Self {
            tokens_file: PathBuf::new(),
            tim_2_0_api: false,
            tim_2_1_websocket: false,
            websockets_max: 64,
            failed_authentications_per_address_per_minute: 20,
            body_bytes_max: 128 << 10,
            requests_max: 64,
            request_timeout_millis: 15_000,
            tokens: Vec::new(),
            users: Vec::new(),
        }
    }
}

impl Admin {
    pub(crate) fn validate(&self) -> Result<(), LoadError> {
        Administrators {
            tokens: self.tokens.clone(),
            users: self.users.clone(),
        }
        .validate("admin.")?;
        let range = |key, value: u32, valid| LoadError::in_range(key, u64::from(value), valid);
        range(
            "admin.failed_authentications_per_address_per_minute",
            self.failed_authentications_per_address_per_minute,
            0..=1_000_000,
        )?;
        range("admin.body_bytes_max", self.body_bytes_max, 1_024..=(8 << 20))?;
        range("admin.websockets_max", self.websockets_max, 1..=100_000)?;
        range("admin.requests_max", self.requests_max, 1..=10_000)?;
        LoadError::in_range(
            "admin.request_timeout_millis",
            self.request_timeout_millis,
            1_000..=600_000,
        )
    }

    pub(crate) fn hide_secrets(&mut self) {
        for user in &mut self.users {
            "<hidden>".clone_into(&mut user.password_hash);
        }
    }
}

impl Administrators {
    /// Reads the text of `admin.tokens_file`; `place` names it in errors.
    ///
    /// # Errors
    /// What is wrong with it: not TOML (`TIM-C103`), an unknown key (`TIM-C101`), a value outside its valid set (`TIM-C102`).
    pub fn parse(text: &str, place: &str) -> Result<Self, LoadError> {
        let read: Self = toml::from_str(text).map_err(|error| {
            let before = error.span().map_or(0, |span| span.start.min(text.len()));
            let line = text.as_bytes()[..before]
                .iter()
                .filter(|byte| **byte == b'\n')
                .count()
                + 1;
            let reason = error.message().lines().next().unwrap_or_default();
            LoadError::new(
                &configuration::UNREADABLE_FILE,
                format!("{place}:{line}: {reason}"),
            )
        })?;
        read.validate(&format!("{place}: "))?;
        Ok(read)
    }

    fn validate(&self, prefix: &str) -> Result<(), LoadError> {
        for (list, length) in [("tokens", self.tokens.len()), ("users", self.users.len())] {
            LoadError::in_range(&format!("{prefix}{list}"), length as u64, 0..=ENTRIES_MAX)?;
        }
        for (index, token) in self.tokens.iter().enumerate() {
            let key = format!("{prefix}tokens[{index}]");
            name(&key, &token.name)?;
            let digits = token.sha256.bytes().all(|byte| byte.is_ascii_hexdigit());
            if token.sha256.len() != SHA256_DIGITS || !digits {
                let valid = "64 hexadecimal digits, as `tim-node admin-token` prints them";
                return Err(LoadError::invalid(&format!("{key}.sha256"), &token.sha256, valid));
            }
        }
        for (index, user) in self.users.iter().enumerate() {
            let key = format!("{prefix}users[{index}]");
            name(&key, &user.name)?;
            if !user.password_hash.starts_with("$argon2id$") {
                let valid = "a hash that begins with $argon2id$, as `tim-node admin-password` prints it";
                return Err(LoadError::invalid(&format!("{key}.password_hash"), "…", valid));
            }
        }
        Ok(())
    }
}

/// Whether a token or console user may be called that. Names get into logs: short, and nothing that could be taken for
/// another field.
pub fn is_administrator_name(name: &str) -> bool {
    let fits = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.@".contains(&byte);
    (1..=NAME_BYTES_MAX).contains(&name.len()) && name.bytes().all(fits)
}

fn name(key: &str, name: &str) -> Result<(), LoadError> {
    if is_administrator_name(name) {
        return Ok(());
    }
    let valid = "1 to 64 letters, digits, '-', '_', '.' and '@'";
    Err(LoadError::invalid(&format!("{key}.name"), name, valid))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(text: &str) -> String {
        Administrators::parse(text, "tokens.toml")
            .unwrap_err()
            .to_string()
    }

    #[test]
    fn a_file_names_tokens_and_users() {
        let hash = "ab".repeat(32);
        let text = format!(
            "[[tokens]]\nname = \"ci\"\nrole = \"operate\"\nsha256 = \"{hash}\"\n[[users]]\nname = \"root\"\npassword_hash = \"$argon2id$x\"\n"
        );
        let read = Administrators::parse(&text, "tokens.toml").unwrap();
        assert_eq!((read.tokens[0].role, read.users.len()), (Role::Operate, 1));
        assert!(Role::Read < Role::Operate && Role::Operate < Role::Admin);
        assert_eq!(
            Administrators::parse("", "tokens.toml").unwrap(),
            Administrators::default()
        );
    }

    #[test]
    fn what_is_wrong_is_named_with_its_place() {
        let hash = "ab".repeat(32);
        let token = |more: &str| format!("[[tokens]]\nrole = \"read\"\n{more}");
        let unknown = refused(&token(&format!(
            "name = \"a\"\nsha256 = \"{hash}\"\nrolle = \"x\"\n"
        )));
        assert!(
            unknown.starts_with("TIM-C103 tokens.toml:5") && unknown.contains("rolle"),
            "{unknown}"
        );
        let short = refused(&token("name = \"a\"\nsha256 = \"ab\"\n"));
        assert!(short.contains("tokens.toml: tokens[0].sha256"), "{short}");
        let named = refused(&token(&format!("name = \"a b\"\nsha256 = \"{hash}\"\n")));
        assert!(named.contains("tokens[0].name"), "{named}");
        let user = refused("[[users]]\nname = \"a\"\npassword_hash = \"secret\"\n");
        assert!(
            user.contains("users[0].password_hash") && !user.contains("secret"),
            "{user}"
        );
    }
}
