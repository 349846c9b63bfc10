//! `tim logs`: the ends of the nodes' logs, and what follows.

use crate::arguments::{Global, LogsArguments};
use crate::exit::Exit;
use crate::failure::{Failure, Outcome};
use crate::target::{LocalTarget, find_cluster};
use crate::terminal::Terminal;
use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};
use std::time::Duration;
use tim_catalogue::command_line;

/// How often logs are looked at.
const INTERVAL: Duration = Duration::from_millis(200);
/// At most this much of the end of each log is read, in bytes.
const TAIL_BYTES_MAX: u64 = 1 << 20;

/// Shows logs.
///
/// # Errors
/// The cluster or node does not exist, or a log cannot be read.
pub async fn run(terminal: &Terminal, global: &Global, arguments: &LogsArguments) -> Outcome {
    let target = LocalTarget::open(global)?;
    let cluster = find_cluster(&target, arguments.cluster.as_deref()).await?;
    let folder = target.directory().cluster(&cluster).logs();
    let mut places: BTreeMap<String, u64> = BTreeMap::new();
    let mut first = true;
    loop {
        for (name, path) in logs(&folder, arguments.node.as_deref())? {
            let failed = |error: io::Error| Failure::unexpected(&error);
            let lines = match places.get(&name) {
                None if first => tail(&path, arguments.lines).map_err(failed)?,
                None => since(&path, 0).map_err(failed)?,
                Some(place) => since(&path, *place).map_err(failed)?,
            };
            places.insert(name.clone(), lines.end);
            lines
                .lines
                .iter()
                .for_each(|line| terminal.result(format!("{name} | {line}")));
        }
        first = false;
        if !arguments.follow {
            return Ok(Exit::Done);
        }
        tokio::time::sleep(INTERVAL).await;
    }
}

struct Lines {
    lines: Vec<String>,
    /// Where the next look begins: behind the last whole line.
    end: u64,
}

fn logs(folder: &Path, wanted: Option<&str>) -> Outcome<Vec<(String, PathBuf)>> {
    let entries = std::fs::read_dir(folder).into_iter().flatten().flatten();
    let mut logs: Vec<(String, PathBuf)> = entries
        .filter_map(|entry| {
            let name = entry.file_name().to_str()?.strip_suffix(".log")?.to_owned();
            Some((name, entry.path()))
        })
        .collect();
    logs.sort();
    let Some(wanted) = wanted else {
        return Ok(logs);
    };
    let known: Vec<String> = logs.iter().map(|(name, _)| name.clone()).collect();
    logs.retain(|(name, _)| name == wanted);
    if logs.is_empty() {
        let observed = format!("there is no log of \"{wanted}\". Known: {}", known.join(", "));
        return Err(Failure::new(&command_line::UNKNOWN_CLUSTER, observed).exit(Exit::Usage));
    }
    Ok(logs)
}

fn tail(path: &Path, count: usize) -> io::Result<Lines> {
    let length = std::fs::metadata(path)?.len();
    let mut read = since(path, length.saturating_sub(TAIL_BYTES_MAX))?;
    let surplus = read.lines.len().saturating_sub(count);
    read.lines.drain(..surplus);
    Ok(read)
}

fn since(path: &Path, place: u64) -> io::Result<Lines> {
    let mut file = File::open(path)?;
    let length = file.metadata()?.len();
    // A shorter log is a new one: the old was put aside.
    let begin = if place > length { 0 } else { place };
    file.seek(SeekFrom::Start(begin))?;
    let mut content = Vec::new();
    file.take(length - begin).read_to_end(&mut content)?;
    let whole = content
        .iter()
        .rposition(|byte| *byte == b'\n')
        .map_or(0, |end| end + 1);
    let text = String::from_utf8_lossy(&content[..whole]);
    let lines = text.lines().map(plain).collect();
    Ok(Lines {
        lines,
        end: begin + u64::try_from(whole).unwrap_or(u64::MAX),
    })
}

/// Without escape codes: whoever wrote the log did not know where it would be read.
fn plain(line: &str) -> String {
    let mut shown = String::with_capacity(line.len());
    let mut characters = line.chars();
    while let Some(character) = characters.next() {
        if character == '\u{1b}' {
            // Up to the letter that ends the sequence.
            for inner in characters.by_ref() {
                if inner.is_ascii_alphabetic() {
                    break;
                }
            }
        } else {
            shown.push(character);
        }
    }
    shown
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_end_is_shown_and_then_only_what_is_new() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("chat-0.log");
        std::fs::write(&path, "one\ntwo\nthree\nhal").unwrap();
        let read = tail(&path, 2).unwrap();
        assert_eq!(read.lines, ["two", "three"]);
        std::fs::write(&path, "one\ntwo\nthree\nhalf\n").unwrap();
        let read = since(&path, read.end).unwrap();
        assert_eq!(read.lines, ["half"]);
        std::fs::write(&path, "new\n").unwrap();
        assert_eq!(since(&path, read.end).unwrap().lines, ["new"]);
    }

    #[test]
    fn escape_codes_are_left_out() {
        assert_eq!(
            plain("\u{1b}[2mtime\u{1b}[0m \u{1b}[32m INFO\u{1b}[0m text"),
            "time  INFO text"
        );
    }

    #[test]
    fn an_unknown_node_gets_the_known_ones() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("chat-0.log"), "").unwrap();
        let failure = logs(folder.path(), Some("chat-9")).unwrap_err();
        assert!(failure.to_string().contains("Known: chat-0"), "{failure}");
    }
}
