//! What sessions ask of a conversation.

use bytes::Bytes;
use serde::{Deserialize, Serialize};

use super::RoomOperation;
use crate::id::{AccountId, ContentHash, ConversationId, DeviceClass, MessageKey, Seq};

/// What a session asks of a conversation.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Operation {
    /// A message to the other account (tim odType 1). Needs friendship.
    Message,
    /// A message whose meaning applications agree on (tim odType 31 and above). Needs friendship; is not history.
    Application,
    /// A request for friendship, or the answer to one (tim rtype 4). Before it is submitted, the entry of the
    /// conversation in the lists of **both** accounts must be durable: the lists are supersets.
    AddFriend,
    /// The end of a friendship, of a request for it, or of the sender's own block (tim rtype 6).
    RemoveFriend,
    /// No messages and no requests of the other account any more (tim rtype 7). The lists as with
    /// [`Operation::AddFriend`].
    BlockAccount,
    /// The sender takes back the message in this place (tim odType 2). Needs friendship.
    Revoke(Seq),
    /// The receiver has read the message in this place, nobody shall again (tim odType 3). Needs friendship.
    Burn(Seq),
    /// What is asked of a room.
    Room(RoomOperation),
    /// The system tells the peer something (tim msType 1), in the peer's system conversation. The sender is
    /// [`AccountId::system`]; only administrators' interfaces make such.
    System,
}

impl Operation {
    /// The place of the message that it erases.
    #[must_use]
    pub fn target(self) -> Option<Seq> {
        match self {
            Self::Revoke(target) | Self::Burn(target) | Self::Room(RoomOperation::Revoke(target)) => {
                Some(target)
            }
            Self::Message
            | Self::Application
            | Self::AddFriend
            | Self::RemoveFriend
            | Self::BlockAccount
            | Self::Room(_)
            | Self::System => None,
        }
    }
}

/// One thing to be numbered and stored, as it travels from the session's node to the home.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Submission {
    /// Identity; the same in every attempt.
    pub key: MessageKey,
    /// Where to.
    pub conversation: ConversationId,
    /// Who sends.
    pub sender: AccountId,
    /// The other account of the conversation; in a room the account that is concerned, the sender itself where that
    /// is nobody else.
    pub peer: AccountId,
    /// The sending device's class.
    pub sender_class: DeviceClass,
    /// What is asked.
    pub operation: Operation,
    /// The id the client gave, if it gave one other than 0. A retry of the client is recognised by it together
    /// with `content_hash`.
    pub client_id: Option<i64>,
    /// Hash of what the client sent, over everything that makes the message what it is.
    pub content_hash: ContentHash,
    /// How often this message has been sent to a home, this time included; 1 the first time. A refusal of a later
    /// attempt raises the version, so that an older attempt can no longer commit.
    pub attempt: u32,
    /// The session's node has asked a room that both accounts are in, which stands in for friendship.
    pub vouched: bool,
    /// What is stored; opaque here, unless it makes or changes a room.
    pub body: Bytes,
}

impl Submission {
    /// Whose sessions are shown what becomes of it. The system has none.
    #[must_use]
    pub fn recipients(&self) -> Vec<AccountId> {
        match self.operation {
            Operation::System => vec![self.peer.clone()],
            _ => vec![self.sender.clone(), self.peer.clone()],
        }
    }
}
