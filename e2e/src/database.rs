//! Real PostgreSQL and MariaDB servers for tests, started from the distribution's packages.
//!
//! A [`Server`] lives in a temporary directory, listens on a free port of 127.0.0.1 and ends with the process that
//! started it, however that ends: a small shell waits on a pipe that only this process holds open. It can be killed as
//! a power failure would ([`Server::crash`]) and started again on the same data.
//!
//! Nothing is skipped: where a server is not installed the error names the package.

use std::fs;
use std::io::Write as _;
use std::net::TcpListener;
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail, ensure};

/// Longest wait for a server to accept connections.
const START_LIMIT: Duration = Duration::from_secs(60);

/// Pause between two looks at a server that is starting or ending.
const LOOK_EVERY: Duration = Duration::from_millis(20);

/// Runs the server until the pipe closes, then ends it and, unless it is to be started again, removes its directory.
const KEEPER: &str = r#"
directory=$1; signal=$2; pidfile=$3; shift 3
"$@" >> "$directory/log" 2>&1 &
cat > /dev/null
pid=$(head -n 1 "$directory/$pidfile" 2> /dev/null)
[ -n "$pid" ] && kill -s "$signal" "$pid" 2> /dev/null
wait
[ -e "$directory/keep" ] || rm -rf "$directory"
"#;

/// Which server.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// PostgreSQL.
    Postgres,
    /// MariaDB.
    MariaDb,
}

/// A running server; ends when dropped.
#[derive(Debug)]
pub struct Server {
    kind: Kind,
    directory: PathBuf,
    port: u16,
    keeper: Option<Keeper>,
    databases: AtomicU32,
}

#[derive(Debug)]
struct Keeper {
    process: Child,
    /// Closing it ends the server.
    pipe: Option<ChildStdin>,
}

impl Server {
    /// Makes a data directory and starts a server on it; returns when it accepts connections.
    pub fn start(kind: Kind) -> Result<Self> {
        let directory = new_directory()?;
        match kind {
            Kind::Postgres => init_postgres(&directory)?,
            Kind::MariaDb => init_mariadb(&directory)?,
        }
        let mut server = Self {
            kind,
            directory,
            port: free_port()?,
            keeper: None,
            databases: AtomicU32::new(0),
        };
        server.run()?;
        Ok(server)
    }

    /// Makes an empty database of its own for one test; returns its name.
    pub fn create_database(&self) -> Result<String> {
        let name = format!("test_{}", self.databases.fetch_add(1, Ordering::Relaxed));
        self.sql(&format!("CREATE DATABASE {name}"))?;
        Ok(name)
    }

    /// The DSN of a database.
    #[must_use]
    pub fn dsn(&self, database: &str) -> String {
        match self.kind {
            Kind::Postgres => format!("postgres://postgres@127.0.0.1:{}/{database}", self.port),
            Kind::MariaDb => format!("mariadb://root@127.0.0.1:{}/{database}", self.port),
        }
    }

    /// The port on 127.0.0.1.
    #[must_use]
    pub fn port(&self) -> u16 {
        self.port
    }

    /// Runs SQL as the administrator; returns what the server's own client prints.
    pub fn sql(&self, text: &str) -> Result<String> {
        let mut client = match self.kind {
            Kind::Postgres => {
                let mut client = Command::new(postgres_binary("psql")?);
                client.args(["-X", "-q", "-A", "-t", "-h", "127.0.0.1", "-U", "postgres", "-p"]);
                client
                    .arg(self.port.to_string())
                    .args(["-v", "ON_ERROR_STOP=1", "-c", text, "postgres"]);
                client
            }
            Kind::MariaDb => {
                let mut client = Command::new(binary("mariadb", "mariadb-client")?);
                client.args(["--no-defaults", "-uroot", "--batch", "--skip-column-names", "-S"]);
                client.arg(self.directory.join("sock")).args(["-e", text]);
                client
            }
        };
        let output = client
            .stdin(Stdio::null())
            .output()
            .context("run the database client")?;
        ensure!(
            output.status.success(),
            "{text}: {}",
            String::from_utf8_lossy(&output.stderr)
        );
        Ok(String::from_utf8_lossy(&output.stdout).trim().to_owned())
    }

    /// The process id of the server.
    pub fn pid(&self) -> Result<u32> {
        let path = self.directory.join(self.pid_file());
        let text = fs::read_to_string(&path).with_context(|| format!("read {}", path.display()))?;
        text.lines()
            .next()
            .unwrap_or_default()
            .trim()
            .parse()
            .context("read the process id")
    }

    /// Kills the server with SIGKILL and waits until it is gone. Its data stay.
    pub fn crash(&mut self) -> Result<()> {
        self.signal("KILL")?;
        self.end()
    }

    /// Sends a signal to the server: `STOP` and `CONT` make it answer nobody for a while, also on connections it has.
    pub fn signal(&self, signal: &str) -> Result<()> {
        let server = self.pid()?;
        let send = |process: u32| {
            Command::new("kill")
                .args(["-s", signal, &process.to_string()])
                .stderr(Stdio::null())
                .status()
        };
        let status = send(server)?;
        ensure!(status.success(), "kill -s {signal}: {status}");
        if matches!(signal, "STOP" | "CONT") {
            // PostgreSQL has a process per connection. One may have ended meanwhile.
            let children = parents()?.into_iter().filter(|(_, parent)| *parent == server);
            for (child, _) in children {
                send(child)?;
            }
        }
        // The program that changes the user stops together with its child, and goes on only when it is told to.
        if let Some(starter) = parent_of(server).filter(|_| signal == "CONT") {
            send(starter)?;
        }
        Ok(())
    }

    /// Starts the server again on its data, on the same port.
    pub fn restart(&mut self) -> Result<()> {
        self.end()?;
        self.run()
    }

    fn pid_file(&self) -> &'static str {
        match self.kind {
            Kind::Postgres => "data/postmaster.pid",
            Kind::MariaDb => "pid",
        }
    }

    fn run(&mut self) -> Result<()> {
        let directory = &self.directory;
        let (signal, program) = match self.kind {
            // SIGINT is its fast shutdown: it does not wait for clients.
            Kind::Postgres => ("INT", postgres_program(directory, self.port)?),
            Kind::MariaDb => ("TERM", mariadb_program(directory, self.port)?),
        };
        let mut process = Command::new("sh")
            .arg("-c")
            .arg(KEEPER)
            .arg("keeper")
            .arg(directory)
            .args([signal, self.pid_file()])
            .args(program)
            // A group of its own: a signal to the tests' group must not keep it from cleaning up.
            .process_group(0)
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .context("start the server")?;
        let pipe = process.stdin.take();
        self.keeper = Some(Keeper { process, pipe });
        let deadline = Instant::now() + START_LIMIT;
        while self.sql("SELECT 1").is_err() {
            if Instant::now() > deadline {
                let log = fs::read_to_string(directory.join("log")).unwrap_or_default();
                bail!(
                    "{:?} does not answer within {START_LIMIT:?}; its log: {log}",
                    self.kind
                );
            }
            std::thread::sleep(LOOK_EVERY);
        }
        Ok(())
    }

    /// Ends the server, if it still runs, and waits for that; the data stay.
    fn end(&mut self) -> Result<()> {
        if let Some(mut keeper) = self.keeper.take() {
            // What stands still ends never; and it may be dead already.
            let _ = self.signal("CONT");
            let keep = self.directory.join("keep");
            fs::File::create(&keep)?.flush()?;
            drop(keeper.pipe.take());
            keeper.process.wait().context("wait for the server's end")?;
            fs::remove_file(keep)?;
        }
        Ok(())
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        if let Some(mut keeper) = self.keeper.take() {
            let _ = self.signal("CONT");
            drop(keeper.pipe.take());
            let _ = keeper.process.wait();
        }
        let _ = fs::remove_dir_all(&self.directory);
    }
}

/// Every process with the one that has started it.
fn parents() -> Result<Vec<(u32, u32)>> {
    let processes = fs::read_dir("/proc")?
        .flatten()
        .filter_map(|entry| entry.file_name().to_str()?.parse().ok());
    Ok(processes
        .filter_map(|process| Some((process, parent_of(process)?)))
        .collect())
}

fn parent_of(process: u32) -> Option<u32> {
    let stat = fs::read_to_string(format!("/proc/{process}/stat")).ok()?;
    // The second field, the program's name, may hold spaces; the parent is the second one after it.
    let after_name = stat.rsplit(')').next()?;
    after_name.split_whitespace().nth(1)?.parse().ok()
}

/// A directory of its own directly under the temporary one: PostgreSQL limits the length of its socket's path.
fn new_directory() -> Result<PathBuf> {
    static NEXT: AtomicU32 = AtomicU32::new(0);
    let name = format!(
        "tim-db-{}-{}",
        std::process::id(),
        NEXT.fetch_add(1, Ordering::Relaxed)
    );
    let directory = std::env::temp_dir().join(name);
    fs::create_dir(&directory).with_context(|| format!("create {}", directory.display()))?;
    Ok(directory)
}

fn free_port() -> Result<u16> {
    Ok(TcpListener::bind(("127.0.0.1", 0))?.local_addr()?.port())
}

fn is_root() -> bool {
    fs::metadata("/proc/self").is_ok_and(|metadata| std::os::unix::fs::MetadataExt::uid(&metadata) == 0)
}

/// A program on the path or in the folders where distributions put servers.
fn binary(name: &str, package: &str) -> Result<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&path)
        .chain(["/usr/sbin", "/usr/local/sbin", "/sbin"].map(PathBuf::from))
        .map(|folder| folder.join(name))
        .find(|candidate| candidate.is_file())
        .with_context(|| format!("{name} is not installed: install the package {package}"))
}

fn postgres_binary(name: &str) -> Result<PathBuf> {
    let newest = fs::read_dir("/usr/lib/postgresql")
        .into_iter()
        .flatten()
        .filter_map(|entry| {
            let path = entry.ok()?.path();
            let version: u32 = path.file_name()?.to_str()?.parse().ok()?;
            Some((version, path.join("bin").join(name)))
        })
        .filter(|(_, path)| path.is_file())
        .max();
    match newest {
        Some((_, path)) => Ok(path),
        None => binary(name, "postgresql"),
    }
}

/// PostgreSQL refuses to run as root.
fn as_postgres(mut program: Vec<String>) -> Vec<String> {
    if is_root() {
        let prefix = ["runuser", "-u", "postgres", "--"];
        program.splice(0..0, prefix.map(str::to_owned));
    }
    program
}

fn run(program: &[String]) -> Result<()> {
    let (name, arguments) = program.split_first().context("no program")?;
    let output = Command::new(name).args(arguments).stdin(Stdio::null()).output()?;
    ensure!(
        output.status.success(),
        "{name}: {}",
        String::from_utf8_lossy(&output.stderr)
    );
    Ok(())
}

fn text(path: impl AsRef<Path>) -> String {
    path.as_ref().display().to_string()
}

fn init_postgres(directory: &Path) -> Result<()> {
    let initdb = postgres_binary("initdb")?;
    if is_root() {
        run(&["chown", "postgres", &text(directory)].map(str::to_owned))?;
    }
    let data = text(directory.join("data"));
    let options = [
        "--auth=trust",
        "--username=postgres",
        "--encoding=UTF8",
        "--locale=C.UTF-8",
        "--no-sync",
    ];
    let mut program = vec![text(initdb), "-D".to_owned(), data];
    program.extend(options.map(str::to_owned));
    run(&as_postgres(program)).context("initdb")
}

fn postgres_program(directory: &Path, port: u16) -> Result<Vec<String>> {
    Ok(as_postgres(vec![
        text(postgres_binary("postgres")?),
        "-D".to_owned(),
        text(directory.join("data")),
        "-c".to_owned(),
        "listen_addresses=127.0.0.1".to_owned(),
        "-c".to_owned(),
        format!("port={port}"),
        "-c".to_owned(),
        format!("unix_socket_directories={}", directory.display()),
        "-c".to_owned(),
        "max_connections=200".to_owned(),
    ]))
}

fn init_mariadb(directory: &Path) -> Result<()> {
    let install = binary("mariadb-install-db", "mariadb-server")?;
    run(&[
        text(install),
        "--no-defaults".to_owned(),
        format!("--datadir={}", directory.join("data").display()),
        "--user=root".to_owned(),
        "--auth-root-authentication-method=normal".to_owned(),
        "--skip-test-db".to_owned(),
    ])
    .context("mariadb-install-db")
}

fn mariadb_program(directory: &Path, port: u16) -> Result<Vec<String>> {
    let data = directory.join("data");
    Ok(vec![
        text(binary("mariadbd", "mariadb-server")?),
        "--no-defaults".to_owned(),
        "--user=root".to_owned(),
        format!("--datadir={}", data.display()),
        format!("--socket={}", directory.join("sock").display()),
        "--bind-address=127.0.0.1".to_owned(),
        format!("--port={port}"),
        format!("--pid-file={}", directory.join("pid").display()),
        "--innodb-flush-log-at-trx-commit=1".to_owned(),
        format!("--log-bin={}", data.join("bin").display()),
        "--sync-binlog=1".to_owned(),
        "--max-connections=300".to_owned(),
    ])
}
