//! The control API of the nodes: one channel per life of a node, mutual TLS with the operator's own certificate.

use crate::failure::Failure;
use futures::future::join_all;
use jiff::Timestamp;
use parking_lot::Mutex;
use std::collections::HashMap;
use std::net::SocketAddr;
use std::time::Duration;
use tim_cluster::links::operator_channel;
use tim_cluster::tls::{Material, PeerIdentity, Trust};
use tim_core::id::NodeName;
use tim_proto::control::v1::node_control_client::NodeControlClient;
use tim_proto::control::v1::{StatusReply, StatusRequest};
use tonic::transport::Channel;

/// How long a node may take to say how it is.
const STATUS_TIMEOUT: Duration = Duration::from_secs(2);
/// How long any other call may take; long work is started, not awaited.
const CALL_TIMEOUT: Duration = Duration::from_secs(5);
/// Nodes that are asked at the same time; a larger cluster is asked in several rounds.
const ASKED_AT_ONCE: usize = 64;
/// Silent lives remembered; beyond that all are forgotten, which only begins their silence anew.
const REMEMBERED_LIVES_MAX: usize = 10_000;

/// Where a node is reached.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct NodeAddress {
    /// Its name.
    pub(crate) name: String,
    /// Its life.
    pub(crate) uid: String,
    /// Its peer port.
    pub(crate) address: SocketAddr,
}

/// The operator's own certificate in a cluster, and whom it trusts there, as PEM texts.
#[derive(Clone)]
pub(crate) struct OperatorTrust {
    pub(crate) cluster_id: String,
    pub(crate) roots: String,
    pub(crate) certificate: String,
    pub(crate) key: zeroize::Zeroizing<String>,
}

impl OperatorTrust {
    fn open(&self) -> Result<Trust, Failure> {
        let identity = PeerIdentity::Operator {
            cluster_id: self.cluster_id.clone(),
        };
        Material::from_pem(
            self.roots.as_bytes(),
            self.certificate.as_bytes(),
            self.key.as_bytes(),
            &identity,
        )
        .and_then(Trust::new)
        .map_err(|error| Failure::Trust(format!("certificate of the operator: {error}")))
    }
}

/// Channels to nodes, by the uid of the node's life.
#[derive(Default)]
pub(crate) struct NodeLinks {
    channels: Mutex<HashMap<String, Channel>>,
    silent_since: Mutex<HashMap<String, Timestamp>>,
}

impl NodeLinks {
    /// Asks all nodes how they are, at the same time. A node that does not answer in time is absent from the result.
    pub(crate) async fn statuses(
        &self,
        trust: &OperatorTrust,
        nodes: &[NodeAddress],
    ) -> HashMap<String, StatusReply> {
        let Ok(opened) = trust.open() else {
            return HashMap::new();
        };
        let mut replies = HashMap::new();
        for round in nodes.chunks(ASKED_AT_ONCE) {
            let asked = round.iter().map(|node| async {
                let status = self.status(&opened, &trust.cluster_id, node);
                (
                    node.uid.clone(),
                    tokio::time::timeout(STATUS_TIMEOUT, status).await,
                )
            });
            for (uid, reply) in join_all(asked).await {
                match reply {
                    Ok(Some(reply)) => drop(replies.insert(uid, reply)),
                    _ => self.forget(&uid),
                }
            }
        }
        replies
    }

    async fn status(&self, trust: &Trust, cluster_id: &str, node: &NodeAddress) -> Option<StatusReply> {
        let channel = self.channel(trust, cluster_id, node).await.ok()?;
        NodeControlClient::new(channel)
            .status(StatusRequest {})
            .await
            .ok()
            .map(tonic::Response::into_inner)
    }

    /// Calls one node.
    ///
    /// # Errors
    /// The node cannot be reached or refuses; whether it has acted is seen from its next status.
    pub(crate) async fn call<Reply, Call>(
        &self,
        trust: &OperatorTrust,
        node: &NodeAddress,
        operation: &str,
        call: impl FnOnce(NodeControlClient<Channel>) -> Call,
    ) -> Result<Reply, Failure>
    where
        Call: Future<Output = Result<tonic::Response<Reply>, tonic::Status>>,
    {
        let failure = |reason: String| Failure::Node {
            operation: format!("{operation} {}", node.name),
            reason,
        };
        let channel = self
            .channel(&trust.open()?, &trust.cluster_id, node)
            .await
            .map_err(|error| failure(error.to_string()))?;
        match tokio::time::timeout(CALL_TIMEOUT, call(NodeControlClient::new(channel))).await {
            Ok(Ok(reply)) => Ok(reply.into_inner()),
            Ok(Err(status)) => {
                self.forget(&node.uid);
                Err(failure(status.message().to_owned()))
            }
            Err(_) => {
                self.forget(&node.uid);
                Err(failure(format!("no answer within {} s", CALL_TIMEOUT.as_secs())))
            }
        }
    }

    async fn channel(&self, trust: &Trust, cluster_id: &str, node: &NodeAddress) -> Result<Channel, String> {
        if let Some(channel) = self.channels.lock().get(&node.uid) {
            return Ok(channel.clone());
        }
        let name = NodeName::new(&node.name).map_err(|error| error.to_string())?;
        let channel = operator_channel(trust, cluster_id, &name, node.address)
            .await
            .map_err(|error| error.to_string())?;
        self.channels.lock().insert(node.uid.clone(), channel.clone());
        Ok(channel)
    }

    /// Remembers since when a life of a node has not answered; none when it does.
    pub(crate) fn silence(&self, uid: &str, answers: bool) -> Option<Timestamp> {
        let mut silent = self.silent_since.lock();
        if answers {
            silent.remove(uid);
            return None;
        }
        if silent.len() >= REMEMBERED_LIVES_MAX {
            silent.clear();
        }
        Some(*silent.entry(uid.to_owned()).or_insert_with(Timestamp::now))
    }

    /// Drops the channel of a life that does not answer or is over.
    pub(crate) fn forget(&self, uid: &str) {
        self.channels.lock().remove(uid);
    }
}
