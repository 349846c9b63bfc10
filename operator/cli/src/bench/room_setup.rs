//! Rooms for a load: made and filled once and used again by later runs, since members beyond those who are online cost a
//! password hash and a notice each.

use super::Bench;
use super::accounts::LoggedIn;
use super::measured::Live;
use crate::failure::{Failure, Outcome};
use futures::stream::{self, StreamExt};
use std::sync::atomic::Ordering;
use std::time::Duration;
use tim_catalogue::command_line;
use tim_client::wire::structs::{business, operation};
use tim_client::wire::{ErrorCode, TimAck, TimMessage};
use tim_client::{Advice, Event, SendError};

/// Members that are being taken in, or that take what waited for them, at once.
const AT_ONCE: usize = 256;
/// Members who take others in side by side: a server answers one connection's requests one after the other.
const FILLERS_MAX: usize = 32;
/// Members whom the founder takes in alone.
const FILLED_BY_ONE: usize = 200;
/// How long the server may take to answer one request while a room is made. Some answer only when the member who was taken
/// in has confirmed the notice, or could have.
const ANSWER_MAX: Duration = Duration::from_secs(60);
/// How long a message to a remembered room may take.
const PROBE_MAX: Duration = Duration::from_secs(10);
/// Whoever gets nothing of what waited for so long has got all of it: some servers do not say where it ends.
const QUIET_MAX: Duration = Duration::from_secs(5);
/// How long all of what waited may take one member; the rest comes while messages do.
const WAITED_MAX: Duration = Duration::from_secs(30);

/// The ids of the rooms; those that no earlier run has made, and those that are gone, are made.
pub(super) async fn rooms(bench: &Bench<'_>) -> Outcome<Vec<String>> {
    let mut ids = Vec::new();
    for number in 0..usize::try_from(bench.arguments.rooms).unwrap_or(usize::MAX) {
        let (members, absent) = (bench.arguments.members, bench.arguments.absent);
        let made_for = format!("{members} online, {absent} not, number {number}");
        let remembered = match bench.accounts.room(&made_for) {
            Some(id) => is_there(bench, number, &id).await?.then_some(id),
            None => None,
        };
        let id = match remembered {
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

/// How many members of each room are online.
fn online(bench: &Bench<'_>) -> usize {
    usize::try_from(bench.arguments.members).unwrap_or(usize::MAX)
}

/// Whether a room still takes messages of its founder: the server may have begun anew since it was made.
async fn is_there(bench: &Bench<'_>, number: usize, room: &str) -> Outcome<bool> {
    let first = number * online(bench);
    bench.ensure_accounts(first + 1).await?;
    let founder = bench.log_in(first).await?;
    let probe = TimMessage {
        data_string: Some("probe".into()),
        ..TimMessage::to_room(room, operation::NORMAL)
    };
    let sent = tokio::time::timeout(PROBE_MAX, founder.client.send_message(probe)).await;
    founder.client.close().await;
    match sent {
        Ok(Err(SendError::Rejected(rejection))) => Ok(rejection.advice() != Advice::DoNotRetry),
        // Whether it is there the load will show.
        _ => Ok(true),
    }
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
    let mut founder = bench.log_in(first).await?;
    let made = founder.client.create_room("bench", false).await;
    made.map_err(|error| Failure::new(&command_line::SERVER_UNREACHABLE, error.to_string()))?;
    let room = answer(&mut founder, business::NEW_ROOM, "the making of a room")
        .await?
        .n;
    let room = room
        .filter(|room| !room.is_empty())
        .ok_or_else(|| Failure::new(&command_line::ACCOUNT_REFUSED, "a room was made without an id"))?;
    let helpers = if ids.len() > FILLED_BY_ONE {
        FILLERS_MAX.min(online) - 1
    } else {
        0
    };
    let (first_in, others) = ids.split_at(helpers);
    fill_by(bench, &mut founder, &room, first_in).await?;
    let mut fillers = vec![founder];
    for number in 1..=helpers {
        fillers.push(bench.log_in(first + number).await?);
    }
    let share = others.len().div_ceil(fillers.len()).max(1);
    let filling = others
        .chunks(share)
        .zip(&mut fillers)
        .map(|(ids, filler)| fill_by(bench, filler, &room, ids));
    futures::future::try_join_all(filling).await?;
    for filler in fillers {
        filler.client.close().await;
    }
    Ok(room)
}

/// A member takes accounts into a room.
async fn fill_by(bench: &Bench<'_>, by: &mut LoggedIn, room: &str, ids: &[String]) -> Outcome<()> {
    let mut asked = ids.iter();
    let mut under_way = 0;
    loop {
        while under_way < AT_ONCE
            && let Some(id) = asked.next()
        {
            let pulled = by.client.pull_into_room(room, id).await;
            pulled.map_err(|error| Failure::new(&command_line::SERVER_UNREACHABLE, error.to_string()))?;
            Live::raise(&bench.live.sent);
            under_way += 1;
        }
        if under_way == 0 {
            return Ok(());
        }
        answer(by, business::PULL_ROOM, "the taking in of a member").await?;
        Live::raise(&bench.live.answered);
        under_way -= 1;
    }
}

/// The answer to a request about rooms.
async fn answer(founder: &mut LoggedIn, request: i32, what: &str) -> Outcome<TimAck> {
    let waiting = async {
        while let Some(event) = founder.events.next().await {
            match event {
                Event::Ack(ack) => return Ok(ack),
                Event::Reconnecting { reason, .. } => return Err(format!("connection lost: {reason}")),
                Event::Closed(reason) => return Err(reason.to_string()),
                _ => {}
            }
        }
        Err("the client ended".to_owned())
    };
    let answered = tokio::time::timeout(ANSWER_MAX, waiting).await;
    let seconds = ANSWER_MAX.as_secs();
    let answered = answered.unwrap_or_else(|_| Err(format!("no answer within {seconds} s")));
    let refused = |why: String| Failure::new(&command_line::ACCOUNT_REFUSED, format!("{what}: {why}"));
    let ack = answered.map_err(refused)?;
    if ack.ok && ack.t == Some(i64::from(request)) {
        return Ok(ack);
    }
    let error = ack.error.clone().unwrap_or_default();
    let code = error.code.and_then(ErrorCode::from_number);
    // A run that did not get to its end has taken it in.
    if matches!(code, Some(ErrorCode::HasExist | ErrorCode::Repeated)) {
        return Ok(ack);
    }
    Err(refused(
        error.info.unwrap_or_else(|| format!("unexpected answer {ack:?}")),
    ))
}

/// The members of each room who are online, the founder first.
pub(super) async fn log_in(bench: &Bench<'_>, rooms: usize) -> Outcome<Vec<Vec<LoggedIn>>> {
    let online = online(bench);
    let all = rooms * online;
    bench.ensure_accounts(all).await?;
    let in_flight = bench.in_flight_max();
    let adjust = move |options: &mut tim_client::Options| {
        bench.adjust(options);
        options.limits.in_flight_max = in_flight;
        options.limits.events_max = 1_024;
        options.limits.remembered_max = 0;
        options.limits.read_buffer_bytes = 4 << 10;
    };
    let at = |number: usize| bench.server(number);
    let live = &bench.live;
    let clients = bench
        .accounts
        .log_in_all(all, &at, &adjust, || Live::raise(&live.sessions))
        .await?;
    live.to_settle.store(all as u64, Ordering::Relaxed);
    let mut settled: Vec<(usize, LoggedIn)> = stream::iter(clients.into_iter().enumerate())
        .map(|(number, member)| async move { (number, take_what_waited(member).await) })
        .buffer_unordered(AT_ONCE)
        .inspect(|_| Live::raise(&live.settled))
        .collect()
        .await;
    settled.sort_unstable_by_key(|(number, _)| *number);
    let mut members = settled.into_iter().map(|(_, member)| member);
    Ok((0..rooms)
        .map(|_| members.by_ref().take(online).collect())
        .collect())
}

/// Takes what waited for a member, as clients do after a login, so that live messages do not queue behind it.
async fn take_what_waited(mut member: LoggedIn) -> LoggedIn {
    let until_the_end = async {
        member.client.request_offline().await.ok();
        loop {
            match tokio::time::timeout(QUIET_MAX, member.events.next()).await {
                Ok(Some(Event::OfflineEnd) | None) | Err(_) => return,
                Ok(Some(_)) => {}
            }
        }
    };
    let _ = tokio::time::timeout(WAITED_MAX, until_the_end).await;
    member
}
