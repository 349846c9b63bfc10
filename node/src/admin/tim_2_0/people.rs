//! Rosters and rooms: what the reference answers for rooms of its own, and the paths that it registers and leaves empty.
//! Those have the names of the server API's arguments as fields: `fromnode` in whose name, `tonode`, `room`, `msg`.

use super::{Call, json, refused, told};
use crate::admin::ack::Ack;
use crate::admin::operations;
use crate::admin::operations::rooms::{self, About, request};
use crate::admin::problem::Problem;
use crate::admin::routes::AdminState;
use crate::commands::Actor;
use crate::commands::in_name_of::List;
use axum::Router;
use axum::response::Response;
use axum::routing::post;
use std::sync::Arc;

/// What the audit calls an operation, and tim's number of it.
type What = (&'static str, i32);

pub(super) fn router() -> Router<AdminState> {
    let roster = |what: What| post(move |call| with_peer(call, what));
    let room = |what: What| post(move |call| with_room(call, what));
    Router::new()
        .route("/timNewRoom", post(new_room))
        .route("/timModifyRoomInfo", post(change_room))
        .route("/timAddroster", roster(("add_to_roster", request::ADD_ROSTER)))
        .route(
            "/timRmroster",
            roster(("remove_from_roster", request::REMOVE_ROSTER)),
        )
        .route(
            "/timBlockroster",
            roster(("block_for_account", request::BLOCK_ROSTER)),
        )
        .route("/timAddRoom", room(("join_room", request::ADD_ROOM)))
        .route("/timPullInRoom", room(("pull_into_room", request::PULL_ROOM)))
        .route("/timRejectRoom", room(("reject_from_room", request::REFUSE_ROOM)))
        .route("/timKickRoom", room(("kick_from_room", request::KICK_ROOM)))
        .route("/timLeaveRoom", room(("leave_room", request::LEAVE_ROOM)))
        .route("/timCancelRoom", room(("cancel_room", request::CANCEL_ROOM)))
        .route("/timBlockRoom", room(("block_room", request::BLOCK_ROOM)))
        .route(
            "/timBlockRoomMember",
            room(("ban_from_room", request::BLOCK_ROOM_MEMBER)),
        )
        .route("/timBlockRosterList", post(blocked_accounts))
        .route("/timBlockRoomList", post(blocked_rooms))
        .route("/timBlockRoomMemberlist", post(banned))
}

async fn new_room(call: Call) -> Response {
    told(Box::pin(try_new_room(call)).await)
}

async fn try_new_room(Call { caller, input }: Call) -> Result<Ack, Problem> {
    let founder = rooms::actor("node", &input.text("node")?, input.optional_text("domain")?)?;
    let account = founder.account.clone();
    let (topic, private) = (input.text("topic")?, rooms::is_private(input.number("gtype")?));
    let work = rooms::create(Arc::clone(&caller.node), founder, topic, private);
    let room = caller.change("create_room", Some(&account), work).await?;
    Ok(Ack::named(room.as_str()))
}

async fn change_room(call: Call) -> Response {
    told(Box::pin(try_change_room(call)).await)
}

async fn try_change_room(Call { caller, input }: Call) -> Result<Ack, Problem> {
    let actor = rooms::actor("unode", &input.text("unode")?, None)?;
    let account = actor.account.clone();
    let (room, given) = (input.text("gnode")?, input.room("roombean")?);
    let work = rooms::change(Arc::clone(&caller.node), actor, room, given);
    caller.change("change_room", Some(&account), work).await?;
    Ok(Ack::Done)
}

impl Call {
    /// In whose name it is.
    fn actor(&self) -> Result<Actor, Problem> {
        let (name, domain) = (self.input.text("fromnode")?, self.input.optional_text("domain")?);
        rooms::actor("fromnode", &name, domain)
    }
}

async fn with_peer(call: Call, what: What) -> Response {
    told(Box::pin(try_with_peer(call, what)).await)
}

async fn try_with_peer(call: Call, (operation, number): What) -> Result<Ack, Problem> {
    let actor = call.actor()?;
    let account = actor.account.clone();
    let peer = (call.input.text("tonode")?, call.input.optional_text("msg")?);
    let work = rooms::roster(Arc::clone(&call.caller.node), actor, number, peer);
    call.caller.change(operation, Some(&account), work).await?;
    Ok(Ack::Done)
}

async fn with_room(call: Call, what: What) -> Response {
    told(Box::pin(try_with_room(call, what)).await)
}

async fn try_with_room(call: Call, (operation, number): What) -> Result<Ack, Problem> {
    let actor = call.actor()?;
    let account = actor.account.clone();
    let about = About {
        room: call.input.text("room")?,
        other: match rooms::names_another(number) {
            true => Some(call.input.text("tonode")?),
            false => None,
        },
        text: call.input.optional_text("msg")?,
    };
    let work = rooms::room(Arc::clone(&call.caller.node), actor, number, about);
    let room = call.caller.change(operation, Some(&account), work).await?;
    Ok(Ack::named(room.as_str()))
}

async fn blocked_accounts(call: Call) -> Response {
    Box::pin(listed(
        &call,
        ("list_blocked_accounts", Ok(List::BlockedAccounts)),
    ))
    .await
}

async fn blocked_rooms(call: Call) -> Response {
    Box::pin(listed(&call, ("list_blocked_rooms", Ok(List::BlockedRooms)))).await
}

async fn banned(call: Call) -> Response {
    let room = call.input.text("room");
    let room = room.and_then(|room| rooms::room_id(&call.caller.node, "room", &room));
    Box::pin(listed(&call, ("list_room_bans", room.map(List::Banned)))).await
}

/// A list as the server API has it: `{"nodelist": […]}`.
async fn listed(call: &Call, (operation, which): (&'static str, Result<List, Problem>)) -> Response {
    let list = async {
        let name = call.input.text("fromnode")?;
        let account = operations::account("fromnode", &name)?;
        let work = rooms::list(&call.caller.node, &account, which?);
        call.caller.read(operation, work).await
    };
    match Box::pin(list).await {
        Err(problem) => refused(&problem),
        Ok(nodelist) => json(serde_json::json!({ "nodelist": nodelist }).to_string().into()),
    }
}
