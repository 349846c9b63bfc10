//! Accounts, login tokens, and the lists of conversations.

use super::Databases;
use tim_catalogue::Report;
use tim_core::id::{AccountId, DatabaseName, Epoch};
use tim_store::{Account, Created, Database, ListEntry, ListedConversation, Listing, StoreError};

/// How often an operation is repeated with a newer map before it fails.
const MAP_ATTEMPTS: u32 = 20;
/// Wait for the newer map, in milliseconds.
const MAP_WAIT_MS: u64 = 50;

impl Databases {
    /// Runs an operation where the id is, and again with a newer map when the fence refuses.
    pub(super) async fn at<T, F>(
        &self,
        id: &[u8],
        wrote: bool,
        operation: impl Fn(Database, Epoch) -> F,
    ) -> Result<T, Report>
    where
        F: Future<Output = Result<T, StoreError>> + Send,
    {
        let mut attempt = 0;
        loop {
            attempt += 1;
            let (name, epoch): (DatabaseName, Epoch) = self.place(id);
            let database = self.database(&name)?;
            let result = operation(database, epoch).await;
            self.note(&name, &result, wrote);
            match result {
                Err(StoreError::FenceRefused { .. }) if attempt < MAP_ATTEMPTS => {
                    tokio::time::sleep(std::time::Duration::from_millis(crate::random::jittered_ms(
                        MAP_WAIT_MS,
                    )))
                    .await;
                }
                result => return result.map_err(|error| error.report()),
            }
        }
    }

    /// Makes an account.
    pub(crate) async fn create_account(&self, account: &Account) -> Result<Created, Report> {
        self.at(account.id.as_bytes(), true, |database, epoch| async move {
            database.create_account(epoch, account).await
        })
        .await
    }

    /// Finds an account.
    pub(crate) async fn find_account(&self, account: &AccountId) -> Result<Option<Account>, Report> {
        self.at(account.as_bytes(), false, |database, epoch| async move {
            database.find_account(epoch, account).await
        })
        .await
    }

    /// Whether an account was deleted.
    pub(crate) async fn is_deleted(&self, account: &AccountId) -> Result<bool, Report> {
        self.at(account.as_bytes(), false, |database, epoch| async move {
            database.is_deleted(epoch, account).await
        })
        .await
    }

    /// Finds accounts; one answer each.
    pub(crate) async fn find_accounts(&self, accounts: &[AccountId]) -> Result<Vec<Option<Account>>, Report> {
        self.of_each(accounts, AccountId::as_bytes, |database, asked| async move {
            database.find_accounts(&asked).await
        })
        .await
    }

    /// Changes an account; see [`Database::change_account`].
    pub(crate) async fn change_account(
        &self,
        account: &AccountId,
        change: &(dyn Fn(&mut Account) -> bool + Send + Sync),
    ) -> Result<Option<Account>, Report> {
        self.at(account.as_bytes(), true, |database, epoch| async move {
            database.change_account(epoch, account, change).await
        })
        .await
    }

    /// Puts a conversation into the lists of accounts, durably; one answer each.
    pub(crate) async fn list_for_each(
        &self,
        accounts: &[AccountId],
        listed: &ListedConversation,
    ) -> Result<Vec<Listing>, Report> {
        self.of_each(accounts, AccountId::as_bytes, |database, asked| async move {
            let entry = |(account, epoch): (AccountId, Epoch)| ListEntry {
                account,
                epoch,
                listed: listed.clone(),
            };
            let entries: Vec<ListEntry> = asked.into_iter().map(entry).collect();
            database.list_conversations(&entries).await
        })
        .await
    }

    /// Puts a conversation into an account's list, durably.
    pub(crate) async fn list_conversation(
        &self,
        account: &AccountId,
        listed: &ListedConversation,
    ) -> Result<Listing, Report> {
        self.at(account.as_bytes(), true, |database, epoch| async move {
            let entry = ListEntry {
                account: account.clone(),
                epoch,
                listed: listed.clone(),
            };
            let listed = database.list_conversations(&[entry]).await?;
            match listed.into_iter().next() {
                Some(Err(refused)) => Err(StoreError::FenceRefused {
                    database: database.name().clone(),
                    slot: tim_core::placement::slot(account.as_bytes()),
                    refused,
                }),
                Some(Ok(listing)) => Ok(listing),
                None => Ok(Listing::Listed),
            }
        })
        .await
    }
}
