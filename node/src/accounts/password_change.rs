//! Another password, by whom it belongs to or by an administrator.

use super::{Accounts, CREDENTIAL_BYTES_MAX, parameters};
use crate::commands::Refusal;
use crate::node::Node;
use tim_core::id::AccountId;
use tim_store::Account;

/// How the change of a password ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum PasswordChange {
    /// It counts from now on, on every node.
    Changed,
    /// The old one is not what it was said to be, or not any more.
    WrongPassword,
}

impl Accounts {
    /// The password of an account from now on, whatever it was; whether there is such an account.
    pub(crate) async fn set_password(
        &self,
        node: &Node,
        account: &AccountId,
        new: String,
    ) -> Result<bool, Refusal> {
        self.users.refuse_changes()?;
        if new.is_empty() || new.len() > CREDENTIAL_BYTES_MAX {
            return Err(parameters(&format!(
                "auth.pwd: {} bytes; 1 to {CREDENTIAL_BYTES_MAX} are needed",
                new.len()
            )));
        }
        let fresh = self.workers.hash(new).await?;
        let change = |account: &mut Account| {
            account.password_hash.clone_from(&fresh);
            true
        };
        let changed = node.databases.change_account(account, &change).await;
        Ok(changed.map_err(|report| Refusal::database(&report))?.is_some())
    }

    /// Changes a password for whom knows the present one. Credentials that were verified under the old one are
    /// forgotten by that: they are kept together with the stored form that they fitted.
    pub(crate) async fn change_password(
        &self,
        node: &Node,
        account: &AccountId,
        old: String,
        new: String,
    ) -> Result<PasswordChange, Refusal> {
        self.users.refuse_changes()?;
        if new.is_empty() || new.len() > CREDENTIAL_BYTES_MAX {
            return Err(parameters(&format!(
                "request.reqStr2: {} bytes; a password has 1 to {CREDENTIAL_BYTES_MAX}",
                new.len()
            )));
        }
        if old.len() > CREDENTIAL_BYTES_MAX {
            return Ok(PasswordChange::WrongPassword);
        }
        let found = node.databases.find_account(account).await;
        let found = found.map_err(|report| Refusal::database(&report))?;
        let Some(stored) = found.map(|account| account.password_hash) else {
            return Ok(PasswordChange::WrongPassword);
        };
        if !self.workers.verify(old, Some(stored.clone().into())).await? {
            return Ok(PasswordChange::WrongPassword);
        }
        let fresh = self.workers.hash(new).await?;
        let change = |account: &mut Account| {
            // Of two changes that began with one password, one counts.
            let present = account.password_hash == stored;
            if present {
                account.password_hash.clone_from(&fresh);
            }
            present
        };
        let changed = node.databases.change_account(account, &change).await;
        let changed = changed.map_err(|report| Refusal::database(&report))?;
        Ok(match changed {
            Some(account) if account.password_hash == fresh => PasswordChange::Changed,
            _ => PasswordChange::WrongPassword,
        })
    }
}
