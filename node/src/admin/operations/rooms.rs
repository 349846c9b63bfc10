//! Rosters, rooms and history: what an account could ask for, asked in its name.

use super::{account, connection_free_stream};
use crate::admin::problem::Problem;
use crate::commands::Actor;
use crate::commands::in_name_of::{self, HistoryAsked, HistoryOf, List};
use crate::node::Node;
use std::collections::HashSet;
use std::sync::Arc;
use tim_core::conversation::{Room, Standing};
use tim_core::id::{AccountId, RoomId, VirtualRoomId};
use tim_core::stream::Operation as StreamOperation;
use tim_wire::{TimMessage, TimReq, TimRoomBean};

pub(in crate::admin) use crate::commands::in_name_of::names_another;
pub(in crate::admin) use tim_wire::structs::business as request;

/// `reqInt` of a new room into which one has to be let.
const PRIVATE: i64 = 1;
/// And of one that everybody may join.
const OPEN: i64 = 2;

/// A room's id as a path or a field holds it.
pub(in crate::admin) fn room_id(node: &Node, field: &str, text: &str) -> Result<RoomId, Problem> {
    in_name_of::room_id(node, field, text).map_err(|_| Problem::field(field, "not a room id of this cluster"))
}

/// Who asks, by the fields of a call.
pub(in crate::admin) fn actor(field: &str, name: &str, domain: Option<String>) -> Result<Actor, Problem> {
    Ok(Actor::administered(account(field, name)?, domain))
}

/// A request of command 41 about a friend.
pub(in crate::admin) async fn roster(
    node: Arc<Node>,
    actor: Actor,
    number: i32,
    (peer, text): (String, Option<String>),
) -> Result<(), Problem> {
    let asked = TimReq {
        node: Some(peer),
        req_str: Some(text.unwrap_or_default()),
        ..TimReq::default()
    };
    Ok(Box::pin(in_name_of::roster(&node, &actor, number, asked)).await?)
}

/// What is asked about a room.
#[derive(Debug)]
pub(in crate::admin) struct About {
    pub(in crate::admin) room: String,
    /// Whom it concerns, where it is not who asks.
    pub(in crate::admin) other: Option<String>,
    /// A few words for whoever is told.
    pub(in crate::admin) text: Option<String>,
}

/// A request of command 41 about a room.
pub(in crate::admin) async fn room(
    node: Arc<Node>,
    actor: Actor,
    number: i32,
    about: About,
) -> Result<RoomId, Problem> {
    let asked = TimReq {
        node: Some(about.room),
        node2: about.other,
        req_str: Some(about.text.unwrap_or_default()),
        ..TimReq::default()
    };
    Ok(Box::pin(in_name_of::room(&node, &actor, number, asked)).await?)
}

/// A new room of a founder.
pub(in crate::admin) async fn create(
    node: Arc<Node>,
    founder: Actor,
    topic: String,
    private: bool,
) -> Result<RoomId, Problem> {
    let kind = if private { PRIVATE } else { OPEN };
    Ok(Box::pin(in_name_of::create_room(&node, &founder, topic, kind)).await?)
}

/// Whether `gtype` of a call says private; what else there is says open.
pub(in crate::admin) fn is_private(gtype: i64) -> bool {
    gtype == PRIVATE
}

/// Another description, other managers, another founder.
pub(in crate::admin) async fn change(
    node: Arc<Node>,
    actor: Actor,
    room: String,
    given: TimRoomBean,
) -> Result<(), Problem> {
    Ok(Box::pin(in_name_of::change_room(&node, &actor, &room, given)).await?)
}

/// A room that has not ended.
pub(in crate::admin) async fn find(node: &Node, room: &RoomId) -> Result<Arc<Room>, Problem> {
    let is_there = Box::pin(node.accounts.users.align_room(node, room)).await?;
    let found = node.databases.room(room).await.map_err(Problem::database)?;
    found.filter(|_| is_there).ok_or_else(Problem::no_such_room)
}

/// Who acts for a room: the account that the caller names, else the founder.
pub(in crate::admin) async fn acting(node: &Node, room: &RoomId, by: Option<&str>) -> Result<Actor, Problem> {
    node.accounts.users.refuse_room_changes()?;
    let founder = find(node, room).await?.founder.clone();
    match by {
        Some(by) => actor("by", by, None),
        None => Ok(Actor::administered(founder, None)),
    }
}

/// A list as the account itself would be told it.
pub(in crate::admin) async fn list(node: &Node, of: &AccountId, which: List) -> Result<Vec<String>, Problem> {
    if !Box::pin(node.accounts.exists(node, of)).await? {
        return Err(Problem::no_such_account());
    }
    Ok(Box::pin(in_name_of::list(node, of, which)).await?)
}

/// Everybody in a room.
pub(in crate::admin) async fn members(node: &Node, room: &RoomId) -> Result<Vec<AccountId>, Problem> {
    find(node, room).await?;
    let members = node.databases.room_accounts(room, &[Standing::MEMBER]).await;
    members.map_err(Problem::database)
}

/// Whom a room keeps out.
pub(in crate::admin) async fn banned(node: &Node, room: &RoomId) -> Result<Vec<AccountId>, Problem> {
    find(node, room).await?;
    Ok(Box::pin(in_name_of::all_banned(node, room)).await?)
}

/// A page of history as an account would be told it.
pub(in crate::admin) async fn history(
    node: Arc<Node>,
    of: AccountId,
    with: HistoryOf,
    asked: HistoryAsked,
) -> Result<Vec<TimMessage>, Problem> {
    if !Box::pin(node.accounts.exists(&node, &of)).await? {
        return Err(Problem::no_such_account());
    }
    Ok(Box::pin(in_name_of::messages(&node, &of, &with, asked)).await?)
}

/// A page of the history of a room, whoever is in it.
pub(in crate::admin) async fn room_history(
    node: Arc<Node>,
    room: RoomId,
    asked: HistoryAsked,
) -> Result<Vec<TimMessage>, Problem> {
    let founder = find(&node, &room).await?.founder.clone();
    let of = HistoryOf::AnyRoom(room);
    Ok(Box::pin(in_name_of::messages(&node, &founder, &of, asked)).await?)
}

/// What waits for an account.
pub(in crate::admin) async fn waiting(
    node: &Node,
    actor: &Actor,
    limit: usize,
) -> Result<Vec<TimMessage>, Problem> {
    Ok(Box::pin(in_name_of::waiting(node, actor, limit)).await?)
}

/// What of that waits no longer.
pub(in crate::admin) async fn confirm(
    node: Arc<Node>,
    actor: Actor,
    ids: HashSet<i64>,
) -> Result<(), Problem> {
    Ok(Box::pin(in_name_of::confirm(&node, &actor, &ids)).await?)
}

/// Whether two accounts are friends.
pub(in crate::admin) async fn are_friends(
    node: &Node,
    one: &AccountId,
    other: &AccountId,
) -> Result<bool, Problem> {
    Ok(Box::pin(in_name_of::are_friends(node, one, other)).await?)
}

/// Whether an account is in a room.
pub(in crate::admin) async fn is_member(
    node: &Node,
    room: &RoomId,
    account: &AccountId,
) -> Result<bool, Problem> {
    let is_there = Box::pin(node.accounts.users.align_room(node, room)).await?;
    let is_member = node.databases.is_member(room, account).await;
    Ok(is_there && is_member.map_err(Problem::database)?)
}

/// Lets another account push into a virtual room of an owner, or no longer.
pub(in crate::admin) async fn let_push(
    node: Arc<Node>,
    room: VirtualRoomId,
    (owner, other): (AccountId, AccountId),
    may: bool,
) -> Result<(), Problem> {
    let operation = match may {
        true => StreamOperation::Grant { by: owner, to: other },
        false => StreamOperation::Withdraw {
            by: owner,
            from: other,
        },
    };
    connection_free_stream(&node, room, operation).await
}
