//! `tim up --detach`: the same command once more without a terminal, followed until the cluster is ready.

use super::Start;
use super::narrator::READY;
use crate::arguments::Global;
use crate::exit::Exit;
use crate::failure::{Failure, Outcome};
use crate::question::confirm;
use std::io::{Read, Seek, SeekFrom};
use std::path::Path;
use std::process::Child;
use std::time::Duration;
use tim_catalogue::command_line;
use tim_local::file::{create_folder, remove_file};
use tim_local::process::start_detached;

/// How long the start may take without `--timeout`.
const START_MAX: Duration = Duration::from_secs(60);
const INTERVAL: Duration = Duration::from_millis(100);

pub(super) async fn run(start: &Start<'_>, global: &Global) -> Outcome {
    let folder = start.directory.cluster(&start.cluster);
    if start.arguments.fresh && folder.root().exists() {
        start
            .terminal
            .message(format!("--fresh throws away all data of {}.", start.cluster));
        confirm(start.terminal, &start.cluster, start.arguments.yes)?;
    }
    // Beside the cluster's folder, which --fresh removes.
    let log = start.directory.root().join(format!("{}.up.log", start.cluster));
    create_folder(start.directory.root()).map_err(|error| Failure::unexpected(&error))?;
    // Each start tells its own story; nobody else runs this cluster.
    remove_file(&log).map_err(|error| Failure::unexpected(&error))?;
    let own = std::env::current_exe().map_err(|error| Failure::unexpected(&error))?;
    let child =
        start_detached(&own, &arguments(start, global), &log).map_err(|error| Failure::unexpected(&error))?;
    let limit = global.timeout.unwrap_or(START_MAX);
    let exit = follow(start, child, &log, limit).await?;
    if exit == Exit::Done {
        start.show_block().await?;
    }
    Ok(exit)
}

fn arguments(start: &Start<'_>, global: &Global) -> Vec<String> {
    let mut arguments = vec![
        "up".to_owned(),
        "--background".to_owned(),
        "--color=never".to_owned(),
    ];
    if let Some(directory) = &global.dir {
        arguments.extend(["--dir".to_owned(), directory.display().to_string()]);
    }
    if start.arguments.fresh {
        arguments.extend(["--fresh".to_owned(), "--yes".to_owned()]);
    }
    if let Some(port) = start.arguments.port {
        arguments.extend(["--port".to_owned(), port.to_string()]);
    }
    if let Some(replicas) = start.arguments.replicas {
        arguments.extend(["--replicas".to_owned(), replicas.to_string()]);
    }
    arguments.extend(start.source.files.iter().map(|file| file.display().to_string()));
    arguments
}

/// Shows what the background half says until the cluster is ready, or until it ends.
async fn follow(start: &Start<'_>, mut child: Child, log: &Path, limit: Duration) -> Outcome {
    let deadline = tokio::time::Instant::now() + limit;
    let mut place = 0;
    let mut headline_is_over = false;
    loop {
        for line in new_lines(log, &mut place) {
            // Both halves begin with the same headline.
            headline_is_over |= line.starts_with("  ") || line.starts_with("TIM-");
            if headline_is_over {
                start.terminal.message(&line);
            }
            // The block is shown by this half: the other one's goes to a file.
            if line.starts_with(READY) {
                return Ok(Exit::Done);
            }
        }
        if let Ok(Some(status)) = child.try_wait() {
            let code = status.code().and_then(|code| u8::try_from(code).ok());
            let known = code.and_then(|code| Exit::ALL.into_iter().find(|exit| exit.code() == code));
            if let Some(exit) = known.filter(|exit| *exit != Exit::Done) {
                return Ok(exit);
            }
            let observed = format!("it ended with {status}; see {}", log.display());
            return Err(Failure::new(&command_line::SUPERVISOR_FAILED, observed));
        }
        if tokio::time::Instant::now() >= deadline {
            let observed = format!(
                "{} is not ready after {} s; it is still being started",
                start.cluster,
                limit.as_secs()
            );
            return Err(Failure::new(&command_line::NOT_STARTED, observed).exit(Exit::TimedOut));
        }
        tokio::time::sleep(INTERVAL).await;
    }
}

fn new_lines(log: &Path, place: &mut u64) -> Vec<String> {
    let mut text = String::new();
    let read = std::fs::File::open(log).and_then(|mut file| {
        file.seek(SeekFrom::Start(*place))?;
        file.read_to_string(&mut text)
    });
    if read.is_err() {
        return Vec::new();
    }
    let whole = text.rfind('\n').map_or(0, |end| end + 1);
    *place += u64::try_from(whole).unwrap_or(0);
    text[..whole].lines().map(str::to_owned).collect()
}
