//! What an event of the client shows, and what it changes.

use super::Session;
use crate::terminal::{Colour, Painted};
use std::time::{Duration, Instant};
use tim_client::Event;
use tim_client::wire::structs::{business, node_kind, operation};
use tim_client::wire::{Command, ErrorCode, TimAck, TimMessage, TimNodes, TimPresence};

/// A shorter wait is not told.
const NOTICEABLE: Duration = Duration::from_millis(300);

impl Session<'_> {
    /// Takes one event.
    pub(super) async fn event(&mut self, event: Event) {
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

    pub(super) fn show(&self, message: &TimMessage, remark: &str) {
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
