//! Clients that are connected and do nothing: what one costs the server in memory and time.

use super::Bench;
use super::checker::Found;
use super::measured::Live;
use super::report::{Checks, Figures};
use super::server_load::ServerLoad;
use crate::failure::Outcome;
use std::time::Instant;
use tim_client::Event;

pub(super) async fn run(bench: &Bench<'_>, server: &ServerLoad) -> Outcome<Figures> {
    let count = bench.ensure_sessions().await?;
    let at = |number: usize| bench.server(number);
    let live = &bench.live;
    let without = server.look();
    let adjust = |options: &mut tim_client::Options| {
        options.reconnect = None;
        options.limits.events_max = 4;
        options.limits.commands_max = 4;
        options.limits.in_flight_max = 1;
        options.limits.remembered_max = 0;
        options.limits.read_buffer_bytes = 1 << 10;
    };
    let clients = bench
        .accounts
        .log_in_all(count, &at, adjust, || Live::raise(&live.sessions))
        .await?;
    let grown = server.since(&without);
    let begun = Instant::now();
    let idle = server.look();
    tokio::time::sleep(bench.arguments.duration).await;
    let taken = server.since(&idle);
    let mut lost = 0;
    let mut kept = 0;
    for mut client in clients {
        let ended =
            std::iter::from_fn(|| client.events.try_next()).any(|event| matches!(event, Event::Closed(_)));
        if ended {
            lost += 1;
        } else {
            kept += 1;
        }
    }
    let sessions = i64::from(bench.arguments.sessions.max(1));
    Ok(Figures {
        seconds: begun.elapsed().as_secs_f64(),
        operations: kept,
        echo: None,
        delivery: None,
        last_delivery: None,
        checks: Checks {
            lost,
            ..Checks::of(Found::default(), live)
        },
        bytes_per_session: grown.map(|grown| grown.resident_bytes_grown / sessions),
        first_logins: None,
        strangers: 0,
        server: taken,
    })
}
