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

/// Section `[listeners]`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields, default)]
pub struct Listeners {
    /// tim clients: WebSocket `/tim` and `/`, HTTP `/tim2`.
    pub client: Listener,
    /// Health, readiness, status, metrics.
    pub admin: Listener,
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
            peer: any(5083),
            advertise_host: String::new(),
            advertise_port: 0,
            chat_page: true,
        }
    }
}

impl Listeners {
    pub(crate) fn validate(&self) -> Result<(), LoadError> {
        let sockets = [
            ("listeners.client.address", self.client.address),
            ("listeners.admin.address", self.admin.address),
            ("listeners.peer", self.peer),
        ];
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
