//! The members' calls to each other, over the node's links.

use super::codec::{VERSION, decode, encode};
use super::types::{GroupNode, Snapshot, TypeConfig, Vote};
use crate::links::Links;
use openraft::OptionalSend;
use openraft::errors::{NetworkError, RPCError, ReplicationClosed, StreamingError, Unreachable};
use openraft::network::{RPCOption, RaftNetworkFactory, RaftNetworkV2};
use openraft::raft::{
    AppendEntriesRequest, AppendEntriesResponse, SnapshotResponse, TransferLeaderRequest,
    TransferLeaderResponse, VoteRequest, VoteResponse,
};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use std::future::Future;
use std::io;
use tim_core::id::NodeName;
use tim_proto::peer::v1::RaftMessage;
use tim_proto::peer::v1::raft_client::RaftClient;
use tonic::transport::Channel;
use tonic::{Code, Response, Status};

/// A snapshot on its way; it is small, and goes in one piece.
#[derive(Serialize, Deserialize)]
pub(super) struct SnapshotMessage {
    pub(super) vote: Vote,
    pub(super) meta: super::types::SnapshotMeta,
    pub(super) data: String,
}

/// Makes the clients of one member.
#[derive(Clone)]
pub(super) struct Network {
    pub(super) links: Links,
}

/// Calls to one member.
pub(super) struct Member {
    links: Links,
    target: u64,
    node: String,
}

impl RaftNetworkFactory<TypeConfig> for Network {
    type Network = Member;

    async fn new_client(&mut self, target: u64, node: &GroupNode) -> Member {
        Member {
            links: self.links.clone(),
            target,
            node: node.name.clone(),
        }
    }
}

/// What a member is called for.
#[derive(Clone, Copy)]
enum Procedure {
    AppendEntries,
    Vote,
    PreVote,
    InstallSnapshot,
    TransferLeader,
}

impl Procedure {
    async fn send(
        self,
        mut raft: RaftClient<Channel>,
        message: RaftMessage,
    ) -> Result<Response<RaftMessage>, Status> {
        match self {
            Self::AppendEntries => raft.append_entries(message).await,
            Self::Vote => raft.vote(message).await,
            Self::PreVote => raft.pre_vote(message).await,
            Self::InstallSnapshot => raft.install_snapshot(message).await,
            Self::TransferLeader => raft.transfer_leader(message).await,
        }
    }
}

/// What became of a call.
enum Failure {
    /// There is no link; nothing was sent.
    NoLink(String),
    /// It was sent and no usable answer came.
    Call(String),
}

impl From<Failure> for RPCError<TypeConfig> {
    fn from(failure: Failure) -> Self {
        match failure {
            Failure::NoLink(reason) => Self::Unreachable(Unreachable::from_string(reason)),
            Failure::Call(reason) => Self::Network(NetworkError::from_string(reason)),
        }
    }
}

impl Member {
    async fn call<A: DeserializeOwned>(
        &self,
        procedure: Procedure,
        request: &impl Serialize,
        option: &RPCOption,
    ) -> Result<A, Failure> {
        let body = encode(request).map_err(|error| Failure::Call(error.to_string()))?;
        let message = RaftMessage {
            version: VERSION,
            body: body.into(),
            target: self.target,
        };
        let exchange = async {
            let node = NodeName::new(&self.node).map_err(|error| Failure::NoLink(error.to_string()))?;
            let link = self
                .links
                .link(&node)
                .await
                .map_err(|error| Failure::NoLink(error.to_string()))?;
            procedure
                .send(link.raft(), message)
                .await
                .map_err(|status| match status.code() {
                    // The node is there, and is another member, or none: asking at once again does not help.
                    Code::NotFound => Failure::NoLink(status.message().to_owned()),
                    _ => Failure::Call(status.to_string()),
                })
        };
        let reply = match tokio::time::timeout(option.soft_ttl(), exchange).await {
            Ok(reply) => reply?,
            Err(_) => return Err(Failure::Call("no answer in time".to_owned())),
        };
        decode(&reply.get_ref().body).map_err(|error| Failure::Call(error.to_string()))
    }
}

impl RaftNetworkV2<TypeConfig> for Member {
    type SnapshotData = Vec<u8>;

    async fn append_entries(
        &mut self,
        request: AppendEntriesRequest<TypeConfig>,
        option: RPCOption,
    ) -> Result<AppendEntriesResponse<TypeConfig>, RPCError<TypeConfig>> {
        Ok(self.call(Procedure::AppendEntries, &request, &option).await?)
    }

    async fn vote(
        &mut self,
        request: VoteRequest<TypeConfig>,
        option: RPCOption,
    ) -> Result<VoteResponse<TypeConfig>, RPCError<TypeConfig>> {
        Ok(self.call(Procedure::Vote, &request, &option).await?)
    }

    async fn pre_vote(
        &mut self,
        request: VoteRequest<TypeConfig>,
        option: RPCOption,
    ) -> Result<VoteResponse<TypeConfig>, RPCError<TypeConfig>> {
        Ok(self.call(Procedure::PreVote, &request, &option).await?)
    }

    async fn full_snapshot(
        &mut self,
        vote: Vote,
        snapshot: Snapshot,
        cancel: impl Future<Output = ReplicationClosed> + OptionalSend + 'static,
        option: RPCOption,
    ) -> Result<SnapshotResponse<TypeConfig>, StreamingError<TypeConfig>> {
        let data = String::from_utf8(snapshot.snapshot).map_err(io::Error::other);
        let data = data.map_err(|error| StreamingError::Network(NetworkError::from_string(error)))?;
        let message = SnapshotMessage {
            vote,
            meta: snapshot.meta,
            data,
        };
        let call = self.call(Procedure::InstallSnapshot, &message, &option);
        tokio::select! {
            closed = cancel => Err(StreamingError::Closed(closed)),
            reply = call => reply.map_err(|failure| match failure {
                Failure::NoLink(reason) => StreamingError::Unreachable(Unreachable::from_string(reason)),
                Failure::Call(reason) => StreamingError::Network(NetworkError::from_string(reason)),
            }),
        }
    }

    async fn transfer_leader(
        &mut self,
        request: TransferLeaderRequest<TypeConfig>,
        option: RPCOption,
    ) -> Result<TransferLeaderResponse<TypeConfig>, RPCError<TypeConfig>> {
        Ok(self.call(Procedure::TransferLeader, &request, &option).await?)
    }
}
