//! The node's configuration: one typed tree, read from TOML files and the environment, checked before the first socket.
//!
//! Both substrates write it (the operator into a ConfigMap, `tim up` into a file) and the node reads it, so the tree lives
//! in a crate of its own. Later sources win: defaults, then each `--config` file in order, then variables
//! `TIM_<SECTION>__<KEY>`. An unknown key is refused with its name and the nearest valid one ([`LoadError`]).

mod accounts;
mod admin;
mod drain;
mod identity;
mod json_web_tokens;
mod limits;
mod listeners;
mod load;
mod login_callback;
mod membership;
mod partitioning;
#[cfg(feature = "schema")]
pub mod reference;
mod retention;
mod sessions;
mod storage;
mod telemetry;
mod trust;
mod users;
mod webhooks;

pub use accounts::{AccountIds, Accounts, Deletion, Passwords};
pub use admin::{Admin, AdminToken, Administrators, ConsoleUser, Role, is_administrator_name};
pub use drain::Drain;
pub use identity::Identity;
pub use json_web_tokens::{JsonWebTokens, JwtAlgorithm};
pub use limits::Limits;
pub use listeners::{Listener, Listeners, ServerApi};
pub use load::{LoadError, environment_prefix, load, merge};
pub use login_callback::LoginCallback;
pub use membership::Membership;
pub use partitioning::{Partitioning, RangeStart, SLOT_COUNT};
pub use retention::Retention;
pub use sessions::{Cursors, Sessions};
pub use storage::Storage;
pub use telemetry::Telemetry;
pub use trust::Trust;
pub use users::{UserDatabase, Users};
pub use webhooks::{WebhookEvent, Webhooks, shown_address};

use serde::{Deserialize, Serialize};

/// Everything a node is told. Sections are independent; [`NodeConfig::validate`] checks each and what spans them.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields, default)]
pub struct NodeConfig {
    /// Who the node is.
    pub node: Identity,
    /// Where it listens.
    pub listeners: Listeners,
    /// Keys and certificates.
    pub trust: Trust,
    /// How it finds the others and notices their end.
    pub membership: Membership,
    /// The databases.
    pub storage: Storage,
    /// The layout that a new cluster begins with.
    pub partitioning: Partitioning,
    /// Connections of clients.
    pub sessions: Sessions,
    /// Accounts and passwords.
    pub accounts: Accounts,
    /// Administrators.
    pub admin: Admin,
    /// Who outside is told what happens.
    pub webhooks: Webhooks,
    /// Leaving without loss.
    pub drain: Drain,
    /// Upper bounds of queues and batches.
    pub limits: Limits,
    /// Logs, metrics, traces.
    pub telemetry: Telemetry,
}

impl NodeConfig {
    /// Checks every section.
    ///
    /// # Errors
    /// The first value outside its valid set, by its full key (`TIM-C102`), or a missing one (`TIM-C105`).
    pub fn validate(&self) -> Result<(), LoadError> {
        self.node.validate()?;
        self.listeners.validate()?;
        self.trust.validate()?;
        self.membership.validate()?;
        self.storage.validate()?;
        self.partitioning.validate(&self.storage.databases)?;
        self.sessions.validate()?;
        self.accounts.validate()?;
        self.admin.validate()?;
        self.webhooks.validate()?;
        self.drain.validate()?;
        self.limits.validate()?;
        self.telemetry.validate()
    }

    /// The effective configuration as TOML, secrets replaced by `<hidden>`.
    ///
    /// # Errors
    /// None in practice: the tree is plain data. A failure of the serialiser is passed on.
    pub fn dump(&self) -> Result<String, toml::ser::Error> {
        let mut shown = self.clone();
        shown.accounts.hide_secrets();
        shown.admin.hide_secrets();
        toml::to_string_pretty(&shown)
    }
}

#[cfg(test)]
mod tests;
