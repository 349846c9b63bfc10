//! What an operator asks of a node, over mutual TLS with the operator's certificate.

use super::{CLUSTER, Cluster};
use std::net::SocketAddr;
use tim_cluster::links::operator_channel;
use tim_cluster::tls::{Material, PeerIdentity, Trust};
use tim_core::id::NodeName;
use tim_proto::control::v1::node_control_client::NodeControlClient;
use tonic::transport::Channel;

pub async fn connect(cluster: &Cluster, index: usize) -> NodeControlClient<Channel> {
    let tls = cluster.directory.path().join("tls");
    if !tls.join("operator.crt").exists() {
        cluster.authority.write_operator(&tls, CLUSTER);
    }
    let identity = PeerIdentity::Operator {
        cluster_id: CLUSTER.to_owned(),
    };
    let trust = Trust::new(Material::load(&tls, "operator", &identity).unwrap()).unwrap();
    let node = &cluster.nodes[index];
    let address = SocketAddr::from(([127, 0, 0, 1], node.peer_port));
    let name = NodeName::new(&node.name).unwrap();
    let channel = operator_channel(&trust, CLUSTER, &name, address).await.unwrap();
    NodeControlClient::new(channel)
}
