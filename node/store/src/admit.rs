//! Which items of a call the fences admit.
//!
//! What a fence refuses is answered so; the rest of the call goes on.

use tim_core::conversation::FenceRefusal;
use tim_core::id::{AccountId, Epoch, Slot};
use tim_core::placement;

use crate::error::StoreError;
use crate::fence::Access;
use crate::keys::RowKey;
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

    /// Takes the fences of many rows for reading: key rows of `place`, `slot` and the keys of those that are admitted,
    /// and one answer each, which is the default until a row says otherwise.
    pub(crate) async fn admit_each<T: Default, const N: usize>(
        &mut self,
        wanted: &[Wanted<N>],
    ) -> Result<(KeyRows, Vec<Admitted<T>>), StoreError> {
        let uses: Vec<_> = wanted.iter().map(|one| (one.slot, one.epoch)).collect();
        let admitted = self.admit(&uses, Access::Read).await?;
        let mut rows = KeyRows::new();
        for (place, one) in wanted.iter().enumerate() {
            if admitted[place].is_err() {
                continue;
            }
            rows.row().number(place as i64).number(i64::from(one.slot.0));
            for key in &one.keys {
                rows.bytes(key);
            }
        }
        let answers = admitted
            .into_iter()
            .map(|admitted| admitted.map(|()| T::default()));
        Ok((rows, answers.collect()))
    }
}
