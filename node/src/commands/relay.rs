//! What is not stored (odType 5, big data): a check of rights, then straight to the sessions that are online.
//!
//! Where the receiver's sessions are and that the two are friends is remembered by the sending session for a second,
//! so that a stream costs one question per second and not one per frame. A friendship that ends is noticed within that
//! second; what is stored is judged in the database every time.

use super::Refusal;
use super::message;
use crate::edge::{Connection, Continuation};
use crate::node::Node;
pub(super) use crate::session::Receiver;
use crate::session::{Envelope, Relayed, Route};
use std::sync::Arc;
use tim_core::conversation::Standing;
use tim_core::id::{AccountId, RoomId};
use tim_core::presence::SessionEntry;
use tim_core::{conversation, placement};
use tim_wire::frame::BigData;
use tim_wire::{ErrorCode, Tid, TimMessage};

/// Largest room into which one may stream: who is in it is read once a second.
const STREAMED_MEMBERS_MAX: u32 = 10_000;
/// How long a route may be used.
const ROUTE_KEPT_MS: u64 = 1_000;

/// What is sent on, and what a refusal of it names.
pub(super) struct Sendable {
    pub(super) to: Receiver,
    pub(super) tim_type: i8,
    /// A room that both are in was asked, which stands in for friendship.
    pub(super) vouched: bool,
    pub(super) content: Content,
}

pub(super) enum Content {
    Message(Box<TimMessage>),
    BigData(BigData),
}

impl Content {
    fn client_id(&self) -> Option<i64> {
        match self {
            Self::Message(message) => message::client_id(message),
            Self::BigData(_) => None,
        }
    }
}

/// Sends something on, or finds the way first.
pub(super) fn begin(connection: &mut Connection, sendable: Sendable) {
    let Some(live) = &connection.live else { return };
    let known = live.routes.get(&sendable.to, crate::clock::now());
    if let Some(route) = known.filter(|route| route.vouched == sendable.vouched) {
        return send(connection, sendable, &route);
    }
    let (node, account) = (Arc::clone(&connection.node), live.account.clone());
    connection.begin(Box::pin(async move {
        let found = Box::pin(find(&node, &account, &sendable)).await;
        let continuation: Continuation = Box::new(move |connection| match found {
            Err(refusal) => {
                let id = sendable.content.client_id();
                message::refuse(connection, sendable.tim_type, id, refusal);
            }
            Ok(route) => {
                let route = Arc::new(route);
                if let Some(live) = &mut connection.live {
                    live.routes.remember(sendable.to.clone(), Arc::clone(&route));
                }
                send(connection, sendable, &route);
            }
        });
        continuation
    }));
}

async fn find(node: &Node, account: &AccountId, sendable: &Sendable) -> Result<Route, Refusal> {
    let sessions = match &sendable.to {
        Receiver::Account(to) => {
            if !sendable.vouched {
                check_friends(node, account, to).await?;
            }
            node.look_up(to).await
        }
        Receiver::Room(room) => in_room(node, account, room).await?,
    };
    Ok(Route {
        until: crate::clock::now().plus_ms(ROUTE_KEPT_MS),
        vouched: sendable.vouched,
        sessions,
    })
}

/// The sessions of everybody else in a room that the account is in.
async fn in_room(node: &Node, account: &AccountId, room: &RoomId) -> Result<Vec<SessionEntry>, Refusal> {
    let database = |report: tim_catalogue::Report| Refusal::database(&report);
    let is_there = Box::pin(node.accounts.users.align_room(node, room)).await?;
    let found = node.databases.room(room).await.map_err(database)?;
    let Some(found) = found.filter(|_| is_there) else {
        return Err(Refusal::plain(ErrorCode::Account, "no_such_room"));
    };
    if !node.databases.is_member(room, account).await.map_err(database)? {
        return Err(Refusal::plain(ErrorCode::PermissionDenied, "not_a_member"));
    }
    if found.members > STREAMED_MEMBERS_MAX {
        let members = found.members;
        return Err(Refusal::overloaded(&format!(
            "a room of {members} members; streams are sent to at most {STREAMED_MEMBERS_MAX}"
        )));
    }
    let members = node.databases.room_accounts(room, &[Standing::MEMBER]).await;
    let mut members = members.map_err(database)?;
    members.retain(|member| member != account);
    let found = node.look_up_all(members).await;
    Ok(found.into_iter().flat_map(|(_, sessions)| sessions).collect())
}

async fn check_friends(node: &Node, account: &AccountId, to: &AccountId) -> Result<(), Refusal> {
    let users = &node.accounts.users;
    if users.judge_messages() {
        return users.may_message(node, account, to).await;
    }
    let conversation = placement::direct_conversation(account, to);
    let state = node
        .databases
        .conversation_state(&conversation)
        .await
        .map_err(|report| Refusal::database(&report))?;
    if let Err(refusal) = conversation::may_send_between(&state, account, to) {
        return Err(match node.accounts.exists(node, to).await? {
            true => Refusal::judged(refusal),
            false => Refusal::plain(ErrorCode::Account, "no_such_account"),
        });
    }
    Ok(())
}

fn send(connection: &Connection, sendable: Sendable, route: &Route) {
    let Some(live) = &connection.live else { return };
    let relayed = match sendable.content {
        Content::BigData(big_data) => Relayed::BigData(BigData {
            node: live.account.as_str().to_owned(),
            ..big_data
        }),
        Content::Message(message) => {
            let wire_id =
                message::client_id(&message).unwrap_or_else(|| crate::random::message_key().wire_id());
            let to = match &sendable.to {
                Receiver::Account(to) => Some(Tid {
                    domain: live.sender.tid.domain.clone(),
                    ..Tid::of(to.as_str())
                }),
                Receiver::Room(_) => None,
            };
            let (body, _) = Envelope::seal(*message, &live.sender.tid, to, None);
            Relayed::Message {
                wire_id,
                timestamp_ns: crate::clock::wall_ns(),
                body,
            }
        }
    };
    connection.node.relay(&route.sessions, &Arc::new(relayed));
}
