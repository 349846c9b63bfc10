//! Several messages in one frame.

use super::TimMessage;
use crate::wire_struct::wire_struct;

wire_struct! {
    /// A batch of offline messages, or a page of history.
    #[derive(Debug)]
    pub struct TimMessageList {
        /// Random in offline batches, absent in history.
        optional 1 "id" id: i64,
        /// The messages.
        optional 2 "messageList" message_list: Vec<TimMessage>,
    }
}
