//! The parts of a node, put together.

use crate::accounts::{Accounts, device_limits};
use crate::accounts::{blocks, deletion, remembered};
use crate::admission::Admission;
use crate::board::{Board, Effect, Place};
use crate::commands::{Absences, Throttle};
use crate::databases::{self, Databases};
use crate::drain;
use crate::edge::TlsSource;
use crate::engine;
use crate::founder::DatabaseFounder;
use crate::metrics::Metrics;
use crate::node::{Addresses, Node};
use crate::online_news::{self, OnlineNews};
use crate::peers::{Peers, Services};
use crate::repartition::{self, Driver};
use crate::retention;
use crate::session::{LocalAccounts, SessionTable};
use crate::supervisor::Supervisor;
use crate::webhooks::{self, Webhooks};
use crate::{gauges, node_control, peers, streams, watchers};
use anyhow::Context;
use arc_swap::ArcSwap;
use aws_lc_rs::hmac;
use sha2::{Digest, Sha256};
use std::net::SocketAddr;
use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicU64};
use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};
use tim_catalogue::command_line::UNEXPECTED;
use tim_catalogue::{Report, configuration, node as causes};
use tim_cluster::control::{ControlGroup, ControlSettings};
use tim_cluster::keyring::KeyRing;
use tim_cluster::links::{Handshaker, Links, PeerServer};
use tim_cluster::membership::{self, Gossip, MemberState, Members, SystemResolver};
use tim_cluster::tls::{PeerIdentity, Trust, TrustFiles, TrustReloader, watch_files};
use tim_config::{AccountIds, Cursors, NodeConfig};
use tim_core::cursor_sets::CursorSets;
use tim_core::id::{DatabaseName, Epoch, NodeName, Slot};
use tim_core::map::{HomePlacement, PartitionMap, Range};
use tim_core::session;
use tim_core::view::View;
use tim_store::{StorageKeys, Store, StoreConfig};
use tim_wire::IdScheme;
use tokio::net::{TcpListener, UdpSocket};
use tokio::sync::watch;
use zeroize::Zeroizing;

/// Wait before something that is missing at the start is looked for again.
const RETRY: Duration = Duration::from_secs(1);
/// A node that knows no map yet starts with those databases that are open after this time.
const PARTIAL_AFTER: Duration = Duration::from_secs(4);
/// How long calls of peers may take once the node ends.
const PEER_GRACE: Duration = Duration::from_millis(500);
/// Bytes of the storage key.
const STORAGE_KEY_BYTES: usize = 32;

/// The bound sockets that the parts need.
pub(super) struct Sockets {
    pub(super) client: SocketAddr,
    pub(super) admin: SocketAddr,
    pub(super) peer: TcpListener,
    pub(super) peer_address: SocketAddr,
    pub(super) gossip: UdpSocket,
}

impl Addresses {
    fn of(sockets: &Sockets, peer: SocketAddr) -> Self {
        Self {
            client: sockets.client,
            admin: sockets.admin,
            peer,
        }
    }
}

/// TLS for those who have no certificate, with the node's own one once it has been read: clients and administrators.
#[derive(Default)]
pub(super) struct PublicTls(OnceLock<Trust>);

impl TlsSource for PublicTls {
    fn server_config(&self) -> Option<Arc<rustls::ServerConfig>> {
        self.0.get().map(Trust::public_server_config)
    }
}

/// Accounts, wherever they are; a statement that can be of no use ends the start.
async fn accounts(
    config: &NodeConfig,
    board: &Arc<Board>,
    password_tags: hmac::Key,
) -> anyhow::Result<Accounts> {
    let accounts = Accounts::new(config, board, password_tags)?;
    accounts.users.check().await?;
    Ok(accounts)
}

/// Everything that exists whether databases and other nodes answer or not.
pub(super) async fn build(
    config: NodeConfig,
    sockets: Sockets,
    board: Arc<Board>,
    (tls, supervisor): (&PublicTls, &mut Supervisor),
) -> anyhow::Result<Arc<Node>> {
    let name = NodeName::new(&config.node.name).context("node.name")?;
    let (reloader, keys) = secrets(&config, &name, &board).await;
    let (trust, ring) = (reloader.trust(), reloader.keys());
    // Filled once: its content follows the files.
    let _ = tls.0.set(trust.clone());
    let reload_interval = Duration::from_millis(config.trust.reload_interval_millis);
    watch_files(reloader, reload_interval, supervisor.stop().token());
    let advertise = advertised(&config, sockets.peer_address).await;
    let addresses = Addresses::of(&sockets, advertise);
    let handshaker = Handshaker::new(&config.node.cluster_id, name.clone(), Arc::clone(&ring));
    let (membership, events) = membership::start(gossip(&config, &name, advertise, sockets.gossip, ring));
    let members = membership.members();
    own_generation(&handshaker, &members, &name);
    let links = Links::new(trust.clone(), handshaker.clone(), members.clone());
    let control = open_control(&config, &name, &links, &membership).await?;
    let map = Arc::new(guessed_map(&config)?);
    let accounts = accounts(&config, &board, keys.password_tags().clone()).await?;
    let databases = Arc::new(Databases::new(store(&config, keys), map.clone(), board.clone()));
    let (engine, inputs) = engine::channel();
    let (streams, stream_inputs) = streams::channel(links.clone(), &config.limits);
    let peers = Arc::new(Peers::new(links, engine.clone(), &config.limits));
    let (drain, drain_inputs) = drain::channel();
    let node = Arc::new(Node {
        config_hash: config_hash(&config),
        started: Instant::now(),
        addresses,
        ids: id_scheme(&config),
        server_mark: server_mark(&name),
        session_config: Arc::new(session_config(&config)),
        session_cursors: cursor_sets(&config.sessions),
        board: Arc::clone(&board),
        metrics: Arc::new(Metrics::new()),
        wheel: Arc::default(),
        admission: Admission::new(&config.limits),
        throttle: Throttle::new(&config),
        local_accounts: LocalAccounts::default(),
        sessions: Arc::new(SessionTable::default()),
        accounts,
        absences: Absences::default(),
        webhooks: Webhooks::new(&config.webhooks),
        online_news: OnlineNews::default(),
        view: ArcSwap::from_pointee(View::new(Vec::new())),
        repartition: repartition::Figures::default(),
        walks: retention::Walks::default(),
        takes_logins: AtomicBool::new(false),
        foreign_key_at_ms: AtomicU64::new(0),
        name,
        config,
        engine,
        databases,
        peers,
        streams,
        membership,
        members,
        trust,
        control,
        drain,
    });
    let running = Running {
        inputs,
        stream_inputs,
        drain_inputs,
        map,
        handshaker,
        events,
        peer: sockets.peer,
    };
    run_tasks(&node, running, supervisor);
    Ok(node)
}

/// Certificates and keys, once they are there.
async fn secrets(config: &NodeConfig, name: &NodeName, board: &Board) -> (TrustReloader, StorageKeys) {
    let reloader = wait_for(board, Place::Trust, || trust(config, name)).await;
    let file = &config.trust.storage_key_file;
    let keys = wait_for(board, Place::Trust, || storage_keys(file)).await;
    (reloader, keys)
}

/// What this life of the node is told from earlier ones by.
fn own_generation(handshaker: &Handshaker, members: &watch::Receiver<Arc<Members>>, name: &NodeName) {
    let own = members.borrow().get(name).map(|own| own.generation);
    handshaker.set_generation(own.unwrap_or_default());
}

fn store(config: &NodeConfig, keys: StorageKeys) -> Store {
    let cluster = config.node.cluster_id.clone();
    Store::announcing(
        StoreConfig { cluster, keys },
        webhooks::announce(&config.webhooks),
    )
}

fn gossip(
    config: &NodeConfig,
    name: &NodeName,
    advertise: SocketAddr,
    socket: UdpSocket,
    keys: Arc<ArcSwap<KeyRing>>,
) -> Gossip {
    Gossip {
        cluster_id: config.node.cluster_id.clone(),
        name: name.clone(),
        zone: config.node.zone.clone(),
        advertise,
        socket,
        keys,
        seeds: config.membership.seeds.clone(),
        resolver: Arc::new(SystemResolver),
        settings: membership::Settings::from_config(&config.membership),
    }
}

/// What the tasks take over.
struct Running {
    inputs: engine::Inputs,
    stream_inputs: streams::Inputs,
    drain_inputs: drain::DrainInputs,
    map: Arc<PartitionMap>,
    handshaker: Handshaker,
    events: tokio::sync::mpsc::Receiver<membership::MembershipEvent>,
    peer: TcpListener,
}

fn run_tasks(node: &Arc<Node>, running: Running, supervisor: &mut Supervisor) {
    let parts = engine::Parts {
        name: node.name.clone(),
        view: node.view.load_full(),
        map: running.map,
        sessions: Arc::clone(&node.sessions),
        databases: Arc::clone(&node.databases),
        peers: Arc::clone(&node.peers),
        metrics: Arc::clone(&node.metrics),
        limits: node.config.limits.clone(),
        devices: device_limits(&node.config.sessions),
        cursor_sets: node.session_cursors,
        need_map: Arc::clone(&node.databases.need_map),
    };
    supervisor.run("engine", engine::run(node.engine.clone(), parts, running.inputs));
    let stream_parts = streams::Parts {
        name: node.name.clone(),
        view: node.view.load_full(),
        sessions: Arc::clone(&node.sessions),
        metrics: Arc::clone(&node.metrics),
        config: streams::config(&node.config),
    };
    supervisor.run(
        "streams",
        streams::run(node.streams.clone(), stream_parts, running.stream_inputs),
    );
    supervisor.run("timers", Arc::clone(&node.wheel).turn());
    supervisor.run("drain", drain::run(Arc::clone(node), running.drain_inputs));
    supervisor.run("members", watchers::members(Arc::clone(node)));
    supervisor.run(
        "map",
        databases::follow(Arc::clone(&node.databases), node.engine.clone()),
    );
    supervisor.run("control", watchers::control(Arc::clone(node)));
    supervisor.run("environment", watchers::environment(Arc::clone(node)));
    supervisor.run("tokens", watchers::sweep(Arc::clone(node)));
    supervisor.run("webhooks", webhooks::run(Arc::clone(node)));
    supervisor.run("online news", online_news::follow(Arc::clone(node)));
    supervisor.run("retention", retention::run(Arc::clone(node)));
    run_tasks_of_accounts(node, supervisor);
    let driver = Driver {
        control: node.control.clone(),
        databases: Arc::clone(&node.databases),
        figures: node.repartition.clone(),
    };
    supervisor.run("repartition", repartition::drive(driver));
    let events = watchers::membership_events(Arc::clone(node), running.handshaker.clone(), running.events);
    supervisor.run("membership", events);
    let server = PeerServer {
        listener: running.peer,
        trust: node.trust.clone(),
        handshaker: running.handshaker,
        grace: PEER_GRACE,
    };
    let routes = peers::routes(&Services {
        engine: node.engine.clone(),
        peers: Arc::clone(&node.peers),
        sessions: Arc::clone(&node.sessions),
        node: Arc::clone(node),
    })
    .add_service(streams::service(node.streams.clone(), Arc::clone(&node.metrics)))
    .add_service(node_control::service(Arc::clone(node)))
    .add_service(node.control.service());
    let stop = supervisor.stop().token();
    supervisor.run_to_its_end("peers", async move {
        if let Err(error) = server.serve(routes, stop).await {
            tracing::error!(code = UNEXPECTED.code, %error, "the peer listener has failed");
        }
    });
    gauges::register(node);
}

fn run_tasks_of_accounts(node: &Arc<Node>, supervisor: &mut Supervisor) {
    supervisor.run("blocks", blocks::follow(Arc::clone(node)));
    supervisor.run("deletions", deletion::run(Arc::clone(node)));
    supervisor.run("remembered passwords", remembered::run(Arc::clone(node)));
}

/// Opens the databases, reads or founds the map, joins the others; returns when this node is in its own view.
pub(super) async fn wait_until_ready(node: &Arc<Node>) {
    node.databases.declare(&node.config.storage);
    node.control.run(Arc::new(DatabaseFounder {
        store: node.databases.store().clone(),
        node: node.name.clone(),
        config: node.config.clone(),
    }));
    say(node, "waits for its databases");
    let map = tokio::select! {
        map = map_of_fences(node) => map,
        map = map_of_peers(node) => map,
    };
    node.databases.begin_with(Arc::clone(&map));
    node.engine.post(engine::Input::Map(map));
    // Read while databases were still being opened, it may be a guess for some.
    node.databases.need_map.notify_one();
    say(node, "joins the others");
    let mut members = node.members.clone();
    let _ = node.membership.set_state(MemberState::Serving).await;
    let _ = members
        .wait_for(|members| members.view().contains(&node.name))
        .await;
}

fn say(node: &Node, what: &str) {
    node.board.raise(
        Place::Start,
        Effect::NotReady,
        Report::new(&causes::STARTING, what),
    );
}

/// The map as the fences say it: of all databases, or, after a while, of those that are open. A new cluster waits for
/// all of them.
async fn map_of_fences(node: &Node) -> Arc<PartitionMap> {
    let declared = node.databases.declared();
    let all = declared.len();
    let mut opened = node.databases.opened();
    let begun = tokio::time::Instant::now();
    loop {
        let store = node.databases.store();
        if opened.borrow_and_update().len() >= all {
            match databases::founding_map(store, &node.config.partitioning, &declared).await {
                Ok(map) => return Arc::new(map),
                Err(error) => node.board.raise(Place::Start, Effect::NotReady, error.report()),
            }
        } else if begun.elapsed() >= PARTIAL_AFTER
            && let Some(map) = node.databases.partial_map(&node.databases.map()).await
        {
            tracing::warn!("starting without all databases; their part is not served until they answer");
            return Arc::new(map);
        }
        let _ = tokio::time::timeout(RETRY, opened.changed()).await;
    }
}

/// The map as the others hold it: a node starts also while a database does not answer.
async fn map_of_peers(node: &Node) -> Arc<PartitionMap> {
    let mut view = node.control.view();
    loop {
        if let Some(map) = view.borrow_and_update().state.map.clone() {
            return Arc::new(map);
        }
        if view.changed().await.is_err() {
            std::future::pending::<()>().await;
        }
    }
}

/// Tries until it works; what is in the way is up on the board meanwhile.
async fn wait_for<T>(board: &Board, place: Place, attempt: impl Fn() -> Result<T, Report>) -> T {
    loop {
        match attempt() {
            Ok(value) => {
                board.clear(&place);
                return value;
            }
            Err(report) => board.raise(place.clone(), Effect::NotReady, report),
        }
        tokio::time::sleep(RETRY).await;
    }
}

fn trust(config: &NodeConfig, name: &NodeName) -> Result<TrustReloader, Report> {
    let files = TrustFiles {
        tls_directory: config.trust.tls_directory.clone(),
        stem: name.as_str().to_owned(),
        identity: PeerIdentity::Node {
            cluster_id: config.node.cluster_id.clone(),
            name: name.clone(),
        },
        keyring_file: config.trust.keyring_file.clone(),
    };
    TrustReloader::load(files).map_err(|error| Report::new(error.cause(), error.to_string()))
}

fn storage_keys(path: &Path) -> Result<StorageKeys, Report> {
    use base64::Engine as _;
    let unreadable = |reason: String| {
        let observed = format!("{}: {reason}", path.display());
        Report::new(&configuration::UNREADABLE_FILE, observed)
    };
    let text = std::fs::read_to_string(path).map_err(|error| unreadable(error.to_string()))?;
    let text = Zeroizing::new(text);
    let decoded = base64::engine::general_purpose::STANDARD
        .decode(text.trim())
        .map_err(|_| unreadable("not base64".to_owned()))?;
    let decoded = Zeroizing::new(decoded);
    let key: [u8; STORAGE_KEY_BYTES] = decoded
        .as_slice()
        .try_into()
        .map_err(|_| unreadable(format!("{} bytes; {STORAGE_KEY_BYTES} are needed", decoded.len())))?;
    StorageKeys::single(Zeroizing::new(key)).map_err(|error| unreadable(error.to_string()))
}

/// Where peers reach this node: a host name is resolved until it has an address.
async fn advertised(config: &NodeConfig, bound: SocketAddr) -> SocketAddr {
    let listeners = &config.listeners;
    let port = if listeners.advertise_port == 0 {
        bound.port()
    } else {
        listeners.advertise_port
    };
    if listeners.advertise_host.is_empty() {
        return SocketAddr::new(bound.ip(), port);
    }
    loop {
        match tokio::net::lookup_host((listeners.advertise_host.as_str(), port)).await {
            Ok(mut found) => {
                if let Some(address) = found.next() {
                    return address;
                }
            }
            Err(error) => {
                tracing::warn!(host = listeners.advertise_host, %error, "own name is not known yet")
            }
        }
        tokio::time::sleep(RETRY).await;
    }
}

async fn open_control(
    config: &NodeConfig,
    name: &NodeName,
    links: &Links,
    membership: &membership::Membership,
) -> anyhow::Result<ControlGroup> {
    let directory = &config.node.data_directory;
    std::fs::create_dir_all(directory)
        .with_context(|| format!("make the data folder {}", directory.display()))?;
    let opened = ControlGroup::open(
        directory,
        name.clone(),
        links.clone(),
        membership.members(),
        ControlSettings::default(),
    )
    .await;
    opened.map_err(|error| Report::new(error.cause(), error.to_string()).into())
}

/// What the configuration says a new cluster begins with; a guess until the fences have been read.
fn guessed_map(config: &NodeConfig) -> anyhow::Result<PartitionMap> {
    let mut ranges = Vec::new();
    for start in config.partitioning.ranges(&config.storage.databases) {
        ranges.push(Range {
            from: Slot(start.from),
            database: DatabaseName::new(&start.database).context("partitioning.layout")?,
            epoch: Epoch(1),
            homes: HomePlacement::PerConversation,
        });
    }
    PartitionMap::new(ranges, 0).context("partitioning.layout")
}

fn id_scheme(config: &NodeConfig) -> IdScheme {
    let accounts = &config.accounts;
    let scheme = match (accounts.seed, accounts.mask_seed.as_str()) {
        (0, "") => IdScheme::default(),
        (0, text) => IdScheme::with_mask_seed(text),
        (seed, _) => IdScheme::with_seed(seed),
    };
    let scheme = scheme.with_salt(accounts.salt.as_bytes());
    match accounts.ids {
        AccountIds::Derived => scheme,
        AccountIds::Names => scheme.with_names_as_ids(),
    }
}

fn server_mark(name: &NodeName) -> i32 {
    let [first, second, third, fourth, ..] = tim_core::placement::hash(name.as_bytes()).to_be_bytes();
    i32::from_be_bytes([first, second, third, fourth])
}

fn session_config(config: &NodeConfig) -> session::Config {
    let sessions = &config.sessions;
    session::Config {
        max_unconfirmed: sessions.unconfirmed_max as usize,
        max_unconfirmed_bytes: config.limits.outbound_bytes_max as usize / 2,
        offline_batch: sessions.offline_batch_messages as usize,
        confirm_timeout_ms: sessions.confirm_timeout_millis,
        max_sends: sessions.confirm_attempts,
        offline_wait_ms: sessions.offline_grace_millis,
        check_ms: sessions.undelivered_check_seconds * 1_000,
        ..session::Config::default()
    }
}

fn cursor_sets(sessions: &tim_config::Sessions) -> CursorSets {
    match sessions.cursors {
        Cursors::PerAccount => CursorSets::one_for_all(),
        Cursors::PerDeviceClass => CursorSets::shared(&sessions.shared_cursors),
    }
}

fn config_hash(config: &NodeConfig) -> String {
    let text = toml::to_string(config).unwrap_or_default();
    Sha256::digest(text.as_bytes())
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect()
}
