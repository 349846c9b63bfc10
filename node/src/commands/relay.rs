//! Messages that are not stored (odType 5): a check of rights, then straight to the sessions that are online.
//!
//! Where the receiver's sessions are and that the two are friends is remembered by the sending session for a second,
//! so that a stream costs one question per second and not one per frame. A friendship that ends is noticed within that
//! second; what is stored is judged in the database every time.

use super::Refusal;
use super::message::{self, Checked};
use crate::edge::{Connection, Continuation};
use crate::node::Node;
use crate::session::{Envelope, Relayed, Route};
use std::sync::Arc;
use tim_core::id::AccountId;
use tim_core::{conversation, placement};
use tim_wire::{Command, ErrorCode, Tid};

/// How long a route may be used.
const ROUTE_KEPT_MS: u64 = 1_000;

/// Sends a message on, or finds the way first.
pub(super) fn begin(connection: &mut Connection, command: Command, checked: Checked) {
    let Some(live) = &connection.live else { return };
    let known = live.routes.get(&checked.to, crate::clock::now());
    if let Some(route) = known {
        return send(connection, &checked, &route);
    }
    let (node, account, tim_type) = (
        Arc::clone(&connection.node),
        live.account.clone(),
        command.tim_type(),
    );
    connection.begin(Box::pin(async move {
        let found = Box::pin(find(&node, &account, &checked.to)).await;
        let continuation: Continuation = Box::new(move |connection| match found {
            Err(refusal) => {
                let id = message::client_id(&checked.message);
                message::refuse(connection, tim_type, id, refusal);
            }
            Ok(route) => {
                let route = Arc::new(route);
                if let Some(live) = &mut connection.live {
                    live.routes.remember(checked.to.clone(), Arc::clone(&route));
                }
                send(connection, &checked, &route);
            }
        });
        continuation
    }));
}

async fn find(node: &Node, account: &AccountId, to: &AccountId) -> Result<Route, Refusal> {
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
    let sessions = node.look_up(to).await;
    Ok(Route {
        until: crate::clock::now().plus_ms(ROUTE_KEPT_MS),
        sessions,
    })
}

fn send(connection: &mut Connection, checked: &Checked, route: &Route) {
    let Some(live) = &connection.live else { return };
    let wire_id = checked
        .message
        .id
        .filter(|id| *id != 0)
        .unwrap_or_else(|| crate::random::message_key().wire_id());
    let to = Tid {
        domain: live.sender.tid.domain.clone(),
        ..Tid::of(checked.to.as_str())
    };
    let (body, _) = Envelope::seal(checked.message.clone(), &live.sender.tid, to, None);
    let relayed = Relayed::Message {
        wire_id,
        timestamp_ns: crate::clock::wall_ns(),
        body,
    };
    connection.node.relay(&route.sessions, &Arc::new(relayed));
}
