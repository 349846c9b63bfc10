//! What the homes ask: versions of conversations, and transactions of messages.

use super::Databases;
use tim_catalogue::Report;
use tim_core::conversation::{BatchResult, ConversationBatch, ConversationOutcome, ConversationState};
use tim_core::home::Load;
use tim_core::id::{ConversationId, DatabaseName, Epoch};
use tim_store::{StoreError, batch_result};

impl Databases {
    /// The versions of conversations; `None` when the database does not answer.
    pub(crate) async fn load(
        &self,
        name: &DatabaseName,
        conversations: Vec<(ConversationId, Epoch)>,
    ) -> Option<Vec<Load>> {
        let database = self.store.database(name).ok()?;
        let result = database.open_conversations(&conversations).await;
        self.note(name, &result, false);
        let mut loads = Vec::with_capacity(conversations.len());
        for ((conversation, epoch), state) in conversations.iter().zip(result.ok()?) {
            loads.push(match state {
                Err(refusal) => Load::Fenced(refusal),
                Ok(state) => match state.room {
                    None => Load::Version(state.version),
                    // Read after the version: who came or went in between shows as a conflict of the first commit.
                    Some(room) => Load::Room {
                        version: state.version,
                        members: self.members_for_home(&database, conversation, *epoch).await?,
                        members_since: room.members_since,
                    },
                },
            });
        }
        Some(loads)
    }

    /// Runs one transaction of a home.
    pub(crate) async fn run_batch(
        &self,
        name: &DatabaseName,
        conversations: Vec<ConversationBatch>,
    ) -> BatchResult {
        let Ok(database) = self.store.database(name) else {
            return BatchResult::Failed;
        };
        let result = database.append(&conversations, crate::clock::wall_ns()).await;
        self.note(name, &result, true);
        let fenced = |outcome: &ConversationOutcome| matches!(outcome, ConversationOutcome::Fenced(_));
        if result.as_ref().is_ok_and(|outcomes| outcomes.iter().any(fenced)) {
            // Moved, or closing: then somebody must see that it does not stay so.
            self.need_map.notify_one();
        }
        batch_result(result)
    }

    /// What is known of a conversation, for a check of rights.
    pub(crate) async fn conversation_state(
        &self,
        conversation: &ConversationId,
    ) -> Result<ConversationState, Report> {
        let (name, epoch) = self.place(&conversation.0);
        let database = self.database(&name)?;
        let result = database.open_conversations(&[(*conversation, epoch)]).await;
        self.note(&name, &result, false);
        let states = result.map_err(|error| error.report())?;
        match states.into_iter().next() {
            Some(Ok(state)) => Ok(state),
            Some(Err(refused)) => {
                self.need_map.notify_one();
                Err(StoreError::FenceRefused {
                    database: name,
                    slot: tim_core::placement::slot(&conversation.0),
                    refused,
                }
                .report())
            }
            None => Ok(ConversationState::default()),
        }
    }
}
