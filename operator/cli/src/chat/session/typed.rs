//! What a typed line does.

use super::Session;
use crate::chat::command::{self, Line, RoomLine};
use std::time::Instant;

impl Session<'_> {
    /// Sends a text, or does what a command says.
    pub(super) async fn typed(&mut self, line: &str) {
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
    pub(super) fn talk_in(&mut self, room: &str) {
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
}
