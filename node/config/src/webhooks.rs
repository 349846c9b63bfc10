//! Webhooks: who outside is told what happens.

use crate::LoadError;
use serde::{Deserialize, Serialize};
use std::path::PathBuf;

/// What a webhook is told of.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub enum WebhookEvent {
    /// A message was stored.
    #[serde(rename = "message.sent")]
    MessageSent,
    /// A room was made, changed or ended, or somebody came or went.
    #[serde(rename = "room.changed")]
    RoomChanged,
    /// An account has its first session.
    #[serde(rename = "account.online")]
    AccountOnline,
    /// An account has no session any more.
    #[serde(rename = "account.offline")]
    AccountOffline,
}

/// Section `[webhooks]`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields, default)]
pub struct Webhooks {
    /// Where events are posted, `http://` or `https://`; empty: nowhere.
    pub url: String,
    /// Which: `message.sent`, `room.changed`, `account.online`, `account.offline`.
    pub events: Vec<WebhookEvent>,
    /// A file with the secret that signs every request, read again for each; needed with `url`.
    pub secret_file: PathBuf,
    /// Whether `message.sent` holds what the message says.
    pub include_content: bool,
    /// Where logins and logouts are posted in the form of tim 2.0 (`notice.loginstat.url`); empty: nowhere.
    pub login_states_url: String,
    /// How long an answer may take, in milliseconds.
    pub timeout_millis: u64,
    /// Most events in one request to `url`.
    pub batch_max: u32,
    /// Events that may wait in each database and for each of the two addresses; of more the oldest are given up.
    pub waiting_max: u32,
}

impl Default for Webhooks {
    fn default() -> Self {
        Self {
            url: String::new(),
            events: vec![
                WebhookEvent::MessageSent,
                WebhookEvent::RoomChanged,
                WebhookEvent::AccountOnline,
                WebhookEvent::AccountOffline,
            ],
            secret_file: PathBuf::new(),
            include_content: false,
            login_states_url: String::new(),
            timeout_millis: 5_000,
            batch_max: 100,
            waiting_max: 100_000,
        }
    }
}

impl Webhooks {
    pub(crate) fn validate(&self) -> Result<(), LoadError> {
        for (key, url) in [
            ("webhooks.url", &self.url),
            ("webhooks.login_states_url", &self.login_states_url),
        ] {
            if !url.is_empty() && !is_address(url) {
                let valid = "http://HOST/… or https://HOST/…, without a user, a password or a fragment";
                // Whoever wrote a password into it must not find it in the log.
                return Err(LoadError::invalid(key, "…", valid));
            }
        }
        if !self.url.is_empty() && self.secret_file.as_os_str().is_empty() {
            return Err(LoadError::missing("webhooks.secret_file"));
        }
        LoadError::in_range("webhooks.timeout_millis", self.timeout_millis, 100..=60_000)?;
        LoadError::in_range("webhooks.batch_max", u64::from(self.batch_max), 1..=1_000)?;
        let waiting = u64::from(self.waiting_max);
        LoadError::in_range("webhooks.waiting_max", waiting, 1_000..=10_000_000)
    }
}

/// An address as it may be told: without user, password, query and fragment, which may hold secrets.
#[must_use]
pub fn shown_address(url: &str) -> String {
    let (scheme, rest) = url
        .split_once("://")
        .map_or(("", url), |(scheme, rest)| (scheme, rest));
    let end = rest.find(['/', '?', '#']).unwrap_or(rest.len());
    let (authority, path) = rest.split_at(end);
    // A password that was not encoded may hold any of these; the last `@` ends it.
    let (authority, path) = match rest.rfind('@') {
        Some(at) if at >= end => ("…", ""),
        _ => (authority.rsplit('@').next().unwrap_or_default(), path),
    };
    let path = path.split(['?', '#']).next().unwrap_or_default();
    match scheme {
        "" => format!("{authority}{path}"),
        scheme => format!("{scheme}://{authority}{path}"),
    }
}

/// Whether requests can be sent there.
pub(crate) fn is_address(url: &str) -> bool {
    let rest = url
        .strip_prefix("https://")
        .or_else(|| url.strip_prefix("http://"));
    let Some(rest) = rest else { return false };
    let host = rest.split(['/', '?']).next().unwrap_or_default();
    let plain = |byte: u8| byte.is_ascii_graphic() && !b"\"<>\\^`{|}#".contains(&byte);
    !host.is_empty() && !host.starts_with(':') && !host.contains('@') && url.bytes().all(plain)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(webhooks: &Webhooks) -> String {
        webhooks.validate().unwrap_err().to_string()
    }

    #[test]
    fn an_address_is_told_without_its_secrets() {
        for (url, shown) in [
            (
                "https://example.org:8443/auth?key=hidden",
                "https://example.org:8443/auth",
            ),
            ("http://example.org?key=hidden", "http://example.org"),
            ("https://example.org/auth#hidden", "https://example.org/auth"),
            ("http://anna:hidden@example.org/auth", "http://example.org/auth"),
            ("http://anna:hid/den?@example.org/auth", "http://…"),
            ("anna:hidden@example.org", "example.org"),
            ("https://example.org/a", "https://example.org/a"),
        ] {
            assert_eq!(shown_address(url), shown);
        }
    }

    #[test]
    fn an_address_needs_a_secret_and_holds_none() {
        let mut webhooks = Webhooks {
            url: "https://example.org:8443/hook?of=chat".to_owned(),
            ..Webhooks::default()
        };
        assert!(refused(&webhooks).contains("webhooks.secret_file is not set"));
        webhooks.secret_file = "/run/secret".into();
        assert!(webhooks.validate().is_ok());
        for wrong in [
            "example.org",
            "ftp://example.org",
            "http://",
            "http://:80/",
            "https://u:hidden@h/",
            "http://h/ x",
        ] {
            wrong.clone_into(&mut webhooks.url);
            let told = refused(&webhooks);
            assert!(
                told.contains("webhooks.url") && !told.contains("hidden"),
                "{told}"
            );
        }
    }

    #[test]
    fn without_addresses_nothing_is_needed() {
        assert!(Webhooks::default().validate().is_ok());
        let few = Webhooks {
            waiting_max: 3,
            ..Webhooks::default()
        };
        assert!(refused(&few).contains("webhooks.waiting_max"));
    }
}
