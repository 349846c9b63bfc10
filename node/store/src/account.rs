//! Accounts: made once, found by their keyed id, with a sealed credential and a sealed profile.

use sea_orm::QueryResult;
use serde::{Deserialize, Serialize};
use tim_core::id::{AccountId, Epoch};
use tim_core::placement;

use crate::admit::{Admitted, BY_ACCOUNT};
use crate::dsn::Engine;
use crate::error::StoreError;
use crate::fence::Access;
use crate::queries::Query;
use crate::read;
use crate::schema::ACCOUNT;
use crate::seal::Place;
use crate::statement::{Cell, Row, join, key_rows};
use crate::store::Database;
use crate::transaction::{Transaction, summary};

/// An account as it is stored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Account {
    /// Its id.
    pub id: AccountId,
    /// The hash of its password in the form of the hash function (PHC string).
    pub password_hash: String,
    /// When it was made, in Unix nanoseconds.
    pub created_ns: i64,
    /// The profile in the caller's own form; empty for a fresh account.
    pub profile: Vec<u8>,
}

/// What became of the making of an account.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Created {
    /// It is new.
    New,
    /// There is one of that id already, or there was one that has been deleted; nothing was changed.
    Exists,
}

/// The sealed form of the credential. New fields go to the end, with a default.
#[derive(Serialize, Deserialize)]
struct Credential {
    id: AccountId,
    password_hash: String,
    created_ns: i64,
}

impl Database {
    /// Makes an account; of two that try, one succeeds.
    ///
    /// # Errors
    /// [`StoreError::FenceRefused`], or any of the database. After [`StoreError::CommitInDoubt`] it may be there.
    pub async fn create_account(&self, epoch: Epoch, account: &Account) -> Result<Created, StoreError> {
        let row = &self.account_row(account, 1)?;
        self.transact(Access::Write, &move |mut transaction| {
            Box::pin(async move {
                transaction
                    .admit_one(account.id.as_bytes(), epoch, Access::Write)
                    .await?;
                let made = transaction.insert_absent(&ACCOUNT, vec![row.clone()]).await?;
                Ok((
                    transaction,
                    if made == 1 { Created::New } else { Created::Exists },
                ))
            })
        })
        .await
    }

    /// Finds an account.
    ///
    /// # Errors
    /// [`StoreError::FenceRefused`], or any of the database.
    pub async fn find_account(
        &self,
        epoch: Epoch,
        account: &AccountId,
    ) -> Result<Option<Account>, StoreError> {
        self.transact(Access::Read, &move |mut transaction| {
            Box::pin(async move {
                transaction
                    .admit_one(account.as_bytes(), epoch, Access::Read)
                    .await?;
                let found = transaction.account(account, "").await?;
                Ok((transaction, found.map(|(account, _)| account)))
            })
        })
        .await
    }

    /// Whether there was such an account that has been deleted, or is just being.
    ///
    /// # Errors
    /// [`StoreError::FenceRefused`], or any of the database.
    pub async fn is_deleted(&self, epoch: Epoch, account: &AccountId) -> Result<bool, StoreError> {
        let key = self.keys().account(account);
        let slot = placement::slot(account.as_bytes()).0 as i32;
        self.transact(Access::Read, &move |mut transaction| {
            Box::pin(async move {
                transaction
                    .admit_one(account.as_bytes(), epoch, Access::Read)
                    .await?;
                let text =
                    "SELECT 1 FROM tim_account WHERE slot = ? AND account = ? AND LENGTH(credential) = 0";
                let values = vec![slot.into(), key.to_vec().into()];
                let rows = transaction
                    .rows(summary("SELECT", ACCOUNT.name), text, values)
                    .await?;
                Ok((transaction, !rows.is_empty()))
            })
        })
        .await
    }

    /// Finds accounts, in one query however many are asked.
    ///
    /// # Errors
    /// Any of the database.
    pub async fn find_accounts(
        &self,
        accounts: &[(AccountId, Epoch)],
    ) -> Result<Vec<Admitted<Option<Account>>>, StoreError> {
        self.transact(Access::Read, &|mut transaction| {
            Box::pin(async move {
                let found = transaction.accounts(accounts).await?;
                Ok((transaction, found))
            })
        })
        .await
    }

    /// Changes an account under its lock, so that of two changes neither is lost. `change` says whether there is
    /// something to write. The account as it is afterwards; `None` if there is none.
    ///
    /// # Errors
    /// [`StoreError::FenceRefused`], or any of the database. After [`StoreError::CommitInDoubt`] it may be changed.
    pub async fn change_account(
        &self,
        epoch: Epoch,
        account: &AccountId,
        change: &(dyn Fn(&mut Account) -> bool + Send + Sync),
    ) -> Result<Option<Account>, StoreError> {
        self.transact(Access::Write, &move |mut transaction| {
            Box::pin(async move {
                transaction
                    .admit_one(account.as_bytes(), epoch, Access::Write)
                    .await?;
                let suffix = if transaction.engine() == Engine::Sqlite {
                    ""
                } else {
                    " FOR UPDATE"
                };
                let Some((mut found, version)) = transaction.account(account, suffix).await? else {
                    return Ok((transaction, None));
                };
                if change(&mut found) {
                    let row = transaction.database.account_row(&found, version + 1)?;
                    transaction.upsert(&ACCOUNT, vec![row]).await?;
                }
                Ok((transaction, Some(found)))
            })
        })
        .await
    }

    fn account_row(&self, account: &Account, version: i64) -> Result<Row, StoreError> {
        let key = self.keys().account(&account.id);
        let credential = Credential {
            id: account.id.clone(),
            password_hash: account.password_hash.clone(),
            created_ns: account.created_ns,
        };
        let credential =
            postcard::to_stdvec(&credential).map_err(|_| self.damaged_account("it cannot be encoded"))?;
        let seal = |column, plain: &[u8]| {
            let place = Place {
                table: &ACCOUNT,
                column,
                keys: &[&key],
            };
            self.seal(place, plain)
        };
        Ok(vec![
            Cell::Number(i64::from(placement::slot(account.id.as_bytes()).0)),
            Cell::bytes(&key),
            Cell::Bytes(seal("credential", &credential)?),
            Cell::Bytes(seal("profile", &account.profile)?),
            Cell::Number(version),
        ])
    }

    /// Reads credential, profile and version from the columns that begin at `column`; nothing of an account that was
    /// deleted, whose credential is empty.
    fn opened_account(
        &self,
        id: &AccountId,
        row: &QueryResult,
        column: usize,
    ) -> Result<Option<(Account, i64)>, StoreError> {
        let key = self.keys().account(id);
        let credential = row
            .try_get_by_index::<Vec<u8>>(column)
            .map_err(|error| self.error(error))?;
        if credential.is_empty() {
            return Ok(None);
        }
        let open = |column, place| {
            let sealed = row
                .try_get_by_index::<Vec<u8>>(place)
                .map_err(|error| self.error(error))?;
            let place = Place {
                table: &ACCOUNT,
                column,
                keys: &[&key],
            };
            self.open_sealed(place, sealed)
        };
        let credential: Credential = postcard::from_bytes(&open("credential", column)?)
            .map_err(|_| self.damaged_account("its sealed part is not understood"))?;
        let account = Account {
            id: credential.id,
            password_hash: credential.password_hash,
            created_ns: credential.created_ns,
            profile: open("profile", column + 1)?,
        };
        let version = row.try_get_by_index(column + 2);
        Ok(Some((account, version.map_err(|error| self.error(error))?)))
    }

    fn damaged_account(&self, reason: &'static str) -> StoreError {
        StoreError::DamagedRow {
            database: self.name().clone(),
            table: ACCOUNT.name,
            reason,
        }
    }
}

impl Transaction {
    /// The account and the version of its row.
    async fn account(&self, id: &AccountId, suffix: &str) -> Result<Option<(Account, i64)>, StoreError> {
        let text = format!(
            "SELECT credential, profile, version FROM tim_account WHERE slot = ? AND account = ?{suffix}"
        );
        let values = vec![
            (placement::slot(id.as_bytes()).0 as i32).into(),
            self.database.keys().account(id).to_vec().into(),
        ];
        let rows = self.rows(summary("SELECT", "tim_account"), &text, values).await?;
        match rows.first() {
            Some(row) => self.database.opened_account(id, row, 0),
            None => Ok(None),
        }
    }

    async fn accounts(
        &mut self,
        accounts: &[(AccountId, Epoch)],
    ) -> Result<Vec<Admitted<Option<Account>>>, StoreError> {
        let wanted = self.database.wanted_accounts(accounts);
        let query = |transaction: &Self, keys| {
            let engine = transaction.engine();
            Query::over(keys, summary("SELECT", "tim_account"), || {
                format!(
                    "SELECT k.place, a.credential, a.profile, a.version FROM {keys} {join} tim_account a \
                     ON a.slot = k.slot AND a.account = k.account",
                    keys = key_rows(engine, &BY_ACCOUNT),
                    join = join(engine),
                )
            })
        };
        let (rows, mut found) = self.admit_each::<Option<Account>, 1>(&wanted, query).await?;
        for row in rows {
            let place = read::place(&row, 0).map_err(|error| self.database.error(error))?;
            let account = self.database.opened_account(&accounts[place].0, &row, 1)?;
            found[place] = Ok(account.map(|(account, _)| account));
        }
        Ok(found)
    }
}
