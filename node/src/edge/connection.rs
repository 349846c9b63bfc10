//! One WebSocket connection: frames in, strictly in order, frames out, and what others post to its session.
//!
//! The task is one small future. It never waits for a write with other work at hand: frames queue in the [`Outbox`],
//! and reading stops while an operation of this connection (a login, a look into the database) is under way, or while
//! as many messages as allowed have no outcome yet; what the client sends meanwhile stays in its socket.

use super::Outbox;
use crate::admission::{Place, StrangerPlace};
use crate::commands::{self, Refusal};
use crate::mailbox::Mailbox;
use crate::node::Node;
use crate::session::{CloseReason, Input, Live};
use axum::extract::ws::{CloseFrame, Message, WebSocket};
use bytes::Bytes;
use futures::future::BoxFuture;
use futures::{FutureExt, Sink, SinkExt, StreamExt};
use std::collections::VecDeque;
use std::future::poll_fn;
use std::net::IpAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;
use tim_core::time::Moment;
use tim_wire::frame::{BigDataAssembler, BigDataPiece};
use tim_wire::{ClientFrame, Encoding};
use tokio::sync::oneshot;
use tokio_tungstenite::tungstenite;

/// What an operation does to its connection when it is done.
pub(crate) type Continuation = Box<dyn FnOnce(&mut Connection) + Send>;

/// An operation that later frames wait for.
pub(crate) type Operation = BoxFuture<'static, Continuation>;

/// How long the last frames and the closing handshake may take.
const CLOSE_LIMIT: Duration = Duration::from_secs(2);
/// How long a client that cannot be read has for reading why.
const UNREADABLE_LINGER: Duration = Duration::from_millis(500);
/// What an answer names when the command is not known.
const UNKNOWN_COMMAND: i8 = 0;

/// A connection, before and after login.
pub(crate) struct Connection {
    pub(crate) node: Arc<Node>,
    pub(crate) mailbox: Arc<Mailbox>,
    pub(crate) out: Outbox,
    /// Set by the login.
    pub(crate) live: Option<Box<Live>>,
    /// One after the other: an outcome may begin one while another is under way.
    operations: VecDeque<Operation>,
    /// Frames read so far; an error names the frame by it.
    pub(crate) frame_number: u64,
    opened: Moment,
    armed: Option<Moment>,
    unflushed: bool,
    close_by: Option<Moment>,
    /// Where the client is, as its socket says.
    pub(crate) address: IpAddr,
    /// Its place among all connections, given back with it.
    _place: Place,
    /// Its place among those that have not logged in.
    unauthenticated: Option<StrangerPlace>,
    /// A big-data frame of which only the beginning has come.
    begun: Option<Box<Begun>>,
}

/// A big-data frame on its way.
struct Begun {
    assembler: BigDataAssembler,
    /// It has been answered already.
    is_refused: bool,
}

enum Wake {
    Frame(Bytes),
    Inputs(Vec<Input>),
    Done(Continuation),
    Unreadable(CloseReason),
    /// The place of this stranger is another's.
    Yields,
    Gone,
}

impl Connection {
    pub(crate) fn new(
        node: Arc<Node>,
        address: IpAddr,
        place: Place,
        unauthenticated: Option<StrangerPlace>,
    ) -> Self {
        Self {
            _place: place,
            unauthenticated,
            address,
            out: outbox(&node.config.limits),
            mailbox: Arc::new(Mailbox::default()),
            live: None,
            operations: VecDeque::new(),
            frame_number: 0,
            opened: crate::clock::now(),
            armed: None,
            unflushed: false,
            close_by: None,
            begun: None,
            node,
        }
    }

    /// Runs until the connection ends. Boxes, since a future keeps room for what it was given beside what it makes of it.
    pub(crate) async fn run(mut self: Box<Self>, mut socket: Box<WebSocket>) {
        self.arm();
        loop {
            match poll_fn(|context| self.poll_wake(&mut socket, context)).await {
                Wake::Frame(frame) => self.frame(frame),
                Wake::Inputs(inputs) => self.inputs(inputs),
                Wake::Done(continuation) => self.done(continuation),
                Wake::Yields => self.out.close(CloseReason::Yields),
                Wake::Unreadable(reason) => self.unreadable(reason),
                Wake::Gone => break,
            }
            if self.may_close() {
                break;
            }
            self.arm();
        }
        self.leave();
        if let Some(reason) = self.out.closing() {
            let closing = Box::pin(close(&mut socket, &mut self.out, reason));
            if reason == CloseReason::Yields {
                // What its socket takes now it is told. It has no place any more, so nobody waits for it.
                let _ = closing.now_or_never();
                return;
            }
            // A client that does not answer is left behind.
            let _ = Box::pin(tokio::time::timeout(CLOSE_LIMIT, closing)).await;
        }
    }

    /// Lets later frames wait until the operation is done. Whoever has not logged in is not cut off meanwhile.
    pub(crate) fn begin(&mut self, operation: Operation) {
        self.operations.push_back(operation);
        self.note_busy();
    }

    fn note_busy(&mut self) {
        if let Some(place) = &mut self.unauthenticated {
            place.set_busy(!self.operations.is_empty());
        }
    }

    /// The operation at hand is done.
    fn done(&mut self, continuation: Continuation) {
        continuation(self);
        self.note_busy();
    }

    /// Somebody has logged in here.
    pub(crate) fn logged_in(&mut self) {
        self.unauthenticated = None;
    }

    /// Encoding of answers: as the login chose, before it as the frame at hand.
    pub(crate) fn encoding(&self, frame: Encoding) -> Encoding {
        self.live.as_ref().map_or(frame, |live| live.encoding)
    }

    /// A node that leaves still tells the outcomes of what it has taken, for a bounded time.
    fn may_close(&mut self) -> bool {
        match self.out.closing() {
            None => false,
            Some(CloseReason::Restart) if self.pending() > 0 => {
                let limit = CLOSE_LIMIT.as_millis() as u64;
                let by = *self
                    .close_by
                    .get_or_insert_with(|| crate::clock::now().plus_ms(limit));
                crate::clock::now() >= by
            }
            Some(_) => true,
        }
    }

    fn pending(&self) -> usize {
        self.live.as_ref().map_or(0, |live| live.pending.length())
    }

    fn poll_wake(&mut self, socket: &mut WebSocket, context: &mut Context<'_>) -> Poll<Wake> {
        if let Err(error) = self.poll_write(socket, context) {
            tracing::debug!(%error, "a connection broke");
            return Poll::Ready(Wake::Gone);
        }
        let mut inputs = Vec::new();
        if self.mailbox.poll_take(context, &mut inputs).is_ready() {
            return Poll::Ready(Wake::Inputs(inputs));
        }
        if let Some(operation) = self.operations.front_mut() {
            let continuation = std::task::ready!(operation.as_mut().poll(context));
            self.operations.pop_front();
            if self.operations.is_empty() {
                // An idle connection keeps no buffer.
                self.operations = VecDeque::new();
            }
            return Poll::Ready(Wake::Done(continuation));
        }
        if let Some(place) = &self.unauthenticated
            && self.out.closing().is_none()
            && place.poll_yields(context).is_ready()
        {
            return Poll::Ready(Wake::Yields);
        }
        let full = self.pending() >= self.node.config.limits.submissions_per_session_max as usize;
        // Who does not read its answers gets no more of them: what it sends stays in its socket.
        if full || self.out.is_behind() || self.out.closing().is_some() {
            return Poll::Pending;
        }
        loop {
            match std::task::ready!(socket.poll_next_unpin(context)) {
                Some(Ok(Message::Binary(frame))) => return Poll::Ready(Wake::Frame(frame)),
                Some(Ok(Message::Text(text))) => return Poll::Ready(Wake::Frame(text.into())),
                Some(Ok(Message::Ping(_) | Message::Pong(_))) => {}
                Some(Err(error)) => {
                    tracing::debug!(%error, "a connection broke");
                    return Poll::Ready(unreadable(error).map_or(Wake::Gone, Wake::Unreadable));
                }
                Some(Ok(Message::Close(_))) | None => return Poll::Ready(Wake::Gone),
            }
        }
    }

    /// Writes what waits, as far as the socket takes it.
    fn poll_write(&mut self, socket: &mut WebSocket, context: &mut Context<'_>) -> Result<(), axum::Error> {
        let mut socket = Pin::new(socket);
        let mut written = false;
        while !self.out.is_empty() {
            match socket.as_mut().poll_ready(context) {
                Poll::Pending => return Ok(()),
                Poll::Ready(ready) => ready?,
            }
            let Some(frame) = self.out.pop() else { break };
            socket.as_mut().start_send(Message::Binary(frame))?;
            written = true;
        }
        if written || self.unflushed {
            match socket.poll_flush(context) {
                Poll::Pending => self.unflushed = true,
                Poll::Ready(flushed) => {
                    self.unflushed = false;
                    flushed?;
                }
            }
        }
        Ok(())
    }

    /// Keeps the beginning of a big-data frame: the messages to come belong to it.
    pub(crate) fn begin_big_data(&mut self, assembler: BigDataAssembler) {
        self.begun = Some(Box::new(Begun {
            assembler,
            is_refused: false,
        }));
    }

    /// The same for one that was refused: the messages to come are passed over.
    pub(crate) fn pass_over_big_data(&mut self, assembler: BigDataAssembler) {
        self.begun = Some(Box::new(Begun {
            assembler,
            is_refused: true,
        }));
    }

    fn frame(&mut self, bytes: Bytes) {
        self.frame_number += 1;
        let Some(mut begun) = self.begun.take() else {
            return self.whole_frame(bytes);
        };
        match begun.assembler.push(bytes) {
            Ok(Some(_)) if begun.is_refused => {}
            Ok(Some(piece)) => commands::big_data_piece(self, piece),
            Ok(None) => self.begun = Some(begun),
            // As with the reference, the message stands for itself; what was begun is lost.
            Err(overshooting) => {
                if !begun.is_refused {
                    commands::big_data_piece(self, BigDataPiece::TooLong);
                }
                self.whole_frame(overshooting);
            }
        }
    }

    fn whole_frame(&mut self, bytes: Bytes) {
        match ClientFrame::parse(bytes.clone()) {
            Ok(frame) => commands::handle(self, &frame, bytes),
            // An empty message says nothing; the reference passes over it.
            Err(error) => tracing::debug!(%error, "a frame is passed over"),
        }
    }

    /// A frame of an administrator in this session's name: behind what is under way, as a frame of its client.
    fn send_as(&mut self, bytes: Bytes, taken: oneshot::Sender<()>) {
        self.begin(Box::pin(async move {
            let continuation: Continuation = Box::new(move |connection| {
                if let Ok(frame) = ClientFrame::parse(bytes.clone()) {
                    commands::send_as(connection, &frame, &bytes);
                }
                // The administrator may have given up.
                let _ = taken.send(());
            });
            continuation
        }));
    }

    /// What comes next cannot be found in what the client sends.
    fn unreadable(&mut self, reason: CloseReason) {
        if reason == CloseReason::TooLarge {
            let limit = self.node.config.limits.frame_bytes_max as usize;
            self.node.metrics.limit_reached("limits.frame_bytes_max");
            Refusal::frame_too_large(limit).answer(self, UNKNOWN_COMMAND);
        }
        self.out.close(reason);
    }

    fn inputs(&mut self, inputs: Vec<Input>) {
        let node = Arc::clone(&self.node);
        let Some(live) = &mut self.live else {
            if inputs.iter().any(|input| matches!(input, Input::Close(_))) {
                self.out.close(CloseReason::Restart);
            }
            let waited = crate::clock::now().since_ms(self.opened);
            if self.operations.is_empty() && waited >= node.config.sessions.login_timeout_millis {
                self.out.close(CloseReason::Unauthenticated);
            }
            return;
        };
        if inputs.is_empty() {
            live.timer(&node, &self.mailbox, &mut self.out);
        }
        for input in inputs {
            match input {
                Input::Outcome {
                    key,
                    conversation,
                    outcome,
                } => commands::outcome(self, key, conversation, outcome),
                Input::SendAs { frame, taken } => self.send_as(frame, taken),
                other => {
                    if let Some(live) = &mut self.live {
                        live.input(&node, &self.mailbox, other, &mut self.out);
                    }
                }
            }
        }
    }

    /// Makes sure that the wheel wakes this task at its next deadline.
    fn arm(&mut self) {
        let now = crate::clock::now();
        let deadline = match &self.live {
            Some(live) => live.deadline(&self.node),
            None => self
                .opened
                .plus_ms(self.node.config.sessions.login_timeout_millis),
        };
        let deadline = self.close_by.map_or(deadline, |by| by.min(deadline));
        // Never in the past: a deadline that nothing can be done about must not make the task spin.
        let deadline = deadline.max(now.plus_ms(1));
        if self.armed.is_none_or(|armed| deadline < armed || armed <= now) {
            self.node.wheel.arm(deadline, &self.mailbox);
            self.armed = Some(deadline);
        }
    }

    /// Takes the session out of everything that knows it.
    fn leave(&mut self) {
        if let Some(live) = self.live.take() {
            tracing::debug!(tim.session.id = live.id.0, reason = ?self.out.closing(), "session closed");
            live.save(&self.node, &self.mailbox);
            live.forget(&self.node);
            self.node.engine.session_closed(live.id);
            self.node.streams.session_closed(live.id);
            self.node.webhooks.session_ended(&self.node, &live.account);
            let tid = live.sender.tid.clone();
            commands::session_ended(&self.node, live.account.clone(), live.id, tid);
        }
        self.mailbox.close();
    }
}

/// Why no frame can be read any more, where the client can still be told.
fn unreadable(error: axum::Error) -> Option<CloseReason> {
    let error = error.into_inner();
    match error.downcast_ref::<tungstenite::Error>()? {
        tungstenite::Error::Capacity(_) => Some(CloseReason::TooLarge),
        tungstenite::Error::Utf8(_) => Some(CloseReason::Malformed),
        tungstenite::Error::Protocol(tungstenite::error::ProtocolError::ResetWithoutClosingHandshake) => None,
        tungstenite::Error::Protocol(_) => Some(CloseReason::Malformed),
        _ => None,
    }
}

/// One frame of any size may come on top of what was allowed before it.
fn outbox(limits: &tim_config::Limits) -> Outbox {
    let largest = limits.frame_bytes_max.max(limits.big_data_bytes_max);
    Outbox::new(
        limits.outbound_bytes_max as usize + largest as usize,
        limits.stream_bytes_per_session_max as usize,
    )
}

async fn close(socket: &mut WebSocket, out: &mut Outbox, reason: CloseReason) -> Result<(), axum::Error> {
    if reason != CloseReason::TooSlow {
        while let Some(frame) = out.pop() {
            socket.feed(Message::Binary(frame)).await?;
        }
    }
    let frame = CloseFrame {
        code: reason.code(),
        reason: axum::extract::ws::Utf8Bytes::from_static(""),
    };
    socket.send(Message::Close(Some(frame))).await?;
    if matches!(reason, CloseReason::TooLarge | CloseReason::Malformed) {
        // What is still unread would reset the connection, and with it what the client is told.
        tokio::time::sleep(UNREADABLE_LINGER).await;
    }
    while let Some(Ok(message)) = socket.next().await {
        if matches!(message, Message::Close(_)) {
            break;
        }
    }
    Ok(())
}
