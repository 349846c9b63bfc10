//! Carrying deliveries and presence to one peer.

use super::{ToPeer, convert};
use crate::backlog::Backlog;
use crate::engine::{Engine, Input};
use crate::session::Relayed;
use std::sync::Arc;
use tim_cluster::links::{Link, Links};
use tim_core::id::{NodeName, SessionId};
use tim_core::presence::RegistrarEvent;
use tim_core::{delivery, submit};
use tim_peer::passwords::{self, TagBytes};
use tim_peer::presence;
use tim_proto::peer::v1 as peer;
use tokio::sync::mpsc;

/// Deliveries that go in one call.
const DELIVERIES_AT_ONCE: usize = 256;
/// After the message that reaches this many bytes nothing more is relayed in one call.
const RELAYED_BYTES_AT_ONCE: usize = 2 << 20;
/// Presence calls to one peer that are under way at once.
const CALLS_AT_ONCE: usize = 64;

/// What a courier works with.
#[derive(Clone)]
pub(super) struct Way {
    pub(super) links: Links,
    pub(super) engine: Engine,
    pub(super) to: NodeName,
}

/// Reports what did not arrive to the machine that waits for an answer. The rest is repeated without being asked for.
pub(super) fn failed(engine: &Engine, to: &NodeName, message: ToPeer) {
    match message {
        ToPeer::Open { .. } | ToPeer::Submit { .. } => {
            engine.post(Input::Lanes(submit::Event::StreamBroken { node: to.clone() }));
        }
        ToPeer::Register { request, .. } | ToPeer::Heartbeat { request, .. } => {
            engine.post(Input::Registrar(RegistrarEvent::Failed { request }));
        }
        ToPeer::Lookup { request, .. } => {
            engine.post(Input::Delivery(delivery::Event::AskFailed { request }));
        }
        _ => {}
    }
}

/// Carries deliveries in order, everything that waits in one call, one call at a time.
pub(super) async fn carry_deliveries(
    way: Way,
    mut queue: mpsc::Receiver<ToPeer>,
    waiting_bytes: Arc<Backlog>,
) {
    let mut waiting = Vec::with_capacity(DELIVERIES_AT_ONCE);
    while queue.recv_many(&mut waiting, DELIVERIES_AT_ONCE).await > 0 {
        let (mut delivered, mut relayed, mut sessions) = (Vec::new(), Vec::new(), Vec::new());
        for message in waiting.drain(..) {
            match message {
                ToPeer::Deliver { pushes, traces } => delivered.push((pushes, traces)),
                ToPeer::Relay {
                    session,
                    relayed: message,
                } => relayed.push((session, message)),
                ToPeer::EndSessions { sessions: ended } => {
                    sessions.extend(ended.into_iter().map(|session| session.0));
                }
                _ => {}
            }
        }
        let bytes = relayed.iter().map(|(_, relayed)| relayed.content_bytes()).sum();
        // The receivers look for what they miss by themselves.
        if let Ok(link) = way.links.link(&way.to).await {
            if !delivered.is_empty()
                && let Err(status) = link.delivery().deliver(convert::deliver_request(delivered)).await
            {
                tracing::debug!(peer = %way.to, %status, "a delivery did not arrive");
            }
            relay(&way, &link, relayed).await;
            end_sessions(&way, &link, sessions).await;
        }
        waiting_bytes.give_back(bytes);
    }
}

/// In calls of a size that the other node takes.
async fn relay(way: &Way, link: &Link, mut relayed: Vec<(SessionId, Arc<Relayed>)>) {
    while !relayed.is_empty() {
        let mut bytes = 0;
        let fitting = relayed.iter().take_while(|(_, relayed)| {
            let room = bytes < RELAYED_BYTES_AT_ONCE;
            bytes += relayed.content_bytes();
            room
        });
        let fitting = fitting.count();
        let later = relayed.split_off(fitting);
        let request = convert::relay_request(relayed);
        relayed = later;
        if let Err(status) = link.delivery().relay(request).await {
            tracing::debug!(peer = %way.to, %status, "relayed messages did not arrive");
        }
    }
}

async fn end_sessions(way: &Way, link: &Link, sessions: Vec<u64>) {
    if sessions.is_empty() {
        return;
    }
    let ended = peer::EndSessionsRequest { sessions };
    if let Err(status) = link.delivery().end_sessions(ended).await {
        // The account's next registration repeats it.
        tracing::debug!(peer = %way.to, %status, "sessions were not told to end");
    }
}

/// Carries presence, calls side by side.
pub(super) async fn carry_presence(way: Way, mut queue: mpsc::Receiver<ToPeer>) {
    let places = Arc::new(tokio::sync::Semaphore::new(CALLS_AT_ONCE));
    while let Some(message) = queue.recv().await {
        let Ok(place) = Arc::clone(&places).acquire_owned().await else {
            return;
        };
        let way = way.clone();
        tokio::spawn(async move {
            match way.links.link(&way.to).await {
                Ok(link) => Box::pin(call(&way, &link, message)).await,
                Err(_) => failed(&way.engine, &way.to, message),
            }
            drop(place);
        });
    }
}

async fn call(way: &Way, link: &Link, message: ToPeer) {
    let mut presence = link.presence();
    let engine = &way.engine;
    match message {
        ToPeer::Register {
            request,
            registrations,
        } => match presence
            .register(presence::register_request(&registrations))
            .await
        {
            Ok(reply) => engine.post(Input::Registrar(RegistrarEvent::Registered {
                request,
                refused: presence::sessions(reply.into_inner().refused_sessions),
            })),
            Err(_) => engine.post(Input::Registrar(RegistrarEvent::Failed { request })),
        },
        ToPeer::Heartbeat {
            request,
            view,
            whole,
            sessions,
        } => match presence
            .heartbeat(presence::heartbeat_request(view, whole, &sessions))
            .await
        {
            Ok(reply) => engine.post(Input::Registrar(RegistrarEvent::HeartbeatAnswered {
                request,
                missing: presence::sessions(reply.into_inner().missing_sessions),
            })),
            Err(_) => engine.post(Input::Registrar(RegistrarEvent::Failed { request })),
        },
        ToPeer::Lookup {
            request,
            view,
            accounts,
        } => match presence.lookup(presence::lookup_request(view, &accounts)).await {
            Ok(reply) => engine.post(Input::Delivery(delivery::Event::Answered {
                request,
                lookups: presence::lookups(reply.into_inner()),
            })),
            Err(_) => engine.post(Input::Delivery(delivery::Event::AskFailed { request })),
        },
        // Nobody waits for these; heartbeats and snapshots repair what is lost.
        ToPeer::Unregister { registrations } => {
            drop(
                presence
                    .unregister(presence::unregister_request(&registrations))
                    .await,
            );
        }
        ToPeer::Replicate { changes } => {
            drop(presence.replicate(presence::replicate_request(&changes)).await)
        }
        ToPeer::AskSnapshot { shards } => drop(
            presence
                .ask_snapshot(presence::ask_snapshot_request(&shards))
                .await,
        ),
        ToPeer::SendSnapshot { snapshots } => {
            drop(
                presence
                    .put_snapshot(presence::put_snapshot_request(&snapshots))
                    .await,
            );
        }
        ToPeer::RememberPasswords { tags } => remember_passwords(link, tags).await,
        _ => {}
    }
}

/// An older node does not know the call, and hashes.
async fn remember_passwords(link: &Link, tags: Vec<TagBytes>) {
    let request = passwords::remember_request(tags);
    drop(link.passwords().remember(request).await);
}
