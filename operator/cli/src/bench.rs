//! `tim bench`: measures any server that speaks tim, and checks that nothing is lost, doubled or reordered.
//!
//! ```text
//!   accounts ──▶ load (direct, relay, rooms, idle, reconnect, logins, storm) ──▶ measured + checker ──▶ report, exit code
//! ```
//!
//! Figures without zero loss, zero duplicates and kept order are no figures: the checker decides the exit code.

mod accounts;
mod arriving;
mod checker;
mod direct;
mod idle;
mod logins;
mod measured;
mod pace;
mod pairs;
mod payload;
mod place;
mod reconnect;
mod relay;
mod report;
mod room_lane;
mod room_setup;
mod rooms;
mod sending;
mod server_load;
mod sessions;
mod storm;
mod strangers;

pub use report::BenchDocument;

use crate::arguments::{BenchArguments, BenchLoad, Global};
use crate::exit::Exit;
use crate::failure::{Failure, Outcome};
use crate::output::write_document;
use crate::terminal::Terminal;
use accounts::{BenchAccounts, LoggedIn};
use measured::Live;
use pace::Pace;
use place::{LocalNode, Place};
use report::{Figures, Setting};
use server_load::ServerLoad;
use std::sync::Arc;
use std::time::{Duration, Instant};
use strangers::Strangers;
use tim_catalogue::command_line;
use tim_client::{Address, Options, Server};
use tim_local::directory::ClusterDirectory;

/// How often a running bench says how far it is.
const PROGRESS_INTERVAL: Duration = Duration::from_secs(1);

/// What every load needs.
struct Bench<'a> {
    arguments: &'a BenchArguments,
    terminal: Terminal,
    /// All nodes, with whom to trust there.
    everywhere: Server,
    addresses: Vec<Address>,
    accounts: BenchAccounts,
    live: Arc<Live>,
    /// The folder of the local cluster that is measured, if it is one.
    folder: Option<ClusterDirectory>,
    /// Its nodes.
    nodes: Vec<LocalNode>,
    /// Processes whose memory and processor time are measured.
    pids: Vec<u32>,
}

/// Measures.
///
/// # Errors
/// No server answers, it refuses the accounts, or the checker has found a loss, a duplicate or a reordering (exit 1).
pub async fn run(terminal: &Terminal, global: &Global, arguments: &BenchArguments) -> Outcome {
    let arguments = &with_rate(arguments);
    let place = Place::find(global, arguments).await?;
    terminal.message(format!("{} · {}", place.shown, describe(arguments)));
    let bench = Bench::of(arguments, terminal, place)?;
    let server = ServerLoad::new(bench.pids.clone());
    let progress = tokio::spawn(say_progress(terminal.clone(), Arc::clone(&bench.live)));
    let strangers = Strangers::come(arguments.strangers, &bench.addresses, &bench.live).await;
    let measured = match arguments.load {
        BenchLoad::Direct => direct::run(&bench, &server).await,
        BenchLoad::Relay => relay::run(&bench, &server).await,
        BenchLoad::Rooms => rooms::run(&bench, &server).await,
        BenchLoad::Idle => idle::run(&bench, &server).await,
        BenchLoad::Reconnect => reconnect::run(&bench, &server).await,
        BenchLoad::Logins => logins::run(&bench, &server).await,
        BenchLoad::Storm => storm::run(&bench, &server).await,
    };
    progress.abort();
    let figures = Figures {
        strangers: strangers.n_open(),
        ..measured?
    };
    let setting = Setting::of(arguments, &bench.addresses);
    finish(terminal, global, setting, figures)
}

/// What was asked for; a storm is compared at a fixed rate, whether or not one was named.
fn with_rate(arguments: &BenchArguments) -> BenchArguments {
    let mut arguments = arguments.clone();
    if arguments.load == BenchLoad::Storm {
        arguments.rate.get_or_insert(storm::MESSAGES_PER_SECOND);
    }
    arguments
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
            let silent = arguments.silent;
            format!(
                "rooms: {rooms} with {members} members online, {silent} of them silent, {absent} not; {pace}, {seconds} s"
            )
        }
        BenchLoad::Idle => format!("idle: {} sessions, {seconds} s", arguments.sessions),
        BenchLoad::Reconnect => format!("reconnect: {} sessions, one node ends", arguments.sessions),
        BenchLoad::Logins => format!("logins: {} accounts, {pace}, {seconds} s", arguments.sessions),
        BenchLoad::Storm => {
            let pairs = arguments.pairs;
            format!("storm: {pairs} pairs, {pace}, {seconds} s without and {seconds} s with newcomers")
        }
    }
}

impl<'a> Bench<'a> {
    fn of(arguments: &'a BenchArguments, terminal: &Terminal, place: Place) -> Outcome<Self> {
        let addresses = place.server.addresses.clone();
        let first = addresses.first();
        let first = first.map(|address| format!("{}:{}", address.host(), address.port()));
        let key = if arguments.url.is_empty() {
            String::new()
        } else {
            first.unwrap_or_default()
        };
        Ok(Self {
            arguments,
            terminal: terminal.clone(),
            accounts: BenchAccounts::open(&place.accounts_file, &key, arguments.login_wait)?,
            addresses,
            everywhere: place.server,
            live: Arc::default(),
            folder: place.folder,
            nodes: place.nodes,
            pids: place.pids,
        })
    }

    /// The server with its addresses turned, so that clients spread over the nodes and yet know all of them; and when one
    /// ends, over the others.
    fn server(&self, number: usize) -> Server {
        let mut server = self.everywhere.clone();
        let nodes = server.addresses.len().max(1);
        server.addresses.rotate_left(number % nodes);
        if let Some((_, others)) = server.addresses.split_first_mut() {
            let turn = (number / nodes) % others.len().max(1);
            others.rotate_left(turn);
        }
        server
    }

    /// What every client is told.
    fn adjust(&self, options: &mut Options) {
        options.limits.send_timeout = self.arguments.answer_timeout;
    }

    /// Registers that many accounts, unless an earlier run did.
    async fn ensure_accounts(&self, count: usize) -> Outcome<()> {
        let registered = || Live::raise(&self.live.accounts);
        self.accounts
            .ensure(count, &|number| self.server(number), registered)
            .await
    }

    /// One account, logged in for what a load needs beforehand.
    async fn log_in(&self, number: usize) -> Outcome<LoggedIn> {
        let adjust = |options: &mut Options| {
            self.adjust(options);
            options.limits.events_max = 16_384;
        };
        self.accounts
            .log_in_when_free(number, self.server(number), &adjust)
            .await
    }

    /// How many sessions were asked for.
    fn n_sessions(&self) -> usize {
        usize::try_from(self.arguments.sessions).unwrap_or(usize::MAX)
    }

    /// How many messages of one sender may be under way: the pace decides, nothing else.
    fn in_flight_max(&self) -> usize {
        const WITH_A_RATE: usize = 100_000;
        let window = usize::try_from(self.arguments.window).unwrap_or(usize::MAX);
        self.arguments.rate.map_or(window.max(1), |_| WITH_A_RATE)
    }

    /// Bytes of text in each message.
    fn payload_bytes(&self) -> usize {
        usize::try_from(self.arguments.payload).unwrap_or(usize::MAX)
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
