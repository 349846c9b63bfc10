//! One node of several ends, and its sessions log in again at the others, all at once.
//!
//! Of a local cluster the tool kills the node itself; elsewhere it asks for that and waits. Every client does what clients
//! do: a random part of a short wait, then the next address it knows, then longer waits.

use super::Bench;
use super::accounts::LoggedIn;
use super::checker::Found;
use super::measured::{Live, Times};
use super::report::{Checks, Figures, Reconnects};
use super::server_load::{Look, ProcessMemory, ServerLoad};
use super::sessions;
use crate::failure::{Failure, Outcome};
use crate::quantity::count;
use nix::sys::signal::Signal;
use parking_lot::Mutex;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};
use tim_client::{Client, Event, Events, ReconnectPolicy};

/// How long somebody may take to stop a server.
const STOP_MAX: Duration = Duration::from_secs(600);
/// How long all sessions may take to be back; whoever is not by then is lost.
const BACK_MAX: Duration = Duration::from_secs(120);
/// When all are back and nothing has happened for so long, it is over.
const QUIET: Duration = Duration::from_secs(2);
/// How often it is looked.
const INTERVAL: Duration = Duration::from_millis(100);

/// What all sessions note.
#[derive(Default)]
struct Tally {
    broken: AtomicU64,
    failed_logins: AtomicU64,
    gave_up: AtomicU64,
    first_break: Mutex<Option<Instant>>,
    back: Mutex<Vec<Instant>>,
}

pub(super) async fn run(bench: &Bench<'_>, server: &ServerLoad) -> Outcome<Figures> {
    let nodes = bench.addresses.len();
    if nodes < 2 {
        return Err(Failure::usage(
            "reconnect needs a server of at least two nodes, so that sessions have somewhere to go: --url several times, \
             or tim scale",
        ));
    }
    let clients = sessions::log_in(bench, Some(ReconnectPolicy::default())).await?;
    let tally = Arc::new(Tally::default());
    let mut kept: Vec<Client> = Vec::with_capacity(clients.len());
    for LoggedIn { client, events, .. } in clients {
        kept.push(client);
        tokio::spawn(watch(events, Arc::clone(&tally), Arc::clone(&bench.live)));
    }
    let before = server.look();
    let begun = end_a_node(bench, &tally, kept.len().div_ceil(nodes)).await?;
    let peak = until_back(&tally, server, begun).await;
    let taken = server.since(&before);
    let figures = tally.figures(begun, server.memory(&before, &peak));
    let lost = figures.sessions.saturating_sub(figures.back);
    let checks = Checks {
        lost,
        ..Checks::of(Found::default(), &bench.live)
    };
    // Their own goodbyes are nobody's refusals.
    drop(kept);
    Ok(Figures {
        seconds: figures.last_seconds,
        operations: figures.back,
        checks,
        server: taken,
        reconnects: Some(figures),
        ..Figures::default()
    })
}

/// Ends the node of the first address; gives the moment.
async fn end_a_node(bench: &Bench<'_>, tally: &Tally, expected: usize) -> Outcome<Instant> {
    let first = bench.addresses.first();
    let node = bench.nodes.iter().find(|node| Some(&node.address) == first);
    if let Some(node) = node {
        let (name, sessions) = (&node.name, count(expected as u64));
        bench
            .terminal
            .message(format!("  killing {name} with its {sessions} sessions"));
        let begun = Instant::now();
        if !node.process.signal(Signal::SIGKILL) {
            return Err(Failure::usage(format!("{name} does not run any more; try again")));
        }
        return Ok(begun);
    }
    let minutes = STOP_MAX.as_secs() / 60;
    bench.terminal.message(format!(
        "  all are logged in: stop one of the servers now (waiting {minutes} minutes)"
    ));
    let deadline = Instant::now() + STOP_MAX;
    loop {
        if let Some(begun) = *tally.first_break.lock() {
            return Ok(begun);
        }
        if Instant::now() >= deadline {
            return Err(Failure::usage("no connection broke: no server was stopped"));
        }
        tokio::time::sleep(INTERVAL).await;
    }
}

/// Waits until all sessions are back; gives the most memory of each process meanwhile.
async fn until_back(tally: &Tally, server: &ServerLoad, begun: Instant) -> Look {
    let mut peak = server.look();
    let mut last = (tally.state(), Instant::now());
    while begun.elapsed() < BACK_MAX {
        tokio::time::sleep(INTERVAL).await;
        peak.raise_to(&server.look());
        let now = tally.state();
        if now != last.0 {
            last = (now, Instant::now());
        }
        let (broken, back, gave_up) = now;
        if broken > 0 && back + gave_up >= broken && last.1.elapsed() >= QUIET {
            break;
        }
    }
    peak
}

/// Notes how one session fares.
async fn watch(mut events: Events, tally: Arc<Tally>, live: Arc<Live>) {
    let mut attempts = 0;
    while let Some(event) = events.next().await {
        match event {
            Event::Reconnecting { attempt, reason, .. } => {
                if attempts == 0 {
                    tally.first_break.lock().get_or_insert_with(Instant::now);
                    tally.broken.fetch_add(1, Ordering::Relaxed);
                } else {
                    *live.last_refusal.lock() = Some(reason);
                }
                attempts = attempts.max(attempt);
            }
            Event::Connected { .. } if attempts > 0 => {
                tally.back.lock().push(Instant::now());
                let failed = u64::from(attempts.saturating_sub(1));
                tally.failed_logins.fetch_add(failed, Ordering::Relaxed);
                Live::raise(&live.reconnects);
                attempts = 0;
            }
            Event::Closed(reason) => {
                *live.last_refusal.lock() = Some(reason.to_string());
                if attempts == 0 {
                    tally.broken.fetch_add(1, Ordering::Relaxed);
                }
                tally.gave_up.fetch_add(1, Ordering::Relaxed);
            }
            _ => {}
        }
    }
}

impl Tally {
    /// Broken, back, given up.
    fn state(&self) -> (u64, u64, u64) {
        (
            self.broken.load(Ordering::Relaxed),
            self.back.lock().len() as u64,
            self.gave_up.load(Ordering::Relaxed),
        )
    }

    fn figures(&self, begun: Instant, memory: Vec<ProcessMemory>) -> Reconnects {
        let (sessions, back, _) = self.state();
        let mut times = Times::new();
        let mut last = Duration::ZERO;
        for moment in self.back.lock().iter() {
            let time = moment.saturating_duration_since(begun);
            times.record(time);
            last = last.max(time);
        }
        Reconnects {
            sessions,
            back,
            failed_logins: self.failed_logins.load(Ordering::Relaxed),
            last_seconds: last.as_secs_f64(),
            times: times.percentiles(),
            memory,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_count_from_the_end_of_the_node_and_the_last_one_is_told() {
        let begun = Instant::now();
        let tally = Tally::default();
        tally.broken.store(3, Ordering::Relaxed);
        tally
            .back
            .lock()
            .extend([1, 4].map(|seconds| begun + Duration::from_secs(seconds)));
        let figures = tally.figures(begun, Vec::new());
        assert_eq!((figures.sessions, figures.back), (3, 2));
        assert!((figures.last_seconds - 4.0).abs() < f64::EPSILON);
        assert_eq!(figures.times.unwrap().count, 2);
    }
}
