//! Serves one connection until it ends.
//!
//! Reading and writing go on side by side: a server that is slow to read must not keep us from reading, or
//! both would wait for ever. While the application leaves events lying, nothing is read; while the socket
//! takes no frames, no orders are taken. So every queue is bounded.

use std::collections::VecDeque;
use std::future::poll_fn;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::{Duration, Instant};

use bytes::Bytes;
use futures::stream::SplitSink;
use futures::{Sink as _, SinkExt as _, StreamExt as _};
use tim_wire::frame::empty_client_frame;
use tim_wire::{Command, Encoding};
use tokio::time::{Sleep, sleep_until, timeout};
use tokio_tungstenite::tungstenite::protocol::frame::coding::CloseCode;
use tokio_tungstenite::tungstenite::{Error, Message};

use super::{Driver, Order, hand_over, hand_over_now};
use crate::connection::{Socket, message_bytes};
use crate::session::Output;

/// Orders taken at once before the socket gets its turn.
const ORDERS_PER_TURN: usize = 64;
/// Frames waiting to be written at which no more orders are taken.
const FRAMES_MAX: usize = 256;

/// How a connection ended.
pub(super) enum Ended {
    ByApplication,
    ForcedLogout,
    Lost {
        reason: String,
        /// The server said it is going away.
        draining: bool,
    },
}

impl Ended {
    fn lost(reason: impl ToString) -> Self {
        Self::Lost {
            reason: reason.to_string(),
            draining: false,
        }
    }
}

/// Says now and then that we are there, and notices when nobody answers.
struct Heartbeat {
    interval: Duration,
    next: Instant,
    /// Pings since the last frame of the server.
    silent: u32,
    silent_max: u32,
}

impl Heartbeat {
    /// Whether the connection is still alive; queues a ping when one is due.
    fn beat(&mut self, encoding: Encoding, frames: &mut VecDeque<Bytes>) -> bool {
        let now = Instant::now();
        if now < self.next {
            return true;
        }
        self.next = now + self.interval;
        self.silent += 1;
        frames.push_back(empty_client_frame(Command::Ping, encoding));
        self.silent <= self.silent_max
    }
}

impl Driver {
    pub(super) async fn serve(&mut self, socket: Socket) -> Ended {
        let (mut sink, mut stream) = socket.split();
        let mut heartbeat = Heartbeat {
            interval: self.options.ping_interval,
            next: Instant::now() + self.options.ping_interval,
            silent: 0,
            silent_max: self.options.silent_pings_max,
        };
        let mut alarm = Box::pin(sleep_until(heartbeat.next.into()));
        let mut unflushed = false;
        loop {
            self.set_alarm(alarm.as_mut(), heartbeat.next);
            let Output { frames, events, .. } = &mut self.session.output;
            let has_events = !events.is_empty();
            let takes_orders = frames.len() < FRAMES_MAX;
            let writes = unflushed || !frames.is_empty();
            tokio::select! {
                message = stream.next(), if !has_events => {
                    heartbeat.silent = 0;
                    if let Some(ended) = self.receive(message) {
                        return ended;
                    }
                }
                written = write(&mut sink, frames, &mut unflushed), if writes => {
                    if let Err(error) = written {
                        return Ended::lost(error);
                    }
                }
                () = hand_over(&self.events, events), if has_events => {}
                order = self.orders.recv(), if takes_orders => {
                    if self.take(order) {
                        self.say_goodbye(&mut sink).await;
                        return Ended::ByApplication;
                    }
                }
                () = alarm.as_mut() => {
                    self.session.tick(Instant::now());
                    if !heartbeat.beat(self.options.encoding, &mut self.session.output.frames) {
                        return Ended::lost("the server is silent");
                    }
                }
            }
        }
    }

    /// The alarm only ever moves when it has to: timers cost more than frames.
    fn set_alarm(&self, mut alarm: Pin<&mut Sleep>, heartbeat: Instant) {
        let due = self
            .session
            .deadline()
            .map_or(heartbeat, |deadline| deadline.min(heartbeat))
            .into();
        if alarm.is_elapsed() || due < alarm.deadline() {
            alarm.as_mut().reset(due);
        }
    }

    /// Takes what the socket gave; says how the connection ended, if it did.
    fn receive(&mut self, message: Option<Result<Message, Error>>) -> Option<Ended> {
        let message = match message {
            Some(Ok(Message::Close(frame))) => {
                let draining = frame
                    .as_ref()
                    .is_some_and(|frame| frame.code == CloseCode::Restart);
                let reason = frame.map_or_else(
                    || "closed by the server".to_owned(),
                    |frame| format!("closed by the server with {} {}", frame.code, frame.reason),
                );
                return Some(Ended::Lost {
                    reason: reason.trim_end().to_owned(),
                    draining,
                });
            }
            Some(Ok(message)) => message,
            Some(Err(error)) => return Some(Ended::lost(error)),
            None => return Some(Ended::lost("closed by the server")),
        };
        let bytes = message_bytes(message)?;
        if let Err(error) = self.session.receive(bytes, Instant::now()) {
            return Some(Ended::lost(error));
        }
        hand_over_now(&self.events, &mut self.session.output.events);
        self.session.output.forced_logout.then_some(Ended::ForcedLogout)
    }

    /// Takes an order, and others that wait already; says whether it was the last.
    fn take(&mut self, order: Option<Order>) -> bool {
        let Some(mut order) = order else {
            return true;
        };
        let now = Instant::now();
        for further in (0..ORDERS_PER_TURN).rev() {
            match order {
                Order::Send(outgoing) => self.session.send(outgoing, true, now),
                Order::Frame(frame) => self.session.output.frames.push_back(frame),
                Order::History { request, waiting } => self.session.request_history(&request, waiting, now),
                Order::VirtualRoom { request, waiting } => {
                    self.session.operate_room(&request, waiting, now);
                }
                Order::Confirm(confirmation) => self.session.confirm(confirmation),
                Order::Close(done) => {
                    self.closing = Some(done);
                    return true;
                }
            }
            // An order that is taken out of the queue is carried out: none is taken for after the last turn.
            match (further > 0).then(|| self.orders.try_recv()) {
                Some(Ok(next)) => order = next,
                _ => break,
            }
        }
        false
    }

    /// Writes what is left and closes, within the time for it.
    async fn say_goodbye(&mut self, sink: &mut SplitSink<Socket, Message>) {
        let frames = &mut self.session.output.frames;
        let goodbye = async {
            write(sink, frames, &mut true).await?;
            sink.close().await
        };
        // The server notices a missing goodbye as well.
        let _ = timeout(self.options.limits.close_timeout, goodbye).await;
    }
}

/// Writes frames as the socket takes them, and flushes. May be dropped at any time: what was not written
/// is still in `frames`.
async fn write(
    sink: &mut SplitSink<Socket, Message>,
    frames: &mut VecDeque<Bytes>,
    unflushed: &mut bool,
) -> Result<(), Error> {
    poll_fn(|context| poll_write(sink, frames, unflushed, context)).await
}

fn poll_write(
    sink: &mut SplitSink<Socket, Message>,
    frames: &mut VecDeque<Bytes>,
    unflushed: &mut bool,
    context: &mut Context<'_>,
) -> Poll<Result<(), Error>> {
    let mut sink = Pin::new(sink);
    while !frames.is_empty() {
        ready!(sink.as_mut().poll_ready(context))?;
        if let Some(frame) = frames.pop_front() {
            *unflushed = true;
            sink.as_mut().start_send(Message::Binary(frame))?;
        }
    }
    ready!(sink.as_mut().poll_flush(context))?;
    *unflushed = false;
    Poll::Ready(Ok(()))
}
