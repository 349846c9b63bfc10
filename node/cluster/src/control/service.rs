//! What other members ask of this one.

use super::codec::{VERSION, decode, encode};
use super::group::Shared;
use super::leader::{self, Answer};
use super::network::SnapshotMessage;
use super::types::{Raft as Engine, Snapshot};
use crate::links::PeerConnection;
use serde::Serialize;
use serde::de::DeserializeOwned;
use std::fmt::Display;
use std::sync::Arc;
use tim_core::id::NodeName;
use tim_proto::peer::v1 as proto;
use tim_proto::peer::v1::raft_server::Raft;
use tim_proto::peer::v1::{RaftMessage, membership_reply, propose_reply};
use tonic::{Request, Response, Status};

/// Serves `tim.peer.v1.Raft`.
pub(super) struct RaftService {
    pub(super) shared: Arc<Shared>,
}

type Reply<T> = Result<Response<T>, Status>;

impl RaftService {
    /// The engine, if the message is for the member that this node is now, and its content.
    fn take<T: DeserializeOwned>(&self, request: Request<RaftMessage>) -> Result<(Engine, T), Status> {
        let message = request.into_inner();
        if message.version != VERSION {
            return Err(Status::unimplemented("another version of the control group"));
        }
        let engine = self.shared.raft();
        if message.target != *engine.node_id() {
            return Err(Status::not_found("another member is here"));
        }
        let body = decode(&message.body).map_err(|error| Status::invalid_argument(error.to_string()))?;
        Ok((engine, body))
    }

    fn not_leader(&self, hint: Option<NodeName>) -> proto::NotLeader {
        let status = self.shared.status();
        let known = status.leader.as_ref().map(|(_, node)| node.clone());
        // Oneself is no hint: whoever asks has just been told that this node does not lead.
        let leader = hint.or(known).filter(|node| *node != self.shared.node);
        proto::NotLeader {
            leader: leader.map(|node| proto::RaftNode {
                raft_id: 0,
                node: node.to_string(),
            }),
        }
    }

    fn leads(&self) -> bool {
        self.shared.status().is_leader
    }
}

fn give(body: &impl Serialize) -> Reply<RaftMessage> {
    let body = encode(body).map_err(failed)?;
    Ok(Response::new(RaftMessage {
        version: VERSION,
        body: body.into(),
        target: 0,
    }))
}

fn failed(error: impl Display) -> Status {
    Status::internal(error.to_string())
}

#[tonic::async_trait]
impl Raft for RaftService {
    async fn vote(&self, request: Request<RaftMessage>) -> Reply<RaftMessage> {
        let (engine, body) = self.take(request)?;
        give(&engine.vote(body).await.map_err(failed)?)
    }

    async fn pre_vote(&self, request: Request<RaftMessage>) -> Reply<RaftMessage> {
        let (engine, body) = self.take(request)?;
        give(&engine.pre_vote(body).await.map_err(failed)?)
    }

    async fn append_entries(&self, request: Request<RaftMessage>) -> Reply<RaftMessage> {
        let (engine, body) = self.take(request)?;
        give(&engine.append_entries(body).await.map_err(failed)?)
    }

    async fn install_snapshot(&self, request: Request<RaftMessage>) -> Reply<RaftMessage> {
        let (engine, body): (_, SnapshotMessage) = self.take(request)?;
        let snapshot = Snapshot {
            meta: body.meta,
            snapshot: body.data.into_bytes(),
        };
        give(
            &engine
                .install_full_snapshot(body.vote, snapshot)
                .await
                .map_err(failed)?,
        )
    }

    async fn transfer_leader(&self, request: Request<RaftMessage>) -> Reply<RaftMessage> {
        let (engine, body) = self.take(request)?;
        give(&engine.handle_transfer_leader(body).await.map_err(failed)?)
    }

    async fn add_learner(&self, request: Request<proto::AddLearnerRequest>) -> Reply<proto::MembershipReply> {
        let connection = request
            .extensions()
            .get::<Option<PeerConnection>>()
            .cloned()
            .flatten();
        let caller = connection.and_then(|connection| connection.verified().map(|peer| peer.node.clone()));
        let request = request.into_inner();
        let node = request.node.ok_or_else(|| Status::invalid_argument("no node"))?;
        // A node joins in its own name only.
        let Some(caller) = caller.filter(|caller| caller.as_str() == node.node && node.raft_id != 0) else {
            return Err(Status::permission_denied("refused"));
        };
        let reply = if ![0, self.shared.group()].contains(&request.group_id) {
            // Its log is another group's; mixed with this one's it would be worth less than none.
            membership_reply::Reply::Refused("the node has state of another group".to_owned())
        } else if self.leads() {
            match leader::add_learner(&self.shared, node.raft_id, &caller).await {
                Answer::Done(group_id) => membership_reply::Reply::Done(proto::MembershipDone { group_id }),
                Answer::NotLeader(hint) => membership_reply::Reply::NotLeader(self.not_leader(hint)),
                Answer::Unknown(reason) => return Err(Status::unavailable(reason)),
            }
        } else {
            membership_reply::Reply::NotLeader(self.not_leader(None))
        };
        Ok(Response::new(proto::MembershipReply { reply: Some(reply) }))
    }

    async fn change_membership(
        &self,
        request: Request<proto::ChangeMembershipRequest>,
    ) -> Reply<proto::MembershipReply> {
        let name = request.into_inner().remove_node;
        let done = membership_reply::Reply::Done(proto::MembershipDone {
            group_id: self.shared.group(),
        });
        let reply = if !self.leads() {
            membership_reply::Reply::NotLeader(self.not_leader(None))
        } else if let Ok(name) = NodeName::new(name) {
            match leader::remove(&self.shared, &name).await {
                Answer::Done(Ok(())) => done,
                Answer::Done(Err(reason)) => membership_reply::Reply::Refused(reason),
                Answer::NotLeader(hint) => membership_reply::Reply::NotLeader(self.not_leader(hint)),
                Answer::Unknown(reason) => return Err(Status::unavailable(reason)),
            }
        } else {
            done
        };
        Ok(Response::new(proto::MembershipReply { reply: Some(reply) }))
    }

    async fn propose(&self, request: Request<proto::ProposeRequest>) -> Reply<proto::ProposeReply> {
        let request = request.into_inner();
        if request.version != VERSION {
            return Err(Status::unimplemented("another version of the control group"));
        }
        let command =
            decode(&request.command).map_err(|error| Status::invalid_argument(error.to_string()))?;
        let reply = match leader::propose(&self.shared.raft(), command).await {
            Answer::Done(response) => {
                propose_reply::Reply::Outcome(encode(&response).map_err(failed)?.into())
            }
            Answer::NotLeader(hint) => propose_reply::Reply::NotLeader(self.not_leader(hint)),
            Answer::Unknown(reason) => propose_reply::Reply::Unknown(reason),
        };
        Ok(Response::new(proto::ProposeReply { reply: Some(reply) }))
    }

    async fn read_map(&self, _request: Request<proto::ReadMapRequest>) -> Reply<proto::ReadMapReply> {
        let (view, status) = (self.shared.view(), self.shared.status());
        Ok(Response::new(proto::ReadMapReply {
            version: VERSION,
            state: encode(&view.state).map_err(failed)?.into(),
            applied_index: view.applied_index,
            // A number that was drawn but stands for no state is none.
            group_id: if status.voters.is_empty() { 0 } else { status.group },
        }))
    }
}
