//! What is measured, and from where.

use crate::arguments::{BenchArguments, Global};
use crate::chat::{local_addresses, parse_addresses};
use crate::failure::{Failure, Outcome};
use crate::target::LocalTarget;
use std::path::{Path, PathBuf};
use std::time::Duration;
use tim_client::{Address, Server};
use tim_local::directory::ClusterDirectory;
use tim_local::process::ProcessId;
use tim_local::view::{self, NodeView};
use tim_plan::trust::AUTHORITY_FILE;

/// How long a node may take to say where it is.
const LOOK_MAX: Duration = Duration::from_secs(2);

/// A server.
pub(super) struct Place {
    pub(super) shown: String,
    /// Its addresses, with whom to trust there.
    pub(super) server: Server,
    pub(super) accounts_file: PathBuf,
    pub(super) pids: Vec<u32>,
    /// The folder of the local cluster that is measured, if it is one.
    pub(super) folder: Option<ClusterDirectory>,
    /// Its nodes.
    pub(super) nodes: Vec<LocalNode>,
}

/// A node of a local cluster.
pub(super) struct LocalNode {
    pub(super) name: String,
    pub(super) address: Address,
    pub(super) process: ProcessId,
}

impl Place {
    pub(super) async fn find(global: &Global, arguments: &BenchArguments) -> Outcome<Self> {
        if arguments.url.is_empty() {
            return Self::local(global, arguments).await;
        }
        let home = std::env::var_os("HOME").map(PathBuf::from).unwrap_or_default();
        let data = std::env::var_os("XDG_DATA_HOME").map_or_else(|| home.join(".local/share"), PathBuf::from);
        Ok(Self {
            shown: arguments.url.join(", "),
            server: server(parse_addresses(&arguments.url)?, arguments.ca.as_deref())?,
            accounts_file: data.join("tim").join("bench-accounts.json"),
            pids: arguments.server_pid.clone(),
            folder: None,
            nodes: Vec::new(),
        })
    }

    async fn local(global: &Global, arguments: &BenchArguments) -> Outcome<Self> {
        let (cluster, addresses, chat_accounts) =
            local_addresses(global, arguments.cluster.as_deref()).await?;
        let target = LocalTarget::open(global)?;
        let seen = view::observe(target.directory(), &cluster, LOOK_MAX).await;
        let seen = seen.map_err(|error| Failure::unexpected(&error))?;
        let mut pids = arguments.server_pid.clone();
        pids.extend(seen.nodes.iter().filter_map(NodeView::pid));
        let folder = target.directory().cluster(&cluster);
        let own = folder.tls().join(AUTHORITY_FILE);
        Ok(Self {
            shown: format!("local cluster {cluster}"),
            server: server(addresses, Some(arguments.ca.as_deref().unwrap_or(&own)))?,
            accounts_file: chat_accounts.with_file_name("bench-accounts.json"),
            pids,
            folder: Some(folder),
            nodes: seen.nodes.iter().filter_map(LocalNode::of).collect(),
        })
    }
}

impl LocalNode {
    fn of(node: &NodeView) -> Option<Self> {
        let record = node.record.as_ref().filter(|_| node.running)?;
        Some(Self {
            name: node.name.clone(),
            address: record.client_url().parse().ok()?,
            process: record.life.as_ref()?.process,
        })
    }
}

/// A server, with trust where its addresses need it.
fn server(addresses: Vec<Address>, authorities: Option<&Path>) -> Outcome<Server> {
    let encrypted = addresses.iter().find(|address| address.tls()).cloned();
    let server = Server::at(addresses);
    let Some(address) = encrypted else {
        return Ok(server);
    };
    let Some(file) = authorities else {
        return Err(Failure::usage(format!(
            "{address} needs TLS: --ca FILE names the certificates of the authorities to trust"
        )));
    };
    let refused = |why: String| Failure::usage(format!("--ca {}: {why}", file.display()));
    let pem = std::fs::read(file).map_err(|error| refused(error.to_string()))?;
    server.trusting(&pem).map_err(|error| refused(error.to_string()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn encrypted_addresses_need_somebody_to_trust() {
        let addresses = |text: &str| vec![text.parse::<Address>().unwrap()];
        assert!(server(addresses("ws://a:1"), None).unwrap().tls.is_none());
        let refused = server(addresses("wss://a:1"), None).unwrap_err().to_string();
        assert!(refused.contains("--ca FILE"), "{refused}");
        let missing = server(addresses("wss://a:1"), Some(Path::new("/nowhere.pem")));
        let refused = missing.unwrap_err().to_string();
        assert!(refused.contains("--ca /nowhere.pem"), "{refused}");
    }
}
