//! Tokens that stand for a login: ours, which are good once, and those of another user system.

use super::{Accounts, jwt};
use crate::commands::Refusal;
use crate::node::Node;
use std::net::IpAddr;
use tim_core::id::AccountId;
use tim_wire::{ErrorCode, LoginToken, TimAuth};

impl Accounts {
    /// A login token for an account, and when it ends in Unix milliseconds.
    pub(crate) async fn make_token(
        &self,
        node: &Node,
        account: &AccountId,
    ) -> Result<(LoginToken, i64), Refusal> {
        let token = LoginToken::from_random(crate::random::number());
        let lifetime_ms =
            i64::try_from(node.config.sessions.token_lifetime_seconds * 1_000).unwrap_or(i64::MAX);
        let expires_ms = crate::clock::wall_ms().saturating_add(lifetime_ms);
        node.databases
            .put_token(token, account, expires_ms)
            .await
            .map_err(|report| Refusal::database(&report))?;
        Ok((token, expires_ms))
    }

    /// Whose token of another user system it is; the account is made where there is none yet. Nothing where such tokens are
    /// not taken.
    pub(super) async fn identify(
        &self,
        node: &Node,
        auth: &TimAuth,
        from: IpAddr,
    ) -> Option<Result<(AccountId, Option<String>), Refusal>> {
        let tokens = self.tokens.as_ref()?;
        let token = match &auth.token {
            Some(tim_wire::Token::Text(text)) if text.contains('.') => text,
            _ => return None,
        };
        Some(Box::pin(self.owner_of(node, tokens, (auth, token), from)).await)
    }

    async fn owner_of(
        &self,
        node: &Node,
        tokens: &jwt::Tokens,
        (auth, token): (&TimAuth, &str),
        from: IpAddr,
    ) -> Result<(AccountId, Option<String>), Refusal> {
        let failures = &self.address_rates.failed_logins;
        failures.look(from, &node.metrics)?;
        let wrong = || {
            let _ = failures.take(from, &node.metrics);
            Refusal::plain(ErrorCode::Token, "wrong_token")
        };
        let identity = tokens.identity(token).await.map_err(|denied| match denied {
            jwt::Denied::Wrong => wrong(),
            jwt::Denied::NoKeys => Refusal::issuer_unknown(),
        })?;
        let domain = identity.domain.as_deref().unwrap_or_default();
        let id = node.ids.account_id(&identity.name, domain);
        // One generation of clients says a name too; then it must be the token's.
        let named = auth.name.as_deref().filter(|name| !name.is_empty());
        if named.is_some_and(|name| name != identity.name) || !node.ids.is_valid(&id) {
            return Err(wrong());
        }
        let account = AccountId::new(id).map_err(|_| wrong())?;
        let usable = match tokens.creates_accounts() {
            true => self.ensure(node, &account).await?,
            false => self.exists(node, &account).await?,
        };
        if !usable {
            return Err(wrong());
        }
        Ok((account, identity.domain))
    }
}

pub(super) async fn by_token(
    node: &Node,
    auth: &TimAuth,
    token: &tim_wire::Token,
) -> Result<AccountId, Refusal> {
    let wrong = || Refusal::plain(ErrorCode::Token, "wrong_token");
    let token = token.login_token().ok_or_else(wrong)?;
    let owner = node
        .databases
        .take_token(token)
        .await
        .map_err(|report| Refusal::database(&report))?
        .ok_or_else(wrong)?;
    if !node.accounts.there(node, &owner).await? {
        return Err(wrong());
    }
    // One generation says name and domain too; then they must be the token's.
    if let Some(name) = auth.name.as_deref().filter(|name| !name.is_empty()) {
        let named = node
            .ids
            .account_id(name, auth.domain.as_deref().unwrap_or_default());
        if named != owner.as_str() {
            return Err(wrong());
        }
    }
    Ok(owner)
}
