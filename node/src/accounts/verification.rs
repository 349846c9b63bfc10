//! Whose name and password these are.

use super::passwords::Stored;
use super::users::Found;
use super::{Accounts, CREDENTIAL_BYTES_MAX, imported, parameters, remembered};
use crate::commands::Refusal;
use crate::node::Node;
use std::net::IpAddr;
use tim_core::id::AccountId;
use tim_wire::TimAuth;

impl Accounts {
    /// Whose name, domain and password these are, for whoever is not counted by address.
    pub(crate) async fn owner(&self, node: &Node, auth: &TimAuth) -> Result<Option<AccountId>, Refusal> {
        let (id, password) = credentials(node, auth)?;
        let found = node.databases.find_account(&id).await;
        let found = found.map_err(|report| Refusal::database(&report))?;
        let fits = self.fits(password.to_owned(), found.map(|account| account.password_hash));
        Ok(fits.await?.then_some(id))
    }

    /// Whether a password fits a stored form; without one it takes as long and says no.
    pub(crate) async fn fits(&self, password: String, stored: Option<String>) -> Result<bool, Refusal> {
        if password.len() > CREDENTIAL_BYTES_MAX {
            return Ok(false);
        }
        Ok(self.workers.verify(password, stored.map(Stored::from)).await?)
    }

    /// Whose name and password these are; nobody's takes as long.
    pub(super) async fn verify(
        &self,
        node: &Node,
        auth: &TimAuth,
        from: IpAddr,
    ) -> Result<Option<AccountId>, Refusal> {
        if self.users.are_elsewhere() {
            return Box::pin(self.verify_elsewhere(node, auth, from)).await;
        }
        let (id, password) = credentials(node, auth)?;
        let found = node
            .databases
            .find_account(&id)
            .await
            .map_err(|report| Refusal::database(&report))?;
        let stored = found.map(|account| account.password_hash);
        // Of nobody's password as well: who is there must not be seen by the time it takes.
        let tag = self
            .remembered
            .tag(&id, stored.as_deref().unwrap_or_default(), password);
        if self.remembered.knows(&id, &tag) {
            node.metrics.password_checked("node");
            return Ok(Some(id));
        }
        // Who is remembered here gets in all the same: many clients may have one address. Other nodes are asked for nobody
        // who has guessed too often: that would be cheaper than a hash.
        let failures = &self.address_rates.failed_logins;
        failures.look(from, &node.metrics)?;
        if Box::pin(remembered::knows(node, &id, tag)).await && stored.is_some() {
            node.metrics.password_checked("owners");
            return Ok(Some(id));
        }
        node.metrics.password_checked("hash");
        let before = || imported::before_password(node, &id, auth.domain.as_deref().unwrap_or_default());
        let found = stored.clone().map(|text| Stored::of(text, before));
        if !self.workers.verify(password.to_owned(), found).await? {
            // Of those that were looked at together the last ones find no room, which counts as well.
            let _ = failures.take(from, &node.metrics);
            return Ok(None);
        }
        if let Some(stored) = stored {
            let stored = imported::renewed(node, &id, stored, password).await;
            remembered::tell(node, &id, self.remembered.tag(&id, &stored, password));
        }
        Ok(Some(id))
    }

    /// Whose name and password these are, where others know that.
    async fn verify_elsewhere(
        &self,
        node: &Node,
        auth: &TimAuth,
        from: IpAddr,
    ) -> Result<Option<AccountId>, Refusal> {
        let failures = &self.address_rates.failed_logins;
        failures.look(from, &node.metrics)?;
        let password = auth.pwd.as_deref().unwrap_or_default();
        let id = match self.users.find(node, auth).await.transpose()? {
            Some(Found::Account(id)) => Some(id),
            Some(Found::Stored(id, stored)) => {
                let fits = self.fits_elsewhere(node, &id, stored, password).await?;
                fits.then_some(id)
            }
            Some(Found::Nobody) | None => None,
        };
        let Some(id) = id else {
            // Of those that were looked at together the last ones find no room, which counts as well.
            let _ = failures.take(from, &node.metrics);
            return Ok(None);
        };
        Ok(self.ensure(node, &id).await?.then_some(id))
    }

    /// Whether a password fits the form that others have stored.
    async fn fits_elsewhere(
        &self,
        node: &Node,
        id: &AccountId,
        stored: String,
        password: &str,
    ) -> Result<bool, Refusal> {
        let tag = self.remembered.tag(id, &stored, password);
        if self.remembered.knows(id, &tag) {
            node.metrics.password_checked("node");
            return Ok(true);
        }
        if Box::pin(remembered::knows(node, id, tag)).await {
            node.metrics.password_checked("owners");
            return Ok(true);
        }
        node.metrics.password_checked("hash");
        let fits = self.fits(password.to_owned(), Some(stored)).await?;
        if fits {
            remembered::tell(node, id, tag);
        }
        Ok(fits)
    }
}

/// Account id and password of a request that has both.
pub(super) fn credentials<'a>(node: &Node, auth: &'a TimAuth) -> Result<(AccountId, &'a str), Refusal> {
    let text = |field: &'a Option<String>| field.as_deref().unwrap_or_default();
    let (name, password, domain) = (text(&auth.name), text(&auth.pwd), text(&auth.domain));
    for (field, value) in [("auth.name", name), ("auth.pwd", password)] {
        if value.is_empty() || value.len() > CREDENTIAL_BYTES_MAX {
            return Err(parameters(&format!(
                "{field}: {} bytes; 1 to {CREDENTIAL_BYTES_MAX} are needed",
                value.len()
            )));
        }
    }
    if domain.len() > CREDENTIAL_BYTES_MAX {
        return Err(parameters(&format!(
            "auth.domain: longer than {CREDENTIAL_BYTES_MAX} bytes"
        )));
    }
    let id = node.ids.account_id(name, domain);
    let valid = node.ids.is_valid(&id);
    match AccountId::new(id) {
        Ok(id) if valid => Ok((id, password)),
        _ => Err(parameters(
            "auth.name: is the account's id here, of 1 to 64 bytes without '|' and without the byte 131",
        )),
    }
}
