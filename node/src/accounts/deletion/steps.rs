//! The steps over all conversations of an account, wherever their partitions are.

use crate::node::Node;
use std::time::Duration;
use tim_catalogue::Report;
use tim_core::conversation::SentMessages;
use tim_core::id::{AccountId, ConversationId, RoomId, Seq};
use tim_core::placement;
use tim_store::{DeletedId, Deletion, Detached, Listed, ListedConversation, Removal};

/// Pause between two pieces of a conversation, so that whoever talks meanwhile hardly waits.
const PAUSE: Duration = Duration::from_millis(5);
/// How often a room is looked at whose next founder has just left it.
const SUCCESSOR_ATTEMPTS: u32 = 10;

/// Why a deletion does not go on just now. It is tried again.
#[derive(Debug, thiserror::Error)]
pub(super) enum Stopped {
    /// Rows are to go where they are being copied.
    #[error("a repartition copies a range")]
    Copying,
    /// Who was to have a room has left it, again and again.
    #[error("the members of a room change faster than they are read")]
    Restless,
    /// A database cannot do it now.
    #[error("{0}")]
    Database(Report),
}

impl From<Report> for Stopped {
    fn from(report: Report) -> Self {
        Self::Database(report)
    }
}

impl Stopped {
    /// The troubles of databases are told elsewhere, and the others pass.
    pub(super) fn tell(&self) {
        tracing::debug!(reason = %self, "the deletion of an account goes on later");
    }
}

fn done(removal: Removal) -> Result<(), Stopped> {
    match removal {
        Removal::Done | Removal::Some => Ok(()),
        Removal::Copying => Err(Stopped::Copying),
    }
}

/// Nobody can send to the account, or in its name, any more.
pub(super) async fn detach(node: &Node, deletion: &Deletion) -> Result<(), Stopped> {
    for listed in node.databases.listed(&deletion.account).await? {
        detach_one(node, &deletion.account, &listed).await?;
    }
    Ok(())
}

async fn detach_one(node: &Node, account: &AccountId, listed: &ListedConversation) -> Result<(), Stopped> {
    match &listed.what {
        Listed::Direct(_) => node.databases.detach_from_chat(&listed.conversation).await?,
        Listed::Room(room) => detach_from_room(node, room, account).await?,
    }
    Ok(())
}

async fn detach_from_room(node: &Node, room: &RoomId, account: &AccountId) -> Result<(), Stopped> {
    for _ in 0..SUCCESSOR_ATTEMPTS {
        if node.databases.detach_from_room(room, account).await? == Detached::Done {
            return Ok(());
        }
    }
    Err(Stopped::Restless)
}

/// Takes the account out of everything, and the task with it. What is done is taken off its list, so that an attempt that
/// follows begins where this one has ended.
pub(super) async fn erase(node: &Node, deletion: &Deletion) -> Result<(), Stopped> {
    let account = &deletion.account;
    for listed in node.databases.listed(account).await? {
        // Once more: something may have been under way when it was done first.
        detach_one(node, account, &listed).await?;
        erase_entries(node, deletion, &listed.conversation).await?;
        done(
            node.databases
                .remove_traces(&listed.conversation, account)
                .await?,
        )?;
        if let Listed::Direct(peer) = &listed.what
            && deletion.sent == SentMessages::Erased
        {
            done(node.databases.remove_listing(peer, &listed.conversation).await?)?;
        }
        done(
            node.databases
                .remove_listing(account, &listed.conversation)
                .await?,
        )?;
    }
    let system = placement::system_conversation(account);
    loop {
        match node.databases.remove_conversation(&system).await? {
            Removal::Done => break,
            Removal::Copying => return Err(Stopped::Copying),
            Removal::Some => tokio::time::sleep(PAUSE).await,
        }
    }
    let id = if node.accounts.users.are_elsewhere() {
        DeletedId::Free
    } else {
        DeletedId::Taken
    };
    done(node.databases.finish_deletion(account, id).await?)
}

async fn erase_entries(
    node: &Node,
    deletion: &Deletion,
    conversation: &ConversationId,
) -> Result<(), Stopped> {
    let mut behind = Seq(0);
    while let Some(last) = node
        .databases
        .erase_entries(conversation, deletion, behind)
        .await?
    {
        behind = last;
        tokio::time::sleep(PAUSE).await;
    }
    Ok(())
}
