//! A request with a few numbered parameters.

use crate::wire_struct::wire_struct;

wire_struct! {
    /// A request; `rtype` selects the operation within the command.
    #[derive(Debug)]
    pub struct TimReq {
        /// The operation.
        optional 1 "rtype" rtype: i32,
        /// An account or a room.
        optional 2 "node" node: String,
        /// A second account.
        optional 3 "node2" node2: String,
        /// A first number.
        optional 4 "reqInt" req_int: i64,
        /// A second number.
        optional 5 "reqInt2" req_int2: i64,
        /// A first text.
        optional 6 "reqStr" req_str: String,
        /// A second text.
        optional 7 "reqStr2" req_str2: String,
    }
}

pub mod business {
    //! `TimReq.rtype` of command 41 and `TimMessage.bnType` of its notices (section 12).

    /// List the friends.
    pub const ROSTER: i32 = 1;
    /// List the rooms one is in.
    pub const USER_ROOMS: i32 = 2;
    /// List the members of a room.
    pub const ROOM_USERS: i32 = 3;
    /// Ask for, or grant, a friendship.
    pub const ADD_ROSTER: i32 = 4;
    /// Notice only: you are friends now.
    pub const FRIEND: i32 = 5;
    /// End a friendship.
    pub const REMOVE_ROSTER: i32 = 6;
    /// Block an account.
    pub const BLOCK_ROSTER: i32 = 7;
    /// Create a room.
    pub const NEW_ROOM: i32 = 8;
    /// Join a room, or ask to.
    pub const ADD_ROOM: i32 = 9;
    /// Notice only: you are in the room now.
    pub const PASS_ROOM: i32 = 10;
    /// Refuse an applicant.
    pub const REFUSE_ROOM: i32 = 11;
    /// Take somebody into a room.
    pub const PULL_ROOM: i32 = 12;
    /// Put somebody out of a room.
    pub const KICK_ROOM: i32 = 13;
    /// Leave a room for good.
    pub const BLOCK_ROOM: i32 = 14;
    /// Ban somebody from a room.
    pub const BLOCK_ROOM_MEMBER: i32 = 15;
    /// Leave a room.
    pub const LEAVE_ROOM: i32 = 16;
    /// End a room.
    pub const CANCEL_ROOM: i32 = 17;
    /// List the accounts one blocks.
    pub const BLOCK_ROSTER_LIST: i32 = 18;
    /// List the rooms one blocks.
    pub const BLOCK_ROOM_LIST: i32 = 19;
    /// List the accounts a room has banned.
    pub const BLOCK_ROOM_MEMBER_LIST: i32 = 20;
    /// Change the password.
    pub const MODIFY_AUTH: i32 = 21;
}

pub mod virtual_room {
    //! `TimReq.rtype` of command 22 (section 16).

    /// Make one.
    pub const CREATE: i32 = 1;
    /// End it.
    pub const REMOVE: i32 = 2;
    /// Let an account push.
    pub const GRANT: i32 = 3;
    /// Let an account push no more.
    pub const WITHDRAW: i32 = 4;
    /// Get what is pushed.
    pub const SUBSCRIBE: i32 = 5;
    /// Get nothing more.
    pub const UNSUBSCRIBE: i32 = 6;
}
