//! `tim split`: moves the upper part of a range to another database while people chat.

use crate::arguments::SplitArguments;
use crate::exit::Exit;
use crate::failure::{Failure, Outcome};
use crate::quantity::count;
use crate::question::confirm;
use crate::target::{Target, find_cluster, plan_split};
use crate::terminal::Terminal;
use std::time::Duration;
use tim_catalogue::command_line;
use tim_crds::repartition::{RepartitionPhase, TimRepartitionStatus};

/// How often the wait looks.
const INTERVAL: Duration = Duration::from_millis(250);
/// How long `--wait` waits without `--timeout`.
const WAIT_MAX: Duration = Duration::from_secs(24 * 60 * 60);
/// Progress is said again when it has grown by this much.
const PERCENT_STEP: i32 = 10;

/// Splits.
///
/// # Errors
/// The slot or database cannot be used, it was not confirmed, or, with `--wait`, it failed or took too long.
pub async fn run(
    terminal: &Terminal,
    target: &dyn Target,
    timeout: Option<Duration>,
    arguments: &SplitArguments,
) -> Outcome {
    let cluster = find_cluster(target, Some(&arguments.cluster)).await?;
    terminal.message(target.describe(&cluster));
    let observed = target.observe(&cluster).await?;
    let new_database = arguments
        .to
        .is_none()
        .then(|| target.new_database(&observed))
        .flatten();
    let request = plan_split(&observed, arguments.at, arguments.to.as_deref(), new_database)?;
    let slots = count(u64::from(request.to - request.at) + 1);
    let new = if request.new_database { "new database " } else { "" };
    let what = format!(
        "slots {} … {} ({slots}) move from {} to {new}{}",
        request.at, request.to, request.source, request.target
    );
    if arguments.dry_run {
        let line = format!("{cluster}: {what} (dry run: nothing was changed)");
        match target.split_object(&cluster, &request).await? {
            // The object alone is the result, so that it can go into a file or to kubectl.
            Some(object) => {
                terminal.message(line);
                terminal.data(&object);
            }
            None => terminal.result(line),
        }
        return Ok(Exit::Done);
    }
    target.check_changeable(&cluster).await?;
    terminal.message(format!(
        "{what}; chat goes on, and the source is cleaned once the copy has been verified."
    ));
    confirm(terminal, &cluster, arguments.yes)?;
    let name = target.split(&cluster, &request).await?;
    terminal.result(format!("{name}: {what}"));
    if arguments.wait {
        return wait(terminal, target, &name, timeout.unwrap_or(WAIT_MAX)).await;
    }
    terminal.message(format!("follow it with: tim status {cluster} -w"));
    Ok(Exit::Done)
}

async fn wait(terminal: &Terminal, target: &dyn Target, name: &str, limit: Duration) -> Outcome {
    let deadline = tokio::time::Instant::now() + limit;
    let mut told = Told::default();
    loop {
        let status = target.repartition(name).await?.status.unwrap_or_default();
        if let Some(line) = told.line(name, &status) {
            terminal.message(line);
        }
        match status.phase {
            RepartitionPhase::Completed => return Ok(Exit::Done),
            RepartitionPhase::Canceled | RepartitionPhase::Failed => return Ok(Exit::Unhealthy),
            _ => {}
        }
        if tokio::time::Instant::now() >= deadline {
            let observed = format!("{name} is {} after {} s", status.phase.as_str(), limit.as_secs());
            return Err(Failure::new(&command_line::WAIT_RAN_OUT, observed).exit(Exit::TimedOut));
        }
        tokio::time::sleep(INTERVAL).await;
    }
}

/// One line per change of phase or reason, and each tenth of the copy.
#[derive(Debug, Default)]
struct Told {
    phase: Option<(RepartitionPhase, Option<String>)>,
    percent: i32,
}

impl Told {
    fn line(&mut self, name: &str, status: &TimRepartitionStatus) -> Option<String> {
        let percent = status.progress.as_ref().map_or(-1, |progress| progress.percent);
        let now = (status.phase, status.phase_reason.clone());
        if self.phase.as_ref() == Some(&now) && percent < self.percent + PERCENT_STEP {
            return None;
        }
        self.percent = percent.max(0);
        self.phase = Some(now);
        let share = if percent >= 0 {
            format!(" {percent} %")
        } else {
            String::new()
        };
        let reason = status
            .phase_reason
            .as_ref()
            .map_or_else(String::new, |reason| format!(": {reason}"));
        let pause = status
            .cutover
            .as_ref()
            .filter(|cutover| cutover.switched_at.is_some())
            .map_or_else(String::new, |cutover| {
                format!(", write pause {} ms", cutover.last_write_pause_millis)
            });
        Some(format!("{name} {}{share}{pause}{reason}", status.phase.as_str()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tim_crds::repartition::Progress;

    fn status(phase: RepartitionPhase, percent: i32) -> TimRepartitionStatus {
        TimRepartitionStatus {
            phase,
            progress: Some(Progress { percent }),
            ..TimRepartitionStatus::default()
        }
    }

    #[test]
    fn one_line_per_phase_and_tenth() {
        let mut told = Told::default();
        assert!(told.line("s", &status(RepartitionPhase::Copying, 0)).is_some());
        assert!(told.line("s", &status(RepartitionPhase::Copying, 9)).is_none());
        assert_eq!(
            told.line("s", &status(RepartitionPhase::Copying, 10)).unwrap(),
            "s Copying 10 %"
        );
        assert!(told.line("s", &status(RepartitionPhase::Verifying, 10)).is_some());
    }
}
