//! Real node processes on loopback, with SQLite in a temporary folder, for the tests of this crate.
#![allow(
    dead_code,
    unreachable_pub,
    missing_docs,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stderr,
    reason = "part of the tests, of which every one uses its own part of this"
)]

pub mod administered;
pub mod authority;
pub mod browser;
pub mod collector;
pub mod http;
pub mod load;
pub mod older_node;
pub mod operator;
pub mod people;
pub mod raw;
pub mod receiver;
pub mod socket;
pub mod stream;
pub mod thrift_client;

use authority::Authority;
use std::collections::BTreeSet;
use std::net::{TcpListener, UdpSocket};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::Mutex;
use std::time::{Duration, Instant};
use tempfile::TempDir;

/// How long anything may take that a test waits for: far more than needed, so that a busy machine fails no test.
pub const PATIENCE: Duration = Duration::from_secs(60);

pub const CLUSTER: &str = "chat";

/// One node: its files, its ports, and its process while it runs.
pub struct Node {
    pub name: String,
    pub directory: PathBuf,
    pub client_port: u16,
    pub admin_port: u16,
    pub server_api_port: u16,
    pub peer_port: u16,
    process: Option<Child>,
}

/// A cluster in a temporary folder. Dropping it ends its processes.
pub struct Cluster {
    pub directory: TempDir,
    pub databases: Vec<String>,
    pub authority: Authority,
    pub nodes: Vec<Node>,
    /// Sections added to every node's configuration.
    pub extra: String,
    /// Lines added to the section of telemetry.
    pub telemetry: String,
    /// Lines added to the section of passwords.
    pub passwords: String,
    /// Lines added to the section of listeners.
    pub listeners: String,
    /// Whether the client port speaks TLS.
    pub client_tls: bool,
    /// Whether the admin port speaks TLS.
    pub admin_tls: bool,
    /// Lines of the section of the server API; there is none without.
    pub server_api: String,
}

/// A port that nobody listens on, for TCP and UDP, and that was given to nobody in this process before.
fn free_port() -> u16 {
    static GIVEN: Mutex<BTreeSet<u16>> = Mutex::new(BTreeSet::new());
    loop {
        let tcp = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = tcp.local_addr().unwrap().port();
        if UdpSocket::bind(("127.0.0.1", port)).is_ok() && GIVEN.lock().unwrap().insert(port) {
            return port;
        }
    }
}

impl Cluster {
    /// Files and ports of `count` nodes over SQLite databases; nothing runs yet.
    pub fn prepare(count: usize, databases: &[&str]) -> Self {
        let directory = TempDir::new().unwrap();
        let root = directory.path();
        std::fs::create_dir_all(root.join("data")).unwrap();
        std::fs::create_dir_all(root.join("dsn")).unwrap();
        std::fs::create_dir_all(root.join("tls")).unwrap();
        std::fs::write(root.join("storage.key"), authority::base64_key(7)).unwrap();
        for database in databases {
            let file = root.join("data").join(format!("{database}.db"));
            std::fs::write(
                root.join("dsn").join(database),
                format!("sqlite:{}", file.display()),
            )
            .unwrap();
        }
        let mut cluster = Self {
            authority: Authority::new(),
            databases: databases.iter().map(ToString::to_string).collect(),
            nodes: Vec::new(),
            directory,
            extra: String::new(),
            telemetry: String::new(),
            passwords: String::new(),
            listeners: String::new(),
            server_api: String::new(),
            client_tls: false,
            admin_tls: false,
        };
        for index in 0..count {
            cluster.add_node(index);
        }
        cluster
    }

    fn add_node(&mut self, index: usize) {
        let name = format!("chat-{index}");
        let directory = self.directory.path().join(&name);
        std::fs::create_dir_all(&directory).unwrap();
        authority::write_keyring(&directory.join("keyring.toml"), 1);
        self.authority
            .write_node(&self.directory.path().join("tls"), CLUSTER, &name);
        self.nodes.push(Node {
            name,
            directory,
            client_port: free_port(),
            admin_port: free_port(),
            server_api_port: free_port(),
            peer_port: free_port(),
            process: None,
        });
    }

    /// As [`Cluster::prepare`], and all nodes run and serve.
    pub async fn start(count: usize, databases: &[&str]) -> Self {
        let mut cluster = Self::prepare(count, databases);
        cluster.run_all().await;
        cluster
    }

    /// As [`Cluster::start`], and accounts may have ten devices of each class; by default they have one.
    pub async fn start_for_many_devices(count: usize, databases: &[&str]) -> Self {
        let mut cluster = Self::prepare(count, databases);
        cluster.extra = "[sessions]\nper_account_max = 10\nper_device_class_max = 10\n".to_owned();
        cluster.run_all().await;
        cluster
    }

    /// Starts all nodes and waits until they serve and see each other.
    pub async fn run_all(&mut self) {
        for index in 0..self.nodes.len() {
            self.spawn(index);
        }
        for index in 0..self.nodes.len() {
            self.ready(index).await;
        }
        self.see_each_other(self.nodes.len()).await;
    }

    /// Starts one node's process.
    pub fn spawn(&mut self, index: usize) {
        let mut command = Command::new(env!("CARGO_BIN_EXE_tim-node"));
        command
            .args(["run", "--config"])
            .arg(self.nodes[index].directory.join("node.toml"));
        self.spawn_as(index, command);
    }

    /// Starts one node's process on a disk of its own of so many MiB, in place of the folder of the databases. The disk is
    /// seen by nobody else, and goes with the process.
    pub fn spawn_on_small_disk(&mut self, index: usize, mebibytes: usize) {
        let data = self.directory.path().join("data");
        let script = format!(
            "mount -t tmpfs -o size={mebibytes}m tmpfs {data} && exec {binary} run --config {config}",
            data = data.display(),
            binary = env!("CARGO_BIN_EXE_tim-node"),
            config = self.nodes[index].directory.join("node.toml").display(),
        );
        let mut command = Command::new("unshare");
        command.args(["--map-root-user", "--mount", "sh", "-c", &script]);
        self.spawn_as(index, command);
    }

    fn spawn_as(&mut self, index: usize, mut command: Command) {
        self.write_config(index);
        let node = &mut self.nodes[index];
        let log = std::fs::File::create(node.directory.join("log")).unwrap();
        let process = command
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(log)
            .spawn()
            .unwrap();
        node.process = Some(process);
    }

    fn write_config(&self, index: usize) {
        let (root, node) = (self.directory.path(), &self.nodes[index]);
        let seeds: Vec<String> = self
            .nodes
            .iter()
            .map(|node| format!("\"127.0.0.1:{}\"", node.peer_port))
            .collect();
        let databases: Vec<String> = self.databases.iter().map(|name| format!("\"{name}\"")).collect();
        let server_api = match self.server_api.as_str() {
            "" => String::new(),
            lines => {
                let port = node.server_api_port;
                format!("[listeners.server_api]\naddress = \"127.0.0.1:{port}\"\n{lines}\n")
            }
        };
        let text = format!(
            r#"[node]
name = "{name}"
cluster_id = "{CLUSTER}"
data_directory = "{data}"
[listeners]
peer = "127.0.0.1:{peer}"
{listeners}[listeners.client]
address = "127.0.0.1:{client}"
tls = {client_tls}
[listeners.admin]
address = "127.0.0.1:{admin}"
tls = {admin_tls}
{server_api}[trust]
keyring_file = "{root}/{name}/keyring.toml"
storage_key_file = "{root}/storage.key"
tls_directory = "{root}/tls"
reload_interval_millis = 200
[membership]
seeds = [{seeds}]
[storage]
databases = [{databases}]
dsn_directory = "{root}/dsn"
retry_interval_millis = 200
[drain]
settle_seconds = 0
[accounts.passwords]
memory_kib = 64
iterations = 1
{passwords}[telemetry]
log_json = false
log_filter = "info,tim_node=debug"
{telemetry}{extra}"#,
            name = node.name,
            data = node.directory.join("state").display(),
            peer = node.peer_port,
            client = node.client_port,
            admin = node.admin_port,
            client_tls = self.client_tls,
            admin_tls = self.admin_tls,
            root = root.display(),
            seeds = seeds.join(", "),
            databases = databases.join(", "),
            extra = self.extra,
            telemetry = self.telemetry,
            passwords = self.passwords,
            listeners = self.listeners,
        );
        std::fs::write(node.directory.join("node.toml"), text).unwrap();
    }

    /// Ends a node without a chance to say anything.
    pub fn kill(&mut self, index: usize) {
        let mut process = self.nodes[index].process.take().unwrap();
        process.kill().unwrap();
        process.wait().unwrap();
    }

    /// Asks a node to end, and waits until it has.
    pub async fn terminate(&mut self, index: usize) {
        let process = self.nodes[index].process.take().unwrap();
        signal(&process, "TERM");
        wait_for_end(process).await;
    }

    /// Sends a signal by its name.
    pub fn signal(&self, index: usize, name: &str) {
        signal(self.nodes[index].process.as_ref().unwrap(), name);
    }

    /// Waits until a node's process has ended by itself; its exit code.
    pub async fn ended(&mut self, index: usize) -> Option<i32> {
        let process = self.nodes[index].process.take().unwrap();
        wait_for_end(process).await
    }

    /// The process id of a node.
    pub fn pid(&self, index: usize) -> u32 {
        self.nodes[index].process.as_ref().unwrap().id()
    }

    /// What a node has logged.
    pub fn log(&self, index: usize) -> String {
        std::fs::read_to_string(self.nodes[index].directory.join("log")).unwrap_or_default()
    }

    /// Waits until a node says it is ready.
    pub async fn ready(&self, index: usize) {
        self.until(index, "/readyz", "ready", |code, _| code == 200).await;
    }

    /// The body of `/status`.
    pub async fn status(&self, index: usize) -> serde_json::Value {
        let (_, body) = http::get(self.nodes[index].admin_port, "/status").await.unwrap();
        serde_json::from_str(&body).unwrap()
    }

    /// Waits until a page of a node's admin port is as wanted; its body.
    pub async fn until(
        &self,
        index: usize,
        path: &str,
        what: &str,
        wanted: impl Fn(u16, &str) -> bool,
    ) -> String {
        let deadline = Instant::now() + PATIENCE;
        let mut last = String::new();
        while Instant::now() < deadline {
            if let Ok((code, body)) = http::get(self.nodes[index].admin_port, path).await {
                if wanted(code, &body) {
                    return body;
                }
                last = body;
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        panic!(
            "node {index} did not become: {what}. {path} said last: {last}\nlog:\n{}",
            self.log(index)
        );
    }

    /// Waits until every running node has so many nodes in its view.
    pub async fn see_each_other(&self, count: usize) {
        for index in 0..self.nodes.len() {
            if self.nodes[index].process.is_some() {
                self.see_each_other_at(index, count).await;
            }
        }
    }

    /// Waits until one node has so many nodes in its view.
    pub async fn see_each_other_at(&self, index: usize, count: usize) {
        self.until(index, "/status", "so many in view", |_, body| {
            let status: serde_json::Value = serde_json::from_str(body).unwrap_or_default();
            let members = status["view"]["members"].as_array().cloned().unwrap_or_default();
            members
                .iter()
                .filter(|member| member["state"] == "serving")
                .count()
                == count
        })
        .await;
    }

    /// The WebSocket address of a node.
    pub fn client_url(&self, index: usize) -> String {
        format!("ws://127.0.0.1:{}/tim", self.nodes[index].client_port)
    }

    /// Registers an account on a node; its id.
    pub async fn register(&self, index: usize, name: &str) -> String {
        raw::register(self.nodes[index].client_port, name, "secret").await
    }

    /// A logged-in raw client.
    pub async fn login(&self, index: usize, name: &str) -> raw::Raw {
        let mut raw = raw::Raw::connect(self.nodes[index].client_port).await;
        raw.login(name, "secret").await;
        raw
    }

    /// Two registered accounts that are friends.
    pub async fn friends(&self, one: &str, other: &str) -> (String, String) {
        let ids = (self.register(0, one).await, self.register(0, other).await);
        let mut first = self.login(0, one).await;
        let mut second = self.login(0, other).await;
        first.add_friend(&ids.1).await;
        second.notice(4).await;
        second.add_friend(&ids.0).await;
        first.notice(5).await;
        first.close().await;
        second.close().await;
        // Confirmations become durable a moment after they were sent.
        self.nothing_waits(one).await;
        self.nothing_waits(other).await;
        ids
    }

    /// Waits until an account has confirmed everything, durably.
    pub async fn nothing_waits(&self, name: &str) {
        loop {
            let mut client = self.login(0, name).await;
            let waited = client.offline().await;
            client.close().await;
            if waited.is_empty() {
                return;
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }
}

impl Drop for Cluster {
    fn drop(&mut self) {
        for node in &mut self.nodes {
            if let Some(mut process) = node.process.take() {
                let _ = process.kill();
                let _ = process.wait();
            }
            if std::thread::panicking() {
                let log = std::fs::read_to_string(node.directory.join("log")).unwrap_or_default();
                let tail: Vec<&str> = log.lines().rev().take(60).collect();
                eprintln!("--- {} ---", node.name);
                tail.iter().rev().for_each(|line| eprintln!("{line}"));
            }
        }
    }
}

fn signal(process: &Child, name: &str) {
    let sent = Command::new("kill")
        .arg(format!("-{name}"))
        .arg(process.id().to_string())
        .status()
        .unwrap();
    assert!(sent.success());
}

async fn wait_for_end(mut process: Child) -> Option<i32> {
    let ended = tokio::task::spawn_blocking(move || {
        let deadline = Instant::now() + PATIENCE;
        loop {
            if let Some(status) = process.try_wait().unwrap() {
                return status.code();
            }
            assert!(Instant::now() < deadline, "the process has not ended");
            std::thread::sleep(Duration::from_millis(20));
        }
    });
    ended.await.unwrap()
}

/// Folder helper for tests that change files under a running node.
pub fn replace_file(path: &Path, content: &str) {
    let temporary = path.with_extension("new");
    std::fs::write(&temporary, content).unwrap();
    std::fs::rename(temporary, path).unwrap();
}
