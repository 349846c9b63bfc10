//! Whom an account knows: its list of conversations, and what stands in each of them.

use super::Databases;
use tim_catalogue::Report;
use tim_core::conversation::{Relation, Relations, Side};
use tim_core::id::{AccountId, ConversationId};
use tim_store::{Listed, ListedConversation};

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
        let listed = self.listed(account).await?;
        let (peers, conversations): (Vec<AccountId>, Vec<ConversationId>) = listed
            .into_iter()
            .filter_map(|listed| match listed.what {
                Listed::Direct(peer) => Some((peer, listed.conversation)),
                Listed::Room(_) => None,
            })
            .unzip();
        let states = self
            .of_each(
                &conversations,
                |conversation| &conversation.0[..],
                |database, asked| async move { database.open_conversations(&asked).await },
            )
            .await?;
        let mut known: Vec<Acquaintance> = peers
            .into_iter()
            .zip(states)
            .map(|(peer, state)| Acquaintance {
                own_side: Side::of(account, &peer),
                account: peer,
                relations: state.relations,
            })
            .collect();
        known.sort_by(|one, other| one.account.cmp(&other.account));
        Ok(known)
    }

    /// The list of conversations of an account.
    pub(crate) async fn listed(&self, account: &AccountId) -> Result<Vec<ListedConversation>, Report> {
        let lists = self
            .of_each(
                std::slice::from_ref(account),
                AccountId::as_bytes,
                |database, asked| async move { database.conversations_of(&asked).await },
            )
            .await?;
        Ok(lists.into_iter().flatten().collect())
    }
}
