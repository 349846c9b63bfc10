//! Clusters to act on, and people who act.

use crate::database::{Kind, Server};
use crate::support::raw::{self, Raw};
use crate::support::{Cluster, PATIENCE};
use std::ops::{Deref, DerefMut};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use tim_wire::frame::empty_client_frame;
use tim_wire::{Command, Encoding, TimAck, TimAuth, TimReq, WireStruct};
use tokio::sync::OnceCell;

/// Both encodings and what they are called.
pub const ENCODINGS: [(Encoding, &str); 2] = [(Encoding::Thrift, "thrift"), (Encoding::Json, "json")];

/// Classes of devices that have one cursor together; no test uses them for anything else.
pub const SHARED_CLASSES: [i8; 2] = [41, 42];

/// A kind of cluster; it is started when the first test needs it.
pub struct Deployment {
    pub title: &'static str,
    server: Option<Kind>,
    n_nodes: usize,
    running: OnceCell<Arc<Running>>,
}

/// A cluster and what its data are in. Ends in this order.
pub struct Running {
    cluster: Cluster,
    _server: Option<Server>,
}

impl Deployment {
    /// One node and three, on every engine.
    pub fn all() -> impl Iterator<Item = Self> {
        let kinds = [
            ("sqlite-1", None, 1),
            ("sqlite-3", None, 3),
            ("postgresql-1", Some(Kind::Postgres), 1),
            ("postgresql-3", Some(Kind::Postgres), 3),
            ("mariadb-1", Some(Kind::MariaDb), 1),
            ("mariadb-3", Some(Kind::MariaDb), 3),
        ];
        kinds.into_iter().map(|(title, server, n_nodes)| Self {
            title,
            server,
            n_nodes,
            running: OnceCell::new(),
        })
    }

    /// The cluster, once it serves.
    pub async fn running(&self) -> Arc<Running> {
        let start = || async {
            let mut cluster = Cluster::prepare(self.n_nodes, &["d0", "d1"]);
            cluster.extra = format!(
                "[sessions]\nper_account_max = 10\nper_device_class_max = 10\nshared_cursors = [[{}, {}]]\n",
                SHARED_CLASSES[0], SHARED_CLASSES[1]
            );
            let server = self.server.map(|kind| Server::start(kind).unwrap());
            if let Some(server) = &server {
                for name in &cluster.databases {
                    let dsn = server.dsn(&server.create_database().unwrap());
                    std::fs::write(cluster.directory.path().join("dsn").join(name), dsn).unwrap();
                }
            }
            cluster.run_all().await;
            Arc::new(Running {
                cluster,
                _server: server,
            })
        };
        Arc::clone(self.running.get_or_init(start).await)
    }
}

/// Where one statement is checked.
pub struct Stage {
    running: Arc<Running>,
    pub encoding: Encoding,
    number: u64,
}

impl Stage {
    pub fn new(running: Arc<Running>, encoding: Encoding) -> Self {
        static NEXT: AtomicU64 = AtomicU64::new(1);
        Self {
            running,
            encoding,
            number: NEXT.fetch_add(1, Ordering::Relaxed),
        }
    }

    /// Client port of the node of who acts.
    pub fn near(&self) -> u16 {
        self.running.cluster.nodes[0].client_port
    }

    /// Client port of the node of who is acted upon; another one, if there is one.
    pub fn far(&self) -> u16 {
        let nodes = &self.running.cluster.nodes;
        nodes[nodes.len() - 1].client_port
    }

    /// The name under which somebody is known here and nowhere else.
    pub fn name(&self, who: &str) -> String {
        format!("{who}-{}", self.number)
    }

    /// An account; its id.
    pub async fn register(&self, who: &str) -> String {
        let auth = raw::auth(&self.name(who), "secret");
        let ack = raw::post(self.near(), Command::Register, self.encoding, &auth).await;
        ack.n.unwrap()
    }

    /// A connection without a login.
    pub async fn connect(&self, port: u16) -> Raw {
        let mut raw = Raw::connect(port).await;
        raw.encoding = self.encoding;
        raw
    }

    /// A session of somebody who is registered, who has asked for what waited.
    pub async fn login(&self, port: u16, who: &str) -> Raw {
        let mut raw = self.connect(port).await;
        raw.login(&self.name(who), "secret").await;
        raw.offline().await;
        raw
    }

    /// A session of a class of devices, and the texts that have waited for it.
    pub async fn device(&self, port: u16, who: &str, class: i8) -> (Raw, Vec<String>) {
        let mut raw = self.connect(port).await;
        let auth = TimAuth {
            termtyp: Some(class),
            ..raw::auth(&self.name(who), "secret")
        };
        raw.send_struct(Command::Auth, &auth).await;
        assert!(raw.ack(Command::Auth).await.ok);
        let waited = raw.offline().await;
        let texts = waited.into_iter().filter_map(|message| message.data_string);
        (raw, texts.collect())
    }

    /// Somebody new, online on a node.
    pub async fn person(&self, port: u16, who: &str) -> Person {
        let id = self.register(who).await;
        let raw = self.login(port, who).await;
        Person { id, raw }
    }

    /// Alice on the near node, Bob on the far one; friends, and nothing on its way to them.
    pub async fn friends(&self) -> (Person, Person) {
        let mut alice = self.person(self.near(), "alice").await;
        let mut bob = self.person(self.far(), "bob").await;
        alice.befriend(&mut bob).await;
        (alice, bob)
    }
}

/// An account with a session.
pub struct Person {
    pub id: String,
    raw: Raw,
}

impl Deref for Person {
    type Target = Raw;

    fn deref(&self) -> &Raw {
        &self.raw
    }
}

impl DerefMut for Person {
    fn deref_mut(&mut self) -> &mut Raw {
        &mut self.raw
    }
}

impl Person {
    /// Asks, and is asked.
    pub async fn befriend(&mut self, other: &mut Self) {
        self.add_friend(&other.id).await;
        other.notice(4).await;
        other.add_friend(&self.id).await;
        self.notice(5).await;
        self.ping().await;
        other.ping().await;
    }

    /// Says something and waits for the echo; its number in the conversation.
    pub async fn says(&mut self, to: &str, text: &str) -> i64 {
        self.say(to, text).await;
        let echo = self.message().await;
        assert_eq!(echo.data_string.as_deref(), Some(text));
        echo.mid.unwrap()
    }

    /// Goes, once all that was confirmed is durable.
    pub async fn leaves(self) {
        self.raw.close().await;
    }

    /// Asks for something about a roster.
    pub async fn asks(&mut self, rtype: i32, node: &str) {
        let request = TimReq {
            rtype: Some(rtype),
            node: (!node.is_empty()).then(|| node.to_owned()),
            ..TimReq::default()
        };
        self.send_struct(Command::Business, &request).await;
    }

    /// Sends a struct and gives the code of its refusal.
    pub async fn is_refused(&mut self, command: Command, payload: &impl WireStruct) -> i32 {
        self.send_struct(command, payload).await;
        refusal(&self.ack(command).await)
    }

    /// Nothing of a command has come before the answer to a ping.
    pub async fn has_nothing_of(&mut self, command: Command) {
        let frame = empty_client_frame(Command::Ping, self.encoding);
        self.send(frame).await;
        let frame = self
            .frame_where(|frame| frame.command() == Some(command) || frame.command() == Some(Command::Ping))
            .await;
        assert_eq!(frame.command(), Some(Command::Ping));
    }
}

/// The code of a refusal, which has a text as well.
pub fn refusal(ack: &TimAck) -> i32 {
    assert!(!ack.ok, "{ack:?}");
    let error = ack.error.as_ref().unwrap();
    assert!(
        error.info.as_ref().is_some_and(|info| !info.is_empty()),
        "{ack:?}"
    );
    error.code.unwrap()
}

/// Looks again until it is so.
pub async fn until<F: Future<Output = bool>>(what: &str, mut is_so: impl FnMut() -> F) {
    let deadline = tokio::time::Instant::now() + PATIENCE;
    while !is_so().await {
        assert!(tokio::time::Instant::now() < deadline, "waited for: {what}");
        tokio::time::sleep(std::time::Duration::from_millis(50)).await;
    }
}
