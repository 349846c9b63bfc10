//! What an account's class of devices has not confirmed, for whoever asks without a session: an administrator's program.

use super::Databases;
use super::shown::shown_behind;
use std::sync::Arc;
use tim_catalogue::Report;
use tim_core::conversation::Entry;
use tim_core::id::{AccountId, ConversationId, DeviceClass, Seq};
use tim_core::placement;
use tim_store::{CursorAdvance, EntriesAfter, Position, PositionQuery};

/// Bodies that are read of one conversation, in bytes.
const BYTES_MAX: usize = 1 << 20;

/// What waits in one conversation, oldest first, what the account is not shown included.
#[derive(Debug)]
pub(crate) struct Waiting {
    pub(crate) conversation: ConversationId,
    /// The last entry that was confirmed.
    pub(crate) cursor: Seq,
    pub(crate) entries: Vec<Arc<Entry>>,
}

impl Databases {
    /// What waits, of each conversation at most so many entries.
    pub(crate) async fn waiting(
        &self,
        account: &AccountId,
        class: DeviceClass,
        limit: u32,
    ) -> Result<Vec<Waiting>, Report> {
        let listed = self.listed(account).await?;
        let mut conversations: Vec<ConversationId> =
            listed.into_iter().map(|listed| listed.conversation).collect();
        // Everybody has one with the system, so no list needs to name it.
        conversations.push(placement::system_conversation(account));
        let positions = self
            .of_each(
                &conversations,
                |conversation| &conversation.0[..],
                |database, asked| async move {
                    let queries: Vec<PositionQuery> = asked
                        .into_iter()
                        .map(|(conversation, epoch)| PositionQuery {
                            conversation,
                            epoch,
                            account: account.clone(),
                        })
                        .collect();
                    database.positions(&queries).await
                },
            )
            .await?;
        let mut waiting = Vec::new();
        for (conversation, position) in conversations.into_iter().zip(positions) {
            let cursor = position.cursor(account, class);
            if cursor < position.head {
                let entries = self.behind(&conversation, &position, (cursor, limit)).await?;
                waiting.push(Waiting {
                    conversation,
                    cursor,
                    entries,
                });
            }
        }
        Ok(waiting)
    }

    async fn behind(
        &self,
        conversation: &ConversationId,
        position: &Position,
        (cursor, limit): (Seq, u32),
    ) -> Result<Vec<Arc<Entry>>, Report> {
        let (shown, entries) = self
            .at(&conversation.0, false, |database, epoch| async move {
                let shown = shown_behind(&database, (conversation, epoch), cursor, position).await?;
                if shown.until <= shown.after {
                    return Ok((shown, Vec::new()));
                }
                let asked = EntriesAfter {
                    conversation: *conversation,
                    epoch,
                    after: shown.after,
                    limit,
                    max_bytes: BYTES_MAX,
                };
                Ok((shown, database.entries_after(asked).await?))
            })
            .await?;
        let visible = entries.into_iter().filter(|entry| entry.seq <= shown.until);
        Ok(visible.map(Arc::new).collect())
    }

    /// Moves a cursor, if it is still where it was seen.
    pub(crate) async fn confirm(
        &self,
        account: &AccountId,
        class: DeviceClass,
        conversation: &ConversationId,
        (from, to): (Seq, Seq),
    ) -> Result<(), Report> {
        self.of_each(
            std::slice::from_ref(conversation),
            |conversation| &conversation.0[..],
            |database, asked| async move {
                let advances: Vec<CursorAdvance> = asked
                    .into_iter()
                    .map(|(conversation, epoch)| CursorAdvance {
                        conversation,
                        epoch,
                        account: account.clone(),
                        class,
                        from,
                        to,
                    })
                    .collect();
                database.advance_cursors(&advances).await
            },
        )
        .await?;
        Ok(())
    }
}
