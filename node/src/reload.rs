//! What of the configuration is taken up while the node runs: databases that are added to `storage.databases`.
//!
//! Everything else is read once, at the start. Files with secrets are followed by those who use them: keys and
//! certificates by the trust, DSNs by each database's keeper.

use crate::board::{Effect, Place};
use crate::node::Node;
use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

/// Where the configuration comes from.
#[derive(Debug, Clone)]
pub(crate) struct ConfigSource {
    pub(crate) files: Vec<PathBuf>,
    pub(crate) environment: BTreeMap<String, String>,
}

impl ConfigSource {
    /// The files as they are; `None` for one that cannot be read just now.
    fn texts(&self) -> Vec<Option<Vec<u8>>> {
        self.files.iter().map(|file| std::fs::read(file).ok()).collect()
    }
}

/// Looks at the files as often as at those of the trust, until the process ends. A configuration that cannot be used is
/// told, and changes nothing.
pub(crate) async fn follow(node: Arc<Node>, source: ConfigSource) {
    let interval = Duration::from_millis(node.config.trust.reload_interval_millis);
    // Not what was read at the start: it may have changed since.
    let mut seen = Vec::new();
    loop {
        tokio::time::sleep(interval).await;
        let texts = source.texts();
        if texts == seen {
            continue;
        }
        seen = texts;
        match tim_config::load(&source.files, &source.environment) {
            Ok(config) => {
                node.board.clear(&Place::Configuration);
                node.databases.declare(&config.storage);
            }
            Err(error) => {
                let report = error.report().clone();
                node.board.raise(Place::Configuration, Effect::Told, report);
            }
        }
    }
}
