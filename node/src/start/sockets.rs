//! All listening sockets, bound before anything else: a port that is taken is found out at once.

use crate::edge::{self, BoundListener};
use anyhow::Context;
use std::net::SocketAddr;
use tim_config::NodeConfig;
use tokio::net::{TcpListener, UdpSocket};

/// Attempts to find a port that is free for TCP and UDP alike, when the configuration leaves it open.
const PORT_ATTEMPTS: u32 = 16;

/// What is bound.
pub(super) struct Sockets {
    pub(super) client: BoundListener,
    pub(super) admin: BoundListener,
    pub(super) admin_address: SocketAddr,
    pub(super) server_api: Option<BoundListener>,
    pub(super) peer: TcpListener,
    pub(super) peer_address: SocketAddr,
    pub(super) gossip: UdpSocket,
}

impl Sockets {
    /// Says in the log what was bound.
    pub(super) fn tell(&self) {
        tracing::info!(
            client = %self.client.address,
            admin = %self.admin.address,
            peer = %self.peer_address,
            version = env!("CARGO_PKG_VERSION"),
            "listening"
        );
    }
}

/// Binds everything.
pub(super) async fn bind(config: &NodeConfig) -> anyhow::Result<Sockets> {
    let listeners = &config.listeners;
    let client = edge::bind("clients", listeners.client.address).await?;
    let admin = edge::bind("admin", listeners.admin.address).await?;
    let server_api = match listeners.server_api.enabled {
        true => Some(edge::bind("server API", listeners.server_api.address).await?),
        false => None,
    };
    let (peer, gossip) = pair(listeners.peer).await?;
    let peer_address = peer
        .local_addr()
        .context("read the address of the peer listener")?;
    Ok(Sockets {
        client,
        admin_address: admin.address,
        admin,
        server_api,
        peer,
        peer_address,
        gossip,
    })
}

/// TCP and UDP on one port.
async fn pair(address: SocketAddr) -> anyhow::Result<(TcpListener, UdpSocket)> {
    let mut attempts = 0;
    loop {
        attempts += 1;
        let tcp = TcpListener::bind(address)
            .await
            .map_err(|error| edge::bind_error("peers", address, &error))?;
        let bound = tcp
            .local_addr()
            .context("read the address of the peer listener")?;
        match UdpSocket::bind(bound).await {
            Ok(udp) => return Ok((tcp, udp)),
            // Any port will do, and this one is free for TCP only.
            Err(_) if address.port() == 0 && attempts < PORT_ATTEMPTS => {}
            Err(error) => return Err(edge::bind_error("gossip", bound, &error).into()),
        }
    }
}
