//! Runs the real `tim`, with the real `tim-node` beside it, in a folder of its own.

#![allow(dead_code, reason = "each test binary uses a part")]
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test may stop at the first surprise"
)]

pub(crate) mod probe;
pub(crate) mod schema;

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, ExitStatus, Output, Stdio};
use std::sync::{Arc, Mutex, OnceLock};
use std::time::{Duration, Instant};

/// Nothing that is waited for takes longer, even on a busy machine.
pub(crate) const PATIENCE: Duration = Duration::from_secs(120);
const LOOK: Duration = Duration::from_millis(20);

/// A folder with a cluster's file in it.
pub(crate) struct Place {
    pub(crate) folder: tempfile::TempDir,
}

/// The program under test: the one in `TIM_TEST_PROGRAMS`, where `tim-node` lies beside it, else the one cargo has built.
pub(crate) fn program() -> PathBuf {
    std::env::var_os("TIM_TEST_PROGRAMS").map_or_else(
        || PathBuf::from(env!("CARGO_BIN_EXE_tim")),
        |folder| PathBuf::from(folder).join("tim"),
    )
}

/// Builds `tim-node` beside `tim`, once, unless both were given.
pub(crate) fn ensure_node_program() {
    static BUILT: OnceLock<()> = OnceLock::new();
    if std::env::var_os("TIM_TEST_PROGRAMS").is_some() {
        return;
    }
    BUILT.get_or_init(|| {
        let tim = Path::new(env!("CARGO_BIN_EXE_tim"));
        let profile = match tim
            .parent()
            .and_then(Path::file_name)
            .and_then(|name| name.to_str())
        {
            Some("debug") | None => "dev",
            Some(name) => name,
        };
        let status = Command::new(env!("CARGO"))
            .args([
                "build",
                "--quiet",
                "--profile",
                profile,
                "-p",
                "tim-node",
                "--bin",
                "tim-node",
            ])
            .current_dir(env!("CARGO_MANIFEST_DIR"))
            .status()
            .unwrap();
        assert!(status.success(), "tim-node builds");
    });
}

impl Place {
    /// An empty folder.
    pub(crate) fn empty() -> Self {
        Self {
            folder: tempfile::tempdir().unwrap(),
        }
    }

    /// With the project's example in it, as `chat.yaml`.
    pub(crate) fn with_example() -> Self {
        let place = Self::empty();
        let example = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../examples/chat.yaml");
        std::fs::copy(example, place.file()).unwrap();
        place
    }

    pub(crate) fn file(&self) -> PathBuf {
        self.folder.path().join("chat.yaml")
    }

    pub(crate) fn edit(&self, from: &str, to: &str) {
        let text = std::fs::read_to_string(self.file()).unwrap();
        assert!(text.contains(from), "{from} is in the file");
        std::fs::write(self.file(), text.replace(from, to)).unwrap();
    }

    /// `tim` in this folder, its output not a terminal.
    pub(crate) fn tim(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(program());
        command
            .args(arguments)
            .current_dir(self.folder.path())
            // Whatever runs this test, `tim` was not started through cargo.
            .env_remove("CARGO")
            .env_remove("CARGO_MANIFEST_DIR")
            .env_remove("KUBECONFIG")
            .env_remove("XDG_DATA_HOME")
            .env_remove("NO_COLOR")
            .env("HOME", self.folder.path())
            .env("LC_ALL", "C.UTF-8")
            .env("TERM", "xterm-256color")
            .stdin(Stdio::null());
        command
    }

    /// Runs to the end.
    pub(crate) fn run(&self, arguments: &[&str]) -> Output {
        self.tim(arguments).output().unwrap()
    }

    /// Runs to the end and gives the exit code.
    pub(crate) fn exit_code(&self, arguments: &[&str]) -> i32 {
        self.run(arguments).status.code().unwrap()
    }

    /// Starts, with all output collected.
    pub(crate) fn start(&self, arguments: &[&str]) -> Running {
        Running::start(self.tim(arguments))
    }

    /// The status document.
    pub(crate) fn status(&self) -> serde_json::Value {
        let output = self.run(&["status", "--output", "json"]);
        serde_json::from_slice(&output.stdout)
            .unwrap_or_else(|error| panic!("{error}: {}", String::from_utf8_lossy(&output.stderr)))
    }

    /// Waits until the status is as wanted, and gives it.
    pub(crate) fn await_status(
        &self,
        what: &str,
        wanted: impl Fn(&serde_json::Value) -> bool,
    ) -> serde_json::Value {
        let deadline = Instant::now() + PATIENCE;
        loop {
            let status = self.status();
            if wanted(&status) {
                return status;
            }
            assert!(
                Instant::now() < deadline,
                "never {what}: {status:#}\n{}",
                self.logs()
            );
            std::thread::sleep(LOOK);
        }
    }

    pub(crate) fn await_healthy(&self, nodes: usize) -> serde_json::Value {
        self.await_status(&format!("healthy with {nodes} nodes"), |status| {
            status["verdict"] == "HEALTHY"
                && status["nodes"].as_array().is_some_and(|list| list.len() == nodes)
        })
    }

    /// The ends of all logs, for a test that fails.
    pub(crate) fn logs(&self) -> String {
        let logs = std::fs::read_dir(self.folder.path().join(".tim/chat/logs"))
            .into_iter()
            .flatten()
            .flatten();
        logs.map(|log| {
            let text = std::fs::read_to_string(log.path()).unwrap_or_default();
            let lines: Vec<&str> = text.lines().rev().take(15).collect();
            let end: Vec<&str> = lines.into_iter().rev().collect();
            format!("== {}\n{}\n", log.path().display(), end.join("\n"))
        })
        .collect()
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        // Whatever a failed test left running.
        let nodes = std::fs::read_dir(self.folder.path().join(".tim/chat/nodes"))
            .into_iter()
            .flatten()
            .flatten();
        if let Some(pid) = supervisor(self.folder.path()) {
            kill("-KILL", pid);
        }
        for node in nodes {
            let record = std::fs::read(node.path().join("process.json")).unwrap_or_default();
            let record: serde_json::Value = serde_json::from_slice(&record).unwrap_or_default();
            if let Some(pid) = record["life"]["process"]["pid"].as_u64() {
                kill("-KILL", pid);
            }
        }
    }
}

/// The process that holds the cluster's lock, as far as the file says.
pub(crate) fn supervisor(folder: &Path) -> Option<u64> {
    let holder = std::fs::read(folder.join(".tim/chat.lock")).ok()?;
    serde_json::from_slice::<serde_json::Value>(&holder).ok()?["process"]["pid"].as_u64()
}

pub(crate) fn kill(signal: &str, pid: u64) {
    let _ = Command::new("kill")
        .args([signal, &pid.to_string()])
        .stderr(Stdio::null())
        .status();
}

pub(crate) fn is_alive(pid: u64) -> bool {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    let state = stat
        .rfind(')')
        .and_then(|end| stat[end + 1..].split_whitespace().next().map(str::to_owned));
    state.is_some_and(|state| state != "Z")
}

/// The first line of the answer to a request without a body.
pub(crate) fn http(url: &str, method: &str, path: &str) -> String {
    request(
        url,
        &format!("{method} {path}"),
        "Content-Length: 0\r\nConnection: close",
    )
}

fn request(url: &str, what: &str, headers: &str) -> String {
    let authority = url.split("//").nth(1).unwrap().split('/').next().unwrap();
    let mut stream = TcpStream::connect(authority).unwrap();
    stream.set_read_timeout(Some(Duration::from_secs(10))).unwrap();
    write!(
        stream,
        "{what} HTTP/1.1\r\nHost: {authority}\r\n{headers}\r\n\r\n"
    )
    .unwrap();
    let mut line = String::new();
    let _ = BufReader::new(stream).read_line(&mut line);
    line
}

/// Whether a WebSocket can be opened there.
pub(crate) fn upgrades(url: &str, path: &str) -> bool {
    let key =
        "Upgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==";
    request(
        url,
        &format!("GET {path}"),
        &format!("Connection: Upgrade\r\n{key}"),
    )
    .contains(" 101 ")
}

/// Waits until that is so.
pub(crate) fn await_that(what: &str, wanted: impl Fn() -> bool) {
    let deadline = Instant::now() + PATIENCE;
    while !wanted() {
        assert!(Instant::now() < deadline, "never {what}");
        std::thread::sleep(LOOK);
    }
}

/// A `tim` that runs.
pub(crate) struct Running {
    pub(crate) child: Child,
    pub(crate) input: Option<ChildStdin>,
    output: Arc<Mutex<String>>,
    errors: Arc<Mutex<String>>,
}

impl Running {
    pub(crate) fn start(mut command: Command) -> Self {
        let mut child = command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let output = collect(child.stdout.take().unwrap());
        let errors = collect(child.stderr.take().unwrap());
        let input = child.stdin.take();
        Self {
            child,
            input,
            output,
            errors,
        }
    }

    pub(crate) fn output(&self) -> String {
        self.output.lock().unwrap().clone()
    }

    pub(crate) fn errors(&self) -> String {
        self.errors.lock().unwrap().clone()
    }

    /// Waits for a text in the output, and gives all of it.
    pub(crate) fn await_output(&self, wanted: &str) -> String {
        let deadline = Instant::now() + PATIENCE;
        loop {
            let output = self.output();
            if output.contains(wanted) {
                return output;
            }
            let errors = self.errors();
            assert!(
                Instant::now() < deadline,
                "never {wanted:?} in\n{output}\n{errors}"
            );
            std::thread::sleep(LOOK);
        }
    }

    pub(crate) fn type_line(&mut self, line: &str) {
        writeln!(self.input.as_mut().unwrap(), "{line}").unwrap();
    }

    pub(crate) fn signal(&self, signal: &str) {
        kill(signal, self.child.id().into());
    }

    /// Ends its input and waits for its end.
    pub(crate) fn finish(&mut self) -> ExitStatus {
        self.input = None;
        self.await_end()
    }

    pub(crate) fn await_end(&mut self) -> ExitStatus {
        let deadline = Instant::now() + PATIENCE;
        loop {
            if let Some(status) = self.child.try_wait().unwrap() {
                return status;
            }
            assert!(
                Instant::now() < deadline,
                "never ends\n{}\n{}",
                self.output(),
                self.errors()
            );
            std::thread::sleep(LOOK);
        }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn collect(stream: impl Read + Send + 'static) -> Arc<Mutex<String>> {
    let collected = Arc::new(Mutex::new(String::new()));
    let target = Arc::clone(&collected);
    std::thread::spawn(move || {
        let mut reader = BufReader::new(stream);
        let mut line = Vec::new();
        while reader.read_until(b'\n', &mut line).is_ok_and(|count| count > 0) {
            target.lock().unwrap().push_str(&String::from_utf8_lossy(&line));
            line.clear();
        }
    });
    collected
}
