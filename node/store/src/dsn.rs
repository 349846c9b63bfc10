//! The address of a database as a user writes it, and the form of it that may be shown.
//!
//! Known are `sqlite:PATH` and `sqlite://PATH`, `postgres://` and `postgresql://`, `mysql://` and `mariadb://`.
//! A DSN may hold a password, so nothing here ever repeats one: errors and [`Dsn::shown`] carry a form in which the
//! password is hidden, also when the rest could not be understood.

use std::fmt;
use std::path::PathBuf;
use std::str::FromStr;

use sqlx::mysql::MySqlConnectOptions;
use sqlx::postgres::PgConnectOptions;

/// The schemes that are understood, as error messages list them.
pub const KNOWN_SCHEMES: &str = "sqlite, postgres, postgresql, mysql, mariadb";

/// The family of engines a DSN addresses.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Engine {
    /// A SQLite file on this machine.
    Sqlite,
    /// PostgreSQL, or a database that speaks its protocol and dialect.
    Postgres,
    /// MySQL or MariaDB; which of the two is seen when connected.
    MySql,
}

impl Engine {
    /// `db.system.name` of telemetry.
    #[must_use]
    pub fn system_name(self) -> &'static str {
        match self {
            Self::Sqlite => "sqlite",
            Self::Postgres => "postgresql",
            Self::MySql => "mysql",
        }
    }
}

/// Why a DSN cannot be used. Nothing was changed; the same DSN fails again.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BadDsn {
    /// The part before the first colon is not a known scheme.
    #[error("\"{shown}\" has an unknown scheme. Known: {KNOWN_SCHEMES}")]
    UnknownScheme {
        /// The DSN without its password.
        shown: String,
    },
    /// The scheme is known, the rest is not understood.
    #[error("\"{shown}\": {reason}")]
    Malformed {
        /// The DSN without its password.
        shown: String,
        /// What is wrong with it, without values that could be secret.
        reason: String,
    },
}

/// A parsed address of a database.
#[derive(Clone)]
pub struct Dsn {
    shown: String,
    place: String,
    pub(crate) target: Target,
}

/// What the pools are opened with.
#[derive(Clone)]
pub(crate) enum Target {
    Sqlite(PathBuf),
    Postgres(Box<PgConnectOptions>),
    MySql(Box<MySqlConnectOptions>),
}

impl Dsn {
    /// The family of engines.
    #[must_use]
    pub fn engine(&self) -> Engine {
        match self.target {
            Target::Sqlite(_) => Engine::Sqlite,
            Target::Postgres(_) => Engine::Postgres,
            Target::MySql(_) => Engine::MySql,
        }
    }

    /// The DSN with its password hidden.
    #[must_use]
    pub fn shown(&self) -> &str {
        &self.shown
    }

    /// Where it is: `host:port`, or the path of the file.
    #[must_use]
    pub fn place(&self) -> &str {
        &self.place
    }
}

impl fmt::Debug for Dsn {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.shown)
    }
}

impl FromStr for Dsn {
    type Err = BadDsn;

    fn from_str(text: &str) -> Result<Self, BadDsn> {
        let text = text.trim();
        let shown = hide_password(text);
        let malformed = |reason: String| BadDsn::Malformed {
            shown: shown.clone(),
            reason,
        };
        let scheme = text.split_once(':').map_or("", |(scheme, _)| scheme);
        let (target, place) = match scheme {
            "sqlite" => {
                let path = sqlite_path(text).map_err(|reason| malformed(reason.to_owned()))?;
                let place = path.display().to_string();
                (Target::Sqlite(path), place)
            }
            "postgres" | "postgresql" => {
                let options = with_authority(text)
                    .and_then(|text| PgConnectOptions::from_str(text).map_err(|error| reason_of(&error)))
                    .map_err(malformed)?;
                if options.get_database().is_none_or(str::is_empty) {
                    return Err(malformed(NO_DATABASE.to_owned()));
                }
                let place = format!("{}:{}", options.get_host(), options.get_port());
                (Target::Postgres(Box::new(options)), place)
            }
            "mysql" | "mariadb" => {
                let options = with_authority(text)
                    .and_then(|text| MySqlConnectOptions::from_str(text).map_err(|error| reason_of(&error)))
                    .map_err(malformed)?;
                if options.get_database().is_none_or(str::is_empty) {
                    return Err(malformed(NO_DATABASE.to_owned()));
                }
                let place = format!("{}:{}", options.get_host(), options.get_port());
                (Target::MySql(Box::new(options)), place)
            }
            _ => return Err(BadDsn::UnknownScheme { shown }),
        };
        Ok(Self { shown, place, target })
    }
}

const NO_DATABASE: &str = "names no database, expected scheme://user@host:port/DATABASE";

/// `sqlite:PATH` or `sqlite://PATH`, an absolute or relative path without parameters.
fn sqlite_path(text: &str) -> Result<PathBuf, &'static str> {
    let rest = text.trim_start_matches("sqlite:");
    let path = rest.strip_prefix("//").unwrap_or(rest);
    if path.is_empty() {
        return Err("names no file, expected sqlite:PATH");
    }
    if path.starts_with(':') {
        return Err("a database in memory would lose messages, expected sqlite:PATH");
    }
    if path.contains('?') {
        return Err("takes no parameters, expected sqlite:PATH");
    }
    Ok(PathBuf::from(path))
}

fn with_authority(text: &str) -> Result<&str, String> {
    if text.contains("://") {
        Ok(text)
    } else {
        Err("expected scheme://user@host:port/database".to_owned())
    }
}

/// The kind of the failure without its text where the text could repeat a part of the DSN.
fn reason_of(error: &sqlx::Error) -> String {
    let text = error.to_string();
    const HARMLESS: [&str; 5] = ["port", "host", "percent", "utf-8", "unknown value"];
    match HARMLESS.iter().find(|word| text.to_lowercase().contains(*word)) {
        Some(&"port") => "the port is not a number from 1 to 65535".to_owned(),
        Some(&"host") => "the host is not understood".to_owned(),
        Some(&"unknown value") => "a parameter has an unknown value".to_owned(),
        Some(_) => "a part is not correctly percent-encoded".to_owned(),
        None => "not understood, expected scheme://user@host:port/database".to_owned(),
    }
}

/// Replaces what stands between the first colon of the authority and its last `@`, and any `password=` parameter.
///
/// Works on text that is no URL, since a DSN with a typing error holds a password as well.
#[must_use]
pub fn hide_password(text: &str) -> String {
    const HIDDEN: &str = "***";
    let start = text.find("://").map_or(0, |place| place + 3);
    let (head, rest) = text.split_at(start);
    // A password that was not percent-encoded may hold a slash or a question mark; the last `@` ends it.
    let rest = match rest.rfind('@') {
        Some(at) => {
            let user = rest[..at].split(':').next().unwrap_or("");
            let hidden = if rest[..at].contains(':') { ":***" } else { "" };
            format!("{user}{hidden}{}", &rest[at..])
        }
        None => rest.to_owned(),
    };
    let mut shown = format!("{head}{rest}");
    for key in ["password=", "sslpassword=", "pwd="] {
        if let Some(place) = shown.find(key) {
            let value = place + key.len();
            let end = shown[value..].find('&').map_or(shown.len(), |end| value + end);
            shown.replace_range(value..end, HIDDEN);
        }
    }
    shown
}

#[cfg(test)]
mod tests;
