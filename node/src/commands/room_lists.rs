//! Command 41, lists that concern rooms. An empty list is answered by nothing, as clients expect.

use super::{Refusal, message};
use crate::edge::{Connection, Continuation};
use crate::node::Node;
use crate::session::frames;
use std::sync::Arc;
use tim_core::conversation::{Rank, Relation, Standing};
use tim_core::id::{AccountId, RoomId};
use tim_wire::structs::{business, node_kind};
use tim_wire::{Command, ErrorCode, TimNodes, TimReq};

/// Most accounts in one list: more would not fit into what may wait for one connection.
const LISTED_MAX: usize = 50_000;

/// Banned, whatever the account has done about the room.
pub(super) const BANNED: [Standing; 2] = [
    Standing {
        room: Relation::Blocked,
        account: Relation::None,
    },
    Standing {
        room: Relation::Blocked,
        account: Relation::Blocked,
    },
];

/// Answers with the rooms that the account is in.
pub(super) fn own(connection: &mut Connection) {
    let (rtype, ntype) = (business::USER_ROOMS, node_kind::USER_ROOMS);
    rooms(connection, rtype, ntype, Which::Own);
}

/// Answers with the rooms that the account has blocked.
pub(super) fn blocked(connection: &mut Connection) {
    let (rtype, ntype) = (business::BLOCK_ROOM_LIST, node_kind::BLOCKED_ROOMS);
    rooms(connection, rtype, ntype, Which::Blocked);
}

/// Which rooms of an account.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Which {
    /// Those that it is in.
    Own,
    /// Those that it has blocked.
    Blocked,
}

fn rooms(connection: &mut Connection, rtype: i32, ntype: i32, which: Which) {
    let Some(live) = &connection.live else { return };
    let account = live.account.clone();
    let node = Arc::clone(&connection.node);
    connection.begin(Box::pin(async move {
        let listed = Box::pin(of(&node, &account, which)).await;
        let continuation: Continuation =
            Box::new(move |connection| answer(connection, rtype, ntype, None, listed));
        continuation
    }));
}

/// The rooms of an account.
pub(super) async fn of(node: &Node, account: &AccountId, which: Which) -> Result<Vec<String>, Refusal> {
    if which == Which::Own
        && let Some(elsewhere) = node.accounts.users.rooms_of(node, account).await
    {
        let text = |room: RoomId| room.as_str().to_owned();
        return Ok(elsewhere?.into_iter().map(text).collect());
    }
    let belongs = match which {
        Which::Own => Standing::is_member,
        Which::Blocked => Standing::has_blocked,
    };
    let known = node.databases.rooms_of(account).await;
    let known = known.map_err(|report| Refusal::database(&report))?;
    let listed = known.into_iter().filter(|(_, standing)| belongs(*standing));
    Ok(listed.map(|(room, _)| room.as_str().to_owned()).collect())
}

/// Answers with everybody in a room, if the account is in it.
pub(super) fn members(connection: &mut Connection, request: &TimReq) {
    of_room(connection, request, business::ROOM_USERS, node_kind::ROOM_USERS);
}

/// Answers with whom a room has banned, if the account manages it.
pub(super) fn banned(connection: &mut Connection, request: &TimReq) {
    let (rtype, ntype) = (business::BLOCK_ROOM_MEMBER_LIST, node_kind::BANNED_MEMBERS);
    of_room(connection, request, rtype, ntype);
}

fn of_room(connection: &mut Connection, request: &TimReq, rtype: i32, ntype: i32) {
    let room = message::room(
        &connection.node.ids,
        request.node.as_deref(),
        "request.node",
        ErrorCode::Parameters,
    );
    let room = match room {
        Ok(room) => room,
        Err(refusal) => return answer(connection, rtype, ntype, None, Err(refusal)),
    };
    let Some(live) = &connection.live else { return };
    let account = live.account.clone();
    let node = Arc::clone(&connection.node);
    connection.begin(Box::pin(async move {
        let listed = match ntype {
            node_kind::ROOM_USERS => Box::pin(members_of(&node, &room, &account)).await,
            _ => Box::pin(banned_from(&node, &room, &account)).await,
        };
        let listed = listed.map(|listed| {
            let names = listed
                .iter()
                .take(LISTED_MAX)
                .map(|account| account.as_str().to_owned());
            names.collect()
        });
        let continuation: Continuation =
            Box::new(move |connection| answer(connection, rtype, ntype, Some(room), listed));
        continuation
    }));
}

/// Everybody in a room, for who is in it.
async fn members_of(node: &Node, room: &RoomId, account: &AccountId) -> Result<Vec<AccountId>, Refusal> {
    let database = |report: tim_catalogue::Report| Refusal::database(&report);
    let is_there = Box::pin(node.accounts.users.align_room(node, room)).await?;
    if !is_there || node.databases.room(room).await.map_err(database)?.is_none() {
        return Err(Refusal::plain(ErrorCode::Account, "no_such_room"));
    }
    let is_member = node.databases.is_member(room, account).await;
    if !is_member.map_err(database)? {
        return Err(Refusal::plain(ErrorCode::Parameters, "not_a_member"));
    }
    let members = node.databases.room_accounts(room, &[Standing::MEMBER]).await;
    members.map_err(database)
}

/// To who may not see them there are none.
pub(super) async fn banned_from(
    node: &Node,
    room: &RoomId,
    account: &AccountId,
) -> Result<Vec<AccountId>, Refusal> {
    let database = |report: tim_catalogue::Report| Refusal::database(&report);
    match node.databases.room(room).await.map_err(database)? {
        Some(found) if found.rank(account) >= Rank::Manager => {
            let banned = node.databases.room_accounts(room, &BANNED).await;
            banned.map_err(database)
        }
        _ => Ok(Vec::new()),
    }
}

fn answer(
    connection: &mut Connection,
    rtype: i32,
    ntype: i32,
    room: Option<RoomId>,
    listed: Result<Vec<String>, Refusal>,
) {
    match listed {
        Err(refusal) => refusal
            .within(rtype)
            .answer(connection, Command::Business.tim_type()),
        Ok(nodelist) if nodelist.is_empty() => {}
        Ok(nodelist) => {
            let list = TimNodes {
                ntype,
                nodelist: Some(nodelist),
                node: room.map(|room| room.as_str().to_owned()),
                ..TimNodes::default()
            };
            let encoding = connection.encoding(tim_wire::Encoding::Thrift);
            connection.out.push(frames::nodes(&list, encoding));
        }
    }
}
