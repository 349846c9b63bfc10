//! Blocked accounts: each beside its account, listed over all databases.

use super::Databases;
use tim_catalogue::Report;
use tim_core::id::{AccountId, DatabaseName};
use tim_store::{Block, BlockQuery};

impl Databases {
    /// Blocks an account until a time, or lifts its block by one that is over.
    pub(crate) async fn block_account(&self, block: &Block) -> Result<(), Report> {
        let now_ms = crate::clock::wall_ms();
        self.at(block.account.as_bytes(), true, |database, epoch| async move {
            database.block_account(epoch, block, now_ms).await
        })
        .await
    }

    /// Until when an account is blocked, if it is.
    pub(crate) async fn blocked_until(&self, account: &AccountId) -> Result<Option<i64>, Report> {
        let now_ms = crate::clock::wall_ms();
        self.at(account.as_bytes(), false, |database, epoch| async move {
            database.blocked_until(epoch, account, now_ms).await
        })
        .await
    }

    /// The blocks of one database that are in force and were said after a time; at most `most`.
    pub(crate) async fn list_blocks(
        &self,
        name: &DatabaseName,
        said_after_ms: i64,
        most: usize,
    ) -> Result<Vec<Block>, Report> {
        let database = self.database(name)?;
        let mut query = BlockQuery {
            now_ms: crate::clock::wall_ms(),
            said_after_ms,
            after: None,
        };
        let mut all = Vec::new();
        loop {
            let page = database.list_blocks(query).await;
            self.note(name, &page, false);
            let (blocks, next) = page.map_err(|error| error.report())?;
            all.extend(blocks);
            if next.is_none() || all.len() >= most {
                all.truncate(most);
                return Ok(all);
            }
            query.after = next;
        }
    }
}
