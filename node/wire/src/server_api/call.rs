//! The methods and their arguments. Arguments are numbered from 1 in the order of section 19.2; methods whose arguments
//! have the same types share a struct.

use std::fmt;

use bytes::Bytes;

use super::beans::{
    AdmMessageBroadcast, AdmModifyUserInfo, AdmOnlineUser, AdmPresenceBroadcast, AdmProxyMessage,
    AdmRoomBean, AdmSysBlockUser, AdmToken, AdmVroomBean, AuthBean, Nodes,
};
use crate::thrift::{Kind, Reader, ThriftValue, Writer};
use crate::wire_struct::wire_struct;
use crate::{DecodeError, Encoding, WireStruct};

wire_struct! {
    /// An account, or a room, and a domain.
    #[derive(Debug)]
    pub struct ByNode {
        /// In whose name; of `RoomUsers` the room.
        optional 1 "fromnode" node: String,
        /// The domain.
        optional 2 "domain" domain: String,
    }
}

wire_struct! {
    /// An account about another one, or about a room, with a text.
    #[derive(Debug)]
    pub struct ToNode {
        /// In whose name.
        optional 1 "fromnode" node: String,
        /// The domain.
        optional 2 "domain" domain: String,
        /// The other account, the room or the virtual room.
        optional 3 "tonode" to: String,
        /// A few words.
        optional 4 "msg" msg: String,
    }
}

wire_struct! {
    /// An account about another one in a room.
    #[derive(Debug)]
    pub struct WithRoom {
        /// In whose name.
        optional 1 "fromnode" node: String,
        /// The domain.
        optional 2 "domain" domain: String,
        /// The room or the virtual room.
        optional 3 "room" room: String,
        /// The other account.
        optional 4 "tonode" to: String,
        /// A few words.
        optional 5 "msg" msg: String,
    }
}

wire_struct! {
    /// A new room.
    #[derive(Debug)]
    pub struct CreateRoom {
        /// Who founds it.
        optional 1 "fromnode" node: String,
        /// The domain.
        optional 2 "domain" domain: String,
        /// What it is about.
        optional 3 "topic" topic: String,
        /// 1 private, 2 open.
        optional 4 "gtype" gtype: i8,
    }
}

wire_struct! {
    /// Another password.
    pub struct ModifyPwd {
        /// Whose.
        optional 1 "fromnode" node: String,
        /// The domain.
        optional 2 "domain" domain: String,
        /// The present one.
        optional 3 "oldpwd" oldpwd: String,
        /// The new one.
        optional 4 "newpwd" newpwd: String,
    }
}

impl fmt::Debug for ModifyPwd {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("ModifyPwd").finish_non_exhaustive()
    }
}

wire_struct! {
    /// A page of history.
    #[derive(Debug)]
    pub struct Pull {
        /// In whose name.
        optional 1 "fromnode" node: String,
        /// The domain.
        optional 2 "domain" domain: String,
        /// The other account, or the room.
        optional 3 "tonode" to: String,
        /// Number of the newest message that is wanted; 0: the newest there is.
        optional 4 "mid" mid: i64,
        /// Nothing newer than this, in Unix nanoseconds; 0: no limit.
        optional 5 "timeseries" timeseries: i64,
        /// How many at most.
        optional 6 "limit" limit: i64,
    }
}

wire_struct! {
    /// What waits for an account.
    #[derive(Debug)]
    pub struct OfflineMsg {
        /// Whose.
        optional 1 "fromnode" node: String,
        /// The domain.
        optional 2 "domain" domain: String,
        /// How many at most.
        optional 3 "limit" limit: i64,
    }
}

wire_struct! {
    /// What shall wait no longer.
    #[derive(Debug)]
    pub struct DelOfflineMsg {
        /// Whose.
        optional 1 "fromnode" node: String,
        /// The domain.
        optional 2 "domain" domain: String,
        /// Ids of the messages.
        optional 3 "ids" ids: Vec<i64>,
    }
}

wire_struct! {
    /// A subscription of a connection.
    #[derive(Debug)]
    pub struct VirtualRoomSub {
        /// The connection.
        optional 1 "wsid" wsid: i64,
        /// Whose it is.
        optional 2 "fromnode" node: String,
        /// The domain.
        optional 3 "domain" domain: String,
        /// The virtual room.
        optional 4 "vNode" room: String,
        /// 1: as raw bytes; else as structs.
        optional 5 "subType" sub_type: i8,
    }
}

/// Makes [`Call`] from the list of methods: `none`, `one` struct as the only argument, or the arguments as a struct.
macro_rules! calls {
    (none: $($none:ident),*; one: $($one:ident($bean:ty)),*; many: $($many:ident($arguments:ty)),* $(;)?) => {
        /// A call with its arguments; the methods are called as in section 19.2.
        #[derive(Debug, Clone, PartialEq)]
        #[allow(missing_docs, reason = "the specification's names, listed beside their arguments")]
        pub enum Call {
            $($none,)*
            $($one($bean),)*
            $($many($arguments),)*
        }

        impl Call {
            /// The name of the method.
            #[must_use]
            pub const fn name(&self) -> &'static str {
                match self {
                    $(Self::$none => stringify!($none),)*
                    $(Self::$one(_) => stringify!($one),)*
                    $(Self::$many(_) => stringify!($many),)*
                }
            }

            /// Reads the arguments of a method; nothing when there is no such method.
            ///
            /// # Errors
            /// When the arguments cannot be read.
            pub fn read(name: &str, arguments: &Bytes) -> Result<Option<Self>, DecodeError> {
                Ok(Some(match name {
                    $(stringify!($none) => Self::$none,)*
                    $(stringify!($one) => Self::$one(only(arguments)?),)*
                    $(stringify!($many) => {
                        Self::$many(WireStruct::decode_payload(arguments, Encoding::Thrift)?)
                    })*
                    _ => return Ok(None),
                }))
            }

            /// The arguments, encoded.
            #[must_use]
            pub fn arguments(&self) -> Bytes {
                match self {
                    $(Self::$none)|* => Bytes::from_static(&[0]),
                    $(Self::$one(bean) => wrap(1, bean),)*
                    $(Self::$many(arguments) => arguments.encode_payload(Encoding::Thrift),)*
                }
            }

            #[cfg(test)]
            pub(super) fn samples(random: &mut rand::rngs::StdRng) -> Vec<Self> {
                use crate::structs::sample::Sample;
                vec![
                    $(Self::$none,)*
                    $(Self::$one(<$bean>::sample(random)),)*
                    $(Self::$many(<$arguments>::sample(random)),)*
                ]
            }
        }
    };
}

calls! {
    none: Ping, SysBlockList;
    one:
        Auth(AuthBean), Token(AdmToken), TimMessageBroadcast(AdmMessageBroadcast),
        TimPresenceBroadcast(AdmPresenceBroadcast), ProxyMessage(AdmProxyMessage), Register(AuthBean),
        ModifyUserInfo(AdmModifyUserInfo), ModifyRoomInfo(AdmRoomBean), SysBlockUser(AdmSysBlockUser),
        OnlineUser(AdmOnlineUser), Vroom(AdmVroomBean), Detect(Nodes);
    many:
        ModifyPwd(ModifyPwd), Roster(ByNode), UserRoom(ByNode), RoomUsers(ByNode), BlockRosterList(ByNode),
        BlockRoomList(ByNode), BlockRoomMemberlist(ToNode), Addroster(ToNode), Rmroster(ToNode),
        Blockroster(ToNode), CreateRoom(CreateRoom), AddRoom(ToNode), PullInRoom(WithRoom),
        KickRoom(WithRoom), BlockRoomMember(WithRoom), RejectRoom(WithRoom), LeaveRoom(ToNode),
        CancelRoom(ToNode), BlockRoom(ToNode), Authroster(ToNode), Authgroupuser(ToNode),
        PullUserMessage(Pull), PullRoomMessage(Pull), OfflineMsg(OfflineMsg), DelOfflineMsg(DelOfflineMsg),
        VirtualroomRegister(ByNode), VirtualroomRemove(ToNode), VirtualroomAddAuth(WithRoom),
        VirtualroomDelAuth(WithRoom), VirtualroomSub(VirtualRoomSub), VirtualroomUnSub(VirtualRoomSub);
}

/// The struct under number 1; an empty one when it is not there.
fn only<T: WireStruct>(arguments: &Bytes) -> Result<T, DecodeError> {
    let mut reader = Reader::of_shared(arguments);
    let (mut value, mut previous) = (None, 0);
    while let Some(field) = reader.field(previous)? {
        previous = field.id;
        if field.id == 1 && field.kind == Kind::Struct {
            value = ThriftValue::read(&mut reader, field.kind)?;
        } else {
            reader.skip(field.kind)?;
        }
    }
    Ok(value.unwrap_or_default())
}

/// A struct as the only field of another one: 1 of arguments, 0 of results.
pub(super) fn wrap(id: i16, value: &impl WireStruct) -> Bytes {
    let mut writer = Writer::new();
    writer.field(0, id, Kind::Struct);
    ThriftValue::write(value, &mut writer);
    writer.stop();
    writer.into_bytes().into()
}

/// What a result holds.
///
/// # Errors
/// When it cannot be read.
pub fn result<T: WireStruct>(body: &Bytes) -> Result<Option<T>, DecodeError> {
    let mut reader = Reader::of_shared(body);
    match reader.field(0)? {
        Some(field) if field.id == 0 && field.kind == Kind::Struct => {
            ThriftValue::read(&mut reader, field.kind)
        }
        _ => Ok(None),
    }
}
