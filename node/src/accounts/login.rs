//! Logins of sessions.

use super::{devices, login_tokens};
use crate::commands::Refusal;
use crate::node::Node;
use std::net::IpAddr;
use tim_core::id::{AccountId, DeviceClass};
use tim_wire::{ErrorCode, TimAuth};

/// Who has logged in.
#[derive(Debug)]
pub(crate) struct LoggedIn {
    pub(crate) account: AccountId,
    pub(crate) domain: Option<String>,
    /// When, by the account's own reckoning.
    pub(crate) logged_in_ms: u64,
}

/// Decides a login.
pub(crate) async fn log_in(node: &Node, auth: &TimAuth, from: IpAddr) -> Result<LoggedIn, Refusal> {
    if !node.takes_logins() {
        return Err(Refusal::draining());
    }
    if let Some(callback) = &node.accounts.callback {
        let failures = &node.accounts.address_rates.failed_logins;
        failures.look(from, &node.metrics)?;
        if let Err(refusal) = Box::pin(callback.ask(auth)).await {
            if refusal.code == ErrorCode::PermissionDenied {
                let _ = failures.take(from, &node.metrics);
            }
            return Err(refusal);
        }
    }
    if let Some(identified) = node.accounts.identify(node, auth, from).await {
        let (account, domain) = identified?;
        return Box::pin(admit(node, auth, account, domain)).await;
    }
    let account = match auth.token.as_ref().filter(|token| !token.is_empty()) {
        Some(token) => login_tokens::by_token(node, auth, token).await?,
        None => {
            let verified = node.accounts.verify(node, auth, from).await;
            // Missing names and passwords are told like wrong ones.
            let denied = || Refusal::plain(ErrorCode::PermissionDenied, "wrong_password");
            match verified {
                Ok(account) => account.ok_or_else(denied)?,
                Err(refusal) if refusal.code == ErrorCode::Parameters => return Err(denied()),
                Err(refusal) => return Err(refusal),
            }
        }
    };
    Box::pin(admit(node, auth, account, auth.domain.clone())).await
}

/// Whether an account may have one more session now.
async fn admit(
    node: &Node,
    auth: &TimAuth,
    account: AccountId,
    domain: Option<String>,
) -> Result<LoggedIn, Refusal> {
    let blocked = node.databases.blocked_until(&account).await;
    if let Some(until_ms) = blocked.map_err(|report| Refusal::database(&report))? {
        return Err(Refusal::blocked(until_ms));
    }
    let class = DeviceClass(auth.termtyp.unwrap_or(0));
    let logged_in_ms = Box::pin(devices::admit(node, &account, class)).await?;
    Ok(LoggedIn {
        account,
        domain,
        logged_in_ms,
    })
}
