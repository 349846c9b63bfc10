//! Pairs of accounts, one of which writes to the other.

use super::Bench;
use super::accounts::LoggedIn;
use super::measured::Live;
use crate::failure::{Failure, Outcome};
use futures::stream::{FuturesUnordered, StreamExt};
use std::time::{Duration, Instant};
use tim_catalogue::command_line;
use tim_client::SendError;
use tim_client::wire::TimMessage;
use tim_client::wire::structs::operation;

/// How long two accounts may take to become friends.
const FRIENDS_MAX: Duration = Duration::from_secs(30);
/// How often they are asked to.
const FRIENDS_INTERVAL: Duration = Duration::from_millis(500);
/// How long the first message between them may take. Servers that work on one client's requests at once may lose it.
const PROBE_MAX: Duration = Duration::from_secs(5);

/// A pair and the id of its receiver.
pub(super) struct Pair {
    pub(super) sender: LoggedIn,
    pub(super) receiver: LoggedIn,
    pub(super) receiver_node: String,
}

/// Two accounts per pair who may write to each other, spread over the nodes: the two of a pair are on different ones where
/// there are several.
pub(super) async fn ready(bench: &Bench<'_>) -> Outcome<Vec<Pair>> {
    let count = usize::try_from(bench.arguments.pairs)
        .unwrap_or(usize::MAX)
        .saturating_mul(2);
    let server = |number: usize| bench.server(number);
    let live = &bench.live;
    bench.ensure_accounts(count).await?;
    let in_flight = bench.in_flight_max();
    let adjust = move |options: &mut tim_client::Options| {
        bench.adjust(options);
        options.limits.in_flight_max = in_flight;
        options.limits.commands_max = 4_096;
        options.limits.events_max = 16_384;
        // The checker wants to see every repetition.
        options.limits.remembered_max = 0;
    };
    let clients = bench
        .accounts
        .log_in_all(count, &server, &adjust, || Live::raise(&live.sessions))
        .await?;
    let mut clients = clients.into_iter();
    let mut pairs = Vec::new();
    while let (Some(sender), Some(receiver)) = (clients.next(), clients.next()) {
        pairs.push(Pair {
            receiver_node: receiver.node.clone(),
            sender,
            receiver,
        });
    }
    let befriending = !bench.arguments.no_friends;
    let mut waiting: FuturesUnordered<_> = pairs.iter().map(|pair| introduce(pair, befriending)).collect();
    while let Some(outcome) = waiting.next().await {
        outcome?;
    }
    drop(waiting);
    Ok(pairs)
}

/// Both ask to be friends, where that is needed; it is done when a message passes.
async fn introduce(pair: &Pair, befriending: bool) -> Outcome<()> {
    let deadline = Instant::now() + FRIENDS_MAX;
    let (sender, receiver) = (&pair.sender, &pair.receiver);
    loop {
        if befriending {
            // A connection that broke is made again meanwhile.
            sender.client.add_friend(&receiver.node, "bench").await.ok();
            receiver.client.add_friend(&sender.node, "bench").await.ok();
        }
        let probe = TimMessage {
            data_string: Some("probe".into()),
            ..TimMessage::direct(&receiver.node, operation::NORMAL)
        };
        let passed = tokio::time::timeout(PROBE_MAX, sender.client.send_message(probe)).await;
        match passed.unwrap_or(Err(SendError::Timeout)) {
            Ok(_) => return Ok(()),
            Err(error) if Instant::now() >= deadline => {
                return Err(Failure::new(
                    &command_line::ACCOUNT_REFUSED,
                    format!("the first message between two accounts, friends by now, has no echo: {error}"),
                ));
            }
            Err(_) => tokio::time::sleep(FRIENDS_INTERVAL).await,
        }
    }
}
