//! One replica acts at a time: the holder of a Lease.
//!
//! A lease is no fence (a paused holder may act once more after it has lost it), so every write is idempotent and deletions
//! carry uids. Losing the lease ends the process: a new start begins with fresh knowledge.

use crate::settings::Settings;
use anyhow::Context as _;
use kube::Client;
use kube_lease_manager::LeaseManagerBuilder;
use tokio::sync::watch;

/// How long a lease is valid after its last renewal, in seconds.
const LEASE_SECONDS: u64 = 15;
/// How long before its end the holder renews it, in seconds.
const RENEW_BEFORE_END_SECONDS: u64 = 5;

/// The lease of this process, once it holds it.
pub(crate) struct Leadership {
    held: watch::Receiver<bool>,
    task: tokio::task::JoinHandle<kube_lease_manager::Result<kube_lease_manager::LeaseManager>>,
}

impl Leadership {
    /// Starts to ask for the lease.
    pub(crate) async fn ask(client: Client, settings: &Settings) -> anyhow::Result<Self> {
        let manager = LeaseManagerBuilder::new(client, &settings.lease)
            .with_namespace(&settings.namespace)
            .with_identity(&settings.identity)
            .with_duration(LEASE_SECONDS)
            .with_grace(RENEW_BEFORE_END_SECONDS)
            .build()
            .await
            .with_context(|| format!("ask for the lease {}/{}", settings.namespace, settings.lease))?;
        let (held, task) = manager.watch().await;
        Ok(Self { held, task })
    }

    /// Waits until this process holds the lease.
    ///
    /// # Errors
    /// The renewing task has ended.
    pub(crate) async fn acquired(&mut self) -> anyhow::Result<()> {
        self.held
            .wait_for(|held| *held)
            .await
            .context("the task that renews the lease has ended")?;
        tracing::info!("holding the lease: this replica acts");
        Ok(())
    }

    /// Ends when the lease is lost; then the process must end too.
    pub(crate) fn lost(&self) -> impl Future<Output = ()> + Send + 'static {
        let mut held = self.held.clone();
        async move {
            // An error means that the task is gone, which is a loss as well.
            let _ = held.wait_for(|held| !*held).await;
        }
    }

    /// Gives the lease back, so that the next replica need not wait for its end.
    pub(crate) async fn give_back(self) {
        drop(self.held);
        if let Ok(Ok(manager)) = self.task.await
            && let Err(error) = manager.release().await
        {
            tracing::info!(%error, "the lease was not given back; it runs out by itself");
        }
    }
}
