//! Where clients connect: the listener, WebSocket connections, and the HTTP channel beside them.

mod addresses;
mod connection;
mod http;
mod listener;
mod outbox;

pub(crate) use addresses::{AddressRate, AddressRates};
pub(crate) use connection::{Connection, Continuation};
pub(crate) use http::router;
pub(crate) use listener::{Arrival, BoundListener, Door, TlsSource, bind, bind_error, serve};
pub(crate) use outbox::Outbox;
