//! Login tokens: stored by a keyed hash of their value, taken exactly once in the whole cluster, until they expire.

use tim_core::id::{AccountId, Epoch};
use tim_core::placement;

use crate::error::StoreError;
use crate::fence::{Access, FenceState};
use crate::schema::TOKEN;
use crate::statement::Cell;
use crate::store::Database;
use crate::transaction::summary;

impl Database {
    /// Stores a token of an account; it can be taken until `expires_ms` (Unix milliseconds).
    ///
    /// # Errors
    /// [`StoreError::FenceRefused`], or any of the database.
    pub async fn put_token(
        &self,
        epoch: Epoch,
        account: &AccountId,
        token: &[u8],
        expires_ms: i64,
    ) -> Result<(), StoreError> {
        let slot = placement::slot(account.as_bytes());
        let row = &vec![
            Cell::Number(i64::from(slot.0)),
            Cell::bytes(&self.keys().account(account)),
            Cell::bytes(&self.keys().token(account, token)),
            Cell::Number(expires_ms),
            Cell::Number(0),
            Cell::Number(1),
        ];
        self.transact(Access::Write, &move |mut transaction| {
            Box::pin(async move {
                transaction
                    .admit_one(account.as_bytes(), epoch, Access::Write)
                    .await?;
                transaction.insert_absent(&TOKEN, vec![row.clone()]).await?;
                Ok((transaction, ()))
            })
        })
        .await
    }

    /// Takes a token: true for the first caller who has the right account and comes in time, false for all others.
    ///
    /// # Errors
    /// [`StoreError::FenceRefused`], or any of the database. After [`StoreError::CommitInDoubt`] the token may be
    /// used up; the client asks for another one.
    pub async fn take_token(
        &self,
        epoch: Epoch,
        account: &AccountId,
        token: &[u8],
        now_ms: i64,
    ) -> Result<bool, StoreError> {
        let slot = placement::slot(account.as_bytes());
        let key = self.keys().account(account);
        let token = self.keys().token(account, token);
        self.transact(Access::Write, &move |mut transaction| {
            Box::pin(async move {
                transaction
                    .admit_one(account.as_bytes(), epoch, Access::Write)
                    .await?;
                let text = "UPDATE tim_token SET used = 1, version = 2 WHERE slot = ? AND account = ? \
                            AND token = ? AND used = 0 AND expires_ms > ?";
                let values = vec![
                    (slot.0 as i32).into(),
                    key.to_vec().into(),
                    token.to_vec().into(),
                    now_ms.into(),
                ];
                let taken = transaction
                    .run(summary("UPDATE", TOKEN.name), text, values)
                    .await?
                    == 1;
                if taken {
                    let row = [
                        Cell::Number(i64::from(slot.0)),
                        Cell::bytes(&key),
                        Cell::bytes(&token),
                    ];
                    transaction.note_change(&TOKEN, &row, 2);
                }
                Ok((transaction, taken))
            })
        })
        .await
    }

    /// Removes tokens that have expired, wherever no repartition is under way; how many ranges were swept.
    ///
    /// Whether a token is there makes no difference once it has expired, so no node needs to do this at a certain
    /// time. A range that is being copied keeps its rows: both sides are compared.
    ///
    /// # Errors
    /// Any of the database.
    pub async fn sweep_tokens(&self, now_ms: i64) -> Result<usize, StoreError> {
        self.transact(Access::Write, &move |mut transaction| {
            Box::pin(async move {
                let fences = transaction.all_fences().await?;
                let uses: Vec<_> = fences.iter().map(|fence| (fence.from, fence.epoch)).collect();
                let admitted = transaction.admit(&uses, Access::Write).await?;
                // The fences as they are read under the lock decide.
                let quiet: Vec<_> = transaction
                    .fences
                    .iter()
                    .filter(|fence| !fence.copying && fence.state == FenceState::Open)
                    .map(|fence| (fence.from, fence.to))
                    .collect();
                let swept = admitted
                    .iter()
                    .filter(|admitted| admitted.is_ok())
                    .count()
                    .min(quiet.len());
                for (from, to) in quiet {
                    let text = "DELETE FROM tim_token WHERE slot >= ? AND slot < ? AND expires_ms <= ?";
                    let values = vec![(from.0 as i32).into(), (to.0 as i32).into(), now_ms.into()];
                    transaction
                        .run(summary("DELETE", TOKEN.name), text, values)
                        .await?;
                }
                Ok((transaction, swept))
            })
        })
        .await
    }
}
