//! One person's side of a chat: input lines, events of the client, and what both make of the screen.

use super::command::{self, Line, RoomLine};
use super::conversation::Outbox;
use super::{Accounts, Place, ended};
use crate::exit::Exit;
use crate::failure::{Failure, Outcome};
use crate::terminal::{Colour, Painted, Terminal};
use std::path::PathBuf;
use std::time::{Duration, Instant};
use tim_catalogue::command_line;
use tim_client::wire::structs::{business, node_kind, operation};
use tim_client::wire::{Command, ErrorCode, TimAck, TimMessage, TimNodes, TimPresence};
use tim_client::{Client, ConnectError, Event, Events, Options, Receipt, SendError, Sent, Server};
use tokio::io::{AsyncBufReadExt, BufReader};

/// How often a friendship that is not mutual yet is tried again.
const FRIEND_INTERVAL: Duration = Duration::from_secs(2);
/// After the input has ended, what was typed may take this long to be stored.
const FINISH_MAX: Duration = Duration::from_secs(30);

/// A shorter wait is not told.
const NOTICEABLE: Duration = Duration::from_millis(300);

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
    let (client, events, peer_node) = open(&place, account, peer).await?;
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

/// Logs in, registering first where this program has not done so before, and finds the other side's id.
async fn open(place: &Place, name: &str, peer: &str) -> Outcome<(Client, Events, String)> {
    let (path, server_key) = match &place.accounts {
        Some(path) => (path.clone(), String::new()),
        None => (accounts_elsewhere(), server_key(&place.server)),
    };
    let mut accounts = Accounts::open(&path, &server_key)?;
    let account = accounts.ensure(&place.server, name).await?;
    if place.accounts.is_some() {
        // On one's own machine the other side is somebody at the next terminal: there before he says a word.
        accounts.ensure(&place.server, peer).await?;
    }
    let connected = match connect(&place.server, account.credentials(name)).await {
        Err(ConnectError::LoginRefused(rejection)) if is_unknown(rejection.code()) => {
            let account = accounts.renew(&place.server, name).await?;
            if place.accounts.is_some() {
                accounts.renew(&place.server, peer).await.ok();
            }
            connect(&place.server, account.credentials(name)).await
        }
        other => other,
    };
    let (client, events) = connected.map_err(|error| match error {
        ConnectError::LoginRefused(rejection) => {
            Failure::new(&command_line::ACCOUNT_REFUSED, format!("\"{name}\": {rejection}"))
        }
        other => Failure::new(&command_line::SERVER_UNREACHABLE, other.to_string()),
    })?;
    Ok((client, events, accounts.node_of(peer)))
}

fn is_unknown(code: Option<ErrorCode>) -> bool {
    matches!(
        code,
        Some(ErrorCode::PermissionDenied | ErrorCode::Account | ErrorCode::NoPass)
    )
}

async fn connect(
    server: &Server,
    credentials: tim_client::Credentials,
) -> Result<(Client, Events), ConnectError> {
    let mut options = Options::new(server.clone(), credentials);
    options.resource = "tim chat".into();
    Client::connect(options).await
}

fn accounts_elsewhere() -> PathBuf {
    let home = std::env::var_os("HOME").map(PathBuf::from).unwrap_or_default();
    let data = std::env::var_os("XDG_DATA_HOME").map_or_else(|| home.join(".local/share"), PathBuf::from);
    data.join("tim").join("chat-accounts.json")
}

fn server_key(server: &Server) -> String {
    server
        .addresses
        .first()
        .map(|address| format!("{}:{}", address.host(), address.port()))
        .unwrap_or_default()
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

    async fn typed(&mut self, line: &str) {
        let peer = self.peer_node.clone();
        let outcome = match command::read(line) {
            Line::Text(text) => return self.outbox.push(text),
            Line::Back(number) => match (number.or(self.last_own), &self.room) {
                (Some(number), None) => self.client.revoke(&peer, number).await.map(|_| ()),
                (Some(number), Some(room)) => self.client.revoke_in_room(room, number).await.map(|_| ()),
                (None, _) => {
                    return self.note("nothing was sent from here yet; /back NUMBER names a message");
                }
            },
            Line::Burn(number) => self.client.burn(&peer, number).await.map(|_| ()),
            Line::History(count) => return self.history(count).await,
            Line::Friends => self.client.request_roster().await,
            Line::Room(line) => return self.rooms(line).await,
            Line::Status(text) => self.client.tell_status(None, &text).await,
            Line::Help => return command::HELP.iter().for_each(|line| self.note(line)),
            Line::Quit => {
                self.input_ended = Some(Instant::now());
                return;
            }
            Line::Wrong(why) => return self.note(&why),
        };
        match outcome {
            Ok(()) => self.note(&format!("done: {line}")),
            Err(error) => self.note(&format!("{line}: {error}")),
        }
    }

    async fn rooms(&mut self, line: RoomLine) {
        let asked = match (line, self.room.clone()) {
            (RoomLine::New(topic), _) => self.client.create_room(&topic, false).await,
            (RoomLine::Join(room), _) => {
                self.joining = Some(room.clone());
                self.client.join_room(&room, "").await
            }
            (RoomLine::List, _) => self.client.request_rooms().await,
            (RoomLine::Add(_) | RoomLine::Leave, None) => {
                return self.note("you talk in no room; /room new TOPIC makes one");
            }
            (RoomLine::Add(account), Some(room)) => {
                let account = self.accounts.node(&account).to_owned();
                self.client.pull_into_room(&room, &account).await
            }
            (RoomLine::Leave, Some(room)) => self.client.leave_room(&room).await,
            (RoomLine::Back, _) => {
                self.room = None;
                return self.note(&format!("you talk to {} again", self.peer));
            }
        };
        if let Err(error) = asked {
            self.note(&error.to_string());
        }
    }

    /// From now on lines go there.
    fn talk_in(&mut self, room: &str) {
        self.note(&format!(
            "you talk in room {room}; others come with /room join {room}"
        ));
        self.room = Some(room.to_owned());
    }

    async fn history(&self, count: u32) {
        let found = match &self.room {
            Some(room) => self.client.room_history(room, None, count).await,
            None => self.client.history(&self.peer_node, None, count).await,
        };
        match found {
            Ok(messages) if messages.is_empty() => self.note("no messages yet"),
            Ok(messages) => messages
                .iter()
                .rev()
                .for_each(|message| self.show(message, "   (history)")),
            Err(error) => self.note(&format!("history: {error}")),
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

    async fn event(&mut self, event: Event) {
        match event {
            Event::Message { message, .. } => self.message(&message, false).await,
            Event::Echo(message) => {
                let text = message.data_string.unwrap_or_default();
                self.terminal.result(format!("you, elsewhere: {text}"));
            }
            Event::OfflineBatch { messages, .. } => {
                for message in &messages {
                    self.message(message, true).await;
                }
            }
            Event::OfflineEnd => self.offline_shown = true,
            Event::Reconnecting {
                attempt,
                wait,
                reason,
            } => {
                self.lost.get_or_insert_with(Instant::now);
                self.note(&reconnecting(attempt, wait, &reason));
            }
            Event::Connected { .. } => {
                if let Some(lost) = self.lost.take() {
                    self.note(&format!(
                        "connected again after {:.1} s",
                        lost.elapsed().as_secs_f64()
                    ));
                    self.outbox.try_again();
                }
            }
            Event::Ack(ack) => self.ack(&ack),
            Event::Presence(presence) => self.presence(&presence),
            Event::Nodes(nodes) => self.friends(&nodes),
            _ => {}
        }
    }

    async fn message(&mut self, message: &TimMessage, waited: bool) {
        let from = message.from_node().unwrap_or_default().to_owned();
        if message.od_type == operation::BUSINESS {
            return match message.room_node() {
                Some(room) => self.room_notice(message.bn_type.unwrap_or_default(), room, &from),
                None => self.notice(message.bn_type.unwrap_or_default(), &from).await,
            };
        }
        if let Some(erased) = erased(message) {
            let name = self.accounts.of(&from);
            return self.note(&format!("{name} {erased}"));
        }
        self.show(message, if waited { "   (waited for you)" } else { "" });
    }

    fn show(&self, message: &TimMessage, remark: &str) {
        let name = self.accounts.of(message.from_node().unwrap_or_default());
        let text = message.data_string.as_deref().unwrap_or("(no text)");
        let number = message.mid.map_or_else(String::new, |mid| format!("#{mid} "));
        let room = message
            .room_node()
            .map_or_else(String::new, |room| format!("[{room}] "));
        self.terminal.result(format!(
            "{room}{number}{name}: {text}{}",
            Painted::new(remark, Colour::Quiet)
        ));
    }

    fn presence(&self, presence: &TimPresence) {
        let from = presence.from_tid.as_ref().map(|tid| tid.node.as_str());
        let name = self.accounts.of(from.unwrap_or_default());
        match (&presence.status, presence.offline) {
            (_, Some(true)) => self.note(&format!("{name} has gone")),
            (Some(status), _) => self.note(&format!("{name}: {status}")),
            _ => {}
        }
    }

    fn friends(&self, nodes: &TimNodes) {
        let friends = nodes.nodelist.iter().flatten();
        let names: Vec<&str> = friends.map(|node| self.accounts.of(node)).collect();
        if nodes.ntype == node_kind::ROSTER {
            self.note(&format!("friends: {}", names.join(", ")));
        } else if nodes.ntype == node_kind::USER_ROOMS {
            self.note(&format!("rooms: {}", names.join(", ")));
        }
    }

    async fn notice(&mut self, kind: i32, from: &str) {
        let name = self.accounts.of(from).to_owned();
        match kind {
            business::ADD_ROSTER if from == self.peer_node => {
                self.befriend().await;
                self.outbox.try_again();
            }
            business::ADD_ROSTER => self.note(&format!("{name} wants to be friends")),
            business::FRIEND => {
                if !std::mem::replace(&mut self.friends_said, true) {
                    self.note(&format!("you and {name} are friends"));
                }
                self.outbox.try_again();
            }
            _ => {}
        }
    }

    fn room_notice(&mut self, kind: i32, room: &str, from: &str) {
        let name = self.accounts.of(from).to_owned();
        match kind {
            business::ADD_ROOM => self.note(&format!("{name} wants to join room {room}")),
            business::PASS_ROOM if self.joining.as_deref() == Some(room) => {
                self.joining = None;
                self.talk_in(room);
            }
            business::PASS_ROOM | business::PULL_ROOM => {
                self.note(&format!(
                    "you are in room {room}; /room join {room} to talk there"
                ));
            }
            business::REFUSE_ROOM => self.note(&format!("{name} does not let you into room {room}")),
            business::KICK_ROOM => {
                self.room = self.room.take().filter(|talked_in| talked_in != room);
                self.note(&format!("{name} has removed you from room {room}"));
            }
            _ => {}
        }
    }

    fn ack(&mut self, ack: &TimAck) {
        let operation = ack.t.and_then(|t| i32::try_from(t).ok());
        if ack.ok {
            return match (operation, &ack.n) {
                (Some(business::NEW_ROOM), Some(room)) => self.talk_in(room),
                (Some(business::LEAVE_ROOM), Some(room)) => {
                    self.room = self.room.take().filter(|talked_in| talked_in != room);
                    self.note(&format!("you have left room {room}"));
                }
                (Some(business::PULL_ROOM), _) => self.note("taken in"),
                _ => {}
            };
        }
        // Already in the room: then one may talk there.
        let already = ack.error.as_ref().and_then(|error| error.code) == Some(ErrorCode::HasExist.number());
        if let (Some(business::ADD_ROOM), true, Some(room)) = (operation, already, self.joining.take()) {
            return self.talk_in(&room);
        }
        // What rooms refuse is said twice: once with its names, and once bare.
        if ack.tim_type == Command::Business.tim_type() && operation.is_none() {
            return;
        }
        let error = ack.error.clone().unwrap_or_default();
        match error.code.and_then(ErrorCode::from_number) {
            // Friends already.
            Some(ErrorCode::Repeated) => {}
            Some(ErrorCode::Account) => self.note(&format!("{} does not exist there yet", self.peer)),
            _ => {
                let info = error.info.unwrap_or_default();
                self.note(&format!("refused: {} {info}", error.code.unwrap_or_default()));
            }
        }
    }

    fn note(&self, text: &str) {
        self.terminal.message(format!("· {text}"));
    }
}

/// What a notice that a message is gone says, and of which one.
fn erased(message: &TimMessage) -> Option<String> {
    let does = match message.od_type {
        operation::REVOKE => "took back",
        operation::BURN => "burnt",
        _ => return None,
    };
    Some(format!("{does} message #{}", message.mid.unwrap_or_default()))
}

/// What a lost connection, or a failed attempt to have another one, is told as.
fn reconnecting(attempt: u32, wait: Duration, reason: &str) -> String {
    let what = if attempt <= 1 {
        "connection lost"
    } else {
        "still no connection"
    };
    let next = if wait < NOTICEABLE {
        "connecting again".to_owned()
    } else {
        format!("next attempt in {:.1} s", wait.as_secs_f64())
    };
    format!("{what} ({}); {next}", reason.trim())
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_that_is_gone_is_named_by_its_number() {
        let revoke = TimMessage {
            mid: Some(5),
            ..TimMessage::direct("bob", operation::REVOKE)
        };
        assert_eq!(erased(&revoke).as_deref(), Some("took back message #5"));
        assert_eq!(erased(&TimMessage::direct("bob", operation::NORMAL)), None);
    }

    #[test]
    fn a_lost_connection_is_told_in_words_and_seconds() {
        assert_eq!(
            reconnecting(1, Duration::ZERO, "closed by the server with 1012 "),
            "connection lost (closed by the server with 1012); connecting again"
        );
        assert_eq!(
            reconnecting(5, Duration::from_millis(1_533), "Connection refused"),
            "still no connection (Connection refused); next attempt in 1.5 s"
        );
    }
}
