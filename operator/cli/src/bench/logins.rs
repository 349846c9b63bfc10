//! Logins: connections that come, log in, and go.
//!
//! Every account logs in once before the measurement: those are told apart, since a server may remember for a while what it
//! has verified.

use super::Bench;
use super::checker::Found;
use super::measured::{Live, Times};
use super::report::{Checks, Figures, FirstLogins};
use super::sending::sleep_until;
use super::server_load::ServerLoad;
use crate::failure::Outcome;
use futures::stream::{self, FuturesUnordered, StreamExt};
use std::time::{Duration, Instant};

/// How long logins under way at the end may take.
const FINISH_MAX: Duration = Duration::from_secs(30);
/// First logins under way at once.
const AT_ONCE: usize = 32;

pub(super) async fn run(bench: &Bench<'_>, server: &ServerLoad) -> Outcome<Figures> {
    let count = bench.n_sessions();
    bench.ensure_accounts(count).await?;
    let live = &bench.live;
    let first = first_logins(bench, count).await?;
    let before = server.look();
    let start = Instant::now();
    let end = start + bench.arguments.duration;
    let pace = bench.pace(0, 1, start);
    let mut times = Times::new();
    let mut under_way = FuturesUnordered::new();
    let mut number = 0_u64;
    while Instant::now() < end {
        match pace.due(number, under_way.len()) {
            Some(due) => {
                tokio::select! {
                    Some(outcome) = under_way.next() => note(live, &mut times, outcome),
                    () = sleep_until(Some(due)) => {
                        let account = usize::try_from(number).unwrap_or(0) % count.max(1);
                        Live::raise(&live.sent);
                        under_way.push(log_in_and_out(bench, account, due));
                        number += 1;
                    }
                }
            }
            None => {
                if let Some(outcome) = under_way.next().await {
                    note(live, &mut times, outcome);
                }
            }
        }
    }
    let rest = async {
        while let Some(outcome) = under_way.next().await {
            note(live, &mut times, outcome);
        }
    };
    let _ = tokio::time::timeout(FINISH_MAX, rest).await;
    let percentiles = times.percentiles();
    Ok(Figures {
        seconds: start.elapsed().as_secs_f64(),
        operations: percentiles.map_or(0, |percentiles| percentiles.count),
        echo: percentiles,
        checks: Checks::of(Found::default(), live),
        server: server.since(&before),
        first_logins: Some(first),
        ..Figures::default()
    })
}

/// Logs every account in once, a few at a time.
async fn first_logins(bench: &Bench<'_>, count: usize) -> Outcome<FirstLogins> {
    let start = Instant::now();
    let mut times = Times::new();
    let mut logging_in = stream::iter(0..count)
        .map(|account| log_in_and_out(bench, account, Instant::now()))
        .buffer_unordered(AT_ONCE);
    while let Some(outcome) = logging_in.next().await {
        note(&bench.live, &mut times, outcome);
    }
    Ok(FirstLogins {
        logins: times.percentiles().map_or(0, |percentiles| percentiles.count),
        seconds: start.elapsed().as_secs_f64(),
        times: times.percentiles(),
    })
}

async fn log_in_and_out(bench: &Bench<'_>, account: usize, begun: Instant) -> Result<Duration, String> {
    let adjust = |options: &mut tim_client::Options| {
        bench.adjust(options);
        options.reconnect = None;
    };
    let logged_in = bench
        .accounts
        .log_in(account, bench.server(account), &adjust)
        .await;
    let logged_in = logged_in.map_err(|failure| failure.to_string())?;
    let time = begun.elapsed();
    logged_in.client.close().await;
    Ok(time)
}

fn note(live: &Live, times: &mut Times, outcome: Result<Duration, String>) {
    match outcome {
        Ok(time) => {
            Live::raise(&live.answered);
            times.record(time);
        }
        Err(why) => live.refuse(why),
    }
}
