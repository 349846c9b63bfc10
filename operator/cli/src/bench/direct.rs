//! One-to-one messages: stored, echoed to the sender, delivered to the other, confirmed.

use super::Bench;
use super::accounts::LoggedIn;
use super::checker::{Found, Lane};
use super::measured::{Live, Times};
use super::pace::Pace;
use super::report::{Checks, Figures};
use super::server_load::ServerLoad;
use crate::failure::{Failure, Outcome};
use futures::stream::{FuturesUnordered, StreamExt};
use parking_lot::Mutex;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tim_catalogue::command_line;
use tim_client::wire::structs::{business, operation};
use tim_client::wire::{ErrorCode, TimMessage};
use tim_client::{Client, Event, Events, SendError, Sent};
use tim_local::directory::ClusterDirectory;
use tim_local::load::LoadRecord;
use tim_local::process::ProcessId;

/// How long two accounts may take to become friends.
const FRIENDS_MAX: Duration = Duration::from_secs(30);
/// How often they are asked to.
const FRIENDS_INTERVAL: Duration = Duration::from_millis(500);
/// How long what is under way at the end may take to be answered.
pub(super) const ANSWERS_MAX: Duration = Duration::from_secs(60);
/// Once nothing has arrived for this long, nothing more is expected.
pub(super) const SILENCE_MAX: Duration = Duration::from_secs(15);
/// How often it is looked whether everything has arrived.
pub(super) const ARRIVAL_INTERVAL: Duration = Duration::from_millis(50);

/// What both sides of a pair know.
pub(super) struct Shared {
    pub(super) lane: Mutex<Lane>,
    pub(super) delivery: Mutex<Times>,
    pub(super) live: Arc<Live>,
    pub(super) start: Instant,
}

pub(super) async fn run(bench: &Bench<'_>, server: &ServerLoad) -> Outcome<Figures> {
    let pairs = pairs(bench).await?;
    befriend_all(&pairs).await?;
    let start = Instant::now();
    let before = server.look();
    let senders = pairs.len();
    let mut sending = Vec::new();
    let mut shared = Vec::new();
    for (number, pair) in pairs.into_iter().enumerate() {
        let both = Arc::new(Shared::new(&bench.live, start));
        tokio::spawn(receive(pair.receiver, Arc::clone(&both)));
        let sender = Sender {
            client: pair.sender.client.clone(),
            to: pair.receiver_node,
            pace: bench.pace(number, senders, start),
            shared: Arc::clone(&both),
            payload_bytes: usize::try_from(bench.arguments.payload).unwrap_or(usize::MAX),
            end: start + bench.arguments.duration,
        };
        tokio::spawn(ignore_events(pair.sender.events, Arc::clone(&bench.live)));
        sending.push(tokio::spawn(sender.run()));
        shared.push(both);
    }
    let counting = bench
        .folder
        .clone()
        .map(|folder| tokio::spawn(tell_supervisor(folder, shared.clone())));
    let mut echo = Times::new();
    for task in sending {
        echo.add(&task.await.map_err(|error| Failure::unexpected(&error))?);
    }
    let elapsed = start.elapsed();
    let taken = server.since(&before);
    await_arrival(&shared).await;
    if let (Some(counting), Some(folder)) = (counting, &bench.folder) {
        counting.abort();
        // A record of a tool that has ended is not believed anyway.
        LoadRecord::remove(folder).ok();
    }
    Ok(figures(bench, &shared, &echo, elapsed, taken))
}

fn figures(
    bench: &Bench<'_>,
    shared: &[Arc<Shared>],
    echo: &Times,
    elapsed: Duration,
    server: Option<super::server_load::ServerFigures>,
) -> Figures {
    let mut found = Found::default();
    let mut delivery = Times::new();
    for both in shared {
        found.add(both.lane.lock().found());
        delivery.add(&both.delivery.lock());
    }
    Figures {
        seconds: elapsed.as_secs_f64(),
        operations: found.stored,
        echo: echo.percentiles(),
        delivery: delivery.percentiles(),
        last_delivery: None,
        checks: Checks::of(found, &bench.live),
        server,
        bytes_per_session: None,
        first_logins: None,
        strangers: 0,
    }
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

/// Two accounts per pair, spread over the nodes: the two of a pair are on different ones where there are several.
pub(super) async fn pairs(bench: &Bench<'_>) -> Outcome<Vec<PairOfClients>> {
    let count = usize::try_from(bench.arguments.pairs)
        .unwrap_or(usize::MAX)
        .saturating_mul(2);
    let server = |number: usize| bench.server(number);
    let live = &bench.live;
    bench.ensure_accounts(count).await?;
    let window = usize::try_from(bench.arguments.window).unwrap_or(usize::MAX);
    let in_flight = if bench.arguments.rate.is_some() {
        100_000
    } else {
        window.max(1)
    };
    let adjust = move |options: &mut tim_client::Options| {
        options.limits.in_flight_max = in_flight;
        options.limits.commands_max = 4_096;
        options.limits.events_max = 16_384;
        // The checker wants to see every repetition.
        options.limits.remembered_max = 0;
    };
    let clients = bench
        .accounts
        .log_in_all(count, &server, adjust, || Live::raise(&live.sessions))
        .await?;
    let mut clients = clients.into_iter();
    let mut pairs = Vec::new();
    while let (Some(sender), Some(receiver)) = (clients.next(), clients.next()) {
        pairs.push(PairOfClients {
            receiver_node: receiver.node.clone(),
            sender,
            receiver,
        });
    }
    Ok(pairs)
}

/// A pair and the id of its receiver.
pub(super) struct PairOfClients {
    pub(super) sender: LoggedIn,
    pub(super) receiver: LoggedIn,
    pub(super) receiver_node: String,
}

pub(super) async fn befriend_all(pairs: &[PairOfClients]) -> Outcome<()> {
    let mut waiting: FuturesUnordered<_> = pairs.iter().map(befriend).collect();
    while let Some(outcome) = waiting.next().await {
        outcome?;
    }
    Ok(())
}

/// Both ask; it is done when a message passes.
async fn befriend(pair: &PairOfClients) -> Outcome<()> {
    let deadline = Instant::now() + FRIENDS_MAX;
    loop {
        // A connection that broke is made again meanwhile.
        pair.sender
            .client
            .add_friend(&pair.receiver.node, "bench")
            .await
            .ok();
        pair.receiver
            .client
            .add_friend(&pair.sender.node, "bench")
            .await
            .ok();
        let probe = TimMessage {
            data_string: Some("probe".into()),
            ..TimMessage::direct(&pair.receiver.node, operation::NORMAL)
        };
        match pair.sender.client.send_message(probe).await {
            Ok(_) => return Ok(()),
            Err(error) if Instant::now() >= deadline => {
                return Err(Failure::new(
                    &command_line::ACCOUNT_REFUSED,
                    format!("two accounts cannot become friends: {error}"),
                ));
            }
            Err(_) => tokio::time::sleep(FRIENDS_INTERVAL).await,
        }
    }
}

/// Waits until everything acknowledged has arrived, or nothing arrives any more.
pub(super) async fn await_arrival(shared: &[Arc<Shared>]) {
    let delivered = || {
        shared
            .iter()
            .map(|both| both.lane.lock().n_delivered())
            .sum::<usize>()
    };
    let mut last = (delivered(), Instant::now());
    while !shared.iter().all(|both| both.lane.lock().is_complete()) {
        tokio::time::sleep(ARRIVAL_INTERVAL).await;
        let now = delivered();
        if now != last.0 {
            last = (now, Instant::now());
        } else if last.1.elapsed() >= SILENCE_MAX {
            return;
        }
    }
    // Late repetitions would be duplicates: they get a moment to show.
    tokio::time::sleep(ARRIVAL_INTERVAL * 10).await;
}

struct Sender {
    client: Client,
    to: String,
    pace: Pace,
    shared: Arc<Shared>,
    payload_bytes: usize,
    end: Instant,
}

impl Sender {
    async fn run(self) -> Times {
        let mut times = Times::new();
        let mut under_way = FuturesUnordered::new();
        let mut number = 0_u64;
        loop {
            let due = self
                .pace
                .due(number, under_way.len())
                .filter(|due| *due < self.end);
            let over = Instant::now() >= self.end;
            if over || (due.is_none() && under_way.is_empty()) {
                break;
            }
            tokio::select! {
                biased;
                Some((sequence, begun, outcome)) = under_way.next() => self.answered(sequence, begun, outcome, &mut times),
                () = sleep_until(due) => {
                    let begun = due.unwrap_or_else(Instant::now);
                    let message = self.message(number, begun);
                    match self.client.submit(message).await {
                        Ok(receipt) => {
                            Live::raise(&self.shared.live.sent);
                            under_way.push(async move { (number, begun, receipt.await) });
                        }
                        Err(error) => self.shared.live.refuse(error.to_string()),
                    }
                    number += 1;
                }
            }
        }
        let rest = async {
            while let Some((sequence, begun, outcome)) = under_way.next().await {
                self.answered(sequence, begun, outcome, &mut times);
            }
        };
        // What has no answer by then is not counted as stored; if it arrives all the same it is seen.
        let _ = tokio::time::timeout(ANSWERS_MAX, rest).await;
        times
    }

    fn message(&self, sequence: u64, begun: Instant) -> TimMessage {
        let text = payload(
            sequence,
            begun.duration_since(self.shared.start),
            self.payload_bytes,
        );
        TimMessage {
            data_string: Some(text),
            ..TimMessage::direct(&self.to, operation::NORMAL)
        }
    }

    fn answered(&self, sequence: u64, begun: Instant, outcome: Result<Sent, SendError>, times: &mut Times) {
        match outcome {
            Ok(sent) => {
                times.record(begun.elapsed());
                Live::raise(&self.shared.live.answered);
                self.shared.lane.lock().stored(sequence, sent.mid);
            }
            Err(error) => self.shared.live.refuse(error.to_string()),
        }
    }
}

pub(super) async fn sleep_until(due: Option<Instant>) {
    match due {
        // Less than a timer can tell: go on at once.
        Some(due) if due <= Instant::now() => {}
        Some(due) => tokio::time::sleep_until(due.into()).await,
        None => std::future::pending().await,
    }
}

/// `SEQUENCE NANOSECONDS` and dots up to the wanted length.
pub(super) fn payload(sequence: u64, since_start: Duration, bytes: usize) -> String {
    let mut text = format!("{sequence} {} ", since_start.as_nanos());
    while text.len() < bytes {
        text.push('.');
    }
    text
}

/// Sequence and time of a payload.
pub(super) fn read_payload(text: &str) -> Option<(u64, Duration)> {
    let mut parts = text.split(' ');
    let sequence = parts.next()?.parse().ok()?;
    let nanoseconds = parts.next()?.parse().ok()?;
    Some((sequence, Duration::from_nanos(nanoseconds)))
}

async fn receive(mut receiver: LoggedIn, shared: Arc<Shared>) {
    let mut connected_before = false;
    while let Some(event) = receiver.events.next().await {
        match event {
            Event::Message { message, .. } => deliver(&message, &receiver, &shared).await,
            Event::OfflineBatch { messages, .. } => {
                for message in &messages {
                    deliver(message, &receiver, &shared).await;
                }
            }
            Event::Connected { .. } => {
                if connected_before {
                    shared.lane.lock().reconnected();
                    // Without a connection again it is asked for after the next one.
                    receiver.client.request_offline().await.ok();
                }
                connected_before = true;
            }
            Event::Reconnecting { .. } => {
                connected_before = true;
                Live::raise(&shared.live.reconnects);
            }
            _ => {}
        }
    }
}

async fn deliver(message: &TimMessage, receiver: &LoggedIn, shared: &Shared) {
    if message.od_type == operation::BUSINESS {
        if message.bn_type == Some(business::ADD_ROSTER)
            && let Some(from) = message.from_node()
        {
            receiver.client.add_friend(from, "bench").await.ok();
        }
        return;
    }
    let Some((sequence, sent)) = message.data_string.as_deref().and_then(read_payload) else {
        return;
    };
    // Messages of an earlier run have other times; they are told apart by being older than this start.
    let elapsed = shared.start.elapsed();
    if sent > elapsed
        || message
            .timestamp
            .is_some_and(|time| is_of_earlier_run(time, elapsed))
    {
        return;
    }
    let first = {
        let mut lane = shared.lane.lock();
        let before = lane.n_delivered();
        lane.delivered(sequence, message.mid);
        lane.n_delivered() > before
    };
    if first {
        Live::raise(&shared.live.delivered);
        shared.delivery.lock().record(elapsed.saturating_sub(sent));
    }
}

/// Clocks of server and tool may differ by a little.
pub(super) fn is_of_earlier_run(unix_nanoseconds: i64, elapsed: Duration) -> bool {
    const CLOCK_SKEW: Duration = Duration::from_secs(5);
    let now = jiff::Timestamp::now().as_nanosecond();
    let age = now - i128::from(unix_nanoseconds);
    age > i128::try_from((elapsed + CLOCK_SKEW).as_nanos()).unwrap_or(i128::MAX)
}

/// A sender has nothing to read but refusals of its friendship, which the first message shows anyway.
pub(super) async fn ignore_events(mut events: Events, live: Arc<Live>) {
    while let Some(event) = events.next().await {
        match event {
            Event::Reconnecting { .. } => Live::raise(&live.reconnects),
            Event::Ack(ack) if !ack.ok => {
                let error = ack.error.unwrap_or_default();
                let code = error.code.and_then(ErrorCode::from_number);
                if code != Some(ErrorCode::Repeated) {
                    live.refuse(error.info.unwrap_or_default());
                }
            }
            _ => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_payload_has_its_length_and_is_read_again() {
        let text = payload(42, Duration::from_nanos(77), 64);
        assert_eq!(text.len(), 64);
        assert_eq!(read_payload(&text), Some((42, Duration::from_nanos(77))));
        assert_eq!(read_payload("probe"), None);
    }
}
