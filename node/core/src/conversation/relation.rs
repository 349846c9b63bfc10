//! What two accounts are to each other, kept in their conversation's row as one byte.

use serde::{Deserialize, Serialize};

use crate::id::AccountId;

/// What one side has done about the other.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
pub enum Relation {
    /// Nothing.
    #[default]
    None,
    /// Added the other as a friend.
    Added,
    /// Blocked the other.
    Blocked,
}

impl Relation {
    /// Its part of a stored byte.
    pub(super) fn to_nibble(self) -> u8 {
        match self {
            Self::None => 0,
            Self::Added => 1,
            Self::Blocked => 2,
        }
    }

    /// Reads [`Self::to_nibble`].
    pub(super) fn from_nibble(nibble: u8) -> Option<Self> {
        match nibble {
            0 => Some(Self::None),
            1 => Some(Self::Added),
            2 => Some(Self::Blocked),
            _ => None,
        }
    }
}

/// Which of the two accounts of a direct conversation: the ids are compared bytewise.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Side {
    /// The one with the smaller id; the low nibble.
    Smaller,
    /// The one with the larger id; the high nibble.
    Larger,
}

impl Side {
    /// The side of `account` against `peer`.
    #[must_use]
    pub fn of(account: &AccountId, peer: &AccountId) -> Self {
        if account <= peer {
            Self::Smaller
        } else {
            Self::Larger
        }
    }

    /// The other one.
    #[must_use]
    pub fn other(self) -> Self {
        match self {
            Self::Smaller => Self::Larger,
            Self::Larger => Self::Smaller,
        }
    }
}

/// Both sides of a direct conversation; 0x11 in the byte form are friends.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
pub struct Relations {
    smaller: Relation,
    larger: Relation,
}

impl Relations {
    /// Mutual friends.
    pub const FRIENDS: Self = Self {
        smaller: Relation::Added,
        larger: Relation::Added,
    };

    /// What `side` has done.
    #[must_use]
    pub fn get(self, side: Side) -> Relation {
        match side {
            Side::Smaller => self.smaller,
            Side::Larger => self.larger,
        }
    }

    /// The relations after `side` did something.
    #[must_use]
    pub fn with(mut self, side: Side, relation: Relation) -> Self {
        match side {
            Side::Smaller => self.smaller = relation,
            Side::Larger => self.larger = relation,
        }
        self
    }

    /// Whether both have added each other.
    #[must_use]
    pub fn are_friends(self) -> bool {
        self == Self::FRIENDS
    }

    /// The stored form: one nibble per side, the side with the larger id high; 1 added, 2 blocked.
    #[must_use]
    pub fn to_byte(self) -> u8 {
        self.larger.to_nibble() << 4 | self.smaller.to_nibble()
    }

    /// Reads the stored form; `None` for a byte that [`Self::to_byte`] never makes.
    #[must_use]
    pub fn from_byte(byte: u8) -> Option<Self> {
        Some(Self {
            smaller: Relation::from_nibble(byte & 0xf)?,
            larger: Relation::from_nibble(byte >> 4)?,
        })
    }
}
