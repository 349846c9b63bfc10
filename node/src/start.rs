//! From a configuration to a running node, and to its end.
//!
//! The order: telemetry, sockets (a port that is taken ends the start), keys and certificates, everything that needs no
//! database, then the databases, the map, the other nodes; only then clients. A database that does not answer, or a
//! file that is missing, ends nothing: the node stays up, says what it waits for, and goes on when it is there.

mod build;
mod sockets;

use crate::admin::{Access, AdminState, router as admin_router, server_api};
use crate::board::{Board, Effect, Place};
use crate::drain::Asked;
use crate::edge;
use crate::node::Node;
use crate::reload::{self, ConfigSource};
use crate::supervisor::Supervisor;
use anyhow::Context;
use std::sync::atomic::Ordering;
use std::sync::{Arc, OnceLock};
use std::time::Duration;
use tim_catalogue::command_line::UNEXPECTED;
use tim_catalogue::{Report, node as causes};
use tim_config::NodeConfig;
use tim_telemetry::{Settings, Telemetry};
use tokio::signal::unix::{Signal, SignalKind, signal};

/// How long the tasks may take to end once the node has left.
const END_LIMIT: Duration = Duration::from_secs(3);
/// How long telemetry may take to send what is queued.
const TELEMETRY_LIMIT: Duration = Duration::from_secs(2);
/// How long the node hands over when it is told to end; a longer drain is asked for before that.
const LEAVE_LIMIT: Duration = Duration::from_secs(8);
/// A start that lasts longer is warned of, again and again until it has ended.
const START_EXPECTED: Duration = Duration::from_secs(30);
/// How often a drain is asked for again while the process ends.
const ASK_INTERVAL: Duration = Duration::from_secs(1);

/// Runs a node until a signal ends it.
///
/// # Errors
/// What keeps the node from starting at all: a port that is taken, a data folder that cannot be used.
pub(crate) fn run_to_the_end(config: NodeConfig, source: ConfigSource) -> anyhow::Result<()> {
    // Fails only if it was chosen already, which is as good.
    let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .thread_name("tim-node")
        .build()
        .context("start the runtime")?;
    let outcome = runtime.block_on(Box::pin(run(config, source)));
    // Threads that still compute a password hash are not waited for.
    runtime.shutdown_timeout(Duration::from_millis(200));
    outcome
}

fn telemetry(config: &NodeConfig) -> anyhow::Result<Telemetry> {
    let settings = Settings {
        service_namespace: config.node.cluster_id.clone(),
        service_instance_id: config.node.name.clone(),
        otlp_endpoint: config.telemetry.otlp_endpoint.clone(),
        log_filter: config.telemetry.log_filter.clone(),
        log_json: config.telemetry.log_json,
        trace_ratio: config.telemetry.trace_ratio,
        ..Settings::new("tim-node", env!("CARGO_PKG_VERSION"))
    };
    tim_telemetry::start(&settings).context("set telemetry up")
}

async fn run(config: NodeConfig, source: ConfigSource) -> anyhow::Result<()> {
    let telemetry = telemetry(&config)?;
    let outcome = Box::pin(serve(config, source, &telemetry)).await;
    telemetry.shutdown(TELEMETRY_LIMIT).await;
    outcome
}

async fn serve(config: NodeConfig, source: ConfigSource, telemetry: &Telemetry) -> anyhow::Result<()> {
    let mut signals = Signals::new()?;
    let mut supervisor = Supervisor::default();
    let board = starting();
    supervisor.run("start", warn_of_a_long_start(Arc::clone(&board)));
    let sockets = sockets::bind(&config).await?;
    sockets.tell();
    let shown: Arc<OnceLock<Arc<Node>>> = Arc::default();
    let scrape = telemetry.scrape();
    let access = administrators(&config, &board, &mut supervisor);
    let server_api_access = Arc::clone(&access);
    let tls = Arc::new(build::PublicTls::default());
    let Doors {
        admin: admin_door,
        client_tls,
        server_api_tls,
    } = doors(&config, &tls);
    let admin = admin_router(AdminState {
        access,
        board: Arc::clone(&board),
        node: Arc::clone(&shown),
        metrics: Arc::new(scrape),
    });
    supervisor.run(
        "admin",
        edge::serve(sockets.admin, admin, admin_door, supervisor.stop()),
    );
    let parts = build::Sockets {
        client: sockets.client.address,
        admin: sockets.admin_address,
        peer: sockets.peer,
        peer_address: sockets.peer_address,
        gossip: sockets.gossip,
    };
    let built = tokio::select! {
        built = Box::pin(build::build(config, parts, Arc::clone(&board), (&tls, &mut supervisor))) => built?,
        () = signals.end() => return Ok(()),
    };
    let node = built;
    let _ = shown.set(Arc::clone(&node));
    if let Some(bound) = sockets.server_api {
        let door = server_api::Door {
            access: server_api_access,
            node: Arc::clone(&node),
            tls: server_api_tls,
        };
        supervisor.run("server API", server_api::serve(bound, door));
    }
    supervisor.run("configuration", reload::follow(Arc::clone(&node), source));
    let outcome = tokio::select! {
        outcome = Box::pin(go(&node, (sockets.client, client_tls), &mut supervisor)) => outcome,
        () = signals.end() => Ok(()),
    };
    leave(&node, &mut signals).await;
    supervisor.end(END_LIMIT).await;
    node.databases.store().close().await;
    tracing::info!("ended");
    outcome
}

/// Who may administer, as the files say from now on.
fn administrators(config: &NodeConfig, board: &Arc<Board>, supervisor: &mut Supervisor) -> Arc<Access> {
    let access = Arc::new(Access::new(&config.admin));
    let reload_interval = Duration::from_millis(config.trust.reload_interval_millis);
    let following = Arc::clone(&access).follow(reload_interval, Arc::clone(board));
    supervisor.run("administrators", following);
    access
}

/// What stands before each listener.
struct Doors {
    admin: edge::Door,
    client_tls: Option<Arc<dyn edge::TlsSource>>,
    server_api_tls: Option<Arc<dyn edge::TlsSource>>,
}

fn doors(config: &NodeConfig, tls: &Arc<build::PublicTls>) -> Doors {
    let of = |speaks_tls: bool| speaks_tls.then(|| Arc::clone(tls) as Arc<dyn edge::TlsSource>);
    let listeners = &config.listeners;
    Doors {
        admin: edge::Door {
            tls: of(listeners.admin.tls),
            limited_by: None,
        },
        client_tls: of(listeners.client.tls),
        server_api_tls: of(listeners.server_api.tls),
    }
}

/// A board that says that the node has just started.
fn starting() -> Arc<Board> {
    let board = Board::default();
    let report = Report::new(&causes::STARTING, "just started");
    board.raise(Place::Start, Effect::NotReady, report);
    Arc::new(board)
}

async fn warn_of_a_long_start(board: Arc<Board>) {
    loop {
        tokio::time::sleep(START_EXPECTED).await;
        if !board.remind(&Place::Start) {
            // A task that ends would be a fault.
            std::future::pending::<()>().await;
        }
    }
}

/// Waits for databases, map and members, then serves clients until something fails.
async fn go(
    node: &Arc<Node>,
    (client, tls): (edge::BoundListener, Option<Arc<dyn edge::TlsSource>>),
    supervisor: &mut Supervisor,
) -> anyhow::Result<()> {
    build::wait_until_ready(node).await;
    node.takes_logins.store(true, Ordering::Relaxed);
    node.board.clear(&Place::Start);
    let door = edge::Door {
        tls,
        limited_by: Some(Arc::clone(node)),
    };
    let stop = supervisor.stop();
    supervisor.run(
        "clients",
        edge::serve(client, edge::router(Arc::clone(node)), door, stop),
    );
    tracing::info!(node = %node.name, "serving");
    let fault = supervisor.watch().await;
    tracing::error!(
        code = UNEXPECTED.code,
        fault,
        "a part of the node has ended, the process stops"
    );
    anyhow::bail!("{fault}")
}

/// Hands over in bounded time; a second signal cuts it short.
async fn leave(node: &Arc<Node>, signals: &mut Signals) {
    tracing::info!("leaving");
    let drained = async {
        loop {
            let asked = Asked {
                drain_id: "end of the process".to_owned(),
                limit: Some(LEAVE_LIMIT),
                leave_control_group: false,
                at_once: true,
                of_this_machine: true,
            };
            if node.drain.ask(asked).await.is_done() {
                return;
            }
            let _ = tokio::time::timeout(ASK_INTERVAL, node.drain.drained()).await;
        }
    };
    tokio::select! {
        _ = tokio::time::timeout(LEAVE_LIMIT, drained) => {}
        () = signals.end() => tracing::warn!("told to end at once"),
    }
    let _ = tokio::time::timeout(END_LIMIT, node.control.stop()).await;
    let _ = tokio::time::timeout(Duration::from_secs(1), node.membership.leave()).await;
}

/// The signals that end the process.
struct Signals {
    terminate: Signal,
    interrupt: Signal,
}

impl Signals {
    fn new() -> anyhow::Result<Self> {
        Ok(Self {
            terminate: signal(SignalKind::terminate()).context("listen for SIGTERM")?,
            interrupt: signal(SignalKind::interrupt()).context("listen for SIGINT")?,
        })
    }

    async fn end(&mut self) {
        tokio::select! {
            _ = self.terminate.recv() => {}
            _ = self.interrupt.recv() => {}
        }
    }
}
