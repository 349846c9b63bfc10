//! Login tokens: made by one node, taken by any other, once.
//!
//! A token stands in the partition of its own hash and is found by its value alone; whose it is, is sealed in its row.

use tim_core::id::{AccountId, Epoch};
use tim_core::placement;

use crate::error::StoreError;
use crate::fence::{Access, FenceState};
use crate::schema::{ACCOUNT_BLOCK, OUTBOX, TOKEN};
use crate::seal::Place;
use crate::statement::Cell;
use crate::store::Database;
use crate::transaction::summary;

impl Database {
    /// Stores a token of an account; it can be taken until `expires_ms` (Unix milliseconds). The epoch is that of the
    /// token's own range.
    ///
    /// # Errors
    /// [`StoreError::FenceRefused`], or any of the database.
    pub async fn put_token(
        &self,
        epoch: Epoch,
        token: &[u8],
        owner: &AccountId,
        expires_ms: i64,
    ) -> Result<(), StoreError> {
        let key = self.keys().token(token);
        let place = Place {
            table: &TOKEN,
            column: "owner",
            keys: &[&key],
        };
        let sealed = self.seal(place, owner.as_bytes())?;
        let row = &vec![
            Cell::Number(i64::from(placement::slot(token).0)),
            Cell::bytes(&key),
            Cell::Number(expires_ms),
            Cell::Number(0),
            Cell::Bytes(sealed),
            Cell::Number(1),
        ];
        self.transact(Access::Write, &move |mut transaction| {
            Box::pin(async move {
                transaction.admit_one(token, epoch, Access::Write).await?;
                transaction.insert_absent(&TOKEN, vec![row.clone()]).await?;
                Ok((transaction, ()))
            })
        })
        .await
    }

    /// Takes a token: its owner for the first caller who comes in time, nobody for all others.
    ///
    /// # Errors
    /// [`StoreError::FenceRefused`], or any of the database. After [`StoreError::CommitInDoubt`] the token may be
    /// used up; the client asks for another one.
    pub async fn take_token(
        &self,
        epoch: Epoch,
        token: &[u8],
        now_ms: i64,
    ) -> Result<Option<AccountId>, StoreError> {
        let slot = placement::slot(token).0 as i32;
        let key = self.keys().token(token);
        let owner = self
            .transact(Access::Write, &move |mut transaction| {
                Box::pin(async move {
                    transaction.admit_one(token, epoch, Access::Write).await?;
                    let text = "UPDATE tim_token SET used = 1, version = 2 WHERE slot = ? AND token = ? \
                                AND used = 0 AND expires_ms > ?";
                    let values = vec![slot.into(), key.to_vec().into(), now_ms.into()];
                    let taken = transaction
                        .run(summary("UPDATE", TOKEN.name), text, values)
                        .await?;
                    if taken != 1 {
                        return Ok((transaction, None));
                    }
                    transaction.note_change(&TOKEN, &[Cell::Number(i64::from(slot)), Cell::bytes(&key)], 2);
                    let text = "SELECT owner FROM tim_token WHERE slot = ? AND token = ?";
                    let values = vec![slot.into(), key.to_vec().into()];
                    let rows = transaction
                        .rows(summary("SELECT", TOKEN.name), text, values)
                        .await?;
                    let sealed = rows
                        .first()
                        .and_then(|row| row.try_get_by_index::<Vec<u8>>(0).ok());
                    Ok((transaction, sealed))
                })
            })
            .await?;
        owner.map(|sealed| self.token_owner(&key, sealed)).transpose()
    }

    fn token_owner(&self, key: &crate::keys::RowKey, sealed: Vec<u8>) -> Result<AccountId, StoreError> {
        let place = Place {
            table: &TOKEN,
            column: "owner",
            keys: &[key],
        };
        let plain = self.open_sealed(place, sealed)?;
        std::str::from_utf8(&plain)
            .ok()
            .and_then(|text| AccountId::new(text).ok())
            .ok_or_else(|| self.damaged_token("its sealed part is not understood"))
    }

    fn damaged_token(&self, reason: &'static str) -> StoreError {
        StoreError::DamagedRow {
            database: self.name().clone(),
            table: TOKEN.name,
            reason,
        }
    }

    /// Removes tokens and blocks that have expired, and events that were handed over, wherever no repartition is under way; how many.
    ///
    /// Whether one is there makes no difference once it has expired, so no node needs to do this at a certain
    /// time. A range that is being copied keeps its rows: both sides are compared.
    ///
    /// # Errors
    /// Any of the database.
    pub async fn sweep_expired(&self, now_ms: i64) -> Result<u64, StoreError> {
        self.transact(Access::Write, &move |mut transaction| {
            Box::pin(async move {
                let starts: Vec<_> = transaction
                    .all_fences()
                    .await?
                    .iter()
                    .map(|fence| fence.from)
                    .collect();
                transaction.take(&starts).await?;
                // The fences as they are read under the lock decide.
                let quiet: Vec<_> = transaction
                    .fences
                    .iter()
                    .filter(|fence| !fence.copying && fence.state == FenceState::Open)
                    .map(|fence| (fence.from, fence.to))
                    .collect();
                let mut swept = 0;
                for (from, to) in quiet {
                    let over = [
                        (&TOKEN, "expires_ms <= ?", now_ms),
                        (&ACCOUNT_BLOCK, "until_ms <= ?", now_ms),
                        (&OUTBOX, "sent = ?", 1),
                    ];
                    for (table, condition, value) in over {
                        let text = format!(
                            "DELETE FROM {} WHERE slot >= ? AND slot < ? AND {condition}",
                            table.name
                        );
                        let values = vec![(from.0 as i32).into(), (to.0 as i32).into(), value.into()];
                        swept += transaction
                            .run(summary("DELETE", table.name), &text, values)
                            .await?;
                    }
                }
                Ok((transaction, swept))
            })
        })
        .await
    }
}
