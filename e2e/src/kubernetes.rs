//! What the tests on a real Kubernetes need: a cluster, a namespace per test, waiting by watching, and readers of what
//! the API server and the collector have written down.
//!
//! ```text
//! e2e/kubernetes/run ──▶ builds images, brings the test cluster up ──▶ the test binary, inside the cluster's network
//!                                                                          Surroundings ─▶ Sandbox ─▶ Chat, …
//! ```

pub mod audit;
pub mod command;
pub mod permissions;
pub mod reachability;
pub mod sandbox;
pub mod signals;
pub mod surroundings;
pub mod tim_cluster;
pub mod wait;

use std::path::{Path, PathBuf};

pub use sandbox::Sandbox;
pub use surroundings::Surroundings;

/// The folder of the repository.
pub fn repository_root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .parent()
        .map_or_else(PathBuf::new, Path::to_path_buf)
}
