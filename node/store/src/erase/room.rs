//! Taking a deleted account out of a room.

use tim_core::conversation::{Rank, RoomMember, Standing, Windows};
use tim_core::id::{AccountId, ConversationId, Epoch, RoomId, Seq};
use tim_core::placement;

use crate::error::StoreError;
use crate::fence::Access;
use crate::keys::RowKey;
use crate::read;
use crate::schema::{CONVERSATION, ROOM, ROOM_MEMBER, ROOM_RELATIONS};
use crate::statement::KeyRows;
use crate::store::Database;
use crate::transaction::{Transaction, summary};

/// Rows that one query for a successor reads.
const PAGE_ROWS: usize = 1_000;

/// What became of an account's part in a room.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Detached {
    /// It has none any more.
    Done,
    /// Who was to have the room instead has just left it: look again.
    Again,
}

impl Database {
    /// Takes an account out of a room, whatever it was to it. A room that it founded goes to the manager, or else the
    /// member, who has been in it for longest, and ends where nobody is left.
    ///
    /// # Errors
    /// [`StoreError::FenceRefused`], or any of the database. After [`StoreError::CommitInDoubt`] it is done again.
    pub async fn detach_from_room(
        &self,
        epoch: Epoch,
        room: &RoomId,
        account: &AccountId,
    ) -> Result<Detached, StoreError> {
        let conversation = placement::room_conversation(room);
        let successor = self.successor(epoch, &conversation, account).await?;
        let (conversation, successor) = (&conversation, successor.as_ref());
        self.transact(Access::Write, &move |mut transaction| {
            Box::pin(async move {
                transaction
                    .admit_one(&conversation.0, epoch, Access::Write)
                    .await?;
                let done = transaction
                    .detach_from_room(conversation, account, successor)
                    .await?;
                Ok((transaction, done))
            })
        })
        .await
    }

    /// Who gets a room that the account has founded: of its managers, or else of its members, whoever came first.
    async fn successor(
        &self,
        epoch: Epoch,
        conversation: &ConversationId,
        account: &AccountId,
    ) -> Result<Option<AccountId>, StoreError> {
        let states = self.open_conversations(&[(*conversation, epoch)]).await?;
        let Some(Ok(state)) = states.into_iter().next() else {
            return Ok(None);
        };
        let Some(room) = state.room.filter(|room| room.founder == *account) else {
            return Ok(None);
        };
        let mut best: Option<(bool, Seq, AccountId)> = None;
        let mut behind: Option<RowKey> = None;
        loop {
            let page = self
                .transact(Access::Read, &move |mut transaction| {
                    Box::pin(async move {
                        let page = transaction.members_behind(conversation, epoch, behind).await?;
                        Ok((transaction, page))
                    })
                })
                .await?;
            for (_, member) in page.iter().filter(|(_, member)| member.account != *account) {
                let is_plain = room.rank(&member.account) < Rank::Manager;
                let found = (is_plain, present_since(member), member.account.clone());
                if best.as_ref().is_none_or(|best| found < *best) {
                    best = Some(found);
                }
            }
            behind = page.last().map(|(key, _)| *key);
            if page.len() < PAGE_ROWS {
                return Ok(best.map(|(_, _, account)| account));
            }
        }
    }
}

/// Behind which entry a member has come.
fn present_since(member: &RoomMember) -> Seq {
    let window = member.windows.as_slice().last();
    window.map_or(Seq(u64::MAX), |window| window.after)
}

impl Transaction {
    async fn members_behind(
        &mut self,
        id: &ConversationId,
        epoch: Epoch,
        behind: Option<RowKey>,
    ) -> Result<Vec<(RowKey, RoomMember)>, StoreError> {
        self.admit_one(&id.0, epoch, Access::Read).await?;
        let conversation = self.database.keys().conversation(id);
        let text = format!(
            "SELECT r.account, r.standing, r.sealed FROM tim_room_member r \
             WHERE r.slot = ? AND r.conversation = ? AND r.account > ? AND r.standing = ? \
             ORDER BY r.account LIMIT {PAGE_ROWS}"
        );
        let mut values = self.conversation_key(id);
        values.push(behind.map_or_else(Vec::new, |key| key.to_vec()).into());
        values.push(i16::from(Standing::MEMBER.to_byte()).into());
        let rows = self
            .rows(summary("SELECT", ROOM_MEMBER.name), &text, values)
            .await?;
        rows.iter()
            .map(|row| {
                let key = read::key(row, 0).map_err(|error| self.database.error(error))?;
                Ok((key, self.database.member(&conversation, &key, row, 1)?))
            })
            .collect()
    }

    async fn detach_from_room(
        &mut self,
        id: &ConversationId,
        account: &AccountId,
        successor: Option<&AccountId>,
    ) -> Result<Detached, StoreError> {
        let Some((state, true)) = self.lock_conversation(id).await? else {
            return Ok(Detached::Done);
        };
        let conversation = self.database.keys().conversation(id);
        let slot = placement::slot(&id.0);
        let mut keys = KeyRows::new();
        keys.row()
            .number(0)
            .number(i64::from(slot.0))
            .bytes(&conversation);
        let room = self
            .rooms_by(keys, |_| conversation)
            .await?
            .pop()
            .map(|(_, room)| room);
        let members = self.rows_of(id, &conversation, account, successor).await?;
        let row = members.iter().find(|member| member.account == *account);
        let was_member = row.is_some_and(|row| row.standing.is_member());
        let version = state.version.next().0 as i64;
        let Some(room) = room else {
            return Ok(Detached::Done);
        };
        let hands_over = room.founder == *account && !room.cancelled;
        let fits = |successor: &AccountId| {
            let of = members.iter().find(|member| member.account == *successor);
            of.is_some_and(|member| member.standing.is_member())
        };
        let others = room.members > u32::from(was_member);
        if hands_over && others && !successor.is_some_and(fits) {
            return Ok(Detached::Again);
        }
        let left = room.without_account(account, was_member, successor.filter(|_| others), state.head);
        let stands =
            row.is_some_and(|row| row.standing != Standing::default() || row.windows != Windows::default());
        if left == room && !stands {
            return Ok(Detached::Done);
        }
        let changed = self.conversation_row(id, &state, ROOM_RELATIONS);
        self.upsert(&CONVERSATION, vec![changed]).await?;
        let changed = self.database.room_row(slot, &conversation, &left, version)?;
        self.upsert(&ROOM, vec![changed]).await?;
        if row.is_some() {
            let nothing = RoomMember::stranger(account.clone());
            let changed = self.database.member_row(slot, &conversation, &nothing, version)?;
            self.upsert(&ROOM_MEMBER, vec![changed]).await?;
        }
        Ok(Detached::Done)
    }

    async fn rows_of(
        &self,
        id: &ConversationId,
        conversation: &RowKey,
        account: &AccountId,
        successor: Option<&AccountId>,
    ) -> Result<Vec<RoomMember>, StoreError> {
        let slot = i64::from(placement::slot(&id.0).0);
        let mut keys = KeyRows::new();
        for account in std::iter::once(account).chain(successor) {
            let account = self.database.keys().account(account);
            keys.row()
                .number(0)
                .number(slot)
                .bytes(conversation)
                .bytes(&account);
        }
        let found = self.members_by(keys, |_| *conversation).await?;
        Ok(found.into_iter().map(|(_, member)| member).collect())
    }
}
