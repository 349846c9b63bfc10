//! Clients that are connected and do nothing: what one costs the server in memory and time.

use super::checker::Found;
use super::report::{Checks, Figures};
use super::server_load::ServerLoad;
use super::{Bench, sessions};
use crate::failure::Outcome;
use std::time::Instant;
use tim_client::Event;

pub(super) async fn run(bench: &Bench<'_>, server: &ServerLoad) -> Outcome<Figures> {
    // Registering costs memory that is not a session's.
    bench.ensure_accounts(bench.n_sessions()).await?;
    let without = server.look();
    let clients = sessions::log_in(bench, None).await?;
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
        checks: Checks {
            lost,
            ..Checks::of(Found::default(), &bench.live)
        },
        bytes_per_session: grown.map(|grown| grown.resident_bytes_grown / sessions),
        server: taken,
        ..Figures::default()
    })
}
