//! Login tokens, cluster-wide: made on one node, taken on any other, once.

use super::Databases;
use tim_catalogue::Report;
use tim_core::id::{AccountId, DatabaseName};
use tim_store::Recipient;
use tim_wire::LoginToken;

impl Databases {
    /// Stores a token.
    pub(crate) async fn put_token(
        &self,
        token: LoginToken,
        owner: &AccountId,
        expires_ms: i64,
    ) -> Result<(), Report> {
        let bytes = token.number().to_be_bytes();
        self.at(&bytes, true, move |database, epoch| async move {
            database.put_token(epoch, &bytes, owner, expires_ms).await
        })
        .await
    }

    /// Takes a token: whose it is, for the first who asks in time.
    pub(crate) async fn take_token(&self, token: LoginToken) -> Result<Option<AccountId>, Report> {
        let bytes = token.number().to_be_bytes();
        self.at(&bytes, true, move |database, epoch| async move {
            database.take_token(epoch, &bytes, crate::clock::wall_ms()).await
        })
        .await
    }

    /// Keeps an event about an account's presence for others outside.
    pub(crate) async fn put_presence_event(
        &self,
        (account, online): (&AccountId, bool),
        to: &[(Recipient, [u8; 16])],
        at_ns: i64,
    ) -> Result<(), Report> {
        self.at(account.as_bytes(), true, |database, epoch| async move {
            database
                .put_presence_event(epoch, (account, online), to, at_ns)
                .await
        })
        .await
    }

    /// Removes tokens and blocks of a database that have expired. It makes no difference to anybody, so a failure is
    /// passed over.
    pub(crate) async fn sweep_expired(&self, name: &DatabaseName) {
        if self.trouble_at(name).is_some() {
            return;
        }
        if let Ok(database) = self.store.database(name)
            && let Err(error) = database.sweep_expired(crate::clock::wall_ms()).await
        {
            tracing::debug!(database = %name, %error, "expired tokens and blocks are swept later");
        }
    }
}
