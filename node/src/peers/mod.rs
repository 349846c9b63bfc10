//! To and from other nodes: couriers that carry what the engine posts, and the services that peers call.
//!
//! The engine never waits for a peer. Per peer there are three couriers, each with a bounded queue and its own order:
//! lanes (one stream, both directions), deliveries (batches, one at a time, so that entries arrive in order) and
//! presence (calls side by side). What a full queue or a broken link drops is repeated by the machines.

mod convert;
mod couriers;
mod lanes;
mod services;

pub(crate) use services::{Services, caller, malformed, routes};

use crate::backlog::Backlog;
use crate::engine::Engine;
use crate::session::{OnlineAccount, Relayed, Traces};
use parking_lot::Mutex;
use std::collections::HashMap;
use std::sync::Arc;
use tim_cluster::links::Links;
use tim_core::conversation::Submission;
use tim_core::delivery::Push;
use tim_core::id::{AccountId, NodeName, SessionId, ShardId, Tenure, ViewHash};
use tim_core::presence::{Lookup, Registration, Replication, Snapshot};
use tim_core::submit::{Answer, LaneId, LaneStamp, OpenRefusal};
use tim_peer::passwords::{self, TagBytes};
use tim_peer::presence;
use tim_proto::peer::v1 as peer;
use tim_telemetry::TraceContext;
use tokio::sync::mpsc;

/// What may wait for one courier; more is dropped and repeated by whoever is not answered.
const QUEUE_MAX: usize = 32_768;

/// Why the sessions of an account end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Ending {
    /// It may log in again.
    LoggedOut,
    /// It is blocked until a time in Unix milliseconds; one that is over lifts a block.
    Blocked { until_ms: i64 },
    /// There is no such account any more.
    Deleted,
}

/// One thing for one peer.
#[derive(Debug)]
pub(crate) enum ToPeer {
    Open {
        lane: LaneId,
        attempt: u64,
    },
    Submit {
        stamp: LaneStamp,
        submission: Arc<Submission>,
        trace: Option<TraceContext>,
    },
    Opened {
        lane: LaneId,
        attempt: u64,
        tenure: Tenure,
    },
    OpenRefused {
        lane: LaneId,
        attempt: u64,
        reason: OpenRefusal,
    },
    Answer {
        lane: LaneId,
        attempt: u64,
        index: u32,
        answer: Box<Answer>,
    },
    Deliver {
        pushes: Vec<Push>,
        traces: Traces,
    },
    Relay {
        session: SessionId,
        relayed: Arc<Relayed>,
    },
    Register {
        request: u64,
        registrations: Vec<Registration>,
    },
    Unregister {
        registrations: Vec<Registration>,
    },
    Heartbeat {
        request: u64,
        view: ViewHash,
        whole: bool,
        sessions: Vec<SessionId>,
    },
    Lookup {
        request: u64,
        view: ViewHash,
        accounts: Vec<AccountId>,
    },
    Replicate {
        changes: Replication,
    },
    AskSnapshot {
        shards: Vec<ShardId>,
    },
    SendSnapshot {
        snapshots: Vec<Snapshot>,
    },
    EndSessions {
        sessions: Vec<SessionId>,
    },
    RememberPasswords {
        tags: Vec<TagBytes>,
    },
}

/// The queues to one peer.
#[derive(Debug, Clone)]
struct Courier {
    lanes: mpsc::Sender<ToPeer>,
    deliveries: mpsc::Sender<ToPeer>,
    presence: mpsc::Sender<ToPeer>,
    /// What waits of what is not stored.
    relayed: Arc<Backlog>,
}

/// All peers.
pub(crate) struct Peers {
    links: Links,
    engine: Engine,
    /// Bytes of what is not stored that may wait for one peer.
    relayed_bytes_max: usize,
    couriers: Mutex<HashMap<NodeName, Courier>>,
    /// Where answers to a peer's lanes go: the stream that it has opened last.
    answers: Mutex<HashMap<NodeName, mpsc::Sender<ToPeer>>>,
}

impl std::fmt::Debug for Peers {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("Peers").finish_non_exhaustive()
    }
}

impl Peers {
    pub(crate) fn new(links: Links, engine: Engine, limits: &tim_config::Limits) -> Self {
        Self {
            links,
            engine,
            relayed_bytes_max: limits.stream_bytes_per_node_max as usize,
            couriers: Mutex::default(),
            answers: Mutex::default(),
        }
    }

    /// Sends without waiting. What cannot be sent is reported to the machine it came from, or dropped where the
    /// machines repeat by themselves.
    pub(crate) fn send(&self, to: &NodeName, message: ToPeer) {
        let answers = matches!(
            message,
            ToPeer::Opened { .. } | ToPeer::OpenRefused { .. } | ToPeer::Answer { .. }
        );
        let queue = if answers {
            self.answers.lock().get(to).cloned()
        } else {
            Some(self.courier(to).queue_of(&message).clone())
        };
        // A lane whose answer is lost opens anew when its time is up.
        let Some(queue) = queue else { return };
        if let Err(error) = queue.try_send(message) {
            couriers::failed(&self.engine, to, error.into_inner());
        }
    }

    /// Sends what is not stored to a session of another node; whether there was room for it.
    pub(crate) fn relay(&self, to: &NodeName, session: SessionId, relayed: Arc<Relayed>) -> bool {
        let (courier, bytes) = (self.courier(to), relayed.content_bytes());
        if !courier.relayed.take(bytes) {
            return false;
        }
        let sent = courier
            .deliveries
            .try_send(ToPeer::Relay { session, relayed })
            .is_ok();
        if !sent {
            courier.relayed.give_back(bytes);
        }
        sent
    }

    fn courier(&self, to: &NodeName) -> Courier {
        let mut couriers = self.couriers.lock();
        if let Some(courier) = couriers.get(to) {
            return courier.clone();
        }
        let (lanes, lanes_queue) = mpsc::channel(QUEUE_MAX);
        let (deliveries, deliveries_queue) = mpsc::channel(QUEUE_MAX);
        let (presence, presence_queue) = mpsc::channel(QUEUE_MAX);
        let courier = Courier {
            lanes,
            deliveries,
            presence,
            relayed: Arc::new(Backlog::new(self.relayed_bytes_max)),
        };
        couriers.insert(to.clone(), courier.clone());
        let link = couriers::Way {
            links: self.links.clone(),
            engine: self.engine.clone(),
            to: to.clone(),
        };
        tokio::spawn(lanes::carry(link.clone(), lanes_queue));
        let relayed = Arc::clone(&courier.relayed);
        tokio::spawn(couriers::carry_deliveries(
            link.clone(),
            deliveries_queue,
            relayed,
        ));
        tokio::spawn(couriers::carry_presence(link, presence_queue));
        courier
    }

    /// Forgets peers that are gone for good; their couriers end.
    pub(crate) fn keep_only(&self, known: impl Fn(&NodeName) -> bool) {
        self.couriers.lock().retain(|name, _| known(name));
        self.answers.lock().retain(|name, _| known(name));
    }

    /// Asks another node's shards where accounts are; nothing when it does not answer.
    pub(crate) async fn look_up(
        &self,
        to: &NodeName,
        view: ViewHash,
        accounts: &[AccountId],
    ) -> Option<Vec<Lookup>> {
        let link = self.links.link(to).await.ok()?;
        let request = presence::lookup_request(view, accounts);
        let reply = link.presence().lookup(request).await.ok()?;
        Some(presence::lookups(reply.into_inner()))
    }

    /// Whether another node remembers a password; one that does not answer, or does not know the call, does not.
    pub(crate) async fn remembers_password(&self, to: &NodeName, tag: &TagBytes) -> bool {
        let Ok(link) = self.links.link(to).await else {
            return false;
        };
        let request = passwords::is_remembered_request(tag);
        let reply = link.passwords().is_remembered(request).await;
        reply.is_ok_and(|reply| reply.into_inner().remembered)
    }

    /// Which of another node's sessions have ended; nothing when it does not answer.
    pub(crate) async fn gone_sessions(
        &self,
        to: &NodeName,
        sessions: &[SessionId],
    ) -> Option<Vec<SessionId>> {
        let link = self.links.link(to).await.ok()?;
        let request = peer::AskSessionsRequest {
            sessions: sessions.iter().map(|session| session.0).collect(),
        };
        let reply = link.delivery().ask_sessions(request).await.ok()?;
        Some(presence::sessions(reply.into_inner().gone_sessions))
    }

    /// Tells another node, as owner of a shard, that sessions have ended.
    pub(crate) async fn forget_sessions(&self, to: &NodeName, registrations: &[Registration]) {
        if let Ok(link) = self.links.link(to).await {
            let request = presence::unregister_request(registrations);
            drop(link.presence().unregister(request).await);
        }
    }

    /// Has another node end the sessions of an account; how many, or nothing when it does not answer.
    pub(crate) async fn end_account(
        &self,
        to: &NodeName,
        account: &AccountId,
        ending: Ending,
    ) -> Option<u32> {
        let link = self.links.link(to).await.ok()?;
        let request = peer::EndAccountRequest {
            account: account.as_str().to_owned(),
            until_ms: match ending {
                Ending::LoggedOut => 0,
                Ending::Blocked { until_ms } => until_ms,
                // What a node of the version before makes of it.
                Ending::Deleted => i64::MAX,
            },
            log_out_only: ending == Ending::LoggedOut,
            deleted: ending == Ending::Deleted,
        };
        let reply = link.delivery().end_account(request).await.ok()?;
        Some(reply.into_inner().sessions)
    }

    /// Has another node take a message in the name of one of its sessions; whether the session is there, or nothing when
    /// the node does not answer.
    pub(crate) async fn send_as(
        &self,
        to: &NodeName,
        session: SessionId,
        frame: bytes::Bytes,
    ) -> Option<bool> {
        let link = self.links.link(to).await.ok()?;
        let request = peer::SendAsRequest {
            session: session.0,
            frame,
        };
        let reply = link.delivery().send_as(request).await.ok()?;
        Some(reply.into_inner().found)
    }

    /// Who has sessions on another node, in the order of the list; nothing when it does not answer.
    pub(crate) async fn list_online(
        &self,
        to: &NodeName,
        after: Option<&AccountId>,
        limit: usize,
    ) -> Option<Vec<OnlineAccount>> {
        let link = self.links.link(to).await.ok()?;
        let request = peer::ListOnlineRequest {
            after: after.map_or_else(String::new, |account| account.as_str().to_owned()),
            limit: u32::try_from(limit).unwrap_or(u32::MAX),
        };
        let reply = link.delivery().list_online(request).await.ok()?;
        let accounts = reply.into_inner().accounts.into_iter().take(limit);
        accounts.map(convert::online_account).collect()
    }

    /// Who comes and goes at another node, from now on; nothing when it does not answer.
    pub(crate) async fn watch_online(&self, to: &NodeName) -> Option<tonic::Streaming<peer::OnlineNews>> {
        let link = self.links.link(to).await.ok()?;
        let news = link
            .delivery()
            .watch_online(peer::WatchOnlineRequest {})
            .await
            .ok()?;
        Some(news.into_inner())
    }

    fn opened_stream(&self, from: &NodeName) -> mpsc::Receiver<ToPeer> {
        let (answers, queue) = mpsc::channel(QUEUE_MAX);
        self.answers.lock().insert(from.clone(), answers);
        queue
    }
}

impl Courier {
    fn queue_of(&self, message: &ToPeer) -> &mpsc::Sender<ToPeer> {
        match message {
            ToPeer::Open { .. } | ToPeer::Submit { .. } => &self.lanes,
            ToPeer::Deliver { .. } | ToPeer::Relay { .. } | ToPeer::EndSessions { .. } => &self.deliveries,
            _ => &self.presence,
        }
    }
}
