//! Command 42, what is told about rooms: anybody may ask, founder and managers change it.

use super::message::{self, Draft};
use super::{Actor, Refusal, rooms};
use crate::edge::{Connection, Continuation};
use crate::node::Node;
use crate::session::frames;
use futures::{StreamExt, TryStreamExt};
use std::sync::Arc;
use tim_core::conversation::{Operation, Room, RoomBody, RoomChange, RoomOperation, RoomProfile};
use tim_core::id::{AccountId, ContentHash, RoomId};
use tim_core::placement;
use tim_telemetry::Span;
use tim_wire::structs::node_kind;
use tim_wire::{Command, Encoding, ErrorCode, IdScheme, TimNodes, TimRoomBean};

/// Rooms of one query whose members are asked for elsewhere at once.
const ALIGNED_AT_ONCE: usize = 4;
/// Largest data of a room in its form between nodes.
pub(super) const CHANGE_BYTES_MAX: usize = 64 << 10;

/// Answers with the rooms among the asked ones that are there and have not ended.
pub(super) fn query(connection: &mut Connection, asked: &[String]) {
    let encoding = connection.encoding(Encoding::Thrift);
    let node = Arc::clone(&connection.node);
    // What is no id has no room.
    let mut asked: Vec<RoomId> = asked.iter().filter_map(|id| RoomId::new(id).ok()).collect();
    asked.sort();
    asked.dedup();
    connection.begin(Box::pin(async move {
        let found = Box::pin(find(&node, asked)).await;
        let continuation: Continuation = Box::new(move |connection| match found {
            Err(refusal) => refusal.answer(connection, Command::Nodes.tim_type()),
            Ok(found) => {
                let present = found.iter().flatten().filter(|room| !room.cancelled);
                let answer = TimNodes {
                    ntype: node_kind::ROOM_INFO,
                    roommap: Some(
                        present
                            .map(|room| (room.id.as_str().to_owned(), bean(room)))
                            .collect(),
                    ),
                    ..TimNodes::default()
                };
                connection.out.push(frames::nodes(&answer, encoding));
            }
        });
        continuation
    }));
}

/// The rooms among those asked that are there; those whose members are said elsewhere are made if they are missing.
async fn find(node: &Node, asked: Vec<RoomId>) -> Result<Vec<Option<Arc<Room>>>, Refusal> {
    let looked = asked.into_iter().map(|room| async move {
        let is_there = match node.accounts.users.knows_room(&room) {
            Some(is_there) => is_there,
            None => Box::pin(node.accounts.users.align_room(node, &room)).await?,
        };
        Ok::<_, Refusal>(is_there.then_some(room))
    });
    let there = futures::stream::iter(looked).buffer_unordered(ALIGNED_AT_ONCE);
    let there: Vec<Option<RoomId>> = there.try_collect().await?;
    let there: Vec<RoomId> = there.into_iter().flatten().collect();
    let found = node.databases.rooms(&there).await;
    found.map_err(|report| Refusal::database(&report))
}

/// A room, as clients are told of it.
fn bean(room: &Room) -> TimRoomBean {
    let profile = room.profile.clone();
    let managers = room.managers.iter().map(|manager| manager.as_str().to_owned());
    TimRoomBean {
        founder: room.founder().map(|founder| founder.as_str().to_owned()),
        managers: (!room.managers.is_empty()).then(|| managers.collect()),
        cover: profile.cover,
        topic: profile.topic,
        label: profile.label,
        gtype: Some(rooms::gtype(room.private)),
        kind: profile.kind,
        create_time: Some(room.created_ns),
        extend: profile.extend,
        extra: profile.extra,
    }
}

/// Takes a change; the room's home judges it.
pub(super) fn change(connection: &mut Connection, nodes: TimNodes) -> Result<(), Refusal> {
    let mut given = nodes.roommap.unwrap_or_default().into_iter();
    let (Some((room, given)), None) = (given.next(), given.next()) else {
        let detail = "nodes.roommap: exactly one room is needed, under its id".to_owned();
        return Err(Refusal::field(ErrorCode::Parameters, detail));
    };
    connection.node.accounts.users.refuse_room_changes()?;
    let Some(live) = &connection.live else {
        return Ok(());
    };
    let draft = check_change(&connection.node.ids, &Actor::of(live), &room, given)?;
    message::enqueue(connection, draft, Span::none());
    Ok(())
}

/// What an actor wants said about a room.
pub(super) fn check_change(
    ids: &IdScheme,
    actor: &Actor,
    room: &str,
    given: TimRoomBean,
) -> Result<Draft, Refusal> {
    let room = message::room(ids, Some(room), "nodes.roommap", ErrorCode::Parameters)?;
    let account = |name: &String| message::account(ids, Some(name), "nodes.roommap");
    let managers = given.managers.as_ref().map(|managers| {
        let managers: Result<Vec<AccountId>, Refusal> = managers.iter().map(account).collect();
        managers
    });
    let change = RoomChange {
        founder: given
            .founder
            .as_ref()
            .filter(|founder| !founder.is_empty())
            .map(account)
            .transpose()?,
        managers: managers.transpose()?,
        profile: RoomProfile {
            topic: given.topic,
            cover: given.cover,
            label: given.label,
            kind: given.kind,
            extend: given.extend,
            extra: given.extra,
        },
    };
    let body = change.to_body();
    if body.len() > CHANGE_BYTES_MAX {
        let detail = format!("nodes.roommap: the change has more than {CHANGE_BYTES_MAX} bytes");
        return Err(Refusal::field(ErrorCode::Parameters, detail));
    }
    Ok(Draft {
        tim_type: Command::Nodes.tim_type(),
        client_id: None,
        conversation: placement::room_conversation(&room),
        peer: actor.account.clone(),
        room: Some(room),
        operation: Operation::Room(RoomOperation::Modify),
        vouched: false,
        body,
        content_hash: ContentHash::default(),
    })
}
