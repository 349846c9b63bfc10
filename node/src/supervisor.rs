//! Tasks of the process: none ends unseen, all end in bounded time.

use std::future::Future;
use std::time::Duration;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

/// Tells a task that the process stops.
#[derive(Debug, Clone)]
pub(crate) struct Stop(CancellationToken);

impl Stop {
    /// Returns when the process stops.
    pub(crate) async fn stopped(&mut self) {
        self.0.cancelled().await;
    }

    /// The token, for libraries that want one.
    pub(crate) fn token(&self) -> CancellationToken {
        self.0.clone()
    }
}

/// Runs the process' tasks.
#[derive(Debug, Default)]
pub(crate) struct Supervisor {
    stop: CancellationToken,
    tasks: JoinSet<&'static str>,
}

impl Supervisor {
    /// A handle by which tasks learn that the process stops.
    pub(crate) fn stop(&self) -> Stop {
        Stop(self.stop.clone())
    }

    /// Runs a task that is cut off when the process stops. One that ends before is a fault and stops the process.
    pub(crate) fn run(&mut self, name: &'static str, task: impl Future<Output = ()> + Send + 'static) {
        let stop = self.stop.clone();
        self.run_to_its_end(name, async move {
            stop.run_until_cancelled(task).await;
        });
    }

    /// As [`Supervisor::run`], for a task that looks for the stop itself and then ends in its own way.
    pub(crate) fn run_to_its_end(
        &mut self,
        name: &'static str,
        task: impl Future<Output = ()> + Send + 'static,
    ) {
        self.tasks.spawn(async move {
            task.await;
            name
        });
    }

    /// Waits until a task has ended, which none should; says which.
    pub(crate) async fn watch(&mut self) -> String {
        match self.tasks.join_next().await {
            Some(Ok(name)) => format!("the task {name} has ended"),
            Some(Err(error)) => format!("a task has failed: {error}"),
            None => std::future::pending().await,
        }
    }

    /// Stops all tasks; those that do not end within the limit are cut off.
    pub(crate) async fn end(mut self, limit: Duration) {
        self.stop.cancel();
        let ended = async { while self.tasks.join_next().await.is_some() {} };
        if tokio::time::timeout(limit, ended).await.is_err() {
            tracing::debug!("some tasks did not end in time");
        }
        self.tasks.abort_all();
    }
}
