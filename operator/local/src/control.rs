//! Asking nodes: the control API over mutual TLS, one connection per node, made anew when it breaks.

use parking_lot::Mutex;
use std::collections::HashMap;
use std::future::Future;
use std::net::SocketAddr;
use std::path::Path;
use std::time::Duration;
use tim_cluster::links::operator_channel;
use tim_cluster::tls::{Material, MaterialError, PeerIdentity, Trust};
use tim_core::id::NodeName;
use tim_proto::control::v1::node_control_client::NodeControlClient;
use tim_proto::control::v1::{self as control, StatusReply};
use tonic::transport::Channel;
use tonic::{Code, Response, Status};

/// How long a node may take for any answer but a status.
const CALL_MAX: Duration = Duration::from_secs(5);

/// A node could not be asked. Whether it did what it was asked is unknown, and asking again is safe: every call of the
/// control API is idempotent.
#[derive(Debug, Clone, thiserror::Error)]
#[error("{node}: {reason}")]
pub struct ControlError {
    /// The node.
    pub node: String,
    /// Why.
    pub reason: String,
}

/// The supervisor's way to the nodes of one cluster.
pub struct Controls {
    trust: Trust,
    cluster_id: String,
    channels: Mutex<HashMap<SocketAddr, Channel>>,
}

impl std::fmt::Debug for Controls {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter
            .debug_struct("Controls")
            .field("cluster_id", &self.cluster_id)
            .finish_non_exhaustive()
    }
}

impl Controls {
    /// Uses the operator's certificate in that folder.
    ///
    /// # Errors
    /// The files are not there or cannot be used.
    pub fn load(tls_directory: &Path, cluster_id: &str) -> Result<Self, MaterialError> {
        let identity = PeerIdentity::Operator {
            cluster_id: cluster_id.to_owned(),
        };
        let trust = Trust::new(Material::load(tls_directory, "operator", &identity)?)?;
        Ok(Self {
            trust,
            cluster_id: cluster_id.to_owned(),
            channels: Mutex::default(),
        })
    }

    /// Asks how the node is.
    ///
    /// # Errors
    /// It did not answer in time.
    pub async fn status(
        &self,
        node: &str,
        address: SocketAddr,
        limit: Duration,
    ) -> Result<StatusReply, ControlError> {
        self.call(node, address, limit, |mut client| async move {
            client.status(control::StatusRequest {}).await
        })
        .await
    }

    /// Asks the node to drain, or to go on.
    ///
    /// # Errors
    /// It did not answer in time.
    pub async fn drain(
        &self,
        node: &str,
        address: SocketAddr,
        request: control::DrainRequest,
    ) -> Result<(), ControlError> {
        self.call(node, address, CALL_MAX, |mut client| async move {
            client.drain(request).await
        })
        .await
        .map(drop)
    }

    /// Asks the node to serve again.
    ///
    /// # Errors
    /// It did not answer in time.
    pub async fn undrain(&self, node: &str, address: SocketAddr) -> Result<(), ControlError> {
        let request = control::UndrainRequest::default();
        self.call(node, address, CALL_MAX, |mut client| async move {
            client.undrain(request).await
        })
        .await
        .map(drop)
    }

    /// Asks the node to take another one that will not come back out of the control group.
    ///
    /// # Errors
    /// It did not answer in time, or something is in the way.
    pub async fn remove_voter(
        &self,
        node: &str,
        address: SocketAddr,
        voter: &str,
    ) -> Result<(), ControlError> {
        let request = control::RemoveVoterRequest {
            node: voter.to_owned(),
        };
        let reply = self
            .call(node, address, CALL_MAX, |mut client| async move {
                client.remove_voter(request).await
            })
            .await?;
        if reply.removed {
            return Ok(());
        }
        let reason = reply.cause.map_or_else(
            || "not removed yet".to_owned(),
            |cause| format!("{} {}", cause.code, cause.detail),
        );
        Err(ControlError {
            node: node.to_owned(),
            reason,
        })
    }

    /// Starts a repartition, or asks how it is if it was started.
    ///
    /// # Errors
    /// It did not answer in time.
    pub async fn start_repartition(
        &self,
        node: &str,
        address: SocketAddr,
        request: control::StartRepartitionRequest,
    ) -> Result<control::RepartitionReply, ControlError> {
        self.call(node, address, CALL_MAX, |mut client| async move {
            client.start_repartition(request).await
        })
        .await
    }

    /// Asks how a repartition is.
    ///
    /// # Errors
    /// It did not answer in time.
    pub async fn repartition_status(
        &self,
        node: &str,
        address: SocketAddr,
        operation_id: &str,
    ) -> Result<control::RepartitionReply, ControlError> {
        let request = control::RepartitionStatusRequest {
            operation_id: operation_id.to_owned(),
        };
        self.call(node, address, CALL_MAX, |mut client| async move {
            client.repartition_status(request).await
        })
        .await
    }

    /// Gives a repartition up.
    ///
    /// # Errors
    /// It did not answer in time.
    pub async fn cancel_repartition(
        &self,
        node: &str,
        address: SocketAddr,
        operation_id: &str,
    ) -> Result<control::RepartitionReply, ControlError> {
        let request = control::CancelRepartitionRequest {
            operation_id: operation_id.to_owned(),
        };
        self.call(node, address, CALL_MAX, |mut client| async move {
            client.cancel_repartition(request).await
        })
        .await
    }

    async fn call<T, F>(
        &self,
        node: &str,
        address: SocketAddr,
        limit: Duration,
        ask: impl FnOnce(NodeControlClient<Channel>) -> F,
    ) -> Result<T, ControlError>
    where
        F: Future<Output = Result<Response<T>, Status>>,
    {
        let failed = |reason: String| ControlError {
            node: node.to_owned(),
            reason,
        };
        let attempt = async {
            let channel = self.channel(node, address).await.map_err(failed)?;
            let answer = ask(NodeControlClient::new(channel)).await;
            answer.map(Response::into_inner).map_err(|status| {
                if status.code() != Code::FailedPrecondition && status.code() != Code::InvalidArgument {
                    self.forget(address);
                }
                failed(status.message().to_owned())
            })
        };
        match tokio::time::timeout(limit, attempt).await {
            Ok(answer) => answer,
            Err(_) => {
                self.forget(address);
                Err(failed(format!("no answer in {} s", limit.as_secs())))
            }
        }
    }

    async fn channel(&self, node: &str, address: SocketAddr) -> Result<Channel, String> {
        if let Some(channel) = self.channels.lock().get(&address) {
            return Ok(channel.clone());
        }
        let name = NodeName::new(node).map_err(|error| error.to_string())?;
        let channel = operator_channel(&self.trust, &self.cluster_id, &name, address)
            .await
            .map_err(|error| error.to_string())?;
        self.channels.lock().insert(address, channel.clone());
        Ok(channel)
    }

    /// The next call connects anew.
    pub fn forget(&self, address: SocketAddr) {
        self.channels.lock().remove(&address);
    }
}
