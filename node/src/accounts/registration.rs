//! How accounts come to be.

use super::verification::credentials;
use super::{Accounts, remembered};
use crate::commands::Refusal;
use crate::node::Node;
use std::net::IpAddr;
use tim_core::id::AccountId;
use tim_store::{Account, Created};
use tim_wire::{ErrorCode, TimAuth};

impl Accounts {
    pub(super) async fn register(
        &self,
        node: &Node,
        auth: &TimAuth,
        from: IpAddr,
    ) -> Result<AccountId, Refusal> {
        self.users.refuse_changes()?;
        // Whoever names nothing that could be an account has not used up a registration.
        credentials(node, auth)?;
        self.address_rates.registrations.take(from, &node.metrics)?;
        self.create(node, auth).await
    }

    /// Makes an account, for whoever may do so without limit.
    pub(crate) async fn create(&self, node: &Node, auth: &TimAuth) -> Result<AccountId, Refusal> {
        self.users.refuse_changes()?;
        let (id, password) = credentials(node, auth)?;
        if self.exists(node, &id).await? {
            return Err(Refusal::plain(ErrorCode::HasExist, "account_exists"));
        }
        let account = Account {
            id: id.clone(),
            password_hash: self.workers.hash(password.to_owned()).await?,
            created_ns: crate::clock::wall_ns(),
            profile: Vec::new(),
        };
        match node.databases.create_account(&account).await {
            Ok(Created::New) => {
                // Who has just chosen it logs in with it next.
                let tag = self.remembered.tag(&id, &account.password_hash, password);
                remembered::tell(node, &id, tag);
                Ok(id)
            }
            Ok(Created::Exists) => Err(Refusal::plain(ErrorCode::HasExist, "account_exists")),
            Err(report) => Err(Refusal::database(&report)),
        }
    }
}
