//! A message.

use std::collections::BTreeMap;
use std::fmt;

use bytes::Bytes;

use super::Tid;
use crate::wire_struct::wire_struct;

wire_struct! {
    /// A message; also a revoke, a burn and a notice. Section 10 says who fills in what.
    pub struct TimMessage {
        /// Between whom, see [`message_kind`].
        required 1 "msType" ms_type: i8,
        /// What it does, see [`operation`].
        required 2 "odType" od_type: i8,
        /// The same in every copy; the client's own when it gave one.
        optional 3 "id" id: i64,
        /// Its number in the conversation, given by the server.
        optional 4 "mid" mid: i64,
        /// Sort of a notice, see [`super::business`].
        optional 5 "bnType" bn_type: i32,
        /// Sender, filled in by the server.
        optional 6 "fromTid" from_tid: Tid,
        /// Receiver.
        optional 7 "toTid" to_tid: Tid,
        /// Room.
        optional 8 "roomTid" room_tid: Tid,
        /// Bytes of the body.
        optional 9 "dataBinary" data_binary: Bytes,
        /// Text of the body.
        optional 10 "dataString" data_string: String,
        /// Whether it waited for its receiver.
        optional 11 "isOffline" is_offline: bool,
        /// Unix nanoseconds, given by the server.
        optional 12 "timestamp" timestamp: i64,
        /// For applications.
        optional 13 "udtype" udtype: i16,
        /// For applications.
        optional 14 "udshow" udshow: i16,
        /// For applications.
        optional 15 "extend" extend: BTreeMap<String, String>,
        /// For applications.
        optional 16 "extra" extra: BTreeMap<String, Bytes>,
        /// Internal to the reference server; whatever a client sends here is dropped.
        optional 17 "ToList" to_list: Vec<String>,
    }
}

pub mod message_kind {
    //! `TimMessage.msType`: between whom.

    /// From the system to an account.
    pub const SYSTEM: i8 = 1;
    /// Between two accounts.
    pub const DIRECT: i8 = 2;
    /// Into a room.
    pub const ROOM: i8 = 3;
}

pub mod operation {
    //! `TimMessage.odType`: what it does.

    /// A message to keep.
    pub const NORMAL: i8 = 1;
    /// Takes a message back.
    pub const REVOKE: i8 = 2;
    /// Burns a message that was read.
    pub const BURN: i8 = 3;
    /// A notice about roster or rooms.
    pub const BUSINESS: i8 = 4;
    /// For those who are online, not kept.
    pub const STREAM: i8 = 5;
    /// The first number that applications may use.
    pub const APPLICATION_FIRST: i8 = 31;

    /// Whether a delivery of it asks for a confirmation (section 9).
    #[must_use]
    pub const fn is_confirmed(operation: i8) -> bool {
        matches!(operation, NORMAL | REVOKE | BURN | BUSINESS) || operation >= APPLICATION_FIRST
    }
}

impl TimMessage {
    /// A message to everybody in a room.
    #[must_use]
    pub fn to_room(room: impl Into<String>, operation: i8) -> Self {
        Self {
            ms_type: message_kind::ROOM,
            od_type: operation,
            room_tid: Some(Tid::of(room)),
            ..Self::default()
        }
    }

    /// The room that it is for, if any.
    #[must_use]
    pub fn room_node(&self) -> Option<&str> {
        self.room_tid.as_ref().map(|tid| tid.node.as_str())
    }

    /// A message from account to account.
    #[must_use]
    pub fn direct(to: impl Into<String>, operation: i8) -> Self {
        Self {
            ms_type: message_kind::DIRECT,
            od_type: operation,
            to_tid: Some(Tid::of(to)),
            ..Self::default()
        }
    }

    /// The account it goes to, if it names one.
    #[must_use]
    pub fn to_node(&self) -> Option<&str> {
        self.to_tid.as_ref().map(|tid| tid.node.as_str())
    }

    /// The account it comes from, if it names one.
    #[must_use]
    pub fn from_node(&self) -> Option<&str> {
        self.from_tid.as_ref().map(|tid| tid.node.as_str())
    }
}

/// Leaves out who and what: no account and no content may reach a log.
impl fmt::Debug for TimMessage {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("TimMessage")
            .field("ms_type", &self.ms_type)
            .field("od_type", &self.od_type)
            .field("id", &self.id)
            .field("mid", &self.mid)
            .field("bn_type", &self.bn_type)
            .field("data_binary_length", &self.data_binary.as_ref().map(Bytes::len))
            .field("data_string_length", &self.data_string.as_ref().map(String::len))
            .field("is_offline", &self.is_offline)
            .field("timestamp", &self.timestamp)
            .finish_non_exhaustive()
    }
}
