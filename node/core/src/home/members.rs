//! Who is in a room, as its home has it: read when the tenure begins, then changed with every commit. While the tenure
//! lasts nobody else can have changed it, so that no message reads the rows of all members.

use std::sync::Arc;

use crate::conversation::RoomMove;
use crate::id::{AccountId, Seq};

#[derive(Debug, Clone, Default)]
pub(super) struct Members {
    /// In order; deliveries under way share it.
    accounts: Arc<Vec<AccountId>>,
    /// Entries behind this place concern exactly these.
    pub(super) since: Seq,
}

impl Members {
    pub(super) fn new(mut accounts: Vec<AccountId>, since: Seq) -> Self {
        accounts.sort_unstable();
        accounts.dedup();
        Self {
            accounts: Arc::new(accounts),
            since,
        }
    }

    pub(super) fn accounts(&self) -> Arc<Vec<AccountId>> {
        Arc::clone(&self.accounts)
    }

    pub(super) fn contains(&self, account: &AccountId) -> bool {
        self.accounts.binary_search(account).is_ok()
    }

    pub(super) fn apply(&mut self, at: Seq, moves: &RoomMove) {
        self.since = self.since.max(at);
        let accounts = Arc::make_mut(&mut self.accounts);
        match moves {
            RoomMove::Joined(account) => {
                if let Err(place) = accounts.binary_search(account) {
                    accounts.insert(place, account.clone());
                }
            }
            RoomMove::Left(account) => {
                if let Ok(place) = accounts.binary_search(account) {
                    accounts.remove(place);
                }
            }
        }
    }
}
