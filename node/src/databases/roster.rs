//! Whom an account knows: its list of conversations, and what stands in each of them.

use super::Databases;
use tim_catalogue::Report;
use tim_core::conversation::{Relation, Relations, Side};
use tim_core::id::{AccountId, ConversationId};

/// An account that another one has, or had, something to do with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Acquaintance {
    pub(crate) account: AccountId,
    relations: Relations,
    own_side: Side,
}

impl Acquaintance {
    /// Whether the two are friends.
    pub(crate) fn is_friend(&self) -> bool {
        self.relations.are_friends()
    }

    /// Whether the asking account has blocked this one.
    pub(crate) fn is_blocked(&self) -> bool {
        self.relations.get(self.own_side) == Relation::Blocked
    }
}

impl Databases {
    /// Everybody in an account's list, in the order of their ids. The list is a superset: the conversations decide.
    pub(crate) async fn acquaintances(&self, account: &AccountId) -> Result<Vec<Acquaintance>, Report> {
        let lists = self
            .of_each(
                std::slice::from_ref(account),
                AccountId::as_bytes,
                |database, asked| async move { database.conversations_of(&asked).await },
            )
            .await?;
        let listed: Vec<_> = lists.into_iter().flatten().collect();
        let conversations: Vec<ConversationId> = listed.iter().map(|listed| listed.conversation).collect();
        let states = self
            .of_each(
                &conversations,
                |conversation| &conversation.0[..],
                |database, asked| async move { database.open_conversations(&asked).await },
            )
            .await?;
        let mut known: Vec<Acquaintance> = listed
            .into_iter()
            .zip(states)
            .map(|(listed, state)| Acquaintance {
                own_side: Side::of(account, &listed.peer),
                account: listed.peer,
                relations: state.relations,
            })
            .collect();
        known.sort_by(|one, other| one.account.cmp(&other.account));
        Ok(known)
    }
}
