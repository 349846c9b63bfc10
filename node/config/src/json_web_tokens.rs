//! Logins with tokens of another user system.

use crate::LoadError;
use serde::{Deserialize, Serialize};
use std::path::PathBuf;

/// How a JSON Web Token is signed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub enum JwtAlgorithm {
    /// HMAC with SHA-256, under a secret that both sides know.
    HS256,
    /// HMAC with SHA-384.
    HS384,
    /// HMAC with SHA-512.
    HS512,
    /// RSA PKCS#1 v1.5 with SHA-256.
    RS256,
    /// RSA PKCS#1 v1.5 with SHA-384.
    RS384,
    /// RSA PKCS#1 v1.5 with SHA-512.
    RS512,
    /// RSA PSS with SHA-256.
    PS256,
    /// ECDSA over P-256 with SHA-256.
    ES256,
    /// ECDSA over P-384 with SHA-384.
    ES384,
}

impl JwtAlgorithm {
    fn is_symmetric(self) -> bool {
        matches!(self, Self::HS256 | Self::HS384 | Self::HS512)
    }
}

/// Section `[accounts.jwt]`: a client may log in with a JSON Web Token of another user system.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields, default)]
pub struct JsonWebTokens {
    /// Who makes the tokens, as their claim `iss` says; empty: such tokens are not taken.
    pub issuer: String,
    /// For whom they are, as their claim `aud` says.
    pub audience: String,
    /// How they may be signed; of `HS…` or of the others, not of both.
    pub algorithms: Vec<JwtAlgorithm>,
    /// Where the issuer publishes its keys, a JWK set. One of `jwks_url`, `jwks_file` and `secret_file` is needed.
    pub jwks_url: String,
    /// A file with a JWK set.
    pub jwks_file: PathBuf,
    /// A file with the secret of `HS…`.
    pub secret_file: PathBuf,
    /// The claim that holds the account's name.
    pub account_claim: String,
    /// The claim that holds the domain of the name; empty: no domain.
    pub domain_claim: String,
    /// Whether an account that is not there is made at its first login.
    pub create_accounts: bool,
    /// How far the issuer's clock may be off, in seconds.
    pub leeway_seconds: u64,
    /// Keys are read again after so long, and at once when a token names one that is not known.
    pub refresh_seconds: u64,
    /// Keys that could not be read again for so long are not used any more, in seconds.
    pub keys_max_age_seconds: u64,
}

impl Default for JsonWebTokens {
    fn default() -> Self {
        Self {
            issuer: String::new(),
            audience: String::new(),
            algorithms: vec![JwtAlgorithm::RS256, JwtAlgorithm::ES256],
            jwks_url: String::new(),
            jwks_file: PathBuf::new(),
            secret_file: PathBuf::new(),
            account_claim: String::from("sub"),
            domain_claim: String::new(),
            create_accounts: true,
            leeway_seconds: 30,
            refresh_seconds: 600,
            keys_max_age_seconds: 86_400,
        }
    }
}

impl JsonWebTokens {
    pub(crate) fn validate(&self) -> Result<(), LoadError> {
        let range = LoadError::in_range;
        range("accounts.jwt.leeway_seconds", self.leeway_seconds, 0..=60)?;
        range("accounts.jwt.refresh_seconds", self.refresh_seconds, 10..=86_400)?;
        let ages = self.refresh_seconds..=604_800;
        range(
            "accounts.jwt.keys_max_age_seconds",
            self.keys_max_age_seconds,
            ages,
        )?;
        if self.issuer.is_empty() {
            return Ok(());
        }
        for (key, value) in [
            ("accounts.jwt.audience", &self.audience),
            ("accounts.jwt.account_claim", &self.account_claim),
        ] {
            if value.is_empty() {
                return Err(LoadError::missing(key));
            }
        }
        self.validate_keys()
    }

    fn validate_keys(&self) -> Result<(), LoadError> {
        let secret = !self.secret_file.as_os_str().is_empty();
        let published = [!self.jwks_url.is_empty(), !self.jwks_file.as_os_str().is_empty()];
        let sources = usize::from(secret) + published.iter().filter(|is| **is).count();
        if sources != 1 {
            let valid = "exactly one of accounts.jwt.jwks_url, .jwks_file and .secret_file";
            return Err(LoadError::invalid(
                "accounts.jwt",
                &format!("{sources} of them"),
                valid,
            ));
        }
        let url = &self.jwks_url;
        if published[0] && !crate::webhooks::is_address(url) {
            let valid = "http://HOST/… or https://HOST/…, without a user, a password or a fragment";
            return Err(LoadError::invalid("accounts.jwt.jwks_url", "…", valid));
        }
        // A public key taken for a secret would let anybody sign.
        let fits = |algorithm: &JwtAlgorithm| algorithm.is_symmetric() == secret;
        if self.algorithms.is_empty() || !self.algorithms.iter().all(fits) {
            let valid = match secret {
                true => "HS256, HS384, HS512 with a secret_file",
                false => "RS256, RS384, RS512, PS256, ES256, ES384 with a JWK set",
            };
            let given = format!("{:?}", self.algorithms);
            return Err(LoadError::invalid("accounts.jwt.algorithms", &given, valid));
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn valid() -> JsonWebTokens {
        JsonWebTokens {
            issuer: "https://id.example.org".to_owned(),
            audience: "chat".to_owned(),
            jwks_url: "https://id.example.org/jwks".to_owned(),
            ..JsonWebTokens::default()
        }
    }

    fn refused(change: impl Fn(&mut JsonWebTokens)) -> String {
        let mut changed = valid();
        change(&mut changed);
        changed.validate().unwrap_err().to_string()
    }

    #[test]
    fn keys_audience_and_algorithms_have_to_fit() {
        assert!(valid().validate().is_ok() && JsonWebTokens::default().validate().is_ok());
        assert!(refused(|it| it.audience.clear()).contains("accounts.jwt.audience"));
        assert!(refused(|it| it.jwks_url.clear()).contains("exactly one of"));
        assert!(refused(|it| it.secret_file = "/run/secret".into()).contains("exactly one of"));
        assert!(refused(|it| it.algorithms.push(JwtAlgorithm::HS256)).contains("accounts.jwt.algorithms"));
        assert!(refused(|it| it.algorithms.clear()).contains("accounts.jwt.algorithms"));
        assert!(refused(|it| it.jwks_url = "id.example.org".to_owned()).contains("jwks_url"));
        let old = refused(|it| it.keys_max_age_seconds = 60);
        assert!(old.contains("accounts.jwt.keys_max_age_seconds"), "{old}");
    }
}
