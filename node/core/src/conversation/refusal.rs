//! Why something is not allowed, and how clients are told.

use serde::{Deserialize, Serialize};

/// Why an operation is not allowed. Nothing of it is stored, except [`Refusal::AlreadyFriends`], which repeats the
/// notice to the other side.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, thiserror::Error)]
pub enum Refusal {
    /// Sender and receiver are not mutual friends.
    #[error("sender and receiver are not friends")]
    NotFriends,
    /// The other account has blocked the caller.
    #[error("the other account has blocked the caller")]
    Blocked,
    /// An account cannot befriend itself.
    #[error("an account cannot be its own friend")]
    OwnAccount,
    /// They are friends already.
    #[error("they are friends already")]
    AlreadyFriends,
    /// There is nothing between the two that could end.
    #[error("there is no relation to the account")]
    NotRelated,
    /// There is no message in that place of the conversation, or not any more.
    #[error("there is no such message")]
    NoSuchMessage,
    /// Only its sender may revoke a message, only its receiver may burn it.
    #[error("the message is not theirs to erase")]
    NotTheirs,
    /// The account does not take part in the room.
    #[error("the account is not a member of the room")]
    NotAMember,
    /// Others may do that in the room: its managers, its founder, or whoever is of higher rank.
    #[error("the account may not do that in the room")]
    NotAllowed,
    /// The account takes part in the room already.
    #[error("the account is a member of the room already")]
    AlreadyMember,
    /// The room has ended.
    #[error("the room has been cancelled")]
    Cancelled,
    /// There is no such room.
    #[error("there is no such room")]
    NoSuchRoom,
    /// The account has not applied to the room, or is not in it.
    #[error("the account has nothing to do with the room")]
    NothingPending,
    /// The account is something else to the room than an applicant.
    #[error("the account is no applicant of the room")]
    OtherwiseRelated,
    /// The room has as many members as it may.
    #[error("the room is full")]
    RoomFull,
    /// A private room has banned the account. Apart from [`Refusal::Blocked`] as clients get another number of answers.
    #[error("the private room has banned the account")]
    BannedFromPrivate,
    /// What is to be changed cannot be read or cannot be.
    #[error("what the room shall be cannot be")]
    Malformed,
}

impl Refusal {
    /// The code clients know (specification of the wire, section 7).
    #[must_use]
    pub fn wire_code(self) -> i32 {
        match self {
            Self::AlreadyMember => 4101,
            Self::OtherwiseRelated => 4103,
            Self::NotRelated | Self::NoSuchMessage | Self::Malformed => 4104,
            Self::NotFriends | Self::OwnAccount | Self::NotTheirs | Self::NotAMember | Self::NotAllowed => {
                4105
            }
            Self::Cancelled => 4108,
            Self::NoSuchRoom | Self::NothingPending => 4109,
            Self::Blocked | Self::BannedFromPrivate => 4110,
            Self::RoomFull => 4111,
            Self::AlreadyFriends => 4117,
        }
    }
}
