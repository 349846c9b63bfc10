//! `tim scale`: changes the number of nodes in the object, as `kubectl scale` does.

use crate::arguments::ScaleArguments;
use crate::exit::Exit;
use crate::failure::{Failure, Outcome};
use crate::status::{StatusDocument, Verdict};
use crate::target::{Target, find_cluster};
use crate::terminal::Terminal;
use jiff::Timestamp;
use std::time::Duration;
use tim_catalogue::{command_line, configuration};

/// How often the wait looks.
const INTERVAL: Duration = Duration::from_millis(250);
/// How long `--wait` waits without `--timeout`.
const WAIT_MAX: Duration = Duration::from_secs(600);

/// Scales.
///
/// # Errors
/// The cluster does not exist, nobody would carry the change out, or the wait ran out.
pub async fn run(
    terminal: &Terminal,
    target: &dyn Target,
    timeout: Option<Duration>,
    arguments: &ScaleArguments,
) -> Outcome {
    let cluster = find_cluster(target, Some(&arguments.cluster)).await?;
    terminal.message(target.describe(&cluster));
    let observed = target.observe(&cluster).await?;
    if observed
        .databases
        .iter()
        .any(|database| database.name == tim_plan::names::ONLY_DATABASE)
        && arguments.replicas > 1
    {
        let text = format!(
            "databases: SQLite lives on one node's disk, so replicas must be 1 (is {})",
            arguments.replicas
        );
        return Err(Failure::new(&configuration::SQLITE_ONE_REPLICA, text).exit(Exit::Refused));
    }
    let change = if i64::from(observed.replicas) == i64::from(arguments.replicas) {
        format!("replicas {} already", observed.replicas)
    } else {
        format!("replicas {} → {}", observed.replicas, arguments.replicas)
    };
    if arguments.dry_run {
        let line = format!("{cluster}: {change} (dry run: nothing was changed)");
        match target.scale_patch(&cluster, arguments.replicas) {
            // The patch alone is the result, so that a script can run it.
            Some(patch) => {
                terminal.message(line);
                terminal.data(&patch);
            }
            None => terminal.result(line),
        }
        return Ok(Exit::Done);
    }
    target.check_changeable(&cluster).await?;
    target.scale(&cluster, arguments.replicas).await?;
    terminal.result(format!("{cluster}: {change}"));
    if arguments.wait {
        return wait(terminal, target, &cluster, timeout.unwrap_or(WAIT_MAX)).await;
    }
    Ok(Exit::Done)
}

async fn wait(terminal: &Terminal, target: &dyn Target, cluster: &str, limit: Duration) -> Outcome {
    let deadline = tokio::time::Instant::now() + limit;
    let mut last = String::new();
    loop {
        let status = StatusDocument::of(&target.observe(cluster).await?, Timestamp::now());
        let settled = usize::try_from(status.replicas).is_ok_and(|wanted| status.nodes.len() == wanted);
        let as_wanted =
            status.verdict == Verdict::Healthy || (status.replicas == 0 && status.verdict == Verdict::Paused);
        if settled && as_wanted {
            terminal.result(format!(
                "{cluster}: {} of {} nodes serve",
                status.serving, status.replicas
            ));
            return Ok(Exit::Done);
        }
        let line = format!("waiting: {}", status.reason);
        if line != last {
            terminal.message(&line);
        }
        last = line;
        if tokio::time::Instant::now() >= deadline {
            let observed = format!(
                "{cluster} has {} of {} nodes after {} s",
                status.serving,
                status.replicas,
                limit.as_secs()
            );
            return Err(Failure::new(&command_line::WAIT_RAN_OUT, observed).exit(Exit::TimedOut));
        }
        tokio::time::sleep(INTERVAL).await;
    }
}
