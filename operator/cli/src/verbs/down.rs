//! `tim down`: stops a cluster of this machine, however it was started.

use crate::arguments::{DownArguments, Global};
use crate::exit::Exit;
use crate::failure::{Failure, Outcome};
use crate::target::{LocalTarget, Target, find_cluster};
use crate::terminal::Terminal;
use nix::sys::signal::Signal;
use std::time::Duration;
use tim_catalogue::command_line;
use tim_local::lock::SupervisorLock;
use tim_local::view;

/// How long it may take without `--timeout`.
const STOP_MAX: Duration = Duration::from_secs(60);
/// How long nodes get when nobody supervises them.
const NODE_GRACE: Duration = Duration::from_secs(10);
const INTERVAL: Duration = Duration::from_millis(50);

/// Says what would be stopped.
async fn would_stop(terminal: &Terminal, target: &LocalTarget, cluster: &str) -> Outcome {
    let observed = target.observe(cluster).await?;
    let running: Vec<&str> = observed
        .nodes
        .iter()
        .filter(|node| node.present)
        .map(|node| node.name.as_str())
        .collect();
    let text = if running.is_empty() {
        "nothing runs".to_owned()
    } else {
        format!("{} would stop, data kept", running.join(", "))
    };
    terminal.result(format!("{cluster}: {text} (dry run: nothing was changed)"));
    Ok(Exit::Done)
}

/// Stops it.
///
/// # Errors
/// The cluster does not exist, or it has not stopped in time.
pub async fn run(terminal: &Terminal, global: &Global, arguments: &DownArguments) -> Outcome {
    let target = LocalTarget::open(global)?;
    let cluster = find_cluster(&target, arguments.cluster.as_deref()).await?;
    terminal.message(target.describe(&cluster));
    let folder = target.directory().cluster(&cluster);
    let holder = SupervisorLock::holder(&folder.lock()).map_err(|error| Failure::unexpected(&error))?;
    if arguments.dry_run {
        return would_stop(terminal, &target, &cluster).await;
    }
    let Some(holder) = holder else {
        let stopped = view::stop_unsupervised(&folder, NODE_GRACE)
            .await
            .map_err(|error| Failure::unexpected(&error))?;
        let text = if stopped == 0 {
            "nothing runs".to_owned()
        } else {
            let noun = if stopped == 1 { "node" } else { "nodes" };
            format!("{stopped} {noun} stopped, data kept")
        };
        terminal.result(format!("{cluster}: {text}"));
        return Ok(Exit::Done);
    };
    holder.process.signal(Signal::SIGTERM);
    let limit = global.timeout.unwrap_or(STOP_MAX);
    let deadline = tokio::time::Instant::now() + limit;
    while holder.process.is_alive() {
        if tokio::time::Instant::now() >= deadline {
            let observed = format!(
                "tim up (process {}) still runs after {} s",
                holder.process.pid,
                limit.as_secs()
            );
            return Err(Failure::new(&command_line::WAIT_RAN_OUT, observed).exit(Exit::TimedOut));
        }
        tokio::time::sleep(INTERVAL).await;
    }
    terminal.result(format!("{cluster}: stopped, data kept"));
    Ok(Exit::Done)
}
