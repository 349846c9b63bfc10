//! The commands: the low seven bits of every frame's first byte (section 3).

/// What a frame is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[repr(u8)]
pub enum Command {
    /// Result of an operation; from a client, the confirmation of a sync id.
    Ack = 12,
    /// Heartbeat, echoed by the server.
    Ping = 13,
    /// Create an account (HTTP only).
    Register = 14,
    /// Ask for a one-time login token (HTTP only).
    Token = 15,
    /// Log in on this socket.
    Auth = 16,
    /// Ask for, or deliver, a batch of offline messages.
    OfflineMessages = 17,
    /// There are no (more) offline messages.
    OfflineEnd = 18,
    /// Presence to the whole roster.
    BroadcastPresence = 19,
    /// Forced logout; seen only as the type of an ack.
    Logout = 20,
    /// History.
    PullMessages = 21,
    /// Virtual-room operations.
    VirtualRoom = 22,
    /// Roster and room operations.
    Business = 41,
    /// Profiles and room data; also carries list replies.
    Nodes = 42,
    /// A message.
    Message = 90,
    /// Presence to named accounts.
    Presence = 91,
    /// A message that revokes another.
    RevokeMessage = 92,
    /// A message that burns another after reading.
    BurnMessage = 93,
    /// Data of a virtual room.
    Stream = 94,
    /// Unstructured text to one account.
    BigString = 95,
    /// Unstructured bytes to one account.
    BigBinary = 96,
    /// Unstructured bytes into a virtual room.
    BigBinaryStream = 97,
}

impl Command {
    /// Every command, ascending.
    pub const ALL: [Self; 21] = [
        Self::Ack,
        Self::Ping,
        Self::Register,
        Self::Token,
        Self::Auth,
        Self::OfflineMessages,
        Self::OfflineEnd,
        Self::BroadcastPresence,
        Self::Logout,
        Self::PullMessages,
        Self::VirtualRoom,
        Self::Business,
        Self::Nodes,
        Self::Message,
        Self::Presence,
        Self::RevokeMessage,
        Self::BurnMessage,
        Self::Stream,
        Self::BigString,
        Self::BigBinary,
        Self::BigBinaryStream,
    ];

    /// The command of that number, if there is one.
    #[must_use]
    pub fn from_number(number: u8) -> Option<Self> {
        Self::ALL.into_iter().find(|command| command.number() == number)
    }

    /// Its number, without the flag bit.
    #[must_use]
    pub const fn number(self) -> u8 {
        self as u8
    }

    /// Its number as acks carry it (`TimAck.timType`).
    #[must_use]
    pub const fn tim_type(self) -> i8 {
        // All commands are below 128, so this keeps the value.
        self as u8 as i8
    }

    /// Whether the payload is raw bytes in the form of section 15 rather than a struct.
    #[must_use]
    pub const fn is_big_data(self) -> bool {
        matches!(self, Self::BigString | Self::BigBinary | Self::BigBinaryStream)
    }
}
