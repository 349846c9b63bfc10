//! The examples for writers of clients, as they are documented, against three nodes of which one is killed: what was
//! acknowledged arrives once and in order. `e2e/test-all.sh examples` brings Node, Python and Go and runs these; without
//! them they would fail, so `cargo test` leaves them out.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "tests")]

mod support;

use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;
use support::Cluster;
use tokio::io::{AsyncBufReadExt, BufReader, Lines};
use tokio::process::{Child, ChildStdout, Command};

/// How long one line of a running example may take; Go and Rust are compiled first.
const LINE_PATIENCE: Duration = Duration::from_secs(240);
/// How many messages each example sends.
const MESSAGES: usize = 300;
/// After so many of them the node dies.
const KILL_AT: usize = 100;

/// An example that runs, in a process group of its own: `go run` and `cargo run` start the program as their child.
struct Example {
    process: Child,
    lines: Lines<BufReader<ChildStdout>>,
}

impl Example {
    fn start(command: &mut Command, arguments: &[&str]) -> Self {
        let mut process = command
            .args(arguments)
            .stdout(Stdio::piped())
            .process_group(0)
            .kill_on_drop(true)
            .spawn()
            .unwrap_or_else(|error| panic!("{command:?} does not start: {error}"));
        let output = process.stdout.take().unwrap();
        Self {
            process,
            lines: BufReader::new(output).lines(),
        }
    }

    /// The next line that begins like that; others are passed over. Nothing once the example has ended.
    async fn line(&mut self, beginning: &str) -> Option<String> {
        loop {
            let line = tokio::time::timeout(LINE_PATIENCE, self.lines.next_line()).await;
            let line = line.unwrap_or_else(|_| panic!("no line that begins with {beginning:?}"));
            match line.unwrap() {
                Some(line) if line.starts_with(beginning) => return Some(line),
                Some(_) => {}
                None => return None,
            }
        }
    }
}

/// Two run the example; the node that both are on is killed half-way.
async fn loses_nothing(name: &str, command: impl Fn() -> Command) {
    let mut cluster = Cluster::start(3, &["d0", "d1"]).await;
    cluster.see_each_other(3).await;
    let urls: Vec<String> = (0..3).map(|index| cluster.client_url(index)).collect();
    let urls = urls.join(",");
    let mut receiver = Example::start(&mut command(), &[&urls, "bob", "secret"]);
    let online = receiver.line("online as ").await.unwrap();
    let bob = online.trim_start_matches("online as ").to_owned();
    let count = MESSAGES.to_string();
    let mut sender = Example::start(&mut command(), &[&urls, "alice", "secret", &bob, &count]);
    for number in 1..=MESSAGES {
        let stored = sender.line("stored ").await;
        let expected = format!("stored {number} as ");
        let stored = stored.unwrap_or_else(|| panic!("{name} ended before message {number} was stored"));
        assert!(
            stored.starts_with(&expected),
            "{name}: {stored:?}, not {expected:?}"
        );
        if number == KILL_AT {
            cluster.kill(0);
        }
    }
    assert_eq!(
        sender.line("done").await,
        Some(format!("done: {MESSAGES} stored")),
        "{name}"
    );
    for number in 1..=MESSAGES {
        let received = receiver.line("received ").await.unwrap();
        let expected = format!(": message {number}");
        assert!(
            received.ends_with(&expected),
            "{name}: {received:?}, not {expected:?}"
        );
    }
}

impl Drop for Example {
    fn drop(&mut self) {
        if let Some(group) = self.process.id() {
            let group = format!("-{group}");
            // One that has ended already has nothing to be ended.
            let _ = std::process::Command::new("kill")
                .args(["-9", "--", &group])
                .status();
        }
    }
}

fn examples() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../examples/clients")
}

#[test]
fn each_has_at_most_60_lines() {
    for file in [
        "javascript/client.mjs",
        "python/client.py",
        "go/main.go",
        "rust/client.rs",
    ] {
        let text = std::fs::read_to_string(examples().join(file)).unwrap();
        let (lines, widest) = (
            text.lines().count(),
            text.lines().map(|line| line.chars().count()).max(),
        );
        assert!(lines <= 60, "{file} has {lines} lines");
        assert!(widest <= Some(130), "{file} has a line of {widest:?} characters");
    }
}

/// A program, or the one that a variable names.
fn program(variable: &str, otherwise: &str) -> Command {
    Command::new(std::env::var(variable).unwrap_or_else(|_| otherwise.to_owned()))
}

#[tokio::test]
#[ignore = "needs Node and its package ws; run by e2e/test-all.sh examples"]
async fn javascript() {
    loses_nothing("javascript", || {
        let mut command = program("TIM_TEST_NODE", "node");
        command.arg(examples().join("javascript/client.mjs"));
        command
    })
    .await;
}

#[tokio::test]
#[ignore = "needs Python and its package websockets; run by e2e/test-all.sh examples"]
async fn python() {
    loses_nothing("python", || {
        let mut command = program("TIM_TEST_PYTHON", "python3");
        command.arg(examples().join("python/client.py"));
        command
    })
    .await;
}

#[tokio::test]
#[ignore = "needs Go; run by e2e/test-all.sh examples"]
async fn go() {
    loses_nothing("go", || {
        let mut command = program("TIM_TEST_GO", "go");
        command.args(["run", "."]).current_dir(examples().join("go"));
        command
    })
    .await;
}

#[tokio::test]
#[ignore = "compiles the example; run by e2e/test-all.sh examples"]
async fn rust() {
    loses_nothing("rust", || {
        let mut command = program("CARGO", "cargo");
        command.args(["run", "--quiet", "-p", "tim-client", "--example", "client", "--"]);
        command
    })
    .await;
}
