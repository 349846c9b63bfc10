//! One person's side of a chat: input lines, events of the client, and what both make of the screen.
//!
//! ```text
//!   opening ──▶ session ◀── typed (lines)
//!                  ▲─────── arrived (events)
//! ```

mod arrived;
mod opening;
mod typed;

use super::conversation::Outbox;
use super::{Place, ended};
use crate::exit::Exit;
use crate::failure::{Failure, Outcome};
use crate::terminal::{Colour, Painted, Terminal};
use std::time::{Duration, Instant};
use tim_catalogue::command_line;
use tim_client::wire::structs::operation;
use tim_client::wire::{ErrorCode, TimMessage};
use tim_client::{Client, Event, Events, Receipt, SendError, Sent};
use tokio::io::{AsyncBufReadExt, BufReader};

/// How often a friendship that is not mutual yet is tried again.
const FRIEND_INTERVAL: Duration = Duration::from_secs(2);
/// After the input has ended, what was typed may take this long to be stored.
const FINISH_MAX: Duration = Duration::from_secs(30);

/// What the session knows.
struct Session<'a> {
    terminal: &'a Terminal,
    client: Client,
    peer: String,
    peer_node: String,
    /// The room that is talked in, in place of the other side.
    room: Option<String>,
    /// The room that is being joined.
    joining: Option<String>,
    accounts: Names,
    outbox: Outbox,
    on_its_way: Option<(Instant, Receipt)>,
    /// Number of the last message that was stored from here.
    last_own: Option<i64>,
    input_ended: Option<Instant>,
    offline_shown: bool,
    friends_said: bool,
    lost: Option<Instant>,
}

/// Names of account ids.
struct Names(Vec<(String, String)>);

impl Names {
    fn of<'a>(&'a self, node: &'a str) -> &'a str {
        self.0
            .iter()
            .find(|(known, _)| known == node)
            .map_or(node, |(_, name)| name)
    }

    /// The id of a name that is known; anything else is an id.
    fn node<'a>(&'a self, name: &'a str) -> &'a str {
        self.0
            .iter()
            .find(|(_, known)| known == name)
            .map_or(name, |(node, _)| node)
    }
}

/// Runs until the input ends or the connection does for good.
pub(super) async fn run(terminal: &Terminal, place: Place, account: &str, peer: &str) -> Outcome {
    let (client, events, peer_node) = opening::open(&place, account, peer).await?;
    let accounts = Names(vec![
        (peer_node.clone(), peer.to_owned()),
        (client.node().to_owned(), account.to_owned()),
    ]);
    let session = Session {
        terminal,
        client,
        peer: peer.to_owned(),
        peer_node,
        room: None,
        joining: None,
        accounts,
        outbox: Outbox::default(),
        on_its_way: None,
        last_own: None,
        input_ended: None,
        offline_shown: false,
        friends_said: false,
        lost: None,
    };
    session.run(events).await
}

impl Session<'_> {
    async fn run(mut self, mut events: Events) -> Outcome {
        self.befriend().await;
        // What waited is asked for before anything is typed, so that it is read first.
        self.client.request_offline().await.ok();
        let mut input = BufReader::new(tokio::io::stdin()).lines();
        let mut friend_timer = tokio::time::interval(FRIEND_INTERVAL);
        loop {
            self.send_next().await;
            if let Some(exit) = self.is_over() {
                self.client.close().await;
                return exit;
            }
            let reading = self.input_ended.is_none();
            tokio::select! {
                line = input.next_line(), if reading => match line {
                    Ok(Some(line)) if line.trim().is_empty() => {}
                    Ok(Some(line)) => {
                        self.terminal.erase_typed(&line);
                        self.typed(&line).await;
                    }
                    // An input that cannot be read has ended.
                    Ok(None) | Err(_) => self.input_ended = Some(Instant::now()),
                },
                event = events.next() => match event {
                    Some(Event::Closed(reason)) => return ended(&reason),
                    Some(event) => self.event(event).await,
                    None => return Ok(Exit::Done),
                },
                outcome = outcome(&mut self.on_its_way) => self.outcome(outcome),
                _ = friend_timer.tick() => {
                    if self.outbox.waits_for_friend() {
                        self.befriend().await;
                        self.outbox.try_again();
                    }
                }
            }
        }
    }

    /// Over once the input has ended, nothing typed is without an outcome, and what waited was shown.
    fn is_over(&self) -> Option<Outcome> {
        let since = self.input_ended?;
        if self.outbox.len() == 0 && (self.offline_shown || since.elapsed() > FRIEND_INTERVAL) {
            return Some(Ok(Exit::Done));
        }
        if since.elapsed() < FINISH_MAX {
            return None;
        }
        let observed = format!(
            "{} lines could not be sent in {} s",
            self.outbox.len(),
            FINISH_MAX.as_secs()
        );
        Some(Err(
            Failure::new(&command_line::WAIT_RAN_OUT, observed).exit(Exit::TimedOut)
        ))
    }

    async fn befriend(&self) {
        // Without a connection it is asked for again by the timer, or after the next connection.
        self.client.add_friend(&self.peer_node, "hello").await.ok();
    }

    async fn send_next(&mut self) {
        if self.on_its_way.is_some() {
            return;
        }
        let Some(line) = self.outbox.next() else {
            return;
        };
        let message = TimMessage {
            data_string: Some(line),
            ..match &self.room {
                Some(room) => TimMessage::to_room(room, operation::NORMAL),
                None => TimMessage::direct(&self.peer_node, operation::NORMAL),
            }
        };
        match self.client.submit(message).await {
            Ok(receipt) => self.on_its_way = Some((Instant::now(), receipt)),
            Err(error) => self.outcome((Instant::now(), Err(error))),
        }
    }

    fn outcome(&mut self, (sent, outcome): (Instant, Result<Sent, SendError>)) {
        self.on_its_way = None;
        match outcome {
            Ok(stored) => {
                let line = self.outbox.finished().unwrap_or_default();
                self.last_own = stored.mid.or(self.last_own);
                let number = stored.mid.map_or_else(String::new, |mid| format!(" #{mid}"));
                let state = format!("sent → stored{number} ({} ms)", sent.elapsed().as_millis());
                self.terminal
                    .result(format!("you: {line}   {}", Painted::new(state, Colour::Quiet)));
            }
            Err(SendError::Rejected(rejection))
                if self.room.is_none() && rejection.code() == Some(ErrorCode::PermissionDenied) =>
            {
                if self.outbox.not_friends() {
                    let peer = &self.peer;
                    self.note(&format!(
                        "waiting for {peer} to agree; the line is sent then (tim chat --as {peer} …)"
                    ));
                }
            }
            Err(error) => {
                let line = self.outbox.finished().unwrap_or_default();
                self.note(&format!("not sent: {line} ({error})"));
            }
        }
    }

    fn note(&self, text: &str) {
        self.terminal.message(format!("· {text}"));
    }
}

/// The outcome of the message on its way; pending for ever while there is none.
async fn outcome(on_its_way: &mut Option<(Instant, Receipt)>) -> (Instant, Result<Sent, SendError>) {
    match on_its_way {
        Some((sent, receipt)) => {
            let sent = *sent;
            (sent, receipt.await)
        }
        None => std::future::pending().await,
    }
}
