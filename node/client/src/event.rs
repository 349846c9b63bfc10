//! What the application is told.

use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use futures::Stream;
use tim_wire::frame::BigData;
use tim_wire::structs::business;
use tim_wire::{Command, ErrorCode, ServerFrame, TimAck, TimMessage, TimNodes, TimPresence, TimStream};
use tokio::sync::mpsc;

use crate::CloseReason;

/// What to give to [`crate::Client::confirm`] when deliveries are confirmed by the application.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Confirmation {
    /// Which of the client's connections it came by: a sync id means nothing on another one.
    pub(crate) connection: u64,
    pub(crate) sync_id: i32,
}

/// The outcome of a message that was taken by the server.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Sent {
    /// The message's id, given by the client.
    pub id: i64,
    /// Its number in the conversation. Servers without a database give none.
    pub mid: Option<i64>,
    /// When the server took it, in Unix nanoseconds.
    pub timestamp: Option<i64>,
}

/// Something happened.
#[derive(Debug, Clone, PartialEq)]
pub enum Event {
    /// Logged in, for the first time or again.
    Connected {
        /// The account id that was logged in to.
        node: String,
    },
    /// The connection broke; another attempt follows after the wait.
    Reconnecting {
        /// Which attempt of this break, from 1.
        attempt: u32,
        /// How long it waits.
        wait: Duration,
        /// What broke.
        reason: String,
    },
    /// Somebody's message: an ordinary one, a live one, a revoke, a burn or a notice.
    Message {
        /// The message.
        message: TimMessage,
        /// Present when the server wants to hear that it arrived.
        confirmation: Option<Confirmation>,
    },
    /// A message of this account, sent by another of its devices.
    Echo(TimMessage),
    /// A batch of messages that waited. More may follow until [`Event::OfflineEnd`].
    OfflineBatch {
        /// Oldest first.
        messages: Vec<TimMessage>,
        /// Present when the server wants to hear that it arrived.
        confirmation: Option<Confirmation>,
    },
    /// Nothing (more) waited.
    OfflineEnd,
    /// The result of an operation that no call waits for.
    Ack(TimAck),
    /// Somebody's presence.
    Presence(TimPresence),
    /// A list, profiles or rooms.
    Nodes(TimNodes),
    /// Data of a virtual room, subscribed to as a struct.
    Stream(TimStream),
    /// Data of a virtual room, subscribed to as raw bytes; `node` is the room.
    BinaryStream(BigData),
    /// Somebody's unstructured text or bytes; `node` is the sender.
    BigData(BigData),
    /// A frame that this library has no type for.
    Frame(ServerFrame),
    /// The end; nothing follows.
    Closed(CloseReason),
}

impl Event {
    /// The messages that came with it: one that is live, or a batch of those that waited.
    #[must_use]
    pub fn messages(&self) -> &[TimMessage] {
        match self {
            Self::Message { message, .. } => std::slice::from_ref(message),
            Self::OfflineBatch { messages, .. } => messages,
            _ => &[],
        }
    }

    /// Whether it says that two accounts are friends: from now on, or long since, when one of them has asked again.
    #[must_use]
    pub fn is_friendship(&self) -> bool {
        let repeated = |ack: &TimAck| {
            let code = ack.error.as_ref().and_then(|error| error.code);
            ack.tim_type == Command::Business.tim_type()
                && code.and_then(ErrorCode::from_number) == Some(ErrorCode::Repeated)
        };
        let notice = |message: &TimMessage| message.bn_type == Some(business::FRIEND);
        matches!(self, Self::Ack(ack) if repeated(ack)) || self.messages().iter().any(notice)
    }
}

/// The events of one client, in order. While nobody takes them and the queue is full, the client reads
/// nothing from the server; dropped, events are thrown away and the client goes on.
#[derive(Debug)]
pub struct Events {
    pub(crate) queue: mpsc::Receiver<Event>,
}

impl Events {
    /// The next event; nothing after [`Event::Closed`].
    pub async fn next(&mut self) -> Option<Event> {
        self.queue.recv().await
    }

    /// The next event, if one is there.
    pub fn try_next(&mut self) -> Option<Event> {
        self.queue.try_recv().ok()
    }
}

impl Stream for Events {
    type Item = Event;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Event>> {
        self.queue.poll_recv(context)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tim_wire::TimError;

    fn notice(bn_type: i32) -> TimMessage {
        TimMessage {
            bn_type: Some(bn_type),
            ..TimMessage::default()
        }
    }

    fn refusal(command: Command, code: ErrorCode) -> Event {
        Event::Ack(TimAck {
            tim_type: command.tim_type(),
            error: Some(TimError {
                code: Some(code.number()),
                ..TimError::default()
            }),
            ..TimAck::default()
        })
    }

    #[test]
    fn friendship_is_told_live_late_and_by_a_refusal() {
        let live = Event::Message {
            message: notice(business::FRIEND),
            confirmation: None,
        };
        let late = Event::OfflineBatch {
            messages: vec![notice(business::ADD_ROSTER), notice(business::FRIEND)],
            confirmation: None,
        };
        assert_eq!((live.messages().len(), late.messages().len()), (1, 2));
        assert!(live.is_friendship() && late.is_friendship());
        assert!(refusal(Command::Business, ErrorCode::Repeated).is_friendship());
        assert!(!refusal(Command::Business, ErrorCode::Blocked).is_friendship());
        assert!(!refusal(Command::Message, ErrorCode::Repeated).is_friendship());
    }
}
