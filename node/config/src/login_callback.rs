//! A look at every login by somebody outside.

use crate::LoadError;
use serde::{Deserialize, Serialize};

/// Section `[accounts.callback]`: every login is shown to an address of yours before it is checked, as with
/// `connectauth_url` of the reference engine.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields, default)]
pub struct LoginCallback {
    /// Where the login is posted as JSON (`TimAuth`, password included); an answer whose first byte is 1 lets it go on.
    /// Empty: nowhere.
    pub url: String,
    /// How long the answer may take, in milliseconds.
    pub timeout_millis: u64,
    /// Logins that are shown at once; more are told to come back.
    pub requests_max: u32,
}

impl Default for LoginCallback {
    fn default() -> Self {
        Self {
            url: String::new(),
            timeout_millis: 3_000,
            requests_max: 256,
        }
    }
}

impl LoginCallback {
    pub(crate) fn validate(&self) -> Result<(), LoadError> {
        if !self.url.is_empty() && !crate::webhooks::is_address(&self.url) {
            let valid = "http://HOST/… or https://HOST/…, without a user, a password or a fragment";
            return Err(LoadError::invalid("accounts.callback.url", "…", valid));
        }
        LoadError::in_range(
            "accounts.callback.timeout_millis",
            self.timeout_millis,
            100..=30_000,
        )?;
        let requests = u64::from(self.requests_max);
        LoadError::in_range("accounts.callback.requests_max", requests, 1..=10_000)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_one_and_limits_are_limits() {
        let with = |url: &str, requests_max| LoginCallback {
            url: url.to_owned(),
            requests_max,
            ..LoginCallback::default()
        };
        assert!(LoginCallback::default().validate().is_ok());
        assert!(with("https://example.org/auth", 1).validate().is_ok());
        assert!(with("example.org/auth", 1).validate().is_err());
        assert!(with("", 0).validate().is_err());
    }
}
