//! The description of a room.

use std::collections::BTreeMap;

use bytes::Bytes;

use crate::wire_struct::wire_struct;

wire_struct! {
    /// A room.
    #[derive(Debug)]
    pub struct TimRoomBean {
        /// Who made it.
        optional 1 "founder" founder: String,
        /// Who may manage it.
        optional 2 "managers" managers: Vec<String>,
        /// Picture.
        optional 3 "cover" cover: String,
        /// Title.
        optional 4 "topic" topic: String,
        /// Labels.
        optional 5 "label" label: String,
        /// 1 private, 2 open.
        optional 6 "gtype" gtype: i8,
        /// For applications.
        optional 7 "kind" kind: i64,
        /// When it was made.
        optional 8 "createtime" create_time: i64,
        /// For applications.
        optional 9 "extend" extend: BTreeMap<String, String>,
        /// For applications.
        optional 10 "extra" extra: BTreeMap<String, Bytes>,
    }
}
