//! Servers that clients connect to: their addresses, and whom to trust there.

use crate::arguments::Global;
use crate::failure::{Failure, Outcome};
use crate::target::{LocalTarget, find_cluster};
use rand::seq::SliceRandom;
use std::path::Path;
use std::time::Duration;
use tim_catalogue::command_line;
use tim_client::{Address, Server};
use tim_local::directory::ClusterDirectory;
use tim_local::view::{self, ClusterView};
use tim_plan::trust::AUTHORITY_FILE;

/// How long a node may take to say where it is.
const LOOK_MAX: Duration = Duration::from_secs(2);

/// A local cluster, as clients reach it.
pub struct LocalServer {
    /// Its name.
    pub cluster: String,
    /// Its folder.
    pub folder: ClusterDirectory,
    /// What runs of it.
    pub seen: ClusterView,
    /// Its running nodes, in random order, so that clients spread.
    pub addresses: Vec<Address>,
}

impl LocalServer {
    /// Looks where the nodes of a cluster are; the name may be left out where there is one.
    ///
    /// # Errors
    /// There is no such cluster, or no node of it runs.
    pub async fn find(global: &Global, cluster: Option<&str>) -> Outcome<Self> {
        let target = LocalTarget::open(global)?;
        let cluster = find_cluster(&target, cluster).await?;
        let seen = view::observe(target.directory(), &cluster, LOOK_MAX).await;
        let seen = seen.map_err(|error| Failure::unexpected(&error))?;
        let running = seen.nodes.iter().filter(|node| node.running && node.wanted);
        let urls: Vec<String> = running
            .filter_map(|node| Some(node.record.as_ref()?.client_url()))
            .collect();
        let mut addresses = addresses(&urls)?;
        if addresses.is_empty() {
            let observed = format!("no node of local cluster {cluster} runs");
            return Err(Failure::new(&command_line::SERVER_UNREACHABLE, observed).remedy("tim up"));
        }
        addresses.shuffle(&mut rand::rng());
        Ok(Self {
            folder: target.directory().cluster(&cluster),
            cluster,
            seen,
            addresses,
        })
    }

    /// With trust in the authorities of a file, or else in the cluster's own.
    ///
    /// # Errors
    /// The file cannot be used.
    pub fn trusting(&self, authorities: Option<&Path>) -> Outcome<Server> {
        let own = self.folder.tls().join(AUTHORITY_FILE);
        trusting(self.addresses.clone(), Some(authorities.unwrap_or(&own)))
    }
}

/// A server at addresses that were given, with trust in the authorities of a file.
///
/// # Errors
/// One of them is no address, or needs TLS and there is nobody to trust; or the file cannot be used.
pub fn elsewhere(urls: &[String], authorities: Option<&Path>) -> Outcome<Server> {
    trusting(addresses(urls)?, authorities)
}

fn addresses(urls: &[String]) -> Outcome<Vec<Address>> {
    urls.iter()
        .map(|url| {
            url.parse()
                .map_err(|error| Failure::usage(format!("--url {url}: {error}")))
        })
        .collect()
}

fn trusting(addresses: Vec<Address>, authorities: Option<&Path>) -> Outcome<Server> {
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
        let at = |url: &str, file: Option<&str>| elsewhere(&[url.to_owned()], file.map(Path::new));
        assert!(at("ws://a:1", None).unwrap().tls.is_none());
        let refused = at("wss://a:1", None).unwrap_err().to_string();
        assert!(refused.contains("--ca FILE"), "{refused}");
        let refused = at("wss://a:1", Some("/nowhere.pem")).unwrap_err().to_string();
        assert!(refused.contains("--ca /nowhere.pem"), "{refused}");
    }
}
