//! Messages to rooms: stored once, delivered to every member, the sender included.

use super::accounts::LoggedIn;
use super::arriving::{self, Inbox};
use super::checker::Found;
use super::measured::{Live, Times};
use super::report::{Checks, Figures};
use super::room_lane::{MemberLane, RoomLane};
use super::sending::{Echoes, Period, Sender};
use super::server_load::ServerLoad;
use super::{Bench, payload, room_setup};
use crate::failure::{Failure, Outcome};
use parking_lot::Mutex;
use std::sync::Arc;
use std::time::Instant;
use tim_client::wire::TimMessage;
use tim_client::wire::structs::operation;
use tokio::task::JoinHandle;

/// One room under load.
struct Room {
    lane: Mutex<RoomLane>,
    members: Vec<Mutex<MemberLane>>,
    live: Arc<Live>,
    start: Instant,
}

pub(super) async fn run(bench: &Bench<'_>, server: &ServerLoad) -> Outcome<Figures> {
    let ids = room_setup::rooms(bench).await?;
    let without = server.look();
    let members = room_setup::log_in(bench, ids.len()).await?;
    let period = Period::of(bench);
    let before = server.look();
    let (mut sending, mut silent) = (Vec::new(), Vec::new());
    let mut rooms = Vec::new();
    for (number, (id, mut members)) in ids.iter().zip(members).enumerate() {
        // Kept, and never looked at: once its queue is full the client reads nothing.
        silent.extend(members.split_off(readers(bench, members.len())));
        let room = Arc::new(Room::new(members.len(), &bench.live, period.start));
        if let Some(writer) = members.first() {
            let pace = bench.pace(number, ids.len(), period.start);
            sending.push(write(bench, (writer, id), pace, period, &room));
        }
        for (place, member) in members.into_iter().enumerate() {
            let at = Place {
                room: Arc::clone(&room),
                place,
            };
            tokio::spawn(arriving::receive(member, Arc::clone(&bench.live), at));
        }
        rooms.push(room);
    }
    let mut echoes = Echoes::new();
    for task in sending {
        echoes.add(&task.await.map_err(|error| Failure::unexpected(&error))?);
    }
    let elapsed = period.start.elapsed();
    let mut taken = server.since(&before);
    if let (Some(taken), Some(grown)) = (&mut taken, server.since(&without)) {
        taken.resident_bytes_grown = grown.resident_bytes_grown;
    }
    arriving::await_all(
        || rooms.iter().map(|room| room.lane.lock().n_arrivals()).sum(),
        || rooms.iter().all(|room| room.lane.lock().is_complete()),
    )
    .await;
    drop(silent);
    let (mut found, mut delivery, mut last) = (Found::default(), Times::new(), Times::new());
    for room in &rooms {
        room.add_to(&mut found, &mut delivery, &mut last);
    }
    Ok(Figures {
        seconds: elapsed.as_secs_f64(),
        operations: found.stored,
        echo: echoes.before.percentiles(),
        delivery: delivery.percentiles(),
        last_delivery: last.percentiles(),
        checks: Checks::of(found, &bench.live),
        server: taken,
        ..Figures::default()
    })
}

/// How many of a room's members read; the one who writes always does.
fn readers(bench: &Bench<'_>, members: usize) -> usize {
    let silent = usize::try_from(bench.arguments.silent).unwrap_or(usize::MAX);
    members.saturating_sub(silent).max(1).min(members)
}

fn write(
    bench: &Bench<'_>,
    (writer, id): (&LoggedIn, &str),
    pace: super::pace::Pace,
    period: Period,
    room: &Arc<Room>,
) -> JoinHandle<Echoes> {
    let at = Arc::clone(room);
    let sender = Sender {
        client: writer.client.clone(),
        message: TimMessage::to_room(id, operation::NORMAL),
        pace,
        period,
        live: Arc::clone(&bench.live),
        payload_bytes: bench.payload_bytes(),
        answer_max: bench.arguments.answer_timeout,
        stored: move |sequence, mid, begun| at.stored(sequence, mid, begun),
    };
    tokio::spawn(sender.run())
}

impl Room {
    fn new(reading: usize, live: &Arc<Live>, start: Instant) -> Self {
        Self {
            lane: Mutex::new(RoomLane::new(u32::try_from(reading).unwrap_or(u32::MAX))),
            members: (0..reading).map(|_| Mutex::default()).collect(),
            live: Arc::clone(live),
            start,
        }
    }

    /// What says that a message is stored is how it arrives at the sender.
    fn stored(&self, sequence: u64, mid: Option<i64>, begun: Instant) {
        let arrived = self.members.first();
        let first = arrived.is_some_and(|member| member.lock().delivered(sequence, mid));
        let mut lane = self.lane.lock();
        lane.stored(sequence, mid);
        if first {
            Live::raise(&self.live.delivered);
            lane.arrived(sequence, begun.elapsed());
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

/// One member's place in a room.
struct Place {
    room: Arc<Room>,
    place: usize,
}

impl Inbox for Place {
    fn arrived(&self, message: &TimMessage) {
        let room = &self.room;
        let elapsed = room.start.elapsed();
        let text = message.data_string.as_deref();
        let Some((sequence, sent)) = payload::of_this_run(text, message.timestamp, elapsed) else {
            return;
        };
        let member = room.members.get(self.place);
        if member.is_some_and(|member| member.lock().delivered(sequence, message.mid)) {
            Live::raise(&room.live.delivered);
            room.lane.lock().arrived(sequence, elapsed.saturating_sub(sent));
        }
    }

    fn reconnected(&self) {
        if let Some(lane) = self.room.members.get(self.place) {
            lane.lock().reconnected();
        }
    }
}
