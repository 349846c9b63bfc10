//! Presence: what a device tells others about its user.

use std::collections::BTreeMap;

use bytes::Bytes;

use super::Tid;
use crate::wire_struct::wire_struct;

wire_struct! {
    /// A presence. Nothing of it is stored.
    #[derive(Debug)]
    pub struct TimPresence {
        /// Random, filled in by the server.
        optional 1 "id" id: i64,
        /// The last session has ended; only the server says so.
        optional 2 "offline" offline: bool,
        /// 1 asks for the other's presence, 2 answers, by convention.
        optional 3 "subStatus" sub_status: i8,
        /// Sender, filled in by the server.
        optional 4 "fromTid" from_tid: Tid,
        /// Receiver.
        optional 5 "toTid" to_tid: Tid,
        /// Several receivers.
        optional 6 "toList" to_list: Vec<String>,
        /// For applications.
        optional 7 "show" show: i16,
        /// For applications.
        optional 8 "status" status: String,
        /// For applications.
        optional 9 "extend" extend: BTreeMap<String, String>,
        /// For applications.
        optional 10 "extra" extra: BTreeMap<String, Bytes>,
    }
}
