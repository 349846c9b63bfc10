//! What a started cluster prints: where clients connect, where data and logs are, and what to try next.

use crate::table::{Align, Table, WIDTH_MAX, wrap};
use crate::terminal::{Colour, Painted};
use tim_local::databases::{Location, Place};
use tim_local::view::{ClusterView, NodeView};

/// What the block needs besides the cluster.
#[derive(Debug, Clone)]
pub(super) struct Context {
    /// What people type to run `tim`.
    pub(super) command: &'static str,
    /// The cluster's folder, as people write it.
    pub(super) folder: String,
    /// The file that is watched.
    pub(super) file: String,
    /// Whether the cluster runs in the background.
    pub(super) detached: bool,
}

/// The lines, none wider than the limit.
pub(super) fn lines(seen: &ClusterView, context: &Context) -> Vec<String> {
    let mut lines = vec![String::new()];
    lines.extend(nodes(&seen.nodes));
    lines.push(String::new());
    lines.extend(places(seen, context));
    lines.push(String::new());
    lines.extend(next(seen, context));
    lines.push(if context.detached {
        format!(
            "It runs in the background; {} down stops it and keeps its data.",
            context.command
        )
    } else {
        "Ctrl-C stops the cluster and keeps its data.".to_owned()
    });
    lines
}

fn nodes(nodes: &[NodeView]) -> Vec<String> {
    if nodes.is_empty() {
        return vec!["  no node runs: replicas is 0".into()];
    }
    let mut table = Table::new(&[
        ("NODE", Align::Left),
        ("PID", Align::Left),
        ("CLIENTS CONNECT TO", Align::Left),
        ("ADMIN", Align::Left),
    ]);
    for node in nodes {
        let record = node.record.as_ref();
        table.row([
            node.name.clone(),
            node.pid().map_or_else(|| "-".to_owned(), |pid| pid.to_string()),
            record.map_or_else(|| "-".to_owned(), |record| record.client_url()),
            record.map_or_else(|| "-".to_owned(), |record| record.admin_url()),
        ]);
    }
    let mut lines: Vec<String> = table.lines().iter().map(|line| format!("  {line}")).collect();
    for node in nodes {
        for note in port_notes(node) {
            lines.extend(
                wrap(&format!("{}: {note}", node.name), WIDTH_MAX - 4)
                    .into_iter()
                    .map(|line| format!("    {line}")),
            );
        }
    }
    lines
}

/// One line per port that somebody else has; the last one, which says what to do about it, goes with the first.
fn port_notes(node: &NodeView) -> Vec<String> {
    let mut notes = node
        .record
        .as_ref()
        .map(|record| record.port_notes.clone())
        .unwrap_or_default();
    if notes.len() > 1
        && let Some(advice) = notes.pop()
    {
        notes[0] = format!("{}; {advice}", notes[0]);
    }
    notes
}

fn places(seen: &ClusterView, context: &Context) -> Vec<String> {
    let folder = &context.folder;
    let data = format!("{folder}/data");
    let logs = format!("{folder}/logs");
    let mut lines = vec![
        format!("  data   {data}"),
        format!("  logs   {logs}   ({} logs -f)", context.command),
    ];
    let in_files: Vec<&Place> = seen
        .places
        .iter()
        .filter(|place| matches!(place.location, Location::File(_)))
        .collect();
    let declared = !seen.cluster.spec.databases.is_empty();
    if declared && !in_files.is_empty() {
        let names: Vec<&str> = in_files.iter().map(|place| place.name.as_str()).collect();
        let note = format!(
            "{}: SQLite files in {data}, since no Secret among the documents says where else",
            names.join(", ")
        );
        lines.extend(indented(&note));
    }
    lines.extend(by_secret(seen).iter().flat_map(|note| indented(note)));
    lines
}

/// Databases that a Secret places: kept from an earlier start it is easily forgotten.
fn by_secret(seen: &ClusterView) -> Vec<String> {
    let elsewhere = seen
        .places
        .iter()
        .filter(|place| matches!(place.location, Location::Elsewhere { .. }));
    elsewhere
        .filter_map(|place| {
            let mut declared = seen.cluster.spec.databases.iter();
            let secret = &declared
                .find(|database| database.name == place.name)?
                .dsn_secret_ref
                .name;
            Some(format!(
                "{}: {}, as Secret {secret} says",
                place.name,
                place.kind()
            ))
        })
        .collect()
}

fn indented(note: &str) -> impl Iterator<Item = String> + use<> {
    wrap(note, WIDTH_MAX - 2)
        .into_iter()
        .map(|line| format!("  {line}"))
}

fn next(seen: &ClusterView, context: &Context) -> Vec<String> {
    let command = context.command;
    let name = seen.cluster.metadata.name.clone().unwrap_or_default();
    let mut tries = Vec::new();
    if !seen.nodes.is_empty() {
        tries.push((
            format!("{command} chat --as alice bob"),
            "talk to someone (a second terminal: --as bob alice)".to_owned(),
        ));
    }
    tries.extend(chat_page(seen));
    let victim = seen.nodes.get(1).or(seen.nodes.first()).and_then(NodeView::pid);
    if let Some(pid) = victim.filter(|_| seen.nodes.len() > 1) {
        tries.push((
            format!("kill -9 {pid}"),
            "a node dies; watch what users notice: nothing".to_owned(),
        ));
    }
    if !seen.cluster.spec.databases.is_empty() {
        let more = seen.cluster.spec.replicas + 2;
        tries.push((
            format!("{command} scale {name} --replicas {more}"),
            format!("or edit {}, it is being watched", context.file),
        ));
        if let Some(slot) = slot_to_split(seen) {
            tries.push((
                format!("{command} split {name} --at {slot}"),
                "move a part of the data while you chat".to_owned(),
            ));
        }
    }
    let widest = tries
        .iter()
        .map(|(what, _)| what.chars().count())
        .max()
        .unwrap_or(0);
    let mut lines = vec![Painted::new("Try next", Colour::Strong).to_string()];
    for (what, why) in tries {
        let line = format!("  {what:widest$}    {why}");
        if line.chars().count() <= WIDTH_MAX {
            lines.push(line);
        } else {
            lines.push(format!("  {what}"));
            lines.extend(
                wrap(&why, WIDTH_MAX - 6)
                    .into_iter()
                    .map(|line| format!("      {line}")),
            );
        }
    }
    lines
}

/// The chat page of the first node, for a browser.
fn chat_page(seen: &ClusterView) -> Option<(String, String)> {
    let record = seen.nodes.iter().find_map(|node| node.record.as_ref())?;
    let scheme = if record.client_tls { "https" } else { "http" };
    let url = record.client_url();
    let (_, authority) = url.strip_suffix("/tim")?.split_once("://")?;
    let why = "the same in a browser, with live streams".to_owned();
    Some((format!("open {scheme}://{authority}/chat"), why))
}

/// The middle of the first range.
fn slot_to_split(seen: &ClusterView) -> Option<u32> {
    let maps = seen
        .nodes
        .iter()
        .filter_map(|node| node.reply.as_ref()?.map.as_ref());
    let map = maps.max_by_key(|map| map.version)?;
    let mut starts: Vec<u32> = map.ranges.iter().map(|range| range.from).collect();
    starts.sort_unstable();
    let end = starts.get(1).copied().unwrap_or(tim_crds::SLOT_COUNT);
    Some(end / 2).filter(|slot| *slot > 0)
}

#[cfg(test)]
mod tests;
