//! The steps of deleting an account, each where its rows are; and what goes by itself when it is old.

use super::Databases;
use tim_catalogue::Report;
use tim_core::id::{AccountId, ConversationId, DatabaseName, RoomId, Seq};
use tim_core::placement;
use tim_store::{DeletedId, Deletion, Detached, Removal, Retention, WalkCursor, Walked};

impl Databases {
    /// Writes the task; see [`tim_store::Database::begin_deletion`].
    pub(crate) async fn begin_deletion(
        &self,
        wanted: &Deletion,
        unknown_too: bool,
    ) -> Result<Option<Deletion>, Report> {
        self.at(wanted.account.as_bytes(), true, |database, epoch| async move {
            database.begin_deletion(epoch, wanted, unknown_too).await
        })
        .await
    }

    /// The accounts of one database that are being deleted.
    pub(crate) async fn deletions(&self, name: &DatabaseName) -> Result<Vec<Deletion>, Report> {
        let result = self.database(name)?.deletions().await;
        self.note(name, &result, false);
        result.map_err(|error| error.report())
    }

    /// Ends what two accounts are to each other.
    pub(crate) async fn detach_from_chat(&self, conversation: &ConversationId) -> Result<(), Report> {
        self.at(&conversation.0, true, |database, epoch| async move {
            database.detach_from_chat(epoch, conversation).await
        })
        .await
    }

    /// Takes an account out of a room.
    pub(crate) async fn detach_from_room(
        &self,
        room: &RoomId,
        account: &AccountId,
    ) -> Result<Detached, Report> {
        let conversation = placement::room_conversation(room);
        self.at(&conversation.0, true, |database, epoch| async move {
            database.detach_from_room(epoch, room, account).await
        })
        .await
    }

    /// Takes an account out of the next entries of a conversation; the last place that was looked at.
    pub(crate) async fn erase_entries(
        &self,
        conversation: &ConversationId,
        deletion: &Deletion,
        behind: Seq,
    ) -> Result<Option<Seq>, Report> {
        self.at(&conversation.0, true, |database, epoch| async move {
            database
                .erase_entries(epoch, conversation, deletion, behind)
                .await
        })
        .await
    }

    /// Removes an account's rows beside a conversation.
    pub(crate) async fn remove_traces(
        &self,
        conversation: &ConversationId,
        account: &AccountId,
    ) -> Result<Removal, Report> {
        self.at(&conversation.0, true, |database, epoch| async move {
            database.remove_traces(epoch, conversation, account).await
        })
        .await
    }

    /// Removes a conversation from an account's list.
    pub(crate) async fn remove_listing(
        &self,
        account: &AccountId,
        conversation: &ConversationId,
    ) -> Result<Removal, Report> {
        self.at(account.as_bytes(), true, |database, epoch| async move {
            database.remove_listing(epoch, account, conversation).await
        })
        .await
    }

    /// Removes the next piece of a conversation.
    pub(crate) async fn remove_conversation(&self, conversation: &ConversationId) -> Result<Removal, Report> {
        self.at(&conversation.0, true, |database, epoch| async move {
            database.remove_conversation(epoch, conversation).await
        })
        .await
    }

    /// One page of a walk over the conversations of a database.
    pub(crate) async fn trim_page(
        &self,
        name: &DatabaseName,
        retention: &Retention,
        behind: Option<WalkCursor>,
    ) -> Result<Walked, Report> {
        let database = self.database(name)?;
        let result = database
            .trim_page(retention, behind, crate::clock::wall_ns())
            .await;
        self.note(name, &result, true);
        result.map_err(|error| error.report())
    }

    /// Removes the rest, and with it the task.
    pub(crate) async fn finish_deletion(
        &self,
        account: &AccountId,
        id: DeletedId,
    ) -> Result<Removal, Report> {
        self.at(account.as_bytes(), true, |database, epoch| async move {
            database.finish_deletion(epoch, account, id).await
        })
        .await
    }
}
