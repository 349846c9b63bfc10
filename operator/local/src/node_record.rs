//! What is remembered of a node between lives of the supervisor: its process and its ports.

use crate::directory::NodeDirectory;
use crate::file::{FileError, Readers, read_optional, write_if_changed};
use crate::process::ProcessId;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use std::net::SocketAddr;

/// Ports of a node; they stay the same over restarts, so that its clients find it again.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Ports {
    /// Clients.
    pub client: u16,
    /// Administrators.
    pub admin: u16,
    /// Peers and control, TCP and UDP.
    pub peer: u16,
}

/// One life of a node's process.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Life {
    /// The process.
    pub process: ProcessId,
    /// The revision it was started for.
    pub revision: String,
    /// When it was started.
    pub started: Timestamp,
}

impl Life {
    /// Identity of this life, as pods have one.
    pub fn uid(&self) -> String {
        format!("{}-{}", self.process.pid, self.process.start_ticks)
    }
}

/// What is remembered of a node.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct NodeRecord {
    /// Its ports.
    pub ports: Ports,
    /// Whether its listener for clients speaks TLS.
    #[serde(default)]
    pub client_tls: bool,
    /// Whether its listener for administrators speaks TLS.
    #[serde(default)]
    pub admin_tls: bool,
    /// What has to be said of its ports: those it should have had, and who has them.
    #[serde(default)]
    pub port_notes: Vec<String>,
    /// Why it does not run: code and sentence, for those who look without the supervisor.
    #[serde(default)]
    pub trouble: Option<(String, String)>,
    /// Its last known life.
    pub life: Option<Life>,
}

impl NodeRecord {
    /// What is remembered of the node in that folder; a file that cannot be understood counts as none.
    ///
    /// # Errors
    /// The file is there and cannot be read.
    pub fn load(directory: &NodeDirectory) -> Result<Option<Self>, FileError> {
        let content = read_optional(&directory.record())?;
        Ok(content.and_then(|content| serde_json::from_slice(&content).ok()))
    }

    /// Remembers it.
    ///
    /// # Errors
    /// The file cannot be written.
    pub fn save(&self, directory: &NodeDirectory) -> Result<(), FileError> {
        let text = serde_json::to_vec_pretty(self).unwrap_or_default();
        write_if_changed(&directory.record(), &text, Readers::Everyone).map(|_| ())
    }

    /// The life that goes on.
    pub fn living(&self) -> Option<&Life> {
        self.life.as_ref().filter(|life| life.process.is_alive())
    }

    /// Where clients connect.
    pub fn client_url(&self) -> String {
        let scheme = if self.client_tls { "wss" } else { "ws" };
        format!("{scheme}://{}/tim", crate::port::loopback(self.ports.client))
    }

    /// Where administrators look.
    pub fn admin_url(&self) -> String {
        let scheme = if self.admin_tls { "https" } else { "http" };
        format!("{scheme}://{}", crate::port::loopback(self.ports.admin))
    }

    /// Where peers, and the supervisor, reach it.
    pub fn peer_address(&self) -> SocketAddr {
        crate::port::loopback(self.ports.peer)
    }
}
