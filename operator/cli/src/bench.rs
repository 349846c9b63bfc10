//! `tim bench`: measures any server that speaks tim, and checks that nothing is lost, doubled or reordered.
//!
//! ```text
//!   accounts ──▶ load (direct, relay, rooms, idle, logins) ──▶ measured + checker ──▶ report, exit code
//! ```
//!
//! Figures without zero loss, zero duplicates and kept order are no figures: the checker decides the exit code.

mod accounts;
mod checker;
mod direct;
mod idle;
mod logins;
mod measured;
mod pace;
mod relay;
mod report;
mod room_lane;
mod rooms;
mod server_load;
mod strangers;

pub use report::BenchDocument;

use crate::arguments::{BenchArguments, BenchLoad, Global};
use crate::chat::{local_addresses, parse_addresses};
use crate::exit::Exit;
use crate::failure::{Failure, Outcome};
use crate::output::write_document;
use crate::target::LocalTarget;
use crate::terminal::Terminal;
use accounts::BenchAccounts;
use measured::Live;
use pace::Pace;
use report::{Figures, Setting};
use server_load::ServerLoad;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};
use strangers::Strangers;
use tim_catalogue::command_line;
use tim_client::{Address, Server};
use tim_local::directory::ClusterDirectory;
use tim_local::view;

/// How often a running bench says how far it is.
const PROGRESS_INTERVAL: Duration = Duration::from_secs(1);

/// What every load needs.
struct Bench<'a> {
    arguments: &'a BenchArguments,
    addresses: Vec<Address>,
    accounts: BenchAccounts,
    live: Arc<Live>,
    /// The folder of the local cluster that is measured, if it is one.
    folder: Option<ClusterDirectory>,
}

/// Measures.
///
/// # Errors
/// No server answers, it refuses the accounts, or the checker has found a loss, a duplicate or a reordering (exit 1).
pub async fn run(terminal: &Terminal, global: &Global, arguments: &BenchArguments) -> Outcome {
    let place = place(global, arguments).await?;
    terminal.message(format!("{} · {}", place.shown, describe(arguments)));
    let first = place
        .addresses
        .first()
        .map(|address| format!("{}:{}", address.host(), address.port()));
    let key = if arguments.url.is_empty() {
        String::new()
    } else {
        first.unwrap_or_default()
    };
    let bench = Bench {
        arguments,
        accounts: BenchAccounts::open(&place.accounts_file, &key)?,
        addresses: place.addresses,
        live: Arc::default(),
        folder: place.folder,
    };
    let server = ServerLoad::new(place.pids);
    let progress = tokio::spawn(say_progress(terminal.clone(), Arc::clone(&bench.live)));
    let strangers = Strangers::come(arguments.strangers, &bench.addresses, &bench.live).await;
    let measured = match arguments.load {
        BenchLoad::Direct => direct::run(&bench, &server).await,
        BenchLoad::Relay => relay::run(&bench, &server).await,
        BenchLoad::Rooms => rooms::run(&bench, &server).await,
        BenchLoad::Idle => idle::run(&bench, &server).await,
        BenchLoad::Logins => logins::run(&bench, &server).await,
    };
    progress.abort();
    let figures = Figures {
        strangers: strangers.n_open(),
        ..measured?
    };
    let setting = Setting::of(arguments, &bench.addresses);
    finish(terminal, global, setting, figures)
}

fn finish(terminal: &Terminal, global: &Global, setting: Setting, figures: Figures) -> Outcome {
    let violations = figures.checks.violations();
    let document = BenchDocument::new(setting, figures);
    if global.output.is_document() {
        write_document(terminal, global.output, &document)?;
    } else {
        document.lines().iter().for_each(|line| terminal.result(line));
    }
    if violations.is_empty() {
        return Ok(Exit::Done);
    }
    Err(Failure::new(&command_line::CHECK_FAILED, violations.join(", ")))
}

/// What is measured, and from where.
struct Place {
    shown: String,
    addresses: Vec<Address>,
    accounts_file: PathBuf,
    pids: Vec<u32>,
    folder: Option<ClusterDirectory>,
}

async fn place(global: &Global, arguments: &BenchArguments) -> Outcome<Place> {
    let mut pids = arguments.server_pid.clone();
    if !arguments.url.is_empty() {
        let home = std::env::var_os("HOME").map(PathBuf::from).unwrap_or_default();
        let data = std::env::var_os("XDG_DATA_HOME").map_or_else(|| home.join(".local/share"), PathBuf::from);
        return Ok(Place {
            shown: arguments.url.join(", "),
            addresses: parse_addresses(&arguments.url)?,
            accounts_file: data.join("tim").join("bench-accounts.json"),
            pids,
            folder: None,
        });
    }
    let (cluster, addresses, chat_accounts) = local_addresses(global, arguments.cluster.as_deref()).await?;
    let target = LocalTarget::open(global)?;
    let seen = view::observe(target.directory(), &cluster, Duration::from_secs(2)).await;
    let seen = seen.map_err(|error| Failure::unexpected(&error))?;
    pids.extend(seen.nodes.iter().filter_map(view::NodeView::pid));
    Ok(Place {
        shown: format!("local cluster {cluster}"),
        addresses,
        accounts_file: chat_accounts.with_file_name("bench-accounts.json"),
        pids,
        folder: Some(target.directory().cluster(&cluster)),
    })
}

fn describe(arguments: &BenchArguments) -> String {
    let pace = arguments.rate.map_or_else(
        || {
            format!(
                "as fast as answers come, {} under way per sender",
                arguments.window
            )
        },
        |rate| format!("{rate} per second"),
    );
    let seconds = arguments.duration.as_secs_f64();
    match arguments.load {
        BenchLoad::Direct => format!("direct: {} pairs, {pace}, {seconds} s", arguments.pairs),
        BenchLoad::Relay => format!("relay: {} pairs, {pace}, {seconds} s", arguments.pairs),
        BenchLoad::Rooms => {
            let (rooms, members, absent) = (arguments.rooms, arguments.members, arguments.absent);
            format!("rooms: {rooms} with {members} members online, {absent} not; {pace}, {seconds} s")
        }
        BenchLoad::Idle => format!("idle: {} sessions, {seconds} s", arguments.sessions),
        BenchLoad::Logins => format!("logins: {} accounts, {pace}, {seconds} s", arguments.sessions),
    }
}

impl Bench<'_> {
    /// The server with its addresses turned, so that clients spread over the nodes and yet know all of them.
    fn server(&self, number: usize) -> Server {
        let mut addresses = self.addresses.clone();
        let turn = number % addresses.len().max(1);
        addresses.rotate_left(turn);
        Server::at(addresses)
    }

    /// Registers that many accounts, unless an earlier run did.
    async fn ensure_accounts(&self, count: usize) -> Outcome<()> {
        let registered = || Live::raise(&self.live.accounts);
        self.accounts
            .ensure(count, &|number| self.server(number), registered)
            .await
    }

    /// One account per session that was asked for; how many that are.
    async fn ensure_sessions(&self) -> Outcome<usize> {
        let count = usize::try_from(self.arguments.sessions).unwrap_or(usize::MAX);
        self.ensure_accounts(count).await?;
        Ok(count)
    }

    /// The pace of one of several senders that together keep the rate that was asked for.
    fn pace(&self, sender: usize, senders: usize, start: Instant) -> Pace {
        let (rate, window) = (self.arguments.rate, self.arguments.window);
        Pace::new(rate, window, sender, senders, start)
    }
}

async fn say_progress(terminal: Terminal, live: Arc<Live>) {
    let mut last = live.numbers();
    loop {
        tokio::time::sleep(PROGRESS_INTERVAL).await;
        let now = live.numbers();
        if let Some(line) = now.line(&last, PROGRESS_INTERVAL) {
            terminal.message(line);
        }
        last = now;
    }
}
