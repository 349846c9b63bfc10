//! What frames mean and what waits for an answer. Pure: frames, calls and the time go in; frames, events
//! and confirmations to make later come out in [`Output`].

mod duplicates;
mod outbox;
mod questions;

#[cfg(test)]
mod tests;

use std::collections::VecDeque;
use std::time::Instant;

use bytes::Bytes;
use tim_wire::frame::{BigData, client_frame, confirmation_frame};
use tim_wire::{
    Command, DecodeError, Encoding, ServerFrame, TimAck, TimMessage, TimMessageList, TimReq, WireStruct,
};

use self::duplicates::Duplicates;
use self::outbox::Outbox;
pub(crate) use self::outbox::Outgoing;
use self::questions::Questions;
pub(crate) use self::questions::Waiting;
use crate::options::{Confirm, Options};
use crate::{Confirmation, Event, Rejection, telemetry};

/// What the driver has to do.
#[derive(Debug, Default)]
pub(crate) struct Output {
    /// To write, in order.
    pub(crate) frames: VecDeque<Bytes>,
    /// To hand over, in order.
    pub(crate) events: VecDeque<Event>,
    /// To write when their time has come, in order of time.
    pub(crate) later: VecDeque<(Instant, Bytes)>,
    /// The server logged us out for good.
    pub(crate) forced_logout: bool,
}

/// One client's side of the protocol, over all its connections.
#[derive(Debug)]
pub(crate) struct Session {
    encoding: Encoding,
    confirm: Confirm,
    /// The account logged in to.
    node: String,
    /// Number of the present connection.
    connection: u64,
    outbox: Outbox,
    histories: Questions<Vec<TimMessage>>,
    room_operations: Questions<TimAck>,
    duplicates: Duplicates,
    pub(crate) output: Output,
}

impl Session {
    pub(crate) fn new(options: &Options) -> Self {
        Self {
            encoding: options.encoding,
            confirm: options.confirm,
            node: String::new(),
            connection: 0,
            outbox: Outbox::new(options.limits.send_timeout),
            histories: Questions::new(options.limits.request_timeout),
            room_operations: Questions::new(options.limits.request_timeout),
            duplicates: Duplicates::new(options.limits.remembered_max),
            output: Output::default(),
        }
    }

    /// Logged in: what has no outcome yet goes out again, in order, ahead of anything newer.
    pub(crate) fn connected(&mut self, node: String) {
        self.connection += 1;
        self.node.clone_from(&node);
        self.output.frames.clear();
        self.output.frames.extend(self.outbox.frames());
        self.output.events.push_back(Event::Connected { node });
    }

    /// The connection is gone, and with it what only it could answer.
    pub(crate) fn disconnected(&mut self) {
        self.output.frames.clear();
        self.output.later.clear();
        self.histories.disconnected();
        self.room_operations.disconnected();
    }

    /// Keeps a message until its outcome, and sends it if there is a connection.
    pub(crate) fn send(&mut self, outgoing: Outgoing, connected: bool, now: Instant) {
        if connected {
            self.output.frames.push_back(outgoing.frame.clone());
        }
        self.outbox.push(outgoing, now);
    }

    /// Asks for history.
    pub(crate) fn request_history(
        &mut self,
        request: &TimReq,
        waiting: Waiting<Vec<TimMessage>>,
        now: Instant,
    ) {
        let payload = request.encode_payload(self.encoding);
        self.output
            .frames
            .push_back(client_frame(Command::PullMessages, self.encoding, &payload));
        self.histories.push(waiting, now);
    }

    /// Asks for something of a virtual room.
    pub(crate) fn operate_room(&mut self, request: &TimReq, waiting: Waiting<TimAck>, now: Instant) {
        let payload = request.encode_payload(self.encoding);
        self.output
            .frames
            .push_back(client_frame(Command::VirtualRoom, self.encoding, &payload));
        self.room_operations.push(waiting, now);
    }

    /// Confirms a delivery, unless it came by an earlier connection.
    pub(crate) fn confirm(&mut self, confirmation: Confirmation) {
        if confirmation.connection == self.connection {
            self.output
                .frames
                .push_back(confirmation_frame(confirmation.sync_id, self.encoding));
        }
    }

    /// When [`Self::tick`] has something to do at the earliest.
    pub(crate) fn deadline(&self) -> Option<Instant> {
        let later = self.output.later.front().map(|(time, _)| *time);
        let questions = [self.histories.deadline(), self.room_operations.deadline()];
        let others = [self.outbox.deadline(), later];
        questions.into_iter().chain(others).flatten().min()
    }

    /// Gives up what took too long, and makes the confirmations that are due.
    pub(crate) fn tick(&mut self, now: Instant) {
        self.outbox.expire(now);
        self.histories.expire(now);
        self.room_operations.expire(now);
        while let Some((_, frame)) = self.output.later.pop_front_if(|(time, _)| *time <= now) {
            self.output.frames.push_back(frame);
        }
    }

    /// Takes a frame of the server.
    ///
    /// # Errors
    /// When it cannot be read: then the server speaks another protocol, and the connection is of no use.
    pub(crate) fn receive(&mut self, frame: Bytes, now: Instant) -> Result<(), DecodeError> {
        let frame = ServerFrame::parse(frame)?;
        let event = match frame.command() {
            Some(Command::Ping) => return Ok(()),
            Some(Command::Ack) => return self.receive_ack(&frame),
            Some(Command::Message) => return self.receive_message(&frame, now),
            Some(Command::OfflineMessages) => return self.receive_batch(&frame, now),
            Some(Command::PullMessages) => {
                let list: TimMessageList = self.decode(&frame)?;
                self.histories.answered(Ok(list.message_list.unwrap_or_default()));
                return Ok(());
            }
            Some(Command::OfflineEnd) => Event::OfflineEnd,
            Some(Command::Presence) => Event::Presence(self.decode(&frame)?),
            Some(Command::Nodes) => Event::Nodes(self.decode(&frame)?),
            Some(Command::Stream) => Event::Stream(self.decode(&frame)?),
            Some(command) if command.is_big_data() => big_data(command, frame),
            _ => Event::Frame(frame),
        };
        self.output.events.push_back(event);
        Ok(())
    }

    fn decode<T: WireStruct>(&self, frame: &ServerFrame) -> Result<T, DecodeError> {
        T::decode_payload(&frame.payload, self.encoding)
    }

    fn receive_ack(&mut self, frame: &ServerFrame) -> Result<(), DecodeError> {
        let ack: TimAck = self.decode(frame)?;
        let command = u8::try_from(ack.tim_type).ok().and_then(Command::from_number);
        let taken = match command {
            Some(Command::Logout) => {
                self.output.forced_logout = true;
                true
            }
            Some(Command::Message | Command::RevokeMessage | Command::BurnMessage) if !ack.ok => {
                self.outbox.rejected(&ack)
            }
            Some(Command::PullMessages) if !ack.ok => self.histories.answered(Err(Rejection::of(&ack))),
            Some(Command::VirtualRoom) => {
                let answer = if ack.ok {
                    Ok(ack.clone())
                } else {
                    Err(Rejection::of(&ack))
                };
                self.room_operations.answered(answer)
            }
            _ => false,
        };
        if !taken {
            self.output.events.push_back(Event::Ack(ack));
        }
        Ok(())
    }

    fn receive_message(&mut self, frame: &ServerFrame, now: Instant) -> Result<(), DecodeError> {
        let message: TimMessage = self.decode(frame)?;
        let own = !self.node.is_empty() && message.from_node() == Some(&self.node);
        let span = if own {
            tracing::Span::none()
        } else {
            telemetry::process(&message)
        };
        let _entered = span.entered();
        let confirmation = self.confirmation(frame);
        let is_news = self.duplicates.is_news(&message, &self.node);
        if own && self.outbox.echoed(&message) {
            self.settle(confirmation, now);
            return Ok(());
        }
        if is_news {
            let event = if own && confirmation.is_none() {
                Event::Echo(message)
            } else {
                Event::Message {
                    message,
                    confirmation,
                }
            };
            self.output.events.push_back(event);
            self.settle_automatically(confirmation, now);
        } else {
            // Shown before: only the confirmation was lost.
            self.settle(confirmation, now);
        }
        Ok(())
    }

    fn receive_batch(&mut self, frame: &ServerFrame, now: Instant) -> Result<(), DecodeError> {
        let list: TimMessageList = self.decode(frame)?;
        let confirmation = self.confirmation(frame);
        let mut messages = list.message_list.unwrap_or_default();
        let was_empty = messages.is_empty();
        messages.retain(|message| {
            let is_news = self.duplicates.is_news(message, &self.node);
            // An own message whose echo went down with a connection comes in here instead.
            let own = !self.node.is_empty() && message.from_node() == Some(&self.node);
            !(own && self.outbox.echoed(message)) && is_news
        });
        if messages.is_empty() && !was_empty {
            self.settle(confirmation, now);
            return Ok(());
        }
        self.output.events.push_back(Event::OfflineBatch {
            messages,
            confirmation,
        });
        self.settle_automatically(confirmation, now);
        Ok(())
    }

    fn confirmation(&self, frame: &ServerFrame) -> Option<Confirmation> {
        frame.sync_id.map(|sync_id| Confirmation {
            connection: self.connection,
            sync_id,
        })
    }

    /// Confirms what the application gets to see, unless it wants to do so itself.
    fn settle_automatically(&mut self, confirmation: Option<Confirmation>, now: Instant) {
        if self.confirm != Confirm::ByApplication {
            self.settle(confirmation, now);
        }
    }

    /// Confirms, at once or as late as told.
    fn settle(&mut self, confirmation: Option<Confirmation>, now: Instant) {
        let Some(confirmation) = confirmation else {
            return;
        };
        let frame = confirmation_frame(confirmation.sync_id, self.encoding);
        match self.confirm {
            Confirm::After(wait) => self.output.later.push_back((now + wait, frame)),
            Confirm::OnReceipt | Confirm::ByApplication => self.output.frames.push_back(frame),
        }
    }
}

/// Raw frames have no structure that could be wrong, but for their separator.
fn big_data(command: Command, frame: ServerFrame) -> Event {
    match BigData::parse_from_server(command, &frame.payload) {
        Some(stream) if command == Command::BigBinaryStream => Event::BinaryStream(stream),
        Some(big_data) => Event::BigData(big_data),
        None => Event::Frame(frame),
    }
}
