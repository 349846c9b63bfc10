//! Lists of accounts and rooms, and their data.

use std::collections::BTreeMap;

use super::{TimRoomBean, TimUserBean};
use crate::wire_struct::wire_struct;

wire_struct! {
    /// A query or an update of profiles and rooms, or the answer to a list request.
    #[derive(Debug)]
    pub struct TimNodes {
        /// What it is, see [`node_kind`].
        required 1 "ntype" ntype: i32,
        /// Accounts or rooms.
        optional 2 "nodelist" nodelist: Vec<String>,
        /// Profiles by account.
        optional 3 "usermap" usermap: BTreeMap<String, TimUserBean>,
        /// Rooms by id.
        optional 4 "roommap" roommap: BTreeMap<String, TimRoomBean>,
        /// The room a list of members belongs to.
        optional 5 "node" node: String,
    }
}

pub mod node_kind {
    //! `TimNodes.ntype` (section 13).

    /// Friends.
    pub const ROSTER: i32 = 1;
    /// Rooms of an account.
    pub const USER_ROOMS: i32 = 2;
    /// Members of a room.
    pub const ROOM_USERS: i32 = 3;
    /// Query profiles.
    pub const USER_INFO: i32 = 4;
    /// Query rooms.
    pub const ROOM_INFO: i32 = 5;
    /// Change one's own profile.
    pub const MODIFY_USER: i32 = 6;
    /// Change a room.
    pub const MODIFY_ROOM: i32 = 7;
    /// Accounts one blocks.
    pub const BLOCKED_ACCOUNTS: i32 = 8;
    /// Rooms one blocks.
    pub const BLOCKED_ROOMS: i32 = 9;
    /// Accounts a room has banned.
    pub const BANNED_MEMBERS: i32 = 10;
}
