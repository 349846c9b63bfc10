//! The names of things: small types, so that an account cannot be passed where a conversation is meant.

use std::fmt;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

/// Longest account id, room id or node name in bytes.
pub const MAX_NAME_BYTES: usize = 64;

/// A name was empty or longer than [`MAX_NAME_BYTES`]. Nothing changed; the same name fails again.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("a name has 1 to {MAX_NAME_BYTES} bytes, this one has {length}")]
pub struct BadName {
    /// Length of the refused name in bytes.
    pub length: usize,
}

macro_rules! name_type {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(try_from = "String", into = "String")]
        pub struct $name(Arc<str>);

        impl $name {
            /// Takes a name of 1 to [`MAX_NAME_BYTES`] bytes.
            ///
            /// # Errors
            /// [`BadName`] for an empty or too long one.
            pub fn new(name: impl AsRef<str>) -> Result<Self, BadName> {
                let name = name.as_ref();
                if name.is_empty() || name.len() > MAX_NAME_BYTES {
                    return Err(BadName { length: name.len() });
                }
                Ok(Self(Arc::from(name)))
            }

            /// The name as text.
            #[must_use]
            pub fn as_str(&self) -> &str {
                &self.0
            }

            /// The bytes that are hashed and compared.
            #[must_use]
            pub fn as_bytes(&self) -> &[u8] {
                self.0.as_bytes()
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }

        impl TryFrom<String> for $name {
            type Error = BadName;
            fn try_from(name: String) -> Result<Self, BadName> {
                Self::new(name)
            }
        }

        impl TryFrom<&str> for $name {
            type Error = BadName;
            fn try_from(name: &str) -> Result<Self, BadName> {
                Self::new(name)
            }
        }

        impl From<$name> for String {
            fn from(name: $name) -> Self {
                name.0.as_ref().to_owned()
            }
        }
    };
}

name_type!(
    /// An account, as clients address it (tim's "node" of a user).
    AccountId
);

/// Who sends what no account sends. The separator of frames is in it, which no account's id may hold.
const SYSTEM: &str = "|system";

impl AccountId {
    /// The sender of system messages.
    #[must_use]
    pub fn system() -> Self {
        Self(Arc::from(SYSTEM))
    }
}

name_type!(
    /// A room, as clients address it.
    RoomId
);
name_type!(
    /// A virtual room: where live streams meet. Not stored, and gone some time after the last push.
    VirtualRoomId
);
name_type!(
    /// The stable name of a node; survives its restarts.
    NodeName
);
name_type!(
    /// The name of a database in the cluster's specification.
    DatabaseName
);

macro_rules! number_type {
    ($(#[$doc:meta])* $name:ident($inner:ty)) => {
        $(#[$doc])*
        #[derive(
            Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize,
        )]
        pub struct $name(pub $inner);

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.fmt(f)
            }
        }
    };
}

number_type!(
    /// One logged-in connection of one device; random.
    SessionId(u64)
);
number_type!(
    /// Grows with each life of the thing it belongs to (a process, a session).
    Generation(u64)
);
number_type!(
    /// The place of an entry in its conversation: 1, 2, 3 …; 0 means "before the first".
    Seq(u64)
);
number_type!(
    /// Counts the committed changes of a conversation. A commit that expected another version changes nothing.
    Version(u64)
);
number_type!(
    /// The number of a range's own last change.
    Epoch(u64)
);
number_type!(
    /// 20 bits of an id's hash: 0 … 1,048,575.
    Slot(u32)
);
number_type!(
    /// One of the 4,096 parts of the presence registry.
    ShardId(u16)
);
number_type!(
    /// The kind of device of a session (tim's `termtyp`).
    DeviceClass(i8)
);
number_type!(
    /// Identifies a set of nodes; equal exactly when the sets are.
    ViewHash(u64)
);
number_type!(
    /// The term of a coordinator; steps of a lower term are refused.
    Term(u64)
);
number_type!(
    /// One stay of a conversation at a home: random, made when the home loads it.
    Tenure(u64)
);

impl Seq {
    /// The place after this one.
    #[must_use]
    pub fn next(self) -> Self {
        Self(self.0 + 1)
    }
}

impl Version {
    /// The version after one more committed change.
    #[must_use]
    pub fn next(self) -> Self {
        Self(self.0 + 1)
    }
}

impl ShardId {
    /// The bytes over which the owners of this shard are chosen.
    #[must_use]
    pub fn to_bytes(self) -> [u8; 2] {
        self.0.to_be_bytes()
    }
}

macro_rules! bytes16_type {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize)]
        pub struct $name(pub [u8; 16]);

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::Display::fmt(self, f)
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                for byte in self.0 {
                    write!(f, "{byte:02x}")?;
                }
                Ok(())
            }
        }
    };
}

bytes16_type!(
    /// A conversation; how it is derived is said at [`crate::placement::direct_conversation`].
    ConversationId
);
bytes16_type!(
    /// The identity of one message: random, made by the node of the sending session, the same for every attempt.
    MessageKey
);
bytes16_type!(
    /// What tells two messages with the same client id apart. Whoever stores it keys it first, so that the
    /// database cannot be searched for guessed texts.
    ContentHash
);

impl MessageKey {
    /// The `id` clients see for a message that brought none: positive, never zero.
    #[must_use]
    pub fn wire_id(&self) -> i64 {
        // The other half may begin with the time.
        let [.., a, b, c, d, e, f, g, h] = self.0;
        let id = i64::from_be_bytes([a, b, c, d, e, f, g, h]) & i64::MAX;
        id.max(1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_have_bounds() {
        assert!(AccountId::new("").is_err());
        assert!(AccountId::new("a".repeat(64)).is_ok());
        assert_eq!(AccountId::new("a".repeat(65)), Err(BadName { length: 65 }));
        assert!(serde_json::from_str::<NodeName>("\"\"").is_err());
    }

    #[test]
    fn wire_id_is_positive() {
        assert_eq!(MessageKey([0; 16]).wire_id(), 1);
        assert_eq!(MessageKey([0xff; 16]).wire_id(), i64::MAX);
    }
}
