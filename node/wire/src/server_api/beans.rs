//! The structs of the server API, by section 19.2.

use std::collections::BTreeMap;
use std::fmt;

use bytes::Bytes;

use crate::structs::{Tid, TimRoomBean, TimUserBean};
use crate::wire_struct::wire_struct;

/// Says that it is there, never what is in it: names, passwords and content stay out of logs.
macro_rules! closed {
    ($($name:ident),*) => {$(
        impl fmt::Debug for $name {
            fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
                formatter.debug_struct(stringify!($name)).finish_non_exhaustive()
            }
        }
    )*};
}
closed!(AuthBean, AdmToken, AdmMessage, AdmPresence);

wire_struct! {
    /// Who calls, or who is to be registered.
    pub struct AuthBean {
        /// Login name.
        optional 1 "username" username: String,
        /// Password.
        optional 2 "password" password: String,
        /// Namespace of the name.
        optional 3 "domain" domain: String,
    }
}

wire_struct! {
    /// The result of a call.
    #[derive(Debug)]
    pub struct AdmAck {
        /// Whether it was done.
        optional 1 "ok" ok: bool,
        /// What it answers.
        optional 2 "timType" tim_type: i8,
        /// Why not, one of [`crate::ErrorCode`].
        optional 3 "errcode" errcode: i32,
        /// A number.
        optional 4 "t" t: i64,
        /// An id.
        optional 5 "n" n: String,
        /// Another number.
        optional 6 "t2" t2: i64,
        /// Another id.
        optional 7 "n2" n2: String,
    }
}

wire_struct! {
    /// Whose login token is wanted.
    pub struct AdmToken {
        /// Login name or account id, by `admtype`.
        optional 1 "name" name: String,
        /// Password, where it is to be checked.
        optional 2 "password" password: String,
        /// Namespace of the name.
        optional 3 "domain" domain: String,
        /// 0 name and password, 1 name alone, 2 the name is the account id.
        optional 4 "admtype" admtype: i8,
    }
}

wire_struct! {
    /// A message.
    pub struct AdmMessage {
        /// As `TimMessage.msType`.
        required 1 "msType" ms_type: i8,
        /// As `TimMessage.odType`.
        required 2 "odType" od_type: i8,
        /// The caller's own id of it.
        optional 3 "id" id: i64,
        /// Its number in the conversation.
        optional 4 "mid" mid: i64,
        /// Kind of a notice.
        optional 5 "bnType" bn_type: i32,
        /// Who sent it.
        optional 6 "fromNode" from_node: String,
        /// Whom it is for.
        optional 7 "toNode" to_node: String,
        /// Domain of the sender.
        optional 8 "domain" domain: String,
        /// Which room it is for.
        optional 9 "roomNode" room_node: String,
        /// Bytes of the body.
        optional 10 "dataBinary" data_binary: Bytes,
        /// Text of the body.
        optional 11 "dataString" data_string: String,
        /// For applications.
        optional 12 "udtype" udtype: i16,
        /// For applications.
        optional 13 "udshow" udshow: i16,
        /// For applications.
        optional 14 "extend" extend: BTreeMap<String, String>,
        /// For applications.
        optional 15 "extra" extra: BTreeMap<String, Bytes>,
    }
}

wire_struct! {
    /// A message to many accounts.
    #[derive(Debug)]
    pub struct AdmMessageBroadcast {
        /// The accounts.
        optional 1 "nodes" nodes: Vec<String>,
        /// The message.
        optional 2 "message" message: AdmMessage,
    }
}

wire_struct! {
    /// Messages.
    #[derive(Debug)]
    pub struct AdmMessageList {
        /// 0 when they were read.
        optional 1 "status" status: i8,
        /// How many there are.
        optional 2 "totalcount" totalcount: i64,
        /// The messages.
        optional 3 "msglist" msglist: Vec<AdmMessage>,
    }
}

wire_struct! {
    /// A presence.
    pub struct AdmPresence {
        /// An id of the caller's own.
        optional 1 "id" id: i64,
        /// Whether the account has gone.
        optional 2 "offline" offline: bool,
        /// 1 asks for the other's presence, 2 answers, by convention.
        optional 3 "subStatus" sub_status: i8,
        /// Whose presence it is.
        optional 4 "fromNode" from_node: String,
        /// Whom it is for.
        optional 5 "toNode" to_node: String,
        /// Whom it is for as well.
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

wire_struct! {
    /// A presence for many accounts.
    #[derive(Debug)]
    pub struct AdmPresenceBroadcast {
        /// The accounts.
        optional 1 "nodes" nodes: Vec<String>,
        /// The presence.
        optional 2 "presence" presence: AdmPresence,
    }
}

wire_struct! {
    /// A change of a profile.
    #[derive(Debug)]
    pub struct AdmModifyUserInfo {
        /// Whose.
        optional 1 "node" node: String,
        /// What shall stand in it.
        optional 2 "userbean" userbean: TimUserBean,
    }
}

wire_struct! {
    /// A change of a room.
    #[derive(Debug)]
    pub struct AdmRoomBean {
        /// In whose name.
        optional 1 "unode" unode: String,
        /// Which room.
        optional 2 "gnode" gnode: String,
        /// What shall be said about it.
        optional 3 "atr" atr: TimRoomBean,
    }
}

wire_struct! {
    /// Accounts or rooms.
    #[derive(Debug)]
    pub struct AdmNodeList {
        /// Their ids.
        optional 1 "nodelist" nodelist: Vec<String>,
    }
}

wire_struct! {
    /// What is done about a virtual room.
    #[derive(Debug)]
    pub struct AdmVroomBean {
        /// Whose it is.
        optional 1 "node" node: String,
        /// 1 makes one.
        optional 2 "rtype" rtype: i8,
    }
}

wire_struct! {
    /// Accounts whose connections shall be looked after.
    #[derive(Debug)]
    pub struct Nodes {
        /// The accounts.
        optional 1 "nodes" nodes: Vec<String>,
    }
}

wire_struct! {
    /// A message in the name of a connection.
    #[derive(Debug)]
    pub struct AdmProxyMessage {
        /// The connection.
        optional 1 "connectid" connectid: i64,
        /// The message.
        optional 2 "message" message: AdmMessage,
    }
}

wire_struct! {
    /// Accounts that are blocked, or no longer.
    #[derive(Debug)]
    pub struct AdmSysBlockUser {
        /// The accounts.
        optional 1 "nodelist" nodelist: Vec<String>,
        /// For so many seconds; a negative number lifts the block.
        optional 2 "blocktime" blocktime: i64,
    }
}

wire_struct! {
    /// Who is blocked.
    #[derive(Debug)]
    pub struct AdmSysBlockList {
        /// The Unix second at which each block ends.
        optional 1 "usermap" usermap: BTreeMap<String, i64>,
    }
}

wire_struct! {
    /// Which part of those who are online.
    #[derive(Debug)]
    pub struct AdmOnlineUser {
        /// How many are passed over.
        optional 1 "index" index: i64,
        /// How many are wanted.
        optional 2 "limit" limit: i64,
    }
}

wire_struct! {
    /// Devices that are online.
    #[derive(Debug)]
    pub struct AdmTidList {
        /// Their addresses.
        optional 1 "tidlist" tidlist: Vec<Tid>,
        /// How many there are in all.
        optional 2 "size" size: i64,
    }
}

wire_struct! {
    /// A subscription, or what it brings.
    #[derive(Debug)]
    pub struct AdmSubBean {
        /// 1: who comes and goes.
        optional 1 "subType" sub_type: i8,
        /// What it brings, encoded.
        optional 2 "bs" bs: Bytes,
    }
}

wire_struct! {
    /// Somebody came or went.
    #[derive(Debug)]
    pub struct AdmSubOnlineBean {
        /// The account.
        optional 1 "node" node: String,
        /// 1 online, 2 offline.
        optional 2 "status" status: i8,
    }
}
