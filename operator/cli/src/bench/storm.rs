//! One-to-one messages at a fixed rate, first alone and then beside newcomers: accounts that are registered and log in for
//! the first time, as fast as the server takes them. Each costs the server a password hash, and where it logs in at another
//! node than it was registered at, two.

use super::measured::{Live, Times};
use super::report::{Figures, Storm};
use super::sending::{Period, sleep_until};
use super::server_load::ServerLoad;
use super::{Bench, direct, pairs};
use crate::failure::Outcome;
use futures::stream::{FuturesUnordered, StreamExt};
use std::time::{Duration, Instant};

/// Messages per second without `--rate`: enough for a p99, and far from what a server can do.
pub(super) const MESSAGES_PER_SECOND: u32 = 500;
/// Newcomers under way at once.
const AT_ONCE: usize = 32;
/// How long newcomers under way at the end may take.
const FINISH_MAX: Duration = Duration::from_secs(30);

pub(super) async fn run(bench: &Bench<'_>, server: &ServerLoad) -> Outcome<Figures> {
    let pairs = pairs::ready(bench).await?;
    let start = Instant::now();
    let change = start + bench.arguments.duration;
    let period = Period {
        start,
        change: Some(change),
        end: change + bench.arguments.duration,
    };
    let (measured, newcomers) = tokio::join!(
        direct::measure(bench, server, pairs, period),
        newcomers(bench, change, period.end)
    );
    let (figures, echoes) = measured?;
    let (mut storm, count) = newcomers;
    bench.accounts.newcomers_are_known(count)?;
    storm.echo = echoes.after.percentiles();
    Ok(Figures {
        echo: echoes.before.percentiles(),
        storm: Some(storm),
        ..figures
    })
}

/// The storm, and how many accounts it tried.
async fn newcomers(bench: &Bench<'_>, begin: Instant, end: Instant) -> (Storm, usize) {
    sleep_until(Some(begin)).await;
    let first = bench.accounts.n_known();
    let (mut times, mut refused, mut count) = (Times::new(), 0, 0);
    let mut last_refusal = None;
    let mut under_way = FuturesUnordered::new();
    let deadline = end + FINISH_MAX;
    loop {
        while Instant::now() < end && under_way.len() < AT_ONCE {
            under_way.push(newcomer(bench, first + count));
            count += 1;
        }
        let next = tokio::time::timeout_at(deadline.into(), under_way.next()).await;
        match next {
            Ok(Some(Ok(time))) => {
                Live::raise(&bench.live.accounts);
                times.record(time);
            }
            Ok(Some(Err(why))) => {
                refused += 1;
                last_refusal = Some(why);
            }
            Ok(None) | Err(_) => break,
        }
    }
    let storm = Storm {
        newcomers: times.percentiles().map_or(0, |percentiles| percentiles.count),
        refused: refused + under_way.len() as u64,
        last_refusal,
        seconds: begin.elapsed().as_secs_f64(),
        times: times.percentiles(),
        echo: None,
    };
    (storm, count)
}

async fn newcomer(bench: &Bench<'_>, number: usize) -> Result<Duration, String> {
    let begun = Instant::now();
    let registered = bench.accounts.register(number, &bench.server(number)).await;
    registered.map_err(|failure| failure.to_string())?;
    let adjust = |options: &mut tim_client::Options| {
        bench.adjust(options);
        options.reconnect = None;
    };
    // Where there is another node it does not know the password yet.
    let logged_in = bench
        .accounts
        .log_in(number, bench.server(number + 1), &adjust)
        .await;
    let logged_in = logged_in.map_err(|failure| failure.to_string())?;
    let time = begun.elapsed();
    logged_in.client.close().await;
    Ok(time)
}
