//! Accounts and passwords.

use crate::{JsonWebTokens, LoadError, LoginCallback, UserDatabase, Users};
use serde::{Deserialize, Serialize};

/// Section `[accounts]`: how account ids come from login names.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields, default)]
pub struct Accounts {
    /// Salt of the derivation; the default is the reference engine's, so that existing ids stay. Treated as a secret.
    pub salt: String,
    /// Seed of the check byte as text (`maskseed` of generation 2.1); empty: the default seed.
    pub mask_seed: String,
    /// Seed of the check byte as a number (`seed` of generation 2.0); 0: the default seed. Only one of the two is set.
    pub seed: i64,
    /// What account ids are: `derived` from name and domain as the reference engine does it, or the `names` themselves, for
    /// clusters whose accounts have ids from elsewhere. Never changed once there are accounts.
    pub ids: AccountIds,
    /// Whose the users are: the cluster's `own`, ANYONE without a password (`anyone`), or those of a `database` of yours. The
    /// latter two need `ids = "names"`.
    pub users: Users,
    /// Users in a database of yours.
    pub database: UserDatabase,
    /// Tokens of another user system.
    pub jwt: JsonWebTokens,
    /// Who is asked about logins.
    pub callback: LoginCallback,
    /// Password hashing.
    pub passwords: Passwords,
    /// Deleted accounts.
    pub deletion: Deletion,
}

/// Section `[accounts.deletion]`: what happens when an account is deleted.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields, default)]
pub struct Deletion {
    /// How long after its beginning what the account has sent and stored is erased, in seconds: longer than anything of it
    /// can still be under way. Nobody logs in as it meanwhile, and messages to it are refused.
    pub settle_seconds: u64,
}

impl Default for Deletion {
    fn default() -> Self {
        Self { settle_seconds: 90 }
    }
}

/// What account ids are.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum AccountIds {
    /// A number with a check byte, from the login name and its domain.
    #[default]
    Derived,
    /// The login name, whatever the domain: 1 to 64 bytes.
    Names,
}

/// Section `[accounts.passwords]`: argon2id, off the I/O threads.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields, default)]
pub struct Passwords {
    /// Memory of one hash in KiB (OWASP: 19 MiB with two passes and one lane).
    pub memory_kib: u32,
    /// Passes over the memory.
    pub iterations: u32,
    /// Hashes computed at once.
    pub workers: u32,
    /// Logins and registrations that may wait for a worker; more are answered 5104.
    pub queue_max: u32,
    /// Verified credentials remembered under a keyed hash, so that a reconnect costs no new hash; twice as many are kept for
    /// other nodes, so that one there costs none either. 0 switches it off.
    pub remembered_max: u32,
    /// How long one is remembered, in seconds; begun anew while the account has a session on the node that verified it.
    pub remembered_seconds: u64,
}

impl Default for Accounts {
    fn default() -> Self {
        Self {
            salt: String::from("#@*=+-<>?:|$&()%$#{]aQkLIPM79643028U'TRKF_}"),
            mask_seed: String::new(),
            seed: 0,
            ids: AccountIds::default(),
            users: Users::default(),
            database: UserDatabase::default(),
            jwt: JsonWebTokens::default(),
            callback: LoginCallback::default(),
            passwords: Passwords::default(),
            deletion: Deletion::default(),
        }
    }
}

impl Default for Passwords {
    fn default() -> Self {
        Self {
            memory_kib: 19_456,
            iterations: 2,
            workers: 1,
            queue_max: 1_024,
            remembered_max: 20_000,
            remembered_seconds: 600,
        }
    }
}

impl Accounts {
    pub(crate) fn hide_secrets(&mut self) {
        for secret in [&mut self.salt, &mut self.mask_seed] {
            if !secret.is_empty() {
                *secret = String::from("<hidden>");
            }
        }
    }

    pub(crate) fn validate(&self) -> Result<(), LoadError> {
        if self.seed != 0 && !self.mask_seed.is_empty() {
            return Err(LoadError::invalid(
                "accounts.seed",
                &self.seed.to_string(),
                "0 while accounts.mask_seed is set",
            ));
        }
        if self.users != Users::Own && self.ids != AccountIds::Names {
            return Err(LoadError::invalid(
                "accounts.ids",
                "derived",
                "\"names\" where accounts.users is not \"own\": the accounts are called as they are elsewhere",
            ));
        }
        self.database.validate(self.users)?;
        self.jwt.validate()?;
        self.callback.validate()?;
        LoadError::in_range(
            "accounts.deletion.settle_seconds",
            self.deletion.settle_seconds,
            1..=86_400,
        )?;
        let passwords = &self.passwords;
        LoadError::in_range(
            "accounts.passwords.memory_kib",
            u64::from(passwords.memory_kib),
            64..=1_048_576,
        )?;
        LoadError::in_range(
            "accounts.passwords.iterations",
            u64::from(passwords.iterations),
            1..=100,
        )?;
        LoadError::in_range("accounts.passwords.workers", u64::from(passwords.workers), 1..=64)?;
        LoadError::in_range(
            "accounts.passwords.queue_max",
            u64::from(passwords.queue_max),
            1..=1_000_000,
        )?;
        LoadError::in_range(
            "accounts.passwords.remembered_max",
            u64::from(passwords.remembered_max),
            0..=10_000_000,
        )?;
        LoadError::in_range(
            "accounts.passwords.remembered_seconds",
            passwords.remembered_seconds,
            1..=86_400,
        )
    }
}
