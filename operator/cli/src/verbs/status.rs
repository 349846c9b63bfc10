//! `tim status`: one screen, again and again, or a document.

use crate::arguments::StatusArguments;
use crate::exit::Exit;
use crate::failure::{Failure, Outcome};
use crate::output::{OutputFormat, write_document};
use crate::status::screen::{self, Detail};
use crate::status::{StatusDocument, Verdict};
use crate::target::{Target, find_cluster};
use crate::terminal::Terminal;
use jiff::Timestamp;
use std::time::Duration;
use tim_catalogue::command_line;

/// How often a watched screen is drawn.
const WATCH_INTERVAL: Duration = Duration::from_secs(2);
/// How often a wait looks.
const WAIT_INTERVAL: Duration = Duration::from_millis(250);
/// How long `--wait-for` waits without `--timeout`.
const WAIT_MAX: Duration = Duration::from_secs(300);

/// What is common to all ways of looking.
struct View<'a> {
    terminal: &'a Terminal,
    target: &'a dyn Target,
    cluster: String,
    format: OutputFormat,
    detail: Detail,
}

/// Shows the status.
///
/// # Errors
/// The cluster does not exist, or the target cannot be asked at all.
pub async fn run(
    terminal: &Terminal,
    target: &dyn Target,
    format: OutputFormat,
    timeout: Option<Duration>,
    arguments: &StatusArguments,
) -> Outcome {
    let cluster = find_cluster(target, arguments.cluster.as_deref()).await?;
    let detail = Detail {
        wide: format == OutputFormat::Wide,
        verbose: arguments.verbose,
    };
    let view = View {
        terminal,
        target,
        cluster,
        format,
        detail,
    };
    if arguments.wait_for.is_some() {
        return view.wait_for_healthy(timeout.unwrap_or(WAIT_MAX)).await;
    }
    if arguments.watch {
        return view.watch().await;
    }
    let status = view.look().await?;
    view.show(&status)?;
    Ok(exit_of(status.verdict))
}

fn exit_of(verdict: Verdict) -> Exit {
    if verdict == Verdict::Healthy {
        Exit::Done
    } else {
        Exit::Unhealthy
    }
}

impl View<'_> {
    async fn look(&self) -> Outcome<StatusDocument> {
        let observed = self.target.observe(&self.cluster).await?;
        Ok(StatusDocument::of(&observed, Timestamp::now()))
    }

    fn show(&self, status: &StatusDocument) -> Outcome<()> {
        match self.format {
            OutputFormat::Json | OutputFormat::Yaml => write_document(self.terminal, self.format, status)?,
            OutputFormat::Name => status
                .nodes
                .iter()
                .for_each(|node| self.terminal.result(&node.name)),
            OutputFormat::Table | OutputFormat::Wide => {
                let lines = screen::lines(status, self.detail, Timestamp::now());
                lines.iter().for_each(|line| self.terminal.result(line));
            }
        }
        Ok(())
    }

    /// Draws again and again; where nothing can be drawn over, one line per change.
    async fn watch(&self) -> Outcome {
        let mut last = String::new();
        let live = self.terminal.can_watch() && !self.format.is_document();
        let _screen = live.then(|| self.terminal.alternate_screen());
        loop {
            let status = self.look().await?;
            if live {
                self.terminal
                    .draw(&screen::lines(&status, self.detail, Timestamp::now()));
            } else if self.format.is_document() {
                self.show(&status)?;
            } else {
                let line = one_line(&status);
                if line != last {
                    self.terminal.result(&line);
                }
                last = line;
            }
            tokio::time::sleep(WATCH_INTERVAL).await;
        }
    }

    async fn wait_for_healthy(&self, limit: Duration) -> Outcome {
        let deadline = tokio::time::Instant::now() + limit;
        let mut last = String::new();
        loop {
            let status = self.look().await?;
            if status.verdict == Verdict::Healthy {
                self.show(&status)?;
                return Ok(Exit::Done);
            }
            let line = one_line(&status);
            if line != last {
                self.terminal.message(format!("waiting: {line}"));
            }
            last = line;
            if tokio::time::Instant::now() + WAIT_INTERVAL > deadline {
                self.show(&status)?;
                let seconds = limit.as_secs();
                let observed = format!("{} is {} after {seconds} s", self.cluster, status.verdict.word());
                return Err(Failure::new(&command_line::WAIT_RAN_OUT, observed).exit(Exit::TimedOut));
            }
            tokio::time::sleep(WAIT_INTERVAL).await;
        }
    }
}

fn one_line(status: &StatusDocument) -> String {
    let code = status
        .code
        .as_ref()
        .map_or_else(String::new, |code| format!(" [{code}]"));
    format!(
        "{} {} {}{code}",
        status.cluster,
        status.verdict.word(),
        status.reason
    )
}
