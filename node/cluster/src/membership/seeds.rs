//! Where other nodes may be.

use async_trait::async_trait;
use std::net::SocketAddr;
use std::time::Duration;

/// Most addresses taken from all seeds together.
const ADDRESSES_MAX: usize = 256;
/// How long one name may take to be resolved.
const RESOLVE_TIMEOUT: Duration = Duration::from_secs(2);

/// Turns `host:port` into addresses.
#[async_trait]
pub trait Resolver: Send + Sync + 'static {
    /// All addresses of the name just now; none when it does not resolve.
    async fn resolve(&self, seed: &str) -> Vec<SocketAddr>;
}

/// The system's resolver.
#[derive(Debug, Clone, Copy, Default)]
pub struct SystemResolver;

#[async_trait]
impl Resolver for SystemResolver {
    async fn resolve(&self, seed: &str) -> Vec<SocketAddr> {
        match tokio::time::timeout(RESOLVE_TIMEOUT, tokio::net::lookup_host(seed)).await {
            Ok(Ok(addresses)) => addresses.collect(),
            Ok(Err(error)) => {
                // Normal while the first node of a cluster starts: its own name is not published yet.
                tracing::debug!(seed, %error, "seed does not resolve");
                Vec::new()
            }
            Err(_) => {
                tracing::debug!(seed, "seed takes too long to resolve");
                Vec::new()
            }
        }
    }
}

/// All addresses of all seeds, each once.
pub(super) async fn addresses(resolver: &dyn Resolver, seeds: &[String]) -> Vec<SocketAddr> {
    let found = futures::future::join_all(seeds.iter().map(|seed| resolver.resolve(seed))).await;
    let mut addresses: Vec<SocketAddr> = found.into_iter().flatten().collect();
    addresses.sort_unstable();
    addresses.dedup();
    addresses.truncate(ADDRESSES_MAX);
    addresses
}
