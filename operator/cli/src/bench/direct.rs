//! One-to-one messages: stored, echoed to the sender, delivered to the other, confirmed.

use super::Bench;
use super::arriving::{self, Inbox};
use super::checker::{Found, Lane};
use super::measured::{Live, Times};
use super::pairs::{self, Pair};
use super::payload;
use super::report::{Checks, Figures};
use super::sending::{Echoes, Period, Sender};
use super::server_load::ServerLoad;
use crate::failure::{Failure, Outcome};
use parking_lot::Mutex;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tim_client::wire::TimMessage;
use tim_client::wire::structs::operation;
use tim_local::directory::ClusterDirectory;
use tim_local::load::LoadRecord;
use tim_local::process::ProcessId;
use tokio::task::JoinHandle;

/// What both sides of a pair know.
pub(super) struct Shared {
    pub(super) lane: Mutex<Lane>,
    pub(super) delivery: Mutex<Times>,
    pub(super) live: Arc<Live>,
    pub(super) start: Instant,
}

pub(super) async fn run(bench: &Bench<'_>, server: &ServerLoad) -> Outcome<Figures> {
    let pairs = pairs::ready(bench).await?;
    let (figures, echoes) = measure(bench, server, pairs, Period::of(bench)).await?;
    Ok(Figures {
        echo: echoes.before.percentiles(),
        ..figures
    })
}

/// Sends for a while and checks what arrives.
pub(super) async fn measure(
    bench: &Bench<'_>,
    server: &ServerLoad,
    pairs: Vec<Pair>,
    period: Period,
) -> Outcome<(Figures, Echoes)> {
    let before = server.look();
    let (sending, shared) = begin(bench, pairs, period);
    let counting = bench
        .folder
        .clone()
        .map(|folder| tokio::spawn(tell_supervisor(folder, shared.clone())));
    let mut echoes = Echoes::new();
    for task in sending {
        echoes.add(&task.await.map_err(|error| Failure::unexpected(&error))?);
    }
    let elapsed = period.start.elapsed();
    let taken = server.since(&before);
    let n_delivered = |both: &Arc<Shared>| both.lane.lock().n_delivered() as u64;
    arriving::await_all(
        || shared.iter().map(n_delivered).sum(),
        || shared.iter().all(|both| both.lane.lock().is_complete()),
    )
    .await;
    if let (Some(counting), Some(folder)) = (counting, &bench.folder) {
        counting.abort();
        // A record of a tool that has ended is not believed anyway.
        LoadRecord::remove(folder).ok();
    }
    let (mut found, mut delivery) = (Found::default(), Times::new());
    for both in &shared {
        found.add(both.lane.lock().found());
        delivery.add(&both.delivery.lock());
    }
    let figures = Figures {
        seconds: elapsed.as_secs_f64(),
        operations: found.stored,
        delivery: delivery.percentiles(),
        checks: Checks::of(found, &bench.live),
        server: taken,
        ..Figures::default()
    };
    Ok((figures, echoes))
}

type Sending = Vec<JoinHandle<Echoes>>;

fn begin(bench: &Bench<'_>, pairs: Vec<Pair>, period: Period) -> (Sending, Vec<Arc<Shared>>) {
    let senders = pairs.len();
    let (mut sending, mut shared) = (Vec::new(), Vec::new());
    for (number, pair) in pairs.into_iter().enumerate() {
        let both = Arc::new(Shared::new(&bench.live, period.start));
        let live = || Arc::clone(&bench.live);
        tokio::spawn(arriving::receive(pair.receiver, live(), Arc::clone(&both)));
        tokio::spawn(arriving::ignore_events(pair.sender.events, live()));
        let lane = Arc::clone(&both);
        let sender = Sender {
            client: pair.sender.client,
            message: TimMessage::direct(&pair.receiver_node, operation::NORMAL),
            pace: bench.pace(number, senders, period.start),
            period,
            live: live(),
            payload_bytes: bench.payload_bytes(),
            answer_max: bench.arguments.answer_timeout,
            stored: move |sequence, mid, _| lane.lane.lock().stored(sequence, mid),
        };
        sending.push(tokio::spawn(sender.run()));
        shared.push(both);
    }
    (sending, shared)
}

/// Lets the supervisor of a local cluster tell the very losses that are counted here: what was acknowledged a while ago
/// and has not arrived. What was acknowledged just now is on its way.
async fn tell_supervisor(folder: ClusterDirectory, shared: Vec<Arc<Shared>>) {
    const INTERVAL: Duration = Duration::from_secs(1);
    let Some(process) = ProcessId::own() else {
        return;
    };
    let mut before: Vec<Option<u64>> = vec![None; shared.len()];
    loop {
        let mut found = Found::default();
        let mut outstanding = 0;
        for (both, before) in shared.iter().zip(&mut before) {
            let lane = both.lane.lock();
            found.add(lane.found());
            outstanding += before.map_or(0, |sequence| lane.n_missing_up_to(sequence));
            *before = lane.highest_stored();
        }
        let record = LoadRecord {
            process,
            stored: found.stored,
            outstanding: u64::try_from(outstanding).unwrap_or(u64::MAX),
            duplicated: found.duplicated,
            reordered: found.reordered,
        };
        // Without it the supervisor tells no losses, and measures no less.
        record.save(&folder).ok();
        tokio::time::sleep(INTERVAL).await;
    }
}

impl Shared {
    pub(super) fn new(live: &Arc<Live>, start: Instant) -> Self {
        Self {
            lane: Mutex::default(),
            delivery: Mutex::new(Times::new()),
            live: Arc::clone(live),
            start,
        }
    }
}

impl Inbox for Arc<Shared> {
    fn arrived(&self, message: &TimMessage) {
        let elapsed = self.start.elapsed();
        let text = message.data_string.as_deref();
        let Some((sequence, sent)) = payload::of_this_run(text, message.timestamp, elapsed) else {
            return;
        };
        let first = {
            let mut lane = self.lane.lock();
            let before = lane.n_delivered();
            lane.delivered(sequence, message.mid);
            lane.n_delivered() > before
        };
        if first {
            Live::raise(&self.live.delivered);
            self.delivery.lock().record(elapsed.saturating_sub(sent));
        }
    }

    fn reconnected(&self) {
        self.lane.lock().reconnected();
    }
}
