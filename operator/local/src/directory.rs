//! Where things are in `.tim/`: one place that knows the paths.
//!
//! ```text
//! .tim/objects/KIND/NAME.yaml          what is wanted, as `kubectl get -o yaml` would show it
//! .tim/objects/KIND/NAME.status.yaml   what is known of it
//! .tim/CLUSTER.lock                    held by the process that runs the cluster
//! .tim/CLUSTER/{tls,keys,dsn,data,logs}
//! .tim/CLUSTER/nodes/NODE/             configuration, certificate, volume and process of one node
//! ```

use std::path::{Path, PathBuf};

/// Names in `.tim` that no cluster can have.
pub const RESERVED_NAMES: [&str; 1] = ["objects"];

/// Name of the folder that makes a directory the home of local clusters.
pub const FOLDER: &str = ".tim";

/// The folder `.tim` of one directory.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LocalDirectory {
    root: PathBuf,
}

impl LocalDirectory {
    /// The folder `.tim` inside `parent`; nothing is created.
    pub fn of(parent: &Path) -> Self {
        Self {
            root: parent.join(FOLDER),
        }
    }

    /// The folder itself.
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// Whether it is there.
    pub fn exists(&self) -> bool {
        self.root.is_dir()
    }

    /// Where the objects are.
    pub fn objects(&self) -> PathBuf {
        self.root.join("objects")
    }

    /// The folder of one cluster.
    pub fn cluster(&self, name: &str) -> ClusterDirectory {
        ClusterDirectory {
            root: self.root.join(name),
            lock: self.root.join(format!("{name}.lock")),
        }
    }
}

/// The folder of one cluster inside `.tim`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ClusterDirectory {
    root: PathBuf,
    lock: PathBuf,
}

impl ClusterDirectory {
    /// The folder itself.
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// Locked by the process that runs the cluster; holds who that is.
    pub fn lock(&self) -> PathBuf {
        self.lock.clone()
    }

    /// CA, and the certificate by which the supervisor proves itself to nodes.
    pub fn tls(&self) -> PathBuf {
        self.root.join("tls")
    }

    /// Key ring and storage key.
    pub fn keys(&self) -> PathBuf {
        self.root.join("keys")
    }

    /// One file per database that holds its DSN.
    pub fn dsn(&self) -> PathBuf {
        self.root.join("dsn")
    }

    /// SQLite files.
    pub fn data(&self) -> PathBuf {
        self.root.join("data")
    }

    /// Logs of nodes and supervisor.
    pub fn logs(&self) -> PathBuf {
        self.root.join("logs")
    }

    /// The log of one node.
    pub fn node_log(&self, node: &str) -> PathBuf {
        self.logs().join(format!("{node}.log"))
    }

    /// The log of a supervisor without a terminal.
    pub fn supervisor_log(&self) -> PathBuf {
        self.logs().join("supervisor.log")
    }

    /// Folders of the nodes.
    pub fn nodes(&self) -> PathBuf {
        self.root.join("nodes")
    }

    /// The folder of one node.
    pub fn node(&self, node: &str) -> NodeDirectory {
        NodeDirectory {
            root: self.nodes().join(node),
        }
    }

    /// Passwords of the accounts that `tim chat` made here.
    pub fn chat_accounts(&self) -> PathBuf {
        self.root.join("chat-accounts.json")
    }
}

/// The folder of one node.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NodeDirectory {
    root: PathBuf,
}

impl NodeDirectory {
    /// The folder itself.
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// The configuration file.
    pub fn config(&self) -> PathBuf {
        self.root.join("node.toml")
    }

    /// CA, certificate and key, as the node reads them.
    pub fn tls(&self) -> PathBuf {
        self.root.join("tls")
    }

    /// The node's volume: log and state of the control group.
    pub fn volume(&self) -> PathBuf {
        self.root.join("volume")
    }

    /// Which process it is, and where it listens.
    pub fn record(&self) -> PathBuf {
        self.root.join("process.json")
    }
}
