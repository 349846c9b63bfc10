//! Tells a start step by step, and afterwards only what a person would want to know.

use crate::exit::Exit;
use crate::quantity::short_duration;
use crate::table::{WIDTH_MAX, wrap};
use crate::target::shown_path;
use crate::terminal::{Colour, Painted, Terminal};
use crate::verbs::version::VERSION;
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use std::path::PathBuf;
use std::time::{Duration, Instant};
use tim_crds::document::Skipped;
use tim_local::changes::FieldChange;
use tim_local::databases::{self, Place};
use tim_local::directory::{ClusterDirectory, LocalDirectory};
use tim_local::documents::AppliedSource;
use tim_local::event::{Event, Step};
use tim_local::objects::ObjectStore;

/// How the line begins that ends a start.
pub(super) const READY: &str = "Ready in";
/// How often the spinner turns.
const SPINNER_INTERVAL: Duration = Duration::from_millis(100);

/// Tells.
pub(super) struct Narrator {
    terminal: Terminal,
    began: Instant,
    waiting: ProgressBar,
    last_wait: String,
    /// The day of the data of an earlier start, until they have been told of.
    kept: Option<String>,
    /// Whether nodes of an earlier supervisor went on: what they counted at their start says little about now.
    adopted: bool,
    exit: Exit,
}

impl Narrator {
    /// `began` is when the start began.
    pub(super) fn new(terminal: Terminal, began: Instant) -> Self {
        let target = if terminal.can_redraw() {
            ProgressDrawTarget::stderr()
        } else {
            ProgressDrawTarget::hidden()
        };
        let waiting = ProgressBar::with_draw_target(None, target);
        let style = ProgressStyle::with_template("  {spinner} {msg}")
            .unwrap_or_else(|_| ProgressStyle::default_spinner());
        let ticks = if terminal.unicode() {
            "⠋⠙⠹⠸⠼⠴⠦⠧⠇⠏ "
        } else {
            "|/-\\ "
        };
        waiting.set_style(style.tick_chars(ticks));
        Self {
            terminal,
            began,
            waiting,
            last_wait: String::new(),
            kept: None,
            adopted: false,
            exit: Exit::Done,
        }
    }

    /// How the command ends.
    pub(super) fn exit(&self) -> Exit {
        self.exit
    }

    /// Begins to count anew: the time a question waited for its answer is not the start's.
    pub(super) fn begin(&mut self) {
        self.began = Instant::now();
    }

    /// The first line.
    pub(super) fn headline(&self, files: &[PathBuf], cluster: &str) {
        let files: Vec<String> = files.iter().map(|file| shown_path(file)).collect();
        self.terminal.message(format!(
            "tim {VERSION} · {} · TimCluster {cluster}",
            files.join(", ")
        ));
        self.terminal.message("");
    }

    /// Looks for data of an earlier start; they are told of once it is known how much they are.
    pub(super) fn kept_data(&mut self, folder: &ClusterDirectory) {
        let newest = std::fs::read_dir(folder.data())
            .into_iter()
            .flatten()
            .flatten()
            .filter_map(|entry| entry.metadata().ok()?.modified().ok())
            .max()
            .and_then(|time| jiff::Timestamp::try_from(time).ok());
        self.kept = newest.map(|time| {
            let zoned = time.to_zoned(jiff::tz::TimeZone::system());
            zoned.strftime("%Y-%m-%d").to_string()
        });
    }

    fn tell_of_kept_data(&mut self, messages: Option<u64>) {
        if let Some(date) = self.kept.take() {
            self.above(&kept_text(&date, messages.filter(|_| !self.adopted)));
        }
    }

    /// Says what applying the files came to.
    pub(super) fn applied(
        &mut self,
        applied: &AppliedSource,
        store: &ObjectStore,
        directory: &LocalDirectory,
    ) {
        let cluster = &applied.cluster.object;
        let name = cluster.metadata.name.clone().unwrap_or_default();
        let places = databases::places(store, &directory.cluster(&name), cluster).unwrap_or_default();
        let ranges = if cluster.spec.partitioning.layout.is_empty() {
            places.len()
        } else {
            cluster.spec.partitioning.layout.len()
        };
        let mut parts = vec![
            plural(usize::try_from(cluster.spec.replicas).unwrap_or(0), "node"),
            plural(ranges, "partition"),
        ];
        // A DSN that says nothing usable is told as a problem of its own.
        for kind in places.iter().filter_map(Place::known_kind) {
            if !parts.iter().any(|part| part == kind) {
                parts.push(kind.to_owned());
            }
        }
        self.step("configuration valid", &parts.join(", "));
        for change in &applied.cluster.reverted {
            self.note(&format!(
                "{change}: a command had changed it, the file says otherwise"
            ));
        }
        for change in applied
            .cluster
            .changes
            .iter()
            .filter(|change| !applied.cluster.reverted.contains(change))
        {
            self.note(&format!("{change}: changed in the file"));
        }
        if !applied.kept_databases.is_empty() {
            self.note(&format!(
                "{} kept: made by tim split",
                applied.kept_databases.join(", ")
            ));
        }
        self.skipped(&applied.skipped);
    }

    fn skipped(&self, skipped: &[Skipped]) {
        if !skipped.is_empty() {
            let names: Vec<String> = skipped
                .iter()
                .map(|document| format!("{} {}", document.kind, document.name))
                .collect();
            self.note(&format!("left out, for Kubernetes only: {}", names.join(", ")));
        }
    }

    fn note(&self, text: &str) {
        for line in wrap(text, WIDTH_MAX - 4) {
            self.above(&format!("    {line}"));
        }
    }

    fn step(&self, what: &str, detail: &str) {
        let mark = Painted::new("✔", Colour::Good);
        let time = short_duration(self.began.elapsed());
        for (index, line) in wrap(detail, WIDTH_MAX - 52)
            .iter()
            .map(String::as_str)
            .chain([""])
            .enumerate()
        {
            match index {
                0 => self.above(format!("  {mark} {what:36}{time:>9}   {line}").trim_end()),
                _ if line.is_empty() => {}
                _ => self.above(&format!("{:51}{line}", "")),
            }
        }
    }

    /// A line above the spinner.
    fn above(&self, line: &str) {
        self.waiting.suspend(|| self.terminal.message(line));
    }

    /// Tells an event.
    pub(super) fn tell(&mut self, event: Event) {
        match event {
            Event::Done { step, detail, schema } => {
                self.step(&title(step, schema), &self.detail(step, detail))
            }
            Event::Waiting { step, detail } => self.wait(step, &detail),
            Event::Ready { messages } => {
                self.tell_of_kept_data(messages);
                self.waiting.finish_and_clear();
                self.terminal
                    .message(format!("{READY} {}.", short_duration(self.began.elapsed())));
            }
            Event::Adopted { nodes } => {
                self.adopted = true;
                self.note(&format!("{} still ran and go on", nodes.join(", ")));
            }
            Event::Problem(report) => {
                // What is wrong may be wrong with them, and starting over may be what helps.
                self.tell_of_kept_data(None);
                self.event(&Event::Problem(report));
            }
            other => self.event(&other),
        }
    }

    fn detail(&self, step: Step, detail: String) -> String {
        if step == Step::Trust {
            "kept beside the data, never printed".to_owned()
        } else {
            detail
        }
    }

    /// A wait is drawn over on a terminal, and a line of its own elsewhere.
    fn wait(&mut self, step: Step, detail: &str) {
        let text = format!("{}: {detail}", waiting_title(step));
        if self.terminal.can_redraw() {
            self.waiting.enable_steady_tick(SPINNER_INTERVAL);
            let text = crate::table::cut(&text, WIDTH_MAX - 4);
            self.waiting.set_message(self.terminal.for_messages(&text));
        } else if text != self.last_wait {
            self.note(&text);
            self.last_wait = text;
        }
    }

    fn event(&mut self, event: &Event) {
        if let Event::StoppedAll { killed } = event
            && *killed > 0
        {
            self.exit = Exit::Interrupted;
        }
        let Some(text) = event_text(event) else {
            return;
        };
        let time = jiff::Zoned::now().strftime("%H:%M:%S").to_string();
        self.waiting.suspend(|| {
            for (index, line) in wrap(&text, WIDTH_MAX - 10).iter().enumerate() {
                let time = if index == 0 { time.as_str() } else { "" };
                self.terminal.result(format!("{time:8}  {line}"));
            }
        });
    }
}

fn title(step: Step, schema: Option<u64>) -> String {
    match (step, schema) {
        (Step::Trust, _) => "certificates and cluster key".into(),
        (Step::Databases, Some(number)) => format!("databases migrated (schema {number})"),
        (Step::Databases, None) => "databases migrated".into(),
        (Step::Nodes, _) => "nodes serving".into(),
        (Step::Leader, _) => "control group has a leader".into(),
    }
}

fn kept_text(date: &str, messages: Option<u64>) -> String {
    let messages = messages.map_or_else(String::new, |count| format!(", {}", plural_u64(count, "message")));
    format!("  data of {date} kept{messages}, --fresh starts over")
}

fn waiting_title(step: Step) -> &'static str {
    match step {
        Step::Trust => "certificates",
        Step::Databases => "databases",
        Step::Nodes => "nodes",
        Step::Leader => "control group",
    }
}

/// The event in words; nothing for what nobody needs to know.
fn event_text(event: &Event) -> Option<String> {
    Some(match event {
        Event::Problem(report) => report.to_string(),
        Event::Healed(report) => format!("over: {} {}", report.cause().code, report.observed()),
        Event::Recovered {
            node,
            how,
            restarted_after,
            sessions_back,
            messages_lost,
        } => {
            let mut text = format!(
                "{node} ended by {how}, serves again after {}",
                seconds(*restarted_after)
            );
            if let Some((count, after)) = sessions_back {
                text.push_str(&format!(
                    "; {} back after {}",
                    plural_u64(*count, "session"),
                    seconds(*after)
                ));
            }
            if let Some(lost) = messages_lost {
                text.push_str(&format!(", {} lost", plural_u64(*lost, "message")));
            }
            text
        }
        Event::Killed { node, silent } => {
            format!(
                "{node} has not answered for {}: killed, it is started again",
                seconds(*silent)
            )
        }
        Event::Serving { node, after } => format!("{node} serving ({})", seconds(*after)),
        Event::Stopped { node, again: true } => {
            format!("{node} stopped after draining, to start with what has changed")
        }
        Event::Stopped { node, again: false } => format!("{node} stopped"),
        Event::Changed {
            file,
            changes,
            reverted,
        } => changed_text(file.as_ref(), changes, reverted),
        Event::Refused { message } => format!("{message} (the cluster is left as it was)"),
        Event::Repartition { name, phase, reason } => {
            let reason = reason
                .as_ref()
                .map_or_else(String::new, |reason| format!(": {reason}"));
            format!("{name} {phase}{reason}")
        }
        Event::Stopping { nodes } => {
            format!("stopping {}; again Ctrl-C stops at once", plural(*nodes, "node"))
        }
        Event::StoppedAll { killed: 0 } => "stopped; nothing acknowledged is lost, data kept".to_owned(),
        Event::StoppedAll { killed } => format!(
            "stopped, {} by force; what was acknowledged is durable, data kept",
            plural(*killed, "node")
        ),
        // Told as a recovery once it is over.
        Event::Ended { .. } => return None,
        Event::Done { .. } | Event::Waiting { .. } | Event::Ready { .. } | Event::Adopted { .. } => {
            return None;
        }
    })
}

fn changed_text(file: Option<&PathBuf>, changes: &[FieldChange], reverted: &[FieldChange]) -> String {
    let what: Vec<String> = changes
        .iter()
        .map(|change| {
            let back = if reverted.contains(change) {
                " (back to what the file says)"
            } else {
                ""
            };
            format!("{change}{back}")
        })
        .collect();
    let who = file.map_or_else(
        || "changed by a command".to_owned(),
        |file| format!("{} changed", shown_path(file)),
    );
    format!("{who}: {}", what.join(", "))
}

fn seconds(duration: Duration) -> String {
    format!("{:.1} s", duration.as_secs_f64())
}

fn plural(count: usize, noun: &str) -> String {
    plural_u64(u64::try_from(count).unwrap_or(u64::MAX), noun)
}

fn plural_u64(count: u64, noun: &str) -> String {
    if count == 1 {
        format!("1 {noun}")
    } else {
        format!("{} {noun}s", crate::quantity::count(count))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_recovery_says_how_long_users_noticed_it() {
        let event = Event::Recovered {
            node: "chat-1".into(),
            how: "signal 9".into(),
            restarted_after: Duration::from_millis(430),
            sessions_back: Some((3, Duration::from_millis(910))),
            messages_lost: Some(0),
        };
        assert_eq!(
            event_text(&event).unwrap(),
            "chat-1 ended by signal 9, serves again after 0.4 s; 3 sessions back after 0.9 s, 0 messages lost"
        );
    }

    #[test]
    fn the_schema_and_what_was_kept_are_told_as_far_as_they_are_known() {
        assert_eq!(title(Step::Databases, Some(7)), "databases migrated (schema 7)");
        assert_eq!(title(Step::Databases, None), "databases migrated");
        assert_eq!(
            kept_text("2026-11-19", Some(1_204)),
            "  data of 2026-11-19 kept, 1,204 messages, --fresh starts over"
        );
        assert_eq!(
            kept_text("2026-11-19", None),
            "  data of 2026-11-19 kept, --fresh starts over"
        );
    }

    #[test]
    fn a_change_says_who_and_what_and_what_was_taken_back() {
        let change = FieldChange {
            path: "replicas".into(),
            before: Some("5".into()),
            after: Some("3".into()),
        };
        let file = PathBuf::from("examples/chat.yaml");
        let text = changed_text(
            Some(&file),
            std::slice::from_ref(&change),
            std::slice::from_ref(&change),
        );
        assert_eq!(
            text,
            "examples/chat.yaml changed: replicas 5 → 3 (back to what the file says)"
        );
        assert_eq!(
            changed_text(None, &[change], &[]),
            "changed by a command: replicas 5 → 3"
        );
    }
}
