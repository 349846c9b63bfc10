//! A member of the cluster as a node of an older version is: it takes part in gossip and proves who it is, and the calls that
//! are asked of it are none that it knows.

use super::{CLUSTER, Cluster, PATIENCE};
use arc_swap::ArcSwap;
use axum::http::{HeaderMap, HeaderValue, Uri};
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tim_cluster::keyring::KeyRing;
use tim_cluster::links::{Handshaker, PeerServer};
use tim_cluster::membership::{self, Gossip, MemberState, Membership, Settings, SystemResolver};
use tim_cluster::tls::{Material, PeerIdentity, Trust};
use tim_core::id::NodeName;
use tokio::net::{TcpListener, UdpSocket};
use tokio::sync::Notify;
use tokio_util::sync::{CancellationToken, DropGuard};
use tonic::Code;
use tonic::service::Routes;

/// Takes part for as long as it is kept.
pub struct OlderNode {
    heard: Arc<Heard>,
    _membership: Membership,
    _ends: DropGuard,
}

/// The calls that came, by their paths.
#[derive(Default)]
struct Heard {
    paths: Mutex<Vec<String>>,
    come: Notify,
}

impl OlderNode {
    /// Serves in place of a node that is prepared and does not run.
    pub async fn join(cluster: &Cluster, index: usize) -> Self {
        let node = &cluster.nodes[index];
        let name = NodeName::new(&node.name).unwrap();
        let address = SocketAddr::from(([127, 0, 0, 1], node.peer_port));
        let ring = KeyRing::load(&node.directory.join("keyring.toml")).unwrap();
        let keys = Arc::new(ArcSwap::from_pointee(ring));
        let handshaker = Handshaker::new(CLUSTER, name.clone(), Arc::clone(&keys));
        let (membership, mut events) = membership::start(Gossip {
            cluster_id: CLUSTER.to_owned(),
            name: name.clone(),
            zone: String::new(),
            advertise: address,
            socket: UdpSocket::bind(address).await.unwrap(),
            keys,
            seeds: vec![format!("127.0.0.1:{}", cluster.nodes[0].peer_port)],
            resolver: Arc::new(SystemResolver),
            settings: Settings::default(),
        });
        tokio::spawn(async move { while events.recv().await.is_some() {} });
        let generation = membership.members().borrow().get(&name).unwrap().generation;
        handshaker.set_generation(generation);
        let identity = PeerIdentity::Node {
            cluster_id: CLUSTER.to_owned(),
            name,
        };
        let tls = cluster.directory.path().join("tls");
        let server = PeerServer {
            listener: TcpListener::bind(address).await.unwrap(),
            trust: Trust::new(Material::load(&tls, &node.name, &identity).unwrap()).unwrap(),
            handshaker,
            grace: Duration::ZERO,
        };
        let (heard, ends) = (Arc::new(Heard::default()), CancellationToken::new());
        tokio::spawn(server.serve(nothing_known(Arc::clone(&heard)), ends.clone()));
        membership.set_state(MemberState::Serving).await.unwrap();
        Self {
            heard,
            _membership: membership,
            _ends: ends.drop_guard(),
        }
    }

    /// How often a call has come.
    pub fn heard(&self, path: &str) -> usize {
        let paths = self.heard.paths.lock().unwrap();
        paths.iter().filter(|heard| *heard == path).count()
    }

    /// Waits until a call has come so often.
    pub async fn until_heard(&self, path: &str, count: usize) {
        let wait = async {
            loop {
                let come = self.heard.come.notified();
                if self.heard(path) >= count {
                    return;
                }
                come.await;
            }
        };
        let in_time = tokio::time::timeout(PATIENCE, wait).await;
        assert!(in_time.is_ok(), "{path} was called {} times", self.heard(path));
    }
}

fn nothing_known(heard: Arc<Heard>) -> Routes {
    let unknown = move |uri: Uri| async move {
        heard.paths.lock().unwrap().push(uri.path().to_owned());
        heard.come.notify_waiters();
        let mut headers = HeaderMap::new();
        headers.insert("content-type", HeaderValue::from_static("application/grpc"));
        headers.insert("grpc-status", HeaderValue::from(Code::Unimplemented as u16));
        headers
    };
    Routes::from(axum::Router::new().fallback(unknown))
}
