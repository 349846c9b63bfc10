//! What an account reads next of a conversation.

use tim_core::conversation::{QuietRuns, Shown};
use tim_core::id::{ConversationId, Epoch, Seq};
use tim_store::{Database, Position, StoreError};

/// A shorter way to the head is read entry by entry: that costs no more than to ask which of them are news to others
/// only.
const READ_ALL_MAX: u64 = 64;

/// The next entries behind `from` that the account of `position` is shown.
pub(super) async fn shown_behind(
    database: &Database,
    (conversation, epoch): (&ConversationId, Epoch),
    from: Seq,
    position: &Position,
) -> Result<Shown, StoreError> {
    let Some(windows) = &position.windows else {
        return Ok(Shown::all_behind(from));
    };
    let quiet = if position.head.0.saturating_sub(from.0) > READ_ALL_MAX {
        database.quiet_runs(conversation, epoch).await?
    } else {
        QuietRuns::default()
    };
    Ok(Shown::in_room(from, windows, &quiet, position.head))
}
