//! The address of an account, a device or a room.

use std::collections::BTreeMap;

use crate::wire_struct::wire_struct;

wire_struct! {
    /// Who. Targets need only `node`; the server fills the rest in for senders.
    #[derive(Debug)]
    pub struct Tid {
        /// Account id, or room id.
        required 1 "node" node: String,
        /// Namespace of the login.
        optional 2 "domain" domain: String,
        /// Free text about the device.
        optional 3 "resource" resource: String,
        /// Class of the device.
        optional 4 "termtyp" termtyp: i8,
        /// For applications.
        optional 5 "extend" extend: BTreeMap<String, String>,
    }
}

impl Tid {
    /// An address of just an account or a room.
    #[must_use]
    pub fn of(node: impl Into<String>) -> Self {
        Self {
            node: node.into(),
            ..Self::default()
        }
    }
}
