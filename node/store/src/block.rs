//! Blocked accounts: until when an account may not log in. An account without a row, or whose time has come, may.

use sea_orm::QueryResult;
use tim_core::id::{AccountId, Epoch};
use tim_core::placement;

use crate::dsn::Engine;
use crate::error::StoreError;
use crate::fence::{Access, FenceState};
use crate::keys::RowKey;
use crate::read;
use crate::schema::ACCOUNT_BLOCK;
use crate::seal::Place;
use crate::statement::Cell;
use crate::store::Database;
use crate::transaction::{Transaction, summary};

/// Most blocks in one page of a list.
pub const MAX_LISTED_BLOCKS: u32 = 1_000;

/// A blocked account.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Block {
    /// Which account.
    pub account: AccountId,
    /// Until when, in Unix milliseconds.
    pub until_ms: i64,
}

/// Which blocks are listed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BlockQuery {
    /// Those that are in force at this time, in Unix milliseconds.
    pub now_ms: i64,
    /// Of those the ones that were said later than this by the clock of whoever said them; 0 is all.
    pub said_after_ms: i64,
    /// Where the page begins; at the beginning without it.
    pub after: Option<BlockCursor>,
}

/// Where the next page of a list begins.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BlockCursor {
    slot: i32,
    account: RowKey,
}

impl Database {
    /// Blocks an account until a time, whatever was said before; a time that is over lifts the block.
    ///
    /// # Errors
    /// [`StoreError::FenceRefused`], or any of the database. After [`StoreError::CommitInDoubt`] it is done again.
    pub async fn block_account(&self, epoch: Epoch, block: &Block, now_ms: i64) -> Result<(), StoreError> {
        let key = self.keys().account(&block.account);
        let slot = placement::slot(block.account.as_bytes()).0 as i32;
        let sealed = self.seal(place(&[&key]), block.account.as_bytes())?;
        let row = &vec![
            Cell::Number(i64::from(slot)),
            Cell::bytes(&key),
            Cell::Number(block.until_ms),
            Cell::Bytes(sealed),
            Cell::Number(0),
        ];
        self.transact(Access::Write, &move |mut transaction| {
            Box::pin(async move {
                transaction
                    .admit_one(block.account.as_bytes(), epoch, Access::Write)
                    .await?;
                let before = transaction.block_version(slot, &key).await?;
                let mut row = row.clone();
                // Never lower than one that was swept: what was copied elsewhere must not win over it.
                row[4] = Cell::Number(before.map_or(now_ms, |before| now_ms.max(before + 1)));
                transaction.upsert(&ACCOUNT_BLOCK, vec![row]).await?;
                Ok((transaction, ()))
            })
        })
        .await
    }

    /// Until when an account is blocked; `None` when it is not.
    ///
    /// # Errors
    /// [`StoreError::FenceRefused`], or any of the database.
    pub async fn blocked_until(
        &self,
        epoch: Epoch,
        account: &AccountId,
        now_ms: i64,
    ) -> Result<Option<i64>, StoreError> {
        let key = self.keys().account(account);
        let slot = placement::slot(account.as_bytes()).0 as i32;
        self.transact(Access::Read, &move |mut transaction| {
            Box::pin(async move {
                transaction
                    .admit_one(account.as_bytes(), epoch, Access::Read)
                    .await?;
                let text = "SELECT until_ms FROM tim_account_block WHERE slot = ? AND account = ?";
                let values = vec![slot.into(), key.to_vec().into()];
                let rows = transaction
                    .rows(summary("SELECT", ACCOUNT_BLOCK.name), text, values)
                    .await?;
                let until = rows
                    .first()
                    .map(|row| row.try_get_by_index::<i64>(0))
                    .transpose()
                    .map_err(|error| transaction.database.error(error))?;
                Ok((transaction, until.filter(|until| *until > now_ms)))
            })
        })
        .await
    }

    /// A page of the accounts that are blocked, and where the next one begins, if there is one.
    ///
    /// # Errors
    /// Any of the database.
    pub async fn list_blocks(
        &self,
        query: BlockQuery,
    ) -> Result<(Vec<Block>, Option<BlockCursor>), StoreError> {
        self.transact(Access::Read, &move |transaction| {
            Box::pin(async move {
                let page = transaction.blocks(query).await?;
                Ok((transaction, page))
            })
        })
        .await
    }

    fn block_of(&self, row: &QueryResult) -> Result<(BlockCursor, Block), StoreError> {
        let error = |error| self.error(error);
        let slot = row.try_get_by_index::<i32>(0).map_err(error)?;
        let key = read::key(row, 1).map_err(error)?;
        let until_ms = row.try_get_by_index::<i64>(2).map_err(error)?;
        let sealed = row.try_get_by_index::<Vec<u8>>(3).map_err(error)?;
        let plain = self.open_sealed(place(&[&key]), sealed)?;
        let account = std::str::from_utf8(&plain)
            .ok()
            .and_then(|text| AccountId::new(text).ok());
        let account = account.ok_or_else(|| StoreError::DamagedRow {
            database: self.name().clone(),
            table: ACCOUNT_BLOCK.name,
            reason: "its sealed part is not understood",
        })?;
        Ok((BlockCursor { slot, account: key }, Block { account, until_ms }))
    }
}

fn place<'a>(keys: &'a [&'a RowKey]) -> Place<'a> {
    Place {
        table: &ACCOUNT_BLOCK,
        column: "sealed",
        keys,
    }
}

impl Transaction {
    async fn block_version(&self, slot: i32, key: &RowKey) -> Result<Option<i64>, StoreError> {
        let lock = if self.engine() == Engine::Sqlite {
            ""
        } else {
            " FOR UPDATE"
        };
        let text = format!("SELECT version FROM tim_account_block WHERE slot = ? AND account = ?{lock}");
        let values = vec![slot.into(), key.to_vec().into()];
        let rows = self
            .rows(summary("SELECT", ACCOUNT_BLOCK.name), &text, values)
            .await?;
        rows.first()
            .map(|row| row.try_get_by_index::<i64>(0))
            .transpose()
            .map_err(|error| self.database.error(error))
    }

    async fn blocks(&self, query: BlockQuery) -> Result<(Vec<Block>, Option<BlockCursor>), StoreError> {
        // Rows of a range that is elsewhere, or on its way here, are told by the database that has it.
        let fences = self.all_fences().await?;
        let is_here = |slot: i32| {
            let fence = fences
                .iter()
                .find(|fence| fence.from.0 as i32 <= slot && slot < fence.to.0 as i32);
            fence.is_some_and(|fence| matches!(fence.state, FenceState::Open | FenceState::Closing(_)))
        };
        let after = query.after.unwrap_or(BlockCursor {
            slot: -1,
            account: RowKey::default(),
        });
        let text = format!(
            "SELECT slot, account, until_ms, sealed FROM tim_account_block \
             WHERE (slot > ? OR (slot = ? AND account > ?)) AND until_ms > ? AND version > ? \
             ORDER BY slot, account LIMIT {MAX_LISTED_BLOCKS}"
        );
        let values = vec![
            after.slot.into(),
            after.slot.into(),
            after.account.to_vec().into(),
            query.now_ms.into(),
            query.said_after_ms.into(),
        ];
        let rows = self
            .rows(summary("SELECT", ACCOUNT_BLOCK.name), &text, values)
            .await?;
        let mut last = None;
        let mut blocks = Vec::with_capacity(rows.len());
        for row in &rows {
            let (cursor, block) = self.database.block_of(row)?;
            last = Some(cursor);
            if is_here(cursor.slot) {
                blocks.push(block);
            }
        }
        let full = rows.len() == MAX_LISTED_BLOCKS as usize;
        Ok((blocks, last.filter(|_| full)))
    }
}
