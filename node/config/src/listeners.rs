//! Where the node listens, and where others reach it.

use crate::LoadError;
use serde::{Deserialize, Serialize};
use std::net::SocketAddr;

/// One listening socket for people or clients.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct Listener {
    /// Address and port; port 0 takes a free one.
    pub address: SocketAddr,
    /// Whether it speaks TLS, with the node's certificate.
    #[serde(default)]
    pub tls: bool,
}

/// The listener of the server API of tim 2.1.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields, default)]
pub struct ServerApi {
    /// Whether it listens at all.
    pub enabled: bool,
    /// Address and port; port 0 takes a free one.
    pub address: SocketAddr,
    /// Whether it speaks TLS, with the node's certificate.
    pub tls: bool,
    /// Connections at once; more are closed as they come.
    pub connections_max: u32,
    /// A connection that has sent nothing for so long, in milliseconds, is closed.
    pub idle_timeout_millis: u64,
}

impl Default for ServerApi {
    fn default() -> Self {
        Self {
            enabled: false,
            address: SocketAddr::from(([0, 0, 0, 0], 20_001)),
            tls: false,
            connections_max: 256,
            idle_timeout_millis: 10_000,
        }
    }
}

/// Section `[listeners]`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields, default)]
pub struct Listeners {
    /// tim clients: WebSocket `/tim` and `/`, HTTP `/tim2`.
    pub client: Listener,
    /// Health, readiness, status, metrics, and the interfaces of administrators.
    pub admin: Listener,
    /// The server API of tim 2.1 (thrift), for console users of `admin.users`. Off unless it is enabled.
    pub server_api: ServerApi,
    /// Peers and operator: gRPC over TCP, always mutual TLS, and gossip over UDP on the same port.
    pub peer: SocketAddr,
    /// Host name or address under which peers reach this node; empty: the address of `peer`.
    pub advertise_host: String,
    /// Port under which peers reach this node; 0: the port of `peer`.
    pub advertise_port: u16,
    /// Whether the client port serves the chat page on `/chat`: a small client for the browser, from this node alone.
    pub chat_page: bool,
}

impl Default for Listeners {
    fn default() -> Self {
        let any = |port| SocketAddr::from(([0, 0, 0, 0], port));
        Self {
            client: Listener {
                address: any(5080),
                tls: false,
            },
            admin: Listener {
                address: any(5082),
                tls: false,
            },
            server_api: ServerApi::default(),
            peer: any(5083),
            advertise_host: String::new(),
            advertise_port: 0,
            chat_page: true,
        }
    }
}

impl Listeners {
    pub(crate) fn validate(&self) -> Result<(), LoadError> {
        LoadError::in_range(
            "listeners.server_api.connections_max",
            u64::from(self.server_api.connections_max),
            1..=100_000,
        )?;
        LoadError::in_range(
            "listeners.server_api.idle_timeout_millis",
            self.server_api.idle_timeout_millis,
            1_000..=86_400_000,
        )?;
        let mut sockets = vec![
            ("listeners.client.address", self.client.address),
            ("listeners.admin.address", self.admin.address),
            ("listeners.peer", self.peer),
        ];
        if self.server_api.enabled {
            sockets.push(("listeners.server_api.address", self.server_api.address));
        }
        for (index, (key, address)) in sockets.iter().enumerate() {
            let taken = sockets[..index]
                .iter()
                .any(|(_, other)| other.port() == address.port());
            if taken && address.port() != 0 {
                return Err(LoadError::invalid(
                    key,
                    &address.to_string(),
                    "a port that no other listener uses",
                ));
            }
        }
        Ok(())
    }
}
