//! Upper bounds of queues, sizes and batches.

use crate::LoadError;
use serde::{Deserialize, Serialize};

/// Section `[limits]`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields, default)]
pub struct Limits {
    /// Connections of clients per node.
    pub connections_max: u32,
    /// Connections of clients per node that have not logged in, HTTP requests among them. Where there are as many, the one
    /// that came first is closed for the newcomer.
    pub unauthenticated_max: u32,
    /// Largest frame a client may send, in bytes.
    pub frame_bytes_max: u32,
    /// Frames of one connection that may wait while its login runs.
    pub held_frames_max: u32,
    /// Messages of one session that may be without an outcome.
    pub submissions_per_session_max: u32,
    /// Bytes that may wait to be written to one connection.
    pub outbound_bytes_max: u32,
    /// Messages in one transaction of a home.
    pub batch_messages_max: u32,
    /// Messages that may wait for a transaction, per database.
    pub home_queue_max: u32,
    /// Conversations whose head and version a home keeps in memory.
    pub home_conversations_max: u32,
    /// Members of all rooms together that a home keeps in memory, about 60 bytes each; beyond, the rooms used longest ago are
    /// read again when they are used. One room may have more.
    pub home_room_members_max: u32,
    /// Messages and requests of one session per second, as many of them at once; more are answered 5104. 0: no limit.
    pub session_requests_per_second: u32,
    /// The same for all sessions that an account has on one node together.
    pub account_requests_per_second: u32,
    /// The same for all sessions of a node together, after the limits of session and account. 0: no limit.
    pub node_requests_per_second: u32,
    /// Wrong passwords that one client address may present per minute, as many of them at once; then its logins and token
    /// requests by password are answered 5104. 0: no limit. An IPv6 address counts as its /64. Behind a load balancer that
    /// hides addresses all clients have one.
    pub failed_logins_per_address_per_minute: u32,
    /// Registrations by one client address per minute, as many of them at once; more are answered 5104. 0: no limit.
    pub registrations_per_address_per_minute: u32,
    /// Largest big-data frame (commands 95, 96, 97) that is put together from several messages, in bytes.
    pub big_data_bytes_max: u32,
    /// Members of one room; who wants to join a full one is answered 4111.
    pub room_members_max: u32,
    /// Virtual rooms that a node holds, as relay or as backup.
    pub virtual_rooms_max: u32,
    /// Virtual rooms that one session may subscribe to.
    pub subscriptions_per_session_max: u32,
    /// Bytes of live streams that may wait for one subscriber; beyond, the oldest frames are dropped.
    pub stream_bytes_per_session_max: u32,
    /// Bytes of live streams that may wait in this node or for another one; beyond, new frames are dropped.
    pub stream_bytes_per_node_max: u32,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            connections_max: 100_000,
            unauthenticated_max: 10_000,
            frame_bytes_max: 1 << 20,
            held_frames_max: 64,
            submissions_per_session_max: 256,
            outbound_bytes_max: 1 << 20,
            batch_messages_max: 512,
            home_queue_max: 16_384,
            home_conversations_max: 200_000,
            home_room_members_max: 2_000_000,
            session_requests_per_second: 5_000,
            account_requests_per_second: 10_000,
            node_requests_per_second: 0,
            failed_logins_per_address_per_minute: 600,
            registrations_per_address_per_minute: 0,
            big_data_bytes_max: 1 << 20,
            room_members_max: 100_000,
            virtual_rooms_max: 100_000,
            subscriptions_per_session_max: 64,
            stream_bytes_per_session_max: 1 << 20,
            stream_bytes_per_node_max: 16 << 20,
        }
    }
}

impl Limits {
    pub(crate) fn validate(&self) -> Result<(), LoadError> {
        const MOST: u64 = u32::MAX as u64;
        /// What fits into a message between nodes, and below any length that a short frame could seem to announce.
        const BIG_DATA_MOST: u64 = 8 << 20;
        LoadError::in_range(
            "limits.big_data_bytes_max",
            u64::from(self.big_data_bytes_max),
            1_024..=BIG_DATA_MOST,
        )?;
        let limits = [
            ("limits.connections_max", self.connections_max, 1),
            ("limits.unauthenticated_max", self.unauthenticated_max, 1),
            ("limits.frame_bytes_max", self.frame_bytes_max, 1_024),
            ("limits.held_frames_max", self.held_frames_max, 1),
            (
                "limits.submissions_per_session_max",
                self.submissions_per_session_max,
                1,
            ),
            ("limits.outbound_bytes_max", self.outbound_bytes_max, 65_536),
            ("limits.batch_messages_max", self.batch_messages_max, 1),
            ("limits.home_queue_max", self.home_queue_max, 16),
            ("limits.home_conversations_max", self.home_conversations_max, 16),
            ("limits.home_room_members_max", self.home_room_members_max, 1_024),
            ("limits.room_members_max", self.room_members_max, 2),
            ("limits.virtual_rooms_max", self.virtual_rooms_max, 1),
            (
                "limits.subscriptions_per_session_max",
                self.subscriptions_per_session_max,
                1,
            ),
            (
                "limits.stream_bytes_per_session_max",
                self.stream_bytes_per_session_max,
                1_024,
            ),
            (
                "limits.stream_bytes_per_node_max",
                self.stream_bytes_per_node_max,
                65_536,
            ),
        ];
        let rates = [
            (
                "limits.session_requests_per_second",
                self.session_requests_per_second,
            ),
            (
                "limits.account_requests_per_second",
                self.account_requests_per_second,
            ),
            ("limits.node_requests_per_second", self.node_requests_per_second),
            (
                "limits.failed_logins_per_address_per_minute",
                self.failed_logins_per_address_per_minute,
            ),
            (
                "limits.registrations_per_address_per_minute",
                self.registrations_per_address_per_minute,
            ),
        ];
        for (key, value) in rates {
            LoadError::in_range(key, u64::from(value), 0..=1_000_000)?;
        }
        limits
            .into_iter()
            .try_for_each(|(key, value, least)| LoadError::in_range(key, u64::from(value), least..=MOST))
    }
}
