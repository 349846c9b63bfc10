//! Data of a virtual room.

use std::fmt;

use bytes::Bytes;

use crate::wire_struct::wire_struct;

wire_struct! {
    /// A piece of a stream. Clients send `id` 0 and no sender; the server fills both in.
    pub struct TimStream {
        /// Random.
        required 1 "id" id: i64,
        /// The virtual room.
        required 2 "VNode" v_node: String,
        /// For applications.
        optional 3 "dtype" dtype: i8,
        /// The data.
        optional 4 "body" body: Bytes,
        /// The owner of the virtual room.
        required 5 "fromNode" from_node: String,
    }
}

/// Leaves out who and what: no account and no content may reach a log.
impl fmt::Debug for TimStream {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("TimStream")
            .field("id", &self.id)
            .field("dtype", &self.dtype)
            .field("body_length", &self.body.as_ref().map(Bytes::len))
            .finish_non_exhaustive()
    }
}
