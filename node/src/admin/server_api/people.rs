//! Rosters, rooms, virtual rooms and history, in the name of the account that a call names.

use super::convert;
use super::methods::{Answer, account, connection, text};
use crate::admin::access::{Admin, Caller};
use crate::admin::ack::Ack;
use crate::admin::operations;
use crate::admin::operations::rooms::{self, About, request};
use crate::admin::problem::Problem;
use crate::commands::Actor;
use crate::commands::in_name_of::{HistoryAsked, HistoryOf, List};
use std::sync::Arc;
use tim_wire::frame::client_frame;
use tim_wire::server_api::{
    AdmMessageList, AdmNodeList, ByNode, Call, CreateRoom, Message, OfflineMsg, Pull, ToNode, VirtualRoomSub,
    WithRoom,
};
use tim_wire::structs::virtual_room;
use tim_wire::{Command, Encoding, TimMessage, TimReq, WireStruct};

/// Messages in one answer of what waits.
const WAITING_MAX: usize = 1_000;

/// What the audit calls an operation, and tim's number of it.
type What = (&'static str, i32);

/// The result of a call.
pub(super) async fn result(caller: &Caller<Admin>, message: &Message, call: Call) -> Result<Answer, Problem> {
    let listed = match call {
        Call::Roster(given) => Box::pin(list(caller, "list_roster", given, List::Friends)).await,
        Call::UserRoom(given) => Box::pin(list(caller, "list_rooms", given, List::Rooms)).await,
        Call::BlockRosterList(given) => {
            Box::pin(list(
                caller,
                "list_blocked_accounts",
                given,
                List::BlockedAccounts,
            ))
            .await
        }
        Call::BlockRoomList(given) => {
            Box::pin(list(caller, "list_blocked_rooms", given, List::BlockedRooms)).await
        }
        Call::RoomUsers(given) => Box::pin(members(caller, given)).await,
        Call::BlockRoomMemberlist(given) => Box::pin(banned(caller, given)).await,
        Call::PullUserMessage(given) => return Box::pin(history(caller, message, given, false)).await,
        Call::PullRoomMessage(given) => return Box::pin(history(caller, message, given, true)).await,
        Call::OfflineMsg(given) => return Box::pin(waiting(caller, message, given)).await,
        call => return Ok(Answer::Ack(Box::pin(ack(caller, call)).await?)),
    };
    // Empty where there is nothing: what the reference answers, no result at all, is an error to every client.
    let list = AdmNodeList {
        nodelist: Some(listed?),
    };
    Ok(Answer::Bytes(message.reply(&list).to_bytes()))
}

async fn ack(caller: &Caller<Admin>, call: Call) -> Result<Ack, Problem> {
    match call {
        Call::Addroster(given) => with_peer(caller, given, ("add_to_roster", request::ADD_ROSTER)).await,
        Call::Rmroster(given) => {
            with_peer(caller, given, ("remove_from_roster", request::REMOVE_ROSTER)).await
        }
        Call::Blockroster(given) => {
            with_peer(caller, given, ("block_for_account", request::BLOCK_ROSTER)).await
        }
        Call::Authroster(given) => Box::pin(are_friends(caller, given)).await,
        Call::Authgroupuser(given) => Box::pin(is_member(caller, given)).await,
        Call::CreateRoom(given) => Box::pin(create(caller, given)).await,
        Call::ModifyRoomInfo(given) => {
            let actor = rooms::actor("unode", &text("unode", given.unode)?, None)?;
            let (account, room) = (actor.account.clone(), text("gnode", given.gnode)?);
            let change = given.atr.unwrap_or_default();
            let work = rooms::change(Arc::clone(&caller.node), actor, room, change);
            caller.change("change_room", Some(&account), work).await?;
            Ok(Ack::Done)
        }
        Call::AddRoom(given) => with_room(caller, alone(given), ("join_room", request::ADD_ROOM)).await,
        Call::LeaveRoom(given) => with_room(caller, alone(given), ("leave_room", request::LEAVE_ROOM)).await,
        Call::CancelRoom(given) => {
            with_room(caller, alone(given), ("cancel_room", request::CANCEL_ROOM)).await
        }
        Call::BlockRoom(given) => with_room(caller, alone(given), ("block_room", request::BLOCK_ROOM)).await,
        Call::PullInRoom(given) => with_room(caller, given, ("pull_into_room", request::PULL_ROOM)).await,
        Call::KickRoom(given) => with_room(caller, given, ("kick_from_room", request::KICK_ROOM)).await,
        Call::RejectRoom(given) => with_room(caller, given, ("reject_from_room", request::REFUSE_ROOM)).await,
        Call::BlockRoomMember(given) => {
            with_room(caller, given, ("ban_from_room", request::BLOCK_ROOM_MEMBER)).await
        }
        Call::DelOfflineMsg(given) => {
            let actor = actor(given.node, given.domain)?;
            let account = actor.account.clone();
            let ids = given.ids.unwrap_or_default().into_iter().collect();
            let work = rooms::confirm(Arc::clone(&caller.node), actor, ids);
            caller
                .change("confirm_waiting_messages", Some(&account), work)
                .await?;
            Ok(Ack::Done)
        }
        call => Box::pin(virtual_rooms(caller, call)).await,
    }
}

fn actor(node: Option<String>, domain: Option<String>) -> Result<Actor, Problem> {
    rooms::actor("fromnode", &text("fromnode", node)?, domain)
}

async fn list(
    caller: &Caller<Admin>,
    operation: &'static str,
    given: ByNode,
    which: List,
) -> Result<Vec<String>, Problem> {
    let account = account("fromnode", given.node)?;
    caller
        .read(operation, rooms::list(&caller.node, &account, which))
        .await
}

/// Nobody is named in whose name: whoever may call may see.
async fn members(caller: &Caller<Admin>, given: ByNode) -> Result<Vec<String>, Problem> {
    let room = rooms::room_id(&caller.node, "room", &text("room", given.node)?)?;
    let work = rooms::members(&caller.node, &room);
    let members = caller.read("list_room_members", work).await?;
    Ok(members.iter().map(|member| member.as_str().to_owned()).collect())
}

async fn banned(caller: &Caller<Admin>, given: ToNode) -> Result<Vec<String>, Problem> {
    let account = account("fromnode", given.node)?;
    let room = rooms::room_id(&caller.node, "room", &text("room", given.to)?)?;
    let work = rooms::list(&caller.node, &account, List::Banned(room));
    caller.read("list_room_bans", work).await
}

async fn history(
    caller: &Caller<Admin>,
    message: &Message,
    given: Pull,
    of_room: bool,
) -> Result<Answer, Problem> {
    let whose = account("fromnode", given.node)?;
    let of = match of_room {
        false => HistoryOf::Peer(account("tonode", given.to)?),
        true => HistoryOf::Room(rooms::room_id(
            &caller.node,
            "tonode",
            &text("tonode", given.to)?,
        )?),
    };
    let asked = HistoryAsked::new(
        given.mid.unwrap_or_default(),
        given.timeseries,
        given.limit.unwrap_or_default(),
    );
    let work = rooms::history(Arc::clone(&caller.node), whose.clone(), of, asked);
    // It changes nothing, but it has to be known who read what others have said.
    let messages = caller.change("read_history", Some(&whose), work).await?;
    Ok(Answer::Bytes(message.reply(&message_list(messages)).to_bytes()))
}

async fn waiting(caller: &Caller<Admin>, message: &Message, given: OfflineMsg) -> Result<Answer, Problem> {
    let actor = actor(given.node, given.domain)?;
    let (node, account) = (Arc::clone(&caller.node), actor.account.clone());
    let wanted = usize::try_from(given.limit.unwrap_or_default()).unwrap_or_default();
    let wanted = if wanted == 0 {
        WAITING_MAX
    } else {
        wanted.min(WAITING_MAX)
    };
    let work = async move { rooms::waiting(&node, &actor, wanted).await };
    // It changes nothing, but it has to be known who read what others have said.
    let messages = caller
        .change("read_waiting_messages", Some(&account), work)
        .await?;
    Ok(Answer::Bytes(message.reply(&message_list(messages)).to_bytes()))
}

fn message_list(messages: Vec<TimMessage>) -> AdmMessageList {
    AdmMessageList {
        status: Some(0),
        totalcount: i64::try_from(messages.len()).ok(),
        msglist: Some(messages.into_iter().map(convert::listed).collect()),
    }
}

async fn with_peer(caller: &Caller<Admin>, given: ToNode, (operation, number): What) -> Result<Ack, Problem> {
    let actor = actor(given.node, given.domain)?;
    let account = actor.account.clone();
    let peer = (text("tonode", given.to)?, given.msg);
    let work = rooms::roster(Arc::clone(&caller.node), actor, number, peer);
    Box::pin(caller.change(operation, Some(&account), work)).await?;
    Ok(Ack::Done)
}

fn may(is: bool) -> Ack {
    match is {
        true => Ack::Done,
        false => Ack::No,
    }
}

async fn are_friends(caller: &Caller<Admin>, given: ToNode) -> Result<Ack, Problem> {
    let (one, other) = (account("fromnode", given.node)?, account("tonode", given.to)?);
    let work = rooms::are_friends(&caller.node, &one, &other);
    Ok(may(caller.read("look_up_friendship", work).await?))
}

async fn is_member(caller: &Caller<Admin>, given: ToNode) -> Result<Ack, Problem> {
    let account = account("fromnode", given.node)?;
    let room = rooms::room_id(&caller.node, "room", &text("room", given.to)?)?;
    let work = rooms::is_member(&caller.node, &room, &account);
    Ok(may(caller.read("look_up_membership", work).await?))
}

async fn create(caller: &Caller<Admin>, given: CreateRoom) -> Result<Ack, Problem> {
    let founder = actor(given.node, given.domain)?;
    let account = founder.account.clone();
    let private = rooms::is_private(i64::from(given.gtype.unwrap_or_default()));
    let topic = text("topic", given.topic)?;
    let work = rooms::create(Arc::clone(&caller.node), founder, topic, private);
    Ok(Ack::named(
        caller.change("create_room", Some(&account), work).await?.as_str(),
    ))
}

/// A call that concerns nobody else.
fn alone(given: ToNode) -> WithRoom {
    WithRoom {
        node: given.node,
        domain: given.domain,
        room: given.to,
        to: None,
        msg: given.msg,
    }
}

async fn with_room(
    caller: &Caller<Admin>,
    given: WithRoom,
    (operation, number): What,
) -> Result<Ack, Problem> {
    let actor = actor(given.node, given.domain)?;
    let account = actor.account.clone();
    let about = About {
        room: text("room", given.room)?,
        other: match rooms::names_another(number) {
            true => Some(text("tonode", given.to)?),
            false => None,
        },
        text: given.msg,
    };
    let work = rooms::room(Arc::clone(&caller.node), actor, number, about);
    let room = Box::pin(caller.change(operation, Some(&account), work)).await?;
    Ok(Ack::named(room.as_str()))
}

async fn virtual_rooms(caller: &Caller<Admin>, call: Call) -> Result<Ack, Problem> {
    let node = Arc::clone(&caller.node);
    match call {
        Call::VirtualroomRegister(given) => {
            let owner = account("fromnode", given.node)?;
            let work = operations::create_virtual_room(node, owner.clone());
            Ok(Ack::named(
                &caller.change("create_virtual_room", Some(&owner), work).await?,
            ))
        }
        Call::VirtualroomRemove(given) => {
            let owner = account("fromnode", given.node)?;
            let id = text("vNode", given.to)?;
            let room = operations::virtual_room("vNode", &id)?;
            let work = operations::remove_virtual_room(node, room, owner.clone());
            caller.change("remove_virtual_room", Some(&owner), work).await?;
            Ok(Ack::named(&id))
        }
        Call::VirtualroomAddAuth(given) => Box::pin(let_push(caller, given, true)).await,
        Call::VirtualroomDelAuth(given) => Box::pin(let_push(caller, given, false)).await,
        Call::VirtualroomSub(given) => Box::pin(subscribe(caller, given, virtual_room::SUBSCRIBE)).await,
        Call::VirtualroomUnSub(given) => Box::pin(subscribe(caller, given, virtual_room::UNSUBSCRIBE)).await,
        // Every other method has been answered before.
        _ => Ok(Ack::No),
    }
}

async fn let_push(caller: &Caller<Admin>, given: WithRoom, may: bool) -> Result<Ack, Problem> {
    let (owner, other) = (account("fromnode", given.node)?, account("tonode", given.to)?);
    let room = operations::virtual_room("vNode", &text("vNode", given.room)?)?;
    let told = other.as_str().to_owned();
    let work = rooms::let_push(Arc::clone(&caller.node), room, (owner.clone(), other), may);
    caller.change("change_virtual_room", Some(&owner), work).await?;
    Ok(Ack::named(&told))
}

/// Has a connection ask by itself; the answer goes to it as well.
async fn subscribe(caller: &Caller<Admin>, given: VirtualRoomSub, number: i32) -> Result<Ack, Problem> {
    let session = connection(given.wsid, "wsid")?;
    let room = text("vNode", given.room)?;
    operations::virtual_room("vNode", &room)?;
    let asked = TimReq {
        rtype: Some(number),
        node: Some(room.clone()),
        req_int: (given.sub_type == Some(1)).then_some(1),
        ..TimReq::default()
    };
    let payload = asked.encode_payload(Encoding::Thrift);
    let frame = client_frame(Command::VirtualRoom, Encoding::Thrift, &payload);
    let work = operations::send_as(Arc::clone(&caller.node), session, frame);
    caller.change("subscribe_connection", None, work).await?;
    Ok(Ack::named(&room))
}
