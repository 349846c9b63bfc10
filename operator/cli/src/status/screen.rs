//! The screen of `tim status`.

use super::document::{NodeRow, StatusDocument, Verdict};
use crate::quantity::{bytes, count, long_duration, milliseconds, rate};
use crate::table::{Align, Table, WIDTH_MAX, wrap};
use crate::terminal::{Colour, Painted};
use jiff::Timestamp;

/// How much to show.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Detail {
    /// Addresses of the nodes too.
    pub wide: bool,
    /// Conditions and certificates too.
    pub verbose: bool,
}

/// The lines, none wider than the limit.
pub fn lines(status: &StatusDocument, detail: Detail, now: Timestamp) -> Vec<String> {
    let mut lines = headline(status);
    lines.push(String::new());
    lines.extend(nodes(status, detail));
    lines.push(String::new());
    lines.extend(partitions(status));
    lines.push(String::new());
    lines.extend(footer(status, now));
    if detail.verbose {
        lines.extend(conditions(status));
    }
    lines
}

/// The colour of a verdict.
pub fn colour(verdict: Verdict) -> Colour {
    match verdict {
        Verdict::Healthy => Colour::Good,
        Verdict::Progressing | Verdict::Paused => Colour::Caution,
        Verdict::Degraded | Verdict::Unavailable | Verdict::Unknown => Colour::Bad,
    }
}

fn headline(status: &StatusDocument) -> Vec<String> {
    let code = status
        .code
        .as_ref()
        .map_or_else(String::new, |code| format!("[{code}, tim explain {code}]"));
    let word = Painted::new(status.verdict.word(), colour(status.verdict));
    let indent = status.cluster.chars().count() + 3;
    let before = indent + status.verdict.word().len() + 3;
    let fits = |text: &str| before + text.chars().count() <= WIDTH_MAX;
    let whole = format!("{}   {code}", status.reason);
    let mut below = Vec::new();
    let first = if fits(whole.trim_end()) {
        whole.trim_end().to_owned()
    } else {
        // The code is what people look for: it has a line of its own where the reason needs all of the first.
        let mut reason = wrap(&status.reason, WIDTH_MAX - before).into_iter();
        let first = reason.next().unwrap_or_default();
        below.extend(wrap(&reason.collect::<Vec<_>>().join(" "), WIDTH_MAX - indent));
        below.push(code);
        first
    };
    let mut lines = vec![format!("{}   {word}   {first}", status.cluster)];
    lines.extend(
        below
            .iter()
            .filter(|line| !line.is_empty())
            .map(|line| format!("{:indent$}{line}", "")),
    );
    lines.extend(
        wrap(&status.meaning, WIDTH_MAX - indent)
            .into_iter()
            .map(|line| format!("{:indent$}{line}", "")),
    );
    let about = format!(
        "{} · clusterId {} · as of {}",
        status.target,
        status.cluster_id,
        clock_time(&status.observed_at)
    );
    lines.extend(
        wrap(&about, WIDTH_MAX)
            .into_iter()
            .map(|line| Painted::new(line, Colour::Quiet).to_string()),
    );
    lines
}

fn clock_time(rfc3339: &str) -> String {
    rfc3339
        .parse::<Timestamp>()
        .map(|time| {
            time.to_zoned(jiff::tz::TimeZone::system())
                .strftime("%H:%M:%S")
                .to_string()
        })
        .unwrap_or_default()
}

fn nodes(status: &StatusDocument, detail: Detail) -> Vec<String> {
    if status.nodes.is_empty() {
        return vec!["No node runs, and none is wanted.".into()];
    }
    let with_pid = status.nodes.iter().any(|node| node.pid.is_some());
    let with_zone = status
        .nodes
        .iter()
        .any(|node| node.zone.as_ref().is_some_and(|zone| !zone.is_empty()));
    let columns = [
        (true, ("NODE", Align::Left)),
        (with_pid, ("PID", Align::Right)),
        (true, ("STATE", Align::Left)),
        (with_zone, ("ZONE", Align::Left)),
        (true, ("VERSION", Align::Left)),
        (true, ("SESSIONS", Align::Right)),
        (true, ("MSG/S", Align::Right)),
        (true, ("ACK P99", Align::Right)),
        (true, ("LAG", Align::Right)),
        (true, ("MEM", Align::Right)),
        (true, ("UP", Align::Left)),
        (true, ("NOTE", Align::Left)),
    ];
    let shown = |index: usize| columns[index].0;
    let titles: Vec<_> = columns
        .iter()
        .filter(|column| column.0)
        .map(|column| column.1)
        .collect();
    let mut table = Table::new(&titles);
    for node in &status.nodes {
        let cells = [
            node.name.clone(),
            or_dash(node.pid),
            Painted::new(node.state.clone(), state_colour(node)).to_string(),
            node.zone.clone().unwrap_or_else(dash),
            node.version.clone().unwrap_or_else(dash),
            node.sessions.map_or_else(dash, count),
            node.messages_per_second.map_or_else(dash, rate),
            node.ack_p99_milliseconds.map_or_else(dash, milliseconds),
            node.lag.map_or_else(dash, count),
            node.resident_bytes.map_or_else(dash, bytes),
            node.uptime_seconds.map_or_else(dash, long_duration),
            node.note.clone(),
        ];
        let cells = cells.into_iter().enumerate().filter(|(index, _)| shown(*index));
        table.row(cells.map(|(_, cell)| cell));
    }
    let mut lines = table.lines();
    if detail.wide {
        lines.push(String::new());
        lines.extend(addresses(status));
    }
    lines
}

fn addresses(status: &StatusDocument) -> Vec<String> {
    let mut table = Table::new(&[
        ("NODE", Align::Left),
        ("CLIENTS CONNECT TO", Align::Left),
        ("ADMIN", Align::Left),
    ]);
    for node in &status.nodes {
        table.row([
            node.name.clone(),
            node.client_url.clone().unwrap_or_else(dash),
            node.admin_url.clone().unwrap_or_else(dash),
        ]);
    }
    table.lines()
}

fn state_colour(node: &NodeRow) -> Colour {
    match node.state.as_str() {
        "serving" => Colour::Good,
        "joining" | "draining" | "left" => Colour::Caution,
        _ => Colour::Bad,
    }
}

fn partitions(status: &StatusDocument) -> Vec<String> {
    if status.partitions.is_empty() {
        return vec!["No node has told the partition map yet.".into()];
    }
    let mut table = Table::new(&[
        ("PARTITION", Align::Left),
        ("SLOTS", Align::Right),
        ("DATABASE", Align::Left),
        ("KIND", Align::Left),
        ("STATE", Align::Left),
        ("SIZE", Align::Right),
        ("COMMIT P99", Align::Right),
        ("EPOCH", Align::Right),
    ]);
    for range in &status.partitions {
        let colour = if range.state == "ok" {
            Colour::Good
        } else {
            Colour::Bad
        };
        table.row([
            format!("{} … {}", range.from, range.to),
            count(u64::from(range.to - range.from) + 1),
            range.database.clone(),
            range.kind.clone(),
            Painted::new(range.state.clone(), colour).to_string(),
            range.size_bytes.map_or_else(dash, bytes),
            range.commit_p99_milliseconds.map_or_else(dash, milliseconds),
            range.epoch.to_string(),
        ]);
    }
    table.lines()
}

fn footer(status: &StatusDocument, now: Timestamp) -> Vec<String> {
    let room = match &status.no_room_because {
        None if status.room_to_lose_a_node => "yes".to_owned(),
        None => "no".to_owned(),
        Some(reason) => format!("no ({reason})"),
    };
    let certificates = status
        .certificates_not_after
        .as_ref()
        .and_then(|time| time.parse::<Timestamp>().ok())
        .map_or_else(String::new, |end| {
            format!(
                "   Certificates: {} d.",
                (end.as_second() - now.as_second()) / 86_400
            )
        });
    let repartition = status.repartitions.first().map_or_else(
        || "none".to_owned(),
        |running| {
            let percent = if running.percent >= 0 {
                format!(" {} %", running.percent)
            } else {
                String::new()
            };
            format!("{} {}{percent}", running.name, running.phase)
        },
    );
    let mut lines = vec![format!(
        "Room to lose a node: {room}.{certificates}   Repartition: {repartition}."
    )];
    if let Some(reason) = status
        .repartitions
        .first()
        .and_then(|running| running.reason.as_ref())
    {
        lines.extend(
            wrap(reason, WIDTH_MAX - 2)
                .into_iter()
                .map(|line| format!("  {line}")),
        );
    }
    lines
}

fn conditions(status: &StatusDocument) -> Vec<String> {
    let mut table = Table::new(&[
        ("CONDITION", Align::Left),
        ("STATUS", Align::Left),
        ("REASON", Align::Left),
        ("MESSAGE", Align::Left),
    ]);
    for condition in &status.conditions {
        table.row([
            condition.kind.clone(),
            condition.status.clone(),
            condition.reason.clone(),
            condition.message.clone(),
        ]);
    }
    std::iter::once(String::new()).chain(table.lines()).collect()
}

fn dash() -> String {
    "-".into()
}

fn or_dash(value: Option<impl ToString>) -> String {
    value.map_or_else(dash, |value| value.to_string())
}

#[cfg(test)]
mod tests;
