//! The handle of an application.

use std::future::Future;
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, AtomicI64, Ordering};
use std::sync::{Arc, LazyLock};
use std::task::{Context, Poll, ready};
use std::time::{SystemTime, UNIX_EPOCH};

use bytes::Bytes;
use rand::Rng as _;
use tim_wire::frame::{client_frame, empty_client_frame};
use tim_wire::structs::{business, operation};
use tim_wire::{Command, Encoding, TimMessage, TimNodes, TimPresence, TimReq, WireStruct};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc, oneshot};

use crate::driver::{self, Order};
use crate::session::Outgoing;
use crate::{Confirmation, ConnectError, Events, Options, RequestError, SendError, Sent, telemetry};

/// `TimReq.rtype` of the history with an account.
const HISTORY_OF_ACCOUNT: i32 = 1;

/// A logged-in client. Cheap to clone; when all clones are gone, it says goodbye.
#[derive(Debug, Clone)]
pub struct Client {
    orders: mpsc::Sender<Order>,
    in_flight: Arc<Semaphore>,
    connected: Arc<AtomicBool>,
    node: Arc<str>,
    encoding: Encoding,
    frame_bytes_max: usize,
}

impl Client {
    /// Connects and logs in at the first address that lets it, and gives the handle and the events.
    ///
    /// # Errors
    /// What the last address answered; at once when the login is refused for good.
    pub async fn connect(options: Options) -> Result<(Self, Events), ConnectError> {
        let limits = options.limits;
        let encoding = options.encoding;
        let (orders, order_queue) = mpsc::channel(limits.commands_max.max(1));
        let (event_queue, events) = mpsc::channel(limits.events_max.max(1));
        let connected = Arc::new(AtomicBool::new(true));
        let node = driver::start(options, order_queue, event_queue, connected.clone()).await?;
        let client = Self {
            orders,
            in_flight: Arc::new(Semaphore::new(
                limits.in_flight_max.clamp(1, Semaphore::MAX_PERMITS),
            )),
            connected,
            node: node.into(),
            encoding,
            frame_bytes_max: limits.frame_bytes_max,
        };
        Ok((client, Events { queue: events }))
    }

    /// The account id that was logged in to.
    #[must_use]
    pub fn node(&self) -> &str {
        &self.node
    }

    /// Whether there is a connection just now.
    #[must_use]
    pub fn is_connected(&self) -> bool {
        self.connected.load(Ordering::Relaxed)
    }

    /// Sends a message and waits for its echo, across reconnects.
    ///
    /// # Errors
    /// See [`SendError::advice`].
    pub async fn send_message(&self, message: TimMessage) -> Result<Sent, SendError> {
        self.submit(message).await?.await
    }

    /// Sends a text to an account and waits for its echo.
    ///
    /// # Errors
    /// As [`Self::send_message`].
    pub async fn send_text(&self, to: &str, text: &str) -> Result<Sent, SendError> {
        let data_string = Some(text.to_owned());
        self.send_message(TimMessage {
            data_string,
            ..TimMessage::direct(to, operation::NORMAL)
        })
        .await
    }

    /// Puts a message into the queue and gives the receipt that becomes its outcome, so that several can be
    /// under way. They are sent in the order of these calls. A message without an id gets one.
    ///
    /// # Errors
    /// When it is too large or the client is closed; nothing was sent then.
    pub async fn submit(&self, mut message: TimMessage) -> Result<Receipt, SendError> {
        let id = *message.id.get_or_insert_with(new_message_id);
        let command = match message.od_type {
            operation::REVOKE => Command::RevokeMessage,
            operation::BURN => Command::BurnMessage,
            _ => Command::Message,
        };
        let span = telemetry::send(&message);
        let frame = self.frame(command, &message)?;
        let permit = self
            .in_flight
            .clone()
            .acquire_owned()
            .await
            .map_err(|_| SendError::Closed)?;
        let (receipt, outcome) = oneshot::channel();
        let outgoing = Outgoing {
            id,
            tim_type: command.tim_type(),
            frame,
            receipt,
            span,
        };
        self.orders
            .send(Order::Send(outgoing))
            .await
            .map_err(|_| SendError::Closed)?;
        Ok(Receipt {
            id,
            outcome,
            _permit: permit,
        })
    }

    /// Sends live data to an account: for those who are online now, without an echo and never again.
    ///
    /// # Errors
    /// When there is no connection; a rejection comes as an [`crate::Event::Ack`].
    pub async fn send_stream(&self, to: &str, data: Bytes) -> Result<(), SendError> {
        let message = TimMessage {
            // Names the message in a rejection, so that it is not taken for another's.
            id: Some(new_message_id()),
            data_binary: Some(data),
            ..TimMessage::direct(to, operation::STREAM)
        };
        let _entered = telemetry::send(&message);
        self.send_frame(self.frame(Command::Message, &message)?).await
    }

    /// Asks an account to be friends, or agrees to its asking. The other side gets a notice; so does this
    /// one, once both have asked.
    ///
    /// # Errors
    /// When there is no connection; a rejection comes as an [`crate::Event::Ack`].
    pub async fn add_friend(&self, node: &str, greeting: &str) -> Result<(), SendError> {
        self.send_business(TimReq {
            rtype: Some(business::ADD_ROSTER),
            node: Some(node.to_owned()),
            req_str: Some(greeting.to_owned()),
            ..TimReq::default()
        })
        .await
    }

    /// Asks for the friends, which come as an [`crate::Event::Nodes`]; not at all when there are none.
    ///
    /// # Errors
    /// When there is no connection.
    pub async fn request_roster(&self) -> Result<(), SendError> {
        self.send_business(TimReq {
            rtype: Some(business::ROSTER),
            ..TimReq::default()
        })
        .await
    }

    /// Sends a roster or room operation.
    ///
    /// # Errors
    /// When there is no connection.
    pub async fn send_business(&self, request: TimReq) -> Result<(), SendError> {
        self.send_frame(self.frame(Command::Business, &request)?).await
    }

    /// Queries or changes profiles and rooms.
    ///
    /// # Errors
    /// When there is no connection.
    pub async fn send_nodes(&self, nodes: &TimNodes) -> Result<(), SendError> {
        self.send_frame(self.frame(Command::Nodes, nodes)?).await
    }

    /// Tells presence to the accounts it names, or to all friends when it names none.
    ///
    /// # Errors
    /// When there is no connection.
    pub async fn send_presence(&self, presence: &TimPresence) -> Result<(), SendError> {
        let named = presence.to_tid.is_some() || presence.to_list.is_some();
        let command = if named {
            Command::Presence
        } else {
            Command::BroadcastPresence
        };
        self.send_frame(self.frame(command, presence)?).await
    }

    /// Asks for what waited while nobody was logged in; it comes as [`crate::Event::OfflineBatch`]es and an
    /// [`crate::Event::OfflineEnd`].
    ///
    /// # Errors
    /// When there is no connection.
    pub async fn request_offline(&self) -> Result<(), SendError> {
        self.send_frame(empty_client_frame(Command::OfflineMessages, self.encoding))
            .await
    }

    /// The messages with an account up to number `mid`, or the newest without it; newest first.
    ///
    /// # Errors
    /// See [`RequestError`].
    pub async fn history(
        &self,
        node: &str,
        mid: Option<i64>,
        limit: u32,
    ) -> Result<Vec<TimMessage>, RequestError> {
        self.pull(HISTORY_OF_ACCOUNT, node, mid, limit).await
    }

    /// A page of older messages; `rtype` says of what.
    pub(crate) async fn pull(
        &self,
        rtype: i32,
        node: &str,
        mid: Option<i64>,
        limit: u32,
    ) -> Result<Vec<TimMessage>, RequestError> {
        let request = TimReq {
            rtype: Some(rtype),
            node: Some(node.to_owned()),
            req_int: Some(mid.unwrap_or(0)),
            req_int2: Some(i64::from(limit)),
            ..TimReq::default()
        };
        let (waiting, answer) = oneshot::channel();
        let order = Order::History { request, waiting };
        self.order(order).await?;
        answer.await.unwrap_or(Err(RequestError::Closed))
    }

    /// Confirms a delivery, when that is left to the application.
    pub async fn confirm(&self, confirmation: Confirmation) {
        // A closed client has nothing to confirm any more.
        let _ = self.orders.send(Order::Confirm(confirmation)).await;
    }

    /// Sends a whole frame as it is, for what this library has no method for.
    ///
    /// # Errors
    /// When there is no connection, or the frame is too large.
    pub async fn send_frame(&self, frame: Bytes) -> Result<(), SendError> {
        let frame = self.checked(frame)?;
        if !self.is_connected() {
            return Err(if self.orders.is_closed() {
                SendError::Closed
            } else {
                SendError::Disconnected
            });
        }
        self.orders
            .send(Order::Frame(frame))
            .await
            .map_err(|_| SendError::Closed)
    }

    /// Says goodbye and ends; what has no outcome yet ends with [`SendError::Closed`].
    pub async fn close(self) {
        let (done, closed) = oneshot::channel();
        if self.orders.send(Order::Close(done)).await.is_ok() {
            // Ends in any case: with a word, or with the task.
            let _ = closed.await;
        }
    }

    /// Puts an order into the queue of the one task.
    pub(crate) async fn order(&self, order: Order) -> Result<(), RequestError> {
        self.orders.send(order).await.map_err(|_| RequestError::Closed)
    }

    pub(crate) fn frame(&self, command: Command, payload: &impl WireStruct) -> Result<Bytes, SendError> {
        self.checked(client_frame(
            command,
            self.encoding,
            &payload.encode_payload(self.encoding),
        ))
    }

    fn checked(&self, frame: Bytes) -> Result<Bytes, SendError> {
        let (length, limit) = (frame.len(), self.frame_bytes_max);
        if length > limit {
            Err(SendError::TooLarge { length, limit })
        } else {
            Ok(frame)
        }
    }
}

/// Positive, as some servers take other numbers for "none".
///
/// It counts upwards from the time of the first one, with some bits of chance below the milliseconds: servers keep ids in an
/// index, which is written at one place that way.
fn new_message_id() -> i64 {
    const CHANCE_BITS: u32 = 21;
    static NEXT: LazyLock<AtomicI64> = LazyLock::new(|| {
        let since_1970 = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        let milliseconds = i64::try_from(since_1970.as_millis()).unwrap_or(0);
        let chance = rand::rng().random_range(1..1 << CHANCE_BITS);
        AtomicI64::new((milliseconds << CHANCE_BITS) & i64::MAX | chance)
    });
    NEXT.fetch_add(1, Ordering::Relaxed)
}

/// Becomes the outcome of a message. Dropping it leaves the message on its way.
#[derive(Debug)]
pub struct Receipt {
    id: i64,
    outcome: oneshot::Receiver<Result<Sent, SendError>>,
    /// One message in flight; free again with the receipt.
    _permit: OwnedSemaphorePermit,
}

impl Receipt {
    /// The message's id.
    #[must_use]
    pub const fn id(&self) -> i64 {
        self.id
    }
}

impl Future for Receipt {
    type Output = Result<Sent, SendError>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        Poll::Ready(ready!(Pin::new(&mut self.outcome).poll(context)).unwrap_or(Err(SendError::Closed)))
    }
}
