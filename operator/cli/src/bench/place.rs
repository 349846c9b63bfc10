//! What is measured, and from where.

use crate::arguments::{BenchArguments, Global};
use crate::failure::Outcome;
use crate::servers::{self, LocalServer};
use std::path::PathBuf;
use tim_client::{Address, Server};
use tim_local::directory::ClusterDirectory;
use tim_local::process::ProcessId;
use tim_local::view::NodeView;

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
            server: servers::elsewhere(&arguments.url, arguments.ca.as_deref())?,
            accounts_file: data.join("tim").join("bench-accounts.json"),
            pids: arguments.server_pid.clone(),
            folder: None,
            nodes: Vec::new(),
        })
    }

    async fn local(global: &Global, arguments: &BenchArguments) -> Outcome<Self> {
        let found = LocalServer::find(global, arguments.cluster.as_deref()).await?;
        let mut pids = arguments.server_pid.clone();
        pids.extend(found.seen.nodes.iter().filter_map(NodeView::pid));
        Ok(Self {
            shown: format!("local cluster {}", found.cluster),
            server: found.trusting(arguments.ca.as_deref())?,
            accounts_file: found.folder.chat_accounts().with_file_name("bench-accounts.json"),
            pids,
            nodes: found.seen.nodes.iter().filter_map(LocalNode::of).collect(),
            folder: Some(found.folder),
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
