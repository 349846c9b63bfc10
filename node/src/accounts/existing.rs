//! Which accounts exist: asked of the database, and remembered for a moment.

use super::Accounts;
use crate::commands::Refusal;
use crate::node::Node;
use moka::sync::Cache;
use std::time::Duration;
use tim_core::id::AccountId;

/// Accounts known to exist that are remembered, and for how long: a node that was not told of a deletion is wrong for so
/// long.
const EXISTING_MAX: u64 = 50_000;
const EXISTING_KEPT: Duration = Duration::from_secs(60);

/// What was known of accounts a moment ago.
#[derive(Debug)]
pub(super) struct Existing {
    there: Cache<AccountId, ()>,
    /// Those that this node was told lately to be deleted: what was read before that must not be remembered after it.
    deleted: Cache<AccountId, ()>,
}

impl Default for Existing {
    fn default() -> Self {
        let lately = |kept| {
            let cache = Cache::builder().max_capacity(EXISTING_MAX).time_to_live(kept);
            cache.build()
        };
        Self {
            there: lately(EXISTING_KEPT),
            deleted: lately(2 * EXISTING_KEPT),
        }
    }
}

impl Accounts {
    /// Forgets that an account exists.
    pub(super) fn forget(&self, account: &AccountId) {
        self.existing.deleted.insert(account.clone(), ());
        self.existing.there.invalidate(account);
    }

    /// Whether this node was told lately that an account is deleted.
    pub(super) fn was_told_deleted(&self, account: &AccountId) -> bool {
        self.existing.deleted.contains_key(account)
    }

    /// Remembers that an account exists.
    fn remember_existing(&self, account: &AccountId) {
        self.existing.there.insert(account.clone(), ());
        // Only now: either this sees that it was forgotten, or whoever forgets it sees this.
        if self.existing.deleted.contains_key(account) {
            self.existing.there.invalidate(account);
        }
    }

    /// Whether an account exists.
    pub(crate) async fn exists(&self, node: &Node, account: &AccountId) -> Result<bool, Refusal> {
        if self.existing.there.contains_key(account) {
            return Ok(true);
        }
        let exists = if self.users.are_elsewhere() {
            let deleted = node.databases.is_deleted(account).await;
            !deleted.map_err(|report| Refusal::database(&report))? && self.users.exists(account).await?
        } else {
            self.there(node, account).await?
        };
        if exists {
            self.remember_existing(account);
        }
        Ok(exists)
    }

    /// Whether an account has its row, by what the database says now.
    pub(super) async fn there(&self, node: &Node, account: &AccountId) -> Result<bool, Refusal> {
        let found = node.databases.find_account(account).await;
        Ok(found.map_err(|report| Refusal::database(&report))?.is_some())
    }

    /// Whether all of some accounts exist; those that are not remembered are looked for together.
    pub(crate) async fn all_exist(&self, node: &Node, mut accounts: Vec<AccountId>) -> Result<bool, Refusal> {
        accounts.retain(|account| !self.existing.there.contains_key(account));
        if self.users.are_elsewhere() {
            for account in &accounts {
                if !self.exists(node, account).await? {
                    return Ok(false);
                }
            }
            return Ok(true);
        }
        let found = node.databases.find_accounts(&accounts).await;
        let found = found.map_err(|report| Refusal::database(&report))?;
        for account in found.iter().flatten() {
            self.remember_existing(&account.id);
        }
        Ok(found.iter().all(Option::is_some))
    }
}
