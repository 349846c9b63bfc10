//! Messages to rooms: stored once, delivered to every member, the sender included.
//!
//! Rooms are made and filled once and used again by later runs, since members beyond those who are online cost a password
//! hash and a notice each.

use super::Bench;
use super::accounts::LoggedIn;
use super::checker::Found;
use super::direct::{
    ANSWERS_MAX, ARRIVAL_INTERVAL, SILENCE_MAX, is_of_earlier_run, payload, read_payload, sleep_until,
};
use super::measured::{Live, Times};
use super::pace::Pace;
use super::report::{Checks, Figures};
use super::room_lane::{MemberLane, RoomLane};
use super::server_load::ServerLoad;
use crate::failure::{Failure, Outcome};
use futures::stream::{self, FuturesUnordered, StreamExt};
use parking_lot::Mutex;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tim_catalogue::command_line;
use tim_client::wire::structs::{business, operation};
use tim_client::wire::{TimAck, TimMessage};
use tim_client::{Client, Event, SendError, Sent};

/// Members that are being taken in at once.
const PULLS_MAX: usize = 256;
/// How long the server may take to answer one request while a room is made.
const ANSWER_MAX: Duration = Duration::from_secs(30);

/// One room under load.
struct Room {
    lane: Mutex<RoomLane>,
    members: Vec<Mutex<MemberLane>>,
    live: Arc<Live>,
    start: Instant,
}

pub(super) async fn run(bench: &Bench<'_>, server: &ServerLoad) -> Outcome<Figures> {
    let ids = rooms(bench).await?;
    let without = server.look();
    let members = log_in(bench, ids.len()).await?;
    let start = Instant::now();
    let before = server.look();
    let mut sending = Vec::new();
    let mut rooms = Vec::new();
    for (number, (id, members)) in ids.iter().zip(members).enumerate() {
        let room = Arc::new(Room::new(&members, &bench.live, start));
        let sender = Sender {
            client: members.first().map(|member| member.client.clone()),
            to: id.clone(),
            pace: bench.pace(number, ids.len(), start),
            room: Arc::clone(&room),
            payload_bytes: usize::try_from(bench.arguments.payload).unwrap_or(usize::MAX),
            end: start + bench.arguments.duration,
        };
        for (place, member) in members.into_iter().enumerate() {
            tokio::spawn(receive(member, place, Arc::clone(&room)));
        }
        sending.push(tokio::spawn(sender.run()));
        rooms.push(room);
    }
    let mut echo = Times::new();
    for task in sending {
        echo.add(&task.await.map_err(|error| Failure::unexpected(&error))?);
    }
    let elapsed = start.elapsed();
    let mut taken = server.since(&before);
    if let (Some(taken), Some(grown)) = (&mut taken, server.since(&without)) {
        taken.resident_bytes_grown = grown.resident_bytes_grown;
    }
    await_arrival(&rooms).await;
    let (mut found, mut delivery, mut last) = (Found::default(), Times::new(), Times::new());
    for room in &rooms {
        room.add_to(&mut found, &mut delivery, &mut last);
    }
    Ok(Figures {
        seconds: elapsed.as_secs_f64(),
        operations: found.stored,
        echo: echo.percentiles(),
        delivery: delivery.percentiles(),
        last_delivery: last.percentiles(),
        checks: Checks::of(found, &bench.live),
        server: taken,
        bytes_per_session: None,
        first_logins: None,
        strangers: 0,
    })
}

/// How many members of each room are online.
fn online(bench: &Bench<'_>) -> usize {
    usize::try_from(bench.arguments.members).unwrap_or(usize::MAX)
}

/// The ids of the rooms; those that no earlier run has made are made.
async fn rooms(bench: &Bench<'_>) -> Outcome<Vec<String>> {
    let mut ids = Vec::new();
    for number in 0..usize::try_from(bench.arguments.rooms).unwrap_or(usize::MAX) {
        let (members, absent) = (bench.arguments.members, bench.arguments.absent);
        let made_for = format!("{members} online, {absent} not, number {number}");
        let id = match bench.accounts.room(&made_for) {
            Some(id) => id,
            None => {
                let id = make(bench, number).await?;
                bench.accounts.remember_room(made_for, id.clone())?;
                id
            }
        };
        ids.push(id);
    }
    Ok(ids)
}

/// A new room with all its members.
async fn make(bench: &Bench<'_>, number: usize) -> Outcome<String> {
    let online = online(bench);
    let server = |number: usize| bench.server(number);
    let known = || Live::raise(&bench.live.accounts);
    let first = number * online;
    bench.ensure_accounts(first + 1).await?;
    let mut ids = bench
        .accounts
        .ids(first + 1..first + online, &server, known)
        .await?;
    let absent = usize::try_from(bench.arguments.absent).unwrap_or(usize::MAX);
    // The same for all rooms: they are never online.
    let rooms = usize::try_from(bench.arguments.rooms).unwrap_or(usize::MAX);
    let beyond = rooms * online;
    ids.extend(
        bench
            .accounts
            .ids(beyond..beyond + absent, &server, known)
            .await?,
    );
    let adjust = |options: &mut tim_client::Options| options.limits.events_max = 16_384;
    let mut founder = bench.accounts.log_in(first, bench.server(first), adjust).await?;
    let made = founder.client.create_room("bench", false).await;
    made.map_err(|error| Failure::new(&command_line::SERVER_UNREACHABLE, error.to_string()))?;
    let room = answer(&mut founder, business::NEW_ROOM)
        .await?
        .n
        .unwrap_or_default();
    fill(bench, &mut founder, &room, &ids).await?;
    founder.client.close().await;
    Ok(room)
}

/// Takes accounts into a room.
async fn fill(bench: &Bench<'_>, founder: &mut LoggedIn, room: &str, ids: &[String]) -> Outcome<()> {
    let mut asked = ids.iter();
    let mut under_way = 0;
    loop {
        while under_way < PULLS_MAX
            && let Some(id) = asked.next()
        {
            let pulled = founder.client.pull_into_room(room, id).await;
            pulled.map_err(|error| Failure::new(&command_line::SERVER_UNREACHABLE, error.to_string()))?;
            Live::raise(&bench.live.sent);
            under_way += 1;
        }
        if under_way == 0 {
            return Ok(());
        }
        answer(founder, business::PULL_ROOM).await?;
        Live::raise(&bench.live.answered);
        under_way -= 1;
    }
}

/// The answer to a request about rooms.
async fn answer(founder: &mut LoggedIn, request: i32) -> Outcome<TimAck> {
    let refused = |why: String| Failure::new(&command_line::ACCOUNT_REFUSED, why);
    let waiting = async {
        while let Some(event) = founder.events.next().await {
            if let Event::Ack(ack) = event {
                return Some(ack);
            }
        }
        None
    };
    let ack = tokio::time::timeout(ANSWER_MAX, waiting).await.ok().flatten();
    let Some(ack) = ack else {
        return Err(refused(
            "a room cannot be made: the server does not answer".into(),
        ));
    };
    if ack.ok && ack.t == Some(i64::from(request)) {
        return Ok(ack);
    }
    let why = ack.error.unwrap_or_default().info.unwrap_or_default();
    Err(refused(format!("a room cannot be made: {why}")))
}

/// The members of each room who are online, the founder first.
async fn log_in(bench: &Bench<'_>, rooms: usize) -> Outcome<Vec<Vec<LoggedIn>>> {
    let online = online(bench);
    bench.ensure_accounts(rooms * online).await?;
    let window = usize::try_from(bench.arguments.window).unwrap_or(usize::MAX);
    let in_flight = bench.arguments.rate.map_or(window.max(1), |_| 100_000);
    let adjust = move |options: &mut tim_client::Options| {
        options.limits.in_flight_max = in_flight;
        options.limits.events_max = 1_024;
        options.limits.remembered_max = 0;
        options.limits.read_buffer_bytes = 4 << 10;
    };
    let at = |number: usize| bench.server(number);
    let live = &bench.live;
    let clients = bench
        .accounts
        .log_in_all(rooms * online, &at, adjust, || Live::raise(&live.sessions))
        .await?;
    let mut settled: Vec<LoggedIn> = stream::iter(clients)
        .map(take_offline)
        .buffered(PULLS_MAX)
        .collect()
        .await;
    let mut clients = settled.drain(..);
    Ok((0..rooms)
        .map(|_| clients.by_ref().take(online).collect())
        .collect())
}

/// Takes what waited for a member, as clients do after a login, so that live messages do not queue behind it.
async fn take_offline(mut member: LoggedIn) -> LoggedIn {
    let until_the_end = async {
        member.client.request_offline().await.ok();
        while let Some(event) = member.events.next().await {
            if matches!(event, Event::OfflineEnd) {
                break;
            }
        }
    };
    // Whoever is not done by then gets the rest while messages come.
    let _ = tokio::time::timeout(ANSWER_MAX, until_the_end).await;
    member
}

/// Waits until everything acknowledged has arrived everywhere, or nothing arrives any more.
async fn await_arrival(rooms: &[Arc<Room>]) {
    let arrivals = || {
        rooms
            .iter()
            .map(|room| room.lane.lock().n_arrivals())
            .sum::<u64>()
    };
    let mut last = (arrivals(), Instant::now());
    while !rooms.iter().all(|room| room.lane.lock().is_complete()) {
        tokio::time::sleep(ARRIVAL_INTERVAL).await;
        let now = arrivals();
        if now != last.0 {
            last = (now, Instant::now());
        } else if last.1.elapsed() >= SILENCE_MAX {
            return;
        }
    }
    // Late repetitions would be duplicates: they get a moment to show.
    tokio::time::sleep(ARRIVAL_INTERVAL * 10).await;
}

impl Room {
    fn new(members: &[LoggedIn], live: &Arc<Live>, start: Instant) -> Self {
        Self {
            lane: Mutex::new(RoomLane::new(u32::try_from(members.len()).unwrap_or(u32::MAX))),
            members: members.iter().map(|_| Mutex::default()).collect(),
            live: Arc::clone(live),
            start,
        }
    }

    fn delivered(&self, place: usize, message: &TimMessage) {
        let Some((sequence, sent)) = message.data_string.as_deref().and_then(read_payload) else {
            return;
        };
        // What earlier runs have said in the room comes again to those who had not confirmed it.
        let elapsed = self.start.elapsed();
        let time = message.timestamp;
        if sent > elapsed || time.is_some_and(|time| is_of_earlier_run(time, elapsed)) {
            return;
        }
        let member = self.members.get(place);
        if member.is_some_and(|member| member.lock().delivered(sequence, message.mid)) {
            Live::raise(&self.live.delivered);
            self.lane.lock().arrived(sequence, elapsed.saturating_sub(sent));
        }
    }

    fn add_to(&self, found: &mut Found, delivery: &mut Times, last: &mut Times) {
        let lane = self.lane.lock();
        let members: Vec<MemberLane> = self
            .members
            .iter()
            .map(|member| std::mem::take(&mut *member.lock()))
            .collect();
        found.add(lane.found(members.iter()));
        delivery.add(&lane.delivery);
        last.add(&lane.last);
    }
}

async fn receive(mut member: LoggedIn, place: usize, room: Arc<Room>) {
    let mut connected_before = false;
    while let Some(event) = member.events.next().await {
        match event {
            Event::Message { message, .. } => room.delivered(place, &message),
            Event::OfflineBatch { messages, .. } => {
                messages.iter().for_each(|message| room.delivered(place, message));
            }
            Event::Connected { .. } => {
                if connected_before && let Some(lane) = room.members.get(place) {
                    lane.lock().reconnected();
                    // Without a connection again it is asked for after the next one.
                    member.client.request_offline().await.ok();
                }
                connected_before = true;
            }
            Event::Reconnecting { .. } => {
                connected_before = true;
                Live::raise(&room.live.reconnects);
            }
            _ => {}
        }
    }
}

struct Sender {
    client: Option<Client>,
    to: String,
    pace: Pace,
    room: Arc<Room>,
    payload_bytes: usize,
    end: Instant,
}

impl Sender {
    async fn run(self) -> Times {
        let mut times = Times::new();
        let mut under_way = FuturesUnordered::new();
        let mut number = 0_u64;
        let Some(client) = &self.client else {
            return times;
        };
        loop {
            let due = self.pace.due(number, under_way.len());
            let due = due.filter(|due| *due < self.end);
            if Instant::now() >= self.end || (due.is_none() && under_way.is_empty()) {
                break;
            }
            tokio::select! {
                biased;
                Some((sequence, begun, outcome)) = under_way.next() => {
                    self.answered(sequence, begun, outcome, &mut times);
                }
                () = sleep_until(due) => {
                    let begun = due.unwrap_or_else(Instant::now);
                    match client.submit(self.message(number, begun)).await {
                        Ok(receipt) => {
                            Live::raise(&self.room.live.sent);
                            under_way.push(async move { (number, begun, receipt.await) });
                        }
                        Err(error) => self.room.live.refuse(error.to_string()),
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
        let since_start = begun.duration_since(self.room.start);
        TimMessage {
            data_string: Some(payload(sequence, since_start, self.payload_bytes)),
            ..TimMessage::to_room(&self.to, operation::NORMAL)
        }
    }

    fn answered(&self, sequence: u64, begun: Instant, outcome: Result<Sent, SendError>, times: &mut Times) {
        match outcome {
            Ok(sent) => {
                times.record(begun.elapsed());
                Live::raise(&self.room.live.answered);
                // What says that it is stored is how it arrives at the sender.
                let arrived = self.room.members.first();
                let first = arrived.is_some_and(|member| member.lock().delivered(sequence, sent.mid));
                let mut lane = self.room.lane.lock();
                lane.stored(sequence, sent.mid);
                if first {
                    Live::raise(&self.room.live.delivered);
                    lane.arrived(sequence, begun.elapsed());
                }
            }
            Err(error) => self.room.live.refuse(error.to_string()),
        }
    }
}
