//! Rooms: what they are, who is in them, and which an account has to do with.

use super::Databases;
use std::sync::Arc;
use tim_catalogue::Report;
use tim_core::conversation::{Room, Standing};
use tim_core::id::{AccountId, ConversationId, Epoch, RoomId};
use tim_core::placement;
use tim_store::{Database, Listed, StandingQuery};

impl Databases {
    /// Everybody in a room, for its home; nothing when the database does not answer.
    pub(super) async fn members_for_home(
        &self,
        database: &Database,
        conversation: &ConversationId,
        epoch: Epoch,
    ) -> Option<Vec<AccountId>> {
        let result = database
            .room_accounts(conversation, epoch, &[Standing::MEMBER])
            .await;
        self.note(database.name(), &result, false);
        result.ok()
    }

    /// Rooms by their ids; one answer each.
    pub(crate) async fn rooms(&self, rooms: &[RoomId]) -> Result<Vec<Option<Arc<Room>>>, Report> {
        let conversations: Vec<ConversationId> = rooms.iter().map(placement::room_conversation).collect();
        let states = self
            .of_each(
                &conversations,
                |conversation| &conversation.0[..],
                |database, asked| async move { database.open_conversations(&asked).await },
            )
            .await?;
        Ok(states.into_iter().map(|state| state.room).collect())
    }

    /// A room that has not ended.
    pub(crate) async fn room(&self, room: &RoomId) -> Result<Option<Arc<Room>>, Report> {
        let found = self.rooms(std::slice::from_ref(room)).await?;
        Ok(found.into_iter().flatten().find(|room| !room.cancelled))
    }

    /// The accounts that are one of `standings` to a room, in the order of their ids.
    pub(crate) async fn room_accounts(
        &self,
        room: &RoomId,
        standings: &[Standing],
    ) -> Result<Vec<AccountId>, Report> {
        let conversation = &placement::room_conversation(room);
        let mut accounts = self
            .at(&conversation.0, false, |database, epoch| async move {
                database.room_accounts(conversation, epoch, standings).await
            })
            .await?;
        accounts.sort_unstable();
        Ok(accounts)
    }

    /// What accounts are to a room; one answer each.
    pub(crate) async fn standings(
        &self,
        room: &RoomId,
        accounts: &[AccountId],
    ) -> Result<Vec<Standing>, Report> {
        let conversation = placement::room_conversation(room);
        let asked = accounts.iter().map(|account| (conversation, account.clone()));
        self.standings_of(asked.collect()).await
    }

    /// Whether an account takes part in a room.
    pub(crate) async fn is_member(&self, room: &RoomId, account: &AccountId) -> Result<bool, Report> {
        let found = self.standings(room, std::slice::from_ref(account)).await?;
        Ok(found.iter().all(|standing| standing.is_member()))
    }

    /// The rooms in an account's list, and what it is to each, in the order of their ids.
    pub(crate) async fn rooms_of(&self, account: &AccountId) -> Result<Vec<(RoomId, Standing)>, Report> {
        let listed = self.listed(account).await?;
        let rooms: Vec<RoomId> = listed
            .into_iter()
            .filter_map(|listed| match listed.what {
                Listed::Room(room) => Some(room),
                Listed::Direct(_) => None,
            })
            .collect();
        let asked = rooms
            .iter()
            .map(|room| (placement::room_conversation(room), account.clone()));
        let standings = self.standings_of(asked.collect()).await?;
        let mut known: Vec<_> = rooms.into_iter().zip(standings).collect();
        known.sort_by(|one, other| one.0.cmp(&other.0));
        Ok(known)
    }

    async fn standings_of(&self, asked: Vec<(ConversationId, AccountId)>) -> Result<Vec<Standing>, Report> {
        let found = self
            .of_each(
                &asked,
                |(conversation, _)| &conversation.0[..],
                |database, asked| async move {
                    let queries: Vec<StandingQuery> = asked
                        .into_iter()
                        .map(|((conversation, account), epoch)| StandingQuery {
                            conversation,
                            epoch,
                            account,
                        })
                        .collect();
                    database.standings(&queries).await
                },
            )
            .await?;
        let standing = |row: Option<tim_core::conversation::RoomMember>| row.map(|row| row.standing);
        Ok(found
            .into_iter()
            .map(|row| standing(row).unwrap_or_default())
            .collect())
    }
}
