//! Which items of a call the fences admit.
//!
//! What a fence refuses is answered so; the rest of the call goes on.

use sea_orm::QueryResult;
use tim_core::conversation::FenceRefusal;
use tim_core::id::{AccountId, Epoch, Slot};
use tim_core::placement;

use crate::error::StoreError;
use crate::fence::Access;
use crate::keys::RowKey;
use crate::queries::Query;
use crate::read;
use crate::statement::{KeyColumn, KeyRows};
use crate::store::Database;
use crate::transaction::Transaction;

/// What one item of a call got: its answer, or the fence's refusal.
pub type Admitted<T> = Result<T, FenceRefusal>;

/// The columns of key rows that look for conversations.
pub(crate) const BY_CONVERSATION: [KeyColumn; 3] = [
    KeyColumn::Number("place"),
    KeyColumn::Number("slot"),
    KeyColumn::Bytes("conversation"),
];

/// The columns of key rows that look for accounts.
pub(crate) const BY_ACCOUNT: [KeyColumn; 3] = [
    KeyColumn::Number("place"),
    KeyColumn::Number("slot"),
    KeyColumn::Bytes("account"),
];

/// One of many rows that a call looks for.
pub(crate) struct Wanted<const N: usize> {
    pub(crate) slot: Slot,
    /// Epoch of its range, as the caller believes.
    pub(crate) epoch: Epoch,
    pub(crate) keys: [RowKey; N],
}

impl Database {
    pub(crate) fn wanted_accounts(&self, accounts: &[(AccountId, Epoch)]) -> Vec<Wanted<1>> {
        let wanted = |(id, epoch): &(AccountId, Epoch)| Wanted {
            slot: placement::slot(id.as_bytes()),
            epoch: *epoch,
            keys: [self.keys().account(id)],
        };
        accounts.iter().map(wanted).collect()
    }
}

impl Transaction {
    /// Takes the fence of one id; its refusal is an error.
    pub(crate) async fn admit_one(
        &mut self,
        id: &[u8],
        epoch: Epoch,
        access: Access,
    ) -> Result<(), StoreError> {
        let slot = placement::slot(id);
        let admitted = self.admit(&[(slot, epoch)], access).await?;
        match admitted.into_iter().next() {
            Some(Err(refused)) => Err(StoreError::FenceRefused {
                database: self.database.name().clone(),
                slot,
                refused,
            }),
            Some(Ok(())) | None => Ok(()),
        }
    }

    /// Takes the fences of many rows for reading and runs a query over key rows of `place`, `slot` and the keys: the rows that
    /// were found of those that are admitted, and one answer each, which is the default until a row says otherwise.
    pub(crate) async fn admit_each<T: Default, const N: usize>(
        &mut self,
        wanted: &[Wanted<N>],
        query: impl FnOnce(&Self, KeyRows) -> Option<Query>,
    ) -> Result<(Vec<QueryResult>, Vec<Admitted<T>>), StoreError> {
        let uses: Vec<_> = wanted.iter().map(|one| (one.slot, one.epoch)).collect();
        let (admitted, [mut rows]) = self
            .admit_and_read(&uses, Access::Read, |transaction, is_read| {
                let mut keys = KeyRows::new();
                for (place, one) in wanted.iter().enumerate().filter(|(place, _)| is_read(*place)) {
                    keys.row().number(place as i64).number(i64::from(one.slot.0));
                    for key in &one.keys {
                        keys.bytes(key);
                    }
                }
                [query(transaction, keys)]
            })
            .await?;
        rows.retain(|row| {
            read::place(row, 0).is_ok_and(|place| admitted.get(place).is_some_and(Result::is_ok))
        });
        let answers = admitted
            .into_iter()
            .map(|admitted| admitted.map(|()| T::default()));
        Ok((rows, answers.collect()))
    }
}
