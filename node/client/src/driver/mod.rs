//! The one task of a client: it owns the socket and the clock, and asks the session what to do.

mod serve;

use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use bytes::Bytes;
use tim_wire::{TimAck, TimMessage, TimReq};
use tokio::sync::{mpsc, oneshot};

use self::serve::Ended;
use crate::backoff::{Attempt, Backoff};
use crate::connection::{self, Socket};
use crate::session::{Outgoing, Session, Waiting};
use crate::{CloseReason, Confirmation, ConnectError, Event, Options, RequestError};

/// What the handle asks for.
#[derive(Debug)]
pub(crate) enum Order {
    /// Send and keep until the outcome.
    Send(Outgoing),
    /// Send now or never.
    Frame(Bytes),
    /// Ask for history.
    History {
        request: TimReq,
        waiting: Waiting<Vec<TimMessage>>,
    },
    /// Ask for something of a virtual room.
    VirtualRoom {
        request: TimReq,
        waiting: Waiting<TimAck>,
    },
    /// Confirm a delivery.
    Confirm(Confirmation),
    /// End.
    Close(oneshot::Sender<()>),
}

/// Logs in, starts the task, and gives the account id.
pub(crate) async fn start(
    options: Options,
    orders: mpsc::Receiver<Order>,
    events: mpsc::Sender<Event>,
    connected: Arc<AtomicBool>,
) -> Result<String, ConnectError> {
    let mut last = ConnectError::NoAddress;
    for (address, place) in options.server.addresses.iter().enumerate() {
        match Box::pin(connection::open(&options, place)).await {
            Ok((socket, node)) => {
                let mut driver = Driver::new(options, address, orders, events, connected);
                driver.session.connected(node.clone());
                tokio::spawn(driver.run(socket));
                return Ok(node);
            }
            Err(error) if error.may_heal() => last = error,
            Err(error) => return Err(error),
        }
    }
    Err(last)
}

struct Driver {
    options: Options,
    session: Session,
    /// Index of the address in use.
    address: usize,
    orders: mpsc::Receiver<Order>,
    events: mpsc::Sender<Event>,
    /// Told to the handles.
    connected: Arc<AtomicBool>,
    /// Connections in a row that broke within [`QUICK_BREAK`].
    quick_breaks: u32,
    /// Who waits for the goodbye.
    closing: Option<oneshot::Sender<()>>,
}

impl Driver {
    fn new(
        options: Options,
        address: usize,
        orders: mpsc::Receiver<Order>,
        events: mpsc::Sender<Event>,
        connected: Arc<AtomicBool>,
    ) -> Self {
        let session = Session::new(&options);
        Self {
            options,
            session,
            address,
            orders,
            events,
            connected,
            quick_breaks: 0,
            closing: None,
        }
    }

    async fn run(mut self, mut socket: Socket) {
        let reason = loop {
            let begun = Instant::now();
            let ended = self.serve(socket).await;
            let quick = begun.elapsed() < QUICK_BREAK;
            self.quick_breaks = if quick {
                self.quick_breaks.saturating_add(1)
            } else {
                0
            };
            self.connected.store(false, Ordering::Relaxed);
            self.session.disconnected();
            match self.find_another(ended).await {
                Ok(next) => socket = next,
                Err(reason) => break reason,
            }
            self.connected.store(true, Ordering::Relaxed);
        };
        self.end(reason).await;
    }

    /// Another connection after a break, or why there is none.
    async fn find_another(&mut self, ended: Ended) -> Result<Socket, CloseReason> {
        let (reason, draining) = match ended {
            Ended::ByApplication => return Err(CloseReason::ByApplication),
            Ended::ForcedLogout => return Err(CloseReason::ForcedLogout),
            Ended::Lost { reason, draining } => (reason, draining),
        };
        let Some(policy) = self.options.reconnect else {
            return Err(CloseReason::Lost(reason));
        };
        let addresses = self.options.server.addresses.len();
        let mut backoff = Backoff::new(policy, addresses, self.address)
            .draining(draining)
            // One may happen to anybody.
            .after_quick_breaks(self.quick_breaks.saturating_sub(1));
        let mut reason = reason;
        while let Some(attempt) = backoff.next(rand::random()) {
            self.tell_reconnecting(&attempt, &reason);
            match self.attempt(attempt).await? {
                Ok((socket, node)) => {
                    self.address = attempt.address;
                    self.session.connected(node);
                    return Ok(socket);
                }
                Err(error) if error.may_heal() => reason = error.to_string(),
                Err(error) => return Err(CloseReason::Lost(error.to_string())),
            }
        }
        Err(CloseReason::Lost(reason))
    }

    /// Only the latest attempt is of interest, so a slow application does not make these pile up.
    fn tell_reconnecting(&mut self, attempt: &Attempt, reason: &str) {
        let events = &mut self.session.output.events;
        events.pop_back_if(|event| matches!(event, Event::Reconnecting { .. }));
        let (attempt, wait) = (attempt.number, attempt.wait);
        events.push_back(Event::Reconnecting {
            attempt,
            wait,
            reason: reason.to_owned(),
        });
    }

    /// Waits and connects, and meanwhile serves the application as well as it can be without a connection.
    async fn attempt(
        &mut self,
        attempt: Attempt,
    ) -> Result<Result<(Socket, String), ConnectError>, CloseReason> {
        let options = self.options.clone();
        let mut opening = Box::pin(async move {
            tokio::time::sleep(attempt.wait).await;
            match options.server.addresses.get(attempt.address) {
                Some(address) => connection::open(&options, address).await,
                None => Err(ConnectError::NoAddress),
            }
        });
        loop {
            let deadline = self.session.deadline().unwrap_or_else(|| Instant::now() + IDLE);
            let events = &mut self.session.output.events;
            let has_events = !events.is_empty();
            tokio::select! {
                opened = &mut opening => return Ok(opened),
                order = self.orders.recv() => match order {
                    Some(Order::Close(done)) => {
                        self.closing = Some(done);
                        return Err(CloseReason::ByApplication);
                    }
                    Some(order) => self.take_offline(order),
                    None => return Err(CloseReason::ByApplication),
                },
                () = hand_over(&self.events, events), if has_events => {}
                () = tokio::time::sleep_until(deadline.into()) => self.session.tick(Instant::now()),
            }
        }
    }

    /// What can be done without a connection: messages wait for the next one, the rest is refused.
    fn take_offline(&mut self, order: Order) {
        match order {
            Order::Send(outgoing) => self.session.send(outgoing, false, Instant::now()),
            Order::History { waiting, .. } => drop(waiting.send(Err(RequestError::Disconnected))),
            Order::VirtualRoom { waiting, .. } => drop(waiting.send(Err(RequestError::Disconnected))),
            Order::Frame(_) | Order::Confirm(_) | Order::Close(_) => {}
        }
    }

    /// Hands over what is left, as far as the application takes it in time.
    async fn end(mut self, reason: CloseReason) {
        self.session.output.events.push_back(Event::Closed(reason));
        let handing_over = async {
            while let Some(event) = self.session.output.events.pop_front() {
                if self.events.send(event).await.is_err() {
                    break;
                }
            }
        };
        // An application that stopped taking events does not keep the task alive; it sees the queue end.
        let _ = tokio::time::timeout(self.options.limits.close_timeout, handing_over).await;
        if let Some(done) = self.closing.take() {
            let _ = done.send(());
        }
    }
}

/// A connection that lives shorter than this tells of more trouble to come, as when two devices keep
/// throwing each other out.
const QUICK_BREAK: Duration = Duration::from_secs(5);

/// How long to sleep when nothing is due.
const IDLE: Duration = Duration::from_secs(3600);

/// Gives the application its events, as many as it has room for and at least one; throws them away when it
/// wants none. May be dropped at any time.
async fn hand_over(application: &mpsc::Sender<Event>, events: &mut VecDeque<Event>) {
    match application.reserve().await {
        Ok(permit) => {
            if let Some(event) = events.pop_front() {
                permit.send(event);
            }
            hand_over_now(application, events);
        }
        Err(_) => events.clear(),
    }
}

/// Gives the application as many events as it has room for.
fn hand_over_now(application: &mpsc::Sender<Event>, events: &mut VecDeque<Event>) {
    while !events.is_empty() {
        let Ok(permit) = application.try_reserve() else {
            return;
        };
        if let Some(event) = events.pop_front() {
            permit.send(event);
        }
    }
}
