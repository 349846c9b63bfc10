//! Accounts: registration, login tokens, logins.

pub(crate) mod blocks;
mod callback;
pub(crate) mod deletion;
mod devices;
mod existing;
pub(crate) mod imported;
mod jwt;
pub(crate) mod login;
mod login_tokens;
pub(crate) mod online;
pub(crate) mod password_change;
mod passwords;
mod registration;
pub(crate) mod remembered;
pub(crate) mod requests;
mod users;
mod verification;

use crate::board::Board;
use crate::commands::Refusal;
use crate::edge::AddressRates;
use aws_lc_rs::hmac;
use blocks::BlockNews;
use callback::Callback;
use deletion::DeletionNews;
pub(crate) use devices::limits as device_limits;
use existing::Existing;
pub(crate) use passwords::hash_once as hash_password;
use passwords::{HashError, PasswordWorkers};
use remembered::Remembered;
use std::sync::Arc;
use tim_config::NodeConfig;
use tim_wire::ErrorCode;
use users::Users;

/// Longest login name, domain and password in bytes.
const CREDENTIAL_BYTES_MAX: usize = 256;

/// What accounts need besides the databases.
#[derive(Debug)]
pub(crate) struct Accounts {
    workers: PasswordWorkers,
    pub(crate) remembered: Remembered,
    existing: Existing,
    pub(crate) deletion_news: DeletionNews,
    /// Blocks that this node was told of lately.
    pub(crate) block_news: BlockNews,
    address_rates: AddressRates,
    /// Tokens of another user system, where such are taken.
    tokens: Option<jwt::Tokens>,
    /// Whose the users are.
    pub(crate) users: Users,
    /// Who is asked about every login, where somebody is.
    callback: Option<Callback>,
}

fn parameters(detail: &str) -> Refusal {
    Refusal::field(ErrorCode::Parameters, detail.to_owned())
}

impl From<HashError> for Refusal {
    fn from(error: HashError) -> Self {
        match error {
            HashError::Busy => Self::overloaded("too many logins wait for a password worker"),
            HashError::Malformed => Self::plain(ErrorCode::Database, "damaged_credential"),
        }
    }
}

impl Accounts {
    /// `password_tags`: the key of what is remembered of passwords, the same on every node.
    pub(crate) fn new(
        config: &NodeConfig,
        board: &Arc<Board>,
        password_tags: hmac::Key,
    ) -> anyhow::Result<Self> {
        let passwords = &config.accounts.passwords;
        Ok(Self {
            workers: PasswordWorkers::start(passwords)?,
            remembered: Remembered::new(passwords, password_tags),
            block_news: BlockNews::default(),
            address_rates: AddressRates::new(&config.limits),
            existing: Existing::default(),
            deletion_news: DeletionNews::default(),
            tokens: jwt::Tokens::new(&config.accounts.jwt, Arc::clone(board)),
            users: Users::new(config, board),
            callback: Callback::new(&config.accounts.callback, Arc::clone(board)),
        })
    }
}
